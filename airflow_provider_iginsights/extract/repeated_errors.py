"""When single objects answer with an error that is nobody's by its code: the object's own, or the account's."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import FatalGraphError, PermissionMissing
from airflow_provider_iginsights.extract.insights_request import InsightsRequest
from airflow_provider_iginsights.extract.left_out import LeftOutLog

OBJECTS_FOR_ALL = 3
"""So many objects, and more than half of those asked, must answer with an error before it counts as the account's."""


@dataclass(slots=True, kw_only=True)
class RepeatedErrors:
    """The errors of one account's objects. ``of_account``: the account itself is asked; each question is an object."""

    of_account: bool
    left_out_log: LeftOutLog
    _open: list[tuple[InsightsRequest, FatalGraphError]] = field(default_factory=list)
    _asked: set[int] = field(default_factory=set)
    _denying: set[int] = field(default_factory=set)

    def count(self, ask: InsightsRequest) -> None:
        """Count the object as asked."""
        self._asked.add(self._identify(ask))

    def take(self, ask: InsightsRequest, error: FatalGraphError) -> None:
        """Keep an error until more is known."""
        self._open.append((ask, error))
        self._denying.add(self._identify(ask))

    def weigh(self, *, answered: bool) -> None:
        """Look at all errors so far; to be called once everybody in a batch was heard.

        :param answered: something of the account was answered: then a missing permission is the object's own.
        :raises FatalGraphError: the error is the account's: nothing else need be asked.
        """
        count = len(self._denying)
        if not self._open or count < OBJECTS_FOR_ALL or 2 * count <= len(self._asked):
            return
        error = self._open[-1][1]
        if not (answered and isinstance(error, PermissionMissing)):
            raise error

    def settle(self, *, answered: bool) -> None:
        """Note what single objects denied.

        :raises FatalGraphError: nothing was answered, and the error is known to be the account's.
        """
        for ask, error in self._open:
            if not answered and (self.of_account or isinstance(error, PermissionMissing)):
                raise error
            self.left_out_log.note_error(ask.whom, ask.what if self.of_account else "insights", error)
        self._open.clear()

    def _identify(self, ask: InsightsRequest) -> int:
        return hash((ask.same, ask.whom, str(ask.about)) if self.of_account else ask.whom)
