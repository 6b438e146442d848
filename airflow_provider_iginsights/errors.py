"""Every error this provider raises, cut by what the reader should do next.

::

    InsightsError
    |- ConfigurationError (ValueError)   fix the Dag or the connection        -> fail now
    |  |- GoogleProviderMissing
    |- FatalGraphError                   act at Meta                          -> fail now
    |  |- TokenExpired  PermissionMissing  AccountUnavailable  PolicyBlocked
    |- RetriableGraphError               wait                                 -> retry, .retry_after seconds
    |  |- Throttled  ServerTrouble  BrokenResponse
    |  |            |- TooMuchData
    |- SkippableGraphError               this one object has no such number   -> noted, go on
    |  |- MediaTooOld  BeyondHistory  TooFewViewers  TooFewFollowers  ObjectGone  MetricRefused
    |- LoadError                         BigQuery refused                     -> Airflow's own retries
       |- IncompatibleTable  DatasetUnavailable  RowRefused  StagedRowsMissing  RowsMissing
       |  |- HashSaltMismatch

Catch a family to decide what to do, a leaf to know what happened. No message and no attribute ever holds a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """What the Graph API said beside its message.

    ``asked`` is ``METHOD path`` without query and host; ``http_status`` is informative only: Meta's meaning is in
    ``code``/``subcode``.
    ``said`` is Meta's own message without secrets, in the language of the token's owner.
    """

    asked: str = ""
    http_status: int | None = None
    code: int | None = None
    subcode: int | None = None
    fbtrace_id: str | None = None
    said: str = ""

    def __str__(self) -> str:
        """Return the known facts as ``code 100, subcode 33, HTTP 400, trace A1b2, asked GET 17841/insights``."""
        named = (
            ("code", self.code),
            ("subcode", self.subcode),
            ("HTTP", self.http_status),
            ("trace", self.fbtrace_id),
            ("asked", self.asked or None),
        )
        return ", ".join(f"{name} {value}" for name, value in named if value is not None)


class InsightsError(Exception):
    """Base of every error here.

    :param message: whole sentences: what happened, to which account, media or table, what to do.
    :param facts: what the Graph API said, where it said anything.
    """

    def __init__(self, message: str, *, facts: GraphFacts | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.facts: GraphFacts = facts or GraphFacts()

    def __str__(self) -> str:
        """Return the message followed by the facts in brackets."""
        facts = str(self.facts)
        return f"{self.message} ({facts})" if facts else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by message and facts, so that errors cross process boundaries whole."""
        return _rebuild, (type(self), self.message, self.facts, dict(self.__dict__))


def _rebuild(kind: type[InsightsError], message: str, facts: GraphFacts, state: dict[str, Any]) -> InsightsError:
    error = kind(message, facts=facts)
    error.__dict__.update(state)
    return error


class ConfigurationError(InsightsError, ValueError):
    """The Dag or the connection asks for something that cannot be: fix it, a retry will not help."""


class GoogleProviderMissing(ConfigurationError):
    """A ``gcp_conn_id`` is given, but the Google provider, which reads such connections, is not installed."""


class FatalGraphError(InsightsError):
    """Somebody has to act at Meta (renew a token, grant a permission): a retry will not help."""


class TokenExpired(FatalGraphError):
    """The access token is missing, malformed, expired or revoked (Graph API codes 102, 190, 2500)."""


class PermissionMissing(FatalGraphError):
    """The token lacks a permission or a capability for this account (Graph API codes 3, 10, 200-299)."""


class AccountUnavailable(FatalGraphError):
    """The account does not exist or the token cannot see it (Graph API 100/33 or 803 on an account id)."""


class PolicyBlocked(FatalGraphError):
    """Meta blocked the app, its user or this worker's address (368, 5, "API access …"): look at the App Dashboard."""


class RetriableGraphError(InsightsError):
    """Waiting helps.

    :param retry_after: seconds to wait before the next try, as far as Meta said; None = choose a back-off.
    """

    def __init__(self, message: str, *, facts: GraphFacts | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, facts=facts)
        self.retry_after = retry_after


class Throttled(RetriableGraphError):
    """A rate limit of Meta is used up (codes 4, 17, 32, 341, 613, 80001, 80002, HTTP 429): stop the account, wait."""


class ServerTrouble(RetriableGraphError):
    """Meta's servers failed for the moment (Graph API codes 1, 2, HTTP 5xx, no connection), after all quick retries."""


class TooMuchData(ServerTrouble):
    """Meta finds the answer too large (code 1, "reduce the amount of data"), also at the smallest size of a page."""


class BrokenResponse(RetriableGraphError):
    """An answer arrived cut short or was not JSON, after all quick retries."""


class SkippableGraphError(InsightsError):
    """One object has no such number. Noted in the run's summary; everything else goes on."""


class MediaTooOld(SkippableGraphError):
    """Posted before the account became a business account (subcode 2108006): it never has insights."""


class BeyondHistory(SkippableGraphError):
    """Meta no longer has numbers of this day (Graph API code 100 about ``since``): the oldest day that it may keep."""


class TooFewViewers(SkippableGraphError):
    """A story has fewer than five viewers (Graph API code 10, "Not enough viewers")."""


class TooFewFollowers(SkippableGraphError):
    """The account is too small for this metric (Graph API subcode 2874010, "Not enough users")."""


class ObjectGone(SkippableGraphError):
    """The media is deleted, expired or not visible to the token (Graph API 100/33 or 803 on a media id)."""


class MetricRefused(SkippableGraphError):
    """The Graph API does not offer this metric (or breakdown) for this object."""


class LoadError(InsightsError):
    """BigQuery refused a request or a job. The targets are as they were."""


class IncompatibleTable(LoadError, ConfigurationError):
    """An existing table has a column of another type, or lacks what the rows need. Nothing was fetched or written."""


class HashSaltMismatch(IncompatibleTable):
    """A table holds hashes of another salt than the one given. Nothing was fetched or written."""


class DatasetUnavailable(LoadError, ConfigurationError):
    """The dataset does not exist in this project and location, or the credentials may not use it."""


class StagedRowsMissing(LoadError, ConfigurationError):
    """Mapped tasks that were to stage rows failed, or these rows are gone: clear them, and the task that writes."""


class RowsMissing(LoadError, ConfigurationError):
    """The tables have no row of some accounts and days: look at the runs of these days."""


class RowRefused(LoadError):
    """A row holds a value that its column cannot store. That row is not written; a transfer names it and goes on."""
