"""Errors that no rule explains: whether they concern single objects, or the whole account."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import FatalGraphError, PermissionMissing
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.left_out import LeftOutLog

MIN_FAILING_OBJECTS = 3
"""So many objects, and more than half of all, must fail before an error counts as an error of the account."""


@dataclass(slots=True, kw_only=True)
class UnknownErrors:
    """The errors of one account's objects. ``of_account``: the account itself is read; each request is an object."""

    of_account: bool
    left_out_log: LeftOutLog
    _errors: list[tuple[InsightsRequest, FatalGraphError]] = field(default_factory=list)
    _requested: set[int] = field(default_factory=set)
    _failed: set[int] = field(default_factory=set)
    _gone: set[int] = field(default_factory=set)

    def count(self, request: InsightsRequest) -> None:
        """Count the object as requested."""
        self._requested.add(self._identify(request))

    def add(self, request: InsightsRequest, error: FatalGraphError) -> None:
        """Keep an error until the whole batch is read."""
        self._errors.append((request, error))
        self._failed.add(self._identify(request))

    def add_gone(self, request: InsightsRequest) -> None:
        """Count an object of which Meta says that it does not know it."""
        self._gone.add(self._identify(request))

    @property
    def count_of_gone(self) -> int:
        """Return the number of objects, where Meta says of all that it does not know them, and of several; else 0."""
        return len(self._gone) if len(self._gone) >= MIN_FAILING_OBJECTS and self._gone == self._requested else 0

    def raise_if_common(self, *, answered: bool) -> None:
        """Look at all errors so far, after each batch.

        :param answered: something of the account was answered: then a missing permission concerns single objects.
        :raises FatalGraphError: the error concerns the account; nothing else need be requested.
        """
        count = len(self._failed)
        if not self._errors or count < MIN_FAILING_OBJECTS or 2 * count <= len(self._requested):
            return
        error = self._errors[-1][1]
        if not (answered and isinstance(error, PermissionMissing)):
            raise error

    def note_all(self, *, answered: bool) -> None:
        """Note the errors of single objects, at the end.

        :raises FatalGraphError: nothing was answered, and the error concerns the account.
        """
        for request, error in self._errors:
            if not answered and (self.of_account or isinstance(error, PermissionMissing)):
                raise error
            self.left_out_log.note_error(request.whom, request.what if self.of_account else "insights", error)
        self._errors.clear()

    def _identify(self, request: InsightsRequest) -> int:
        # Hashes, since an account may have 100,000 posts.
        return hash((request.retry_key, request.whom, str(request.scope)) if self.of_account else request.whom)
