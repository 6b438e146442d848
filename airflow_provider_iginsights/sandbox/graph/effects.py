"""What can happen to an answer of the local Graph API: errors, cuts, odd pages, odd shapes."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_iginsights.sandbox.graph.edits import Edit
from airflow_provider_iginsights.sandbox.graph.errors import GraphError, Kind

__all__ = [
    "DeleteObject",
    "DropAfterHeaders",
    "DropConnection",
    "Effect",
    "EmptyPage",
    "ErrorEffect",
    "HtmlBody",
    "NoUsageHeaders",
    "NullItem",
    "ReduceData",
    "RefuseField",
    "SamePage",
    "ServedVersion",
    "Slow",
    "TruncatedBody",
]


@dataclass(frozen=True, slots=True)
class ErrorEffect:
    """Answer with this Graph error. Inside a field expansion the whole page gets it."""

    code: int
    subcode: int | None = None
    http: int = 400
    message: str = "An unknown error has occurred."
    type: str = "OAuthException"
    is_transient: bool | None = None

    def error(self) -> GraphError:
        """Return the error, ready to raise."""
        kind = Kind(self.code, self.message, self.subcode, self.http, self.type, self.is_transient)
        return GraphError(kind, self.message)


@dataclass(frozen=True, slots=True)
class DropConnection:
    """Close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class DropAfterHeaders:
    """Close the connection when only the status and the headers are out."""


@dataclass(frozen=True, slots=True)
class TruncatedBody:
    """Close the connection in the middle of the body."""


@dataclass(frozen=True, slots=True)
class HtmlBody:
    """Answer as a proxy does: an HTML page with this status."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class Slow:
    """Answer this many seconds late; other requests are not held up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NullItem:
    """Answer ``null`` for this item of a batch, as for one that timed out."""


@dataclass(frozen=True, slots=True)
class ReduceData:
    """Refuse list requests with a limit above this one: "(#1) Please reduce the amount of data", or another error."""

    max_limit: int
    error: ErrorEffect | None = None


@dataclass(frozen=True, slots=True)
class EmptyPage:
    """Put an empty page into a listing that names a next one, with the items behind it."""


@dataclass(frozen=True, slots=True)
class SamePage:
    """Let a page of a listing name itself as the next one."""


@dataclass(frozen=True, slots=True)
class RefuseField:
    """Refuse a field of a node: code 100 = it does not exist, code 10 = it may not be read."""

    field: str
    code: int = 100


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Let this media vanish right after the answer is given."""

    object_id: str


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """Say in the header and in paging addresses that this version answered."""

    version: str


@dataclass(frozen=True, slots=True)
class NoUsageHeaders:
    """Leave the usage headers out."""


Effect = (
    ErrorEffect
    | DropConnection
    | DropAfterHeaders
    | TruncatedBody
    | HtmlBody
    | Slow
    | NullItem
    | ReduceData
    | DeleteObject
    | ServedVersion
    | NoUsageHeaders
    | EmptyPage
    | SamePage
    | RefuseField
    | Edit
)
