"""The errors of the local BigQuery, worded and numbered as its REST API does: a reason decides the HTTP status."""

from __future__ import annotations

import re
from typing import Any

import duckdb

__all__ = ["BigQueryError", "not_found", "not_supported", "translate"]

# "Error messages" of BigQuery's documentation lists the reasons with these codes.
_STATUS: dict[str, int] = {
    "accessDenied": 403,
    "backendError": 503,
    "billingNotEnabled": 403,
    "badGateway": 502,
    "conditionNotMet": 412,
    "duplicate": 409,
    "internalError": 500,
    "notFound": 404,
    "notImplemented": 501,
    "policyViolation": 403,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "tooManyRequests": 429,
}
_UNKNOWN_COLUMN = re.compile(r'Referenced column "([^"]+)" (?:not found|was not found)')
_CONFLICTS = (
    "Table with name",
    "Conflict on",
    "Transaction conflict",
    "write-write conflict",
    "has been altered",
    "has been dropped",
)


class BigQueryError(Exception):
    """A refusal with BigQuery's ``reason`` and text; ``details`` are further entries of a failed job's ``errors``."""

    def __init__(
        self, reason: str, message: str, *, location: str | None = None, details: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.location = location
        self.details = details

    @property
    def status(self) -> int:
        """The HTTP status that goes with the reason; 400 for the many that have none of their own."""
        return _STATUS.get(self.reason, 400)

    def proto(self) -> dict[str, str]:
        """Return the ErrorProto of a job's ``errorResult``."""
        located = {"location": self.location} if self.location else {}
        return {"reason": self.reason, "message": self.message, **located}

    def protos(self) -> list[dict[str, str]]:
        """Return the ErrorProtos of a job's ``errors``: the result itself, then the details."""
        return [self.proto(), *({"reason": self.reason, "message": text} for text in self.details)]

    def body(self) -> dict[str, Any]:
        """Return the JSON body of an HTTP error answer."""
        entries = [{"domain": "global", **proto} for proto in self.protos()]
        return {"error": {"code": self.status, "message": self.message, "errors": entries}}


def not_found(kind: str, name: str, *, location: str | None = None) -> BigQueryError:
    """404 for a dataset, table or job; ``location`` says where a dataset was looked for."""
    where = f" was not found in location {location}" if location else ""
    return BigQueryError("notFound", f"Not found: {kind} {name}{where}")


def not_supported(what: str, *, reason: str = "invalidQuery") -> BigQueryError:
    """Return the error for what BigQuery can do and the sandbox does not even try."""
    return BigQueryError(reason, f"{what} is not supported by this sandbox.")


def translate(error: duckdb.Error) -> BigQueryError:
    """Say a failure of the engine in BigQuery's terms."""
    text = str(error).partition(": ")[2].split("\n")[0] or str(error)
    if isinstance(error, duckdb.InterruptException):
        return BigQueryError("stopped", "Job execution was cancelled: User requested cancellation")
    # DuckDB's transactions conflict where BigQuery's statements do; the texts are its only sign.
    if isinstance(error, duckdb.TransactionException) or any(sign in text for sign in _CONFLICTS):
        return BigQueryError("concurrentUpdate", text)
    if "NOT NULL constraint failed" in text:
        column = text.rpartition(".")[2].strip('"')
        return BigQueryError("invalidQuery", f"Required field {column} cannot be null")
    unknown = _UNKNOWN_COLUMN.search(text)
    if unknown is not None:
        return BigQueryError("invalidQuery", f"Unrecognized name: {unknown[1]}", location="query")
    if "does not exist" in text and "Function" in text:
        return BigQueryError("invalidQuery", f"{text} (not supported by this sandbox)")
    return BigQueryError("invalidQuery", text)
