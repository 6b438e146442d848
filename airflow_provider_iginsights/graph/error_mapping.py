"""From what Meta or the network said to an error that a person can act on; the meanings are rows in ``fault_table``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

from airflow_provider_iginsights.errors import (
    GraphFacts,
    InsightsError,
    RetriableGraphError,
    Throttled,
)
from airflow_provider_iginsights.graph.error_codes import (
    ERROR_CODES,
    TRANSPORT_PROBLEMS,
    UNKNOWN,
    UNKNOWN_LIMIT,
    UNKNOWN_TRANSIENT,
    ErrorCode,
)
from airflow_provider_iginsights.graph.messages import Call, GraphRequest, Reply
from airflow_provider_iginsights.graph.rate_limit import DEFAULT_BLOCK
from airflow_provider_iginsights.graph.redact import escape, redact
from airflow_provider_iginsights.json_values import read_text, read_whole_number

__all__ = ["ERROR_CODES", "GraphFailure", "classify", "map_error", "map_transport_problem"]

_TRACE = re.compile(r"[A-Za-z0-9_-]{1,64}")

LONGEST_QUOTE = 600
"""Characters of Meta's own message that ours quote at most."""


@dataclass(frozen=True, slots=True)
class GraphFailure:
    """An error, whether a quick retry may make it go away, and whether it ends all that was still to be asked.

    ``most_tries``: how often it is worth being tried, where that is less than the client's patience; 0 = as patient.
    ``may_be_size``: it may say that too much was asked for at once.
    """

    error: InsightsError
    retryable: bool = False
    most_tries: int = 0
    stops: bool = False
    may_be_size: bool = False

    def is_worth_more(self, tries: int) -> bool:
        """Return whether another quick try is worth it after so many."""
        return self.retryable and not 0 < self.most_tries <= tries


def _conceal(text: str) -> str:
    return escape(redact(text))


def classify(error: Any, *, request: GraphRequest, http_status: int | None) -> InsightsError:
    """Return the error that an ``error`` object of the Graph API stands for."""
    return map_error(error, request=request, http_status=http_status).error


def map_error(
    error: Any,
    *,
    request: GraphRequest,
    http_status: int | None,
    asked: str = "",
    retry_after: float | None = None,
    conceal: Callable[[str], str] = _conceal,
) -> GraphFailure:
    """Find the row for an ``error`` object of the Graph API and build its error, which quotes Meta's own text.

    A code that no row knows is transient where Meta says so, a rate limit where HTTP says so, else fatal: that waiting
    or skipping were right, nobody can know.

    :param asked: what the error's facts name as asked, ``GET PATH`` by default.
    :param retry_after: seconds to wait as the headers say; a rate limit without a word waits ``DEFAULT_BLOCK``.
    :param conceal: takes credentials out of Meta's text.
    """
    found: Mapping[str, Any] = error if isinstance(error, Mapping) else {"message": error}
    text = _join_texts(found)
    quote = conceal(text)
    facts = GraphFacts(
        asked=asked or f"GET {request.path}",
        http_status=http_status,
        code=read_whole_number(found.get("code")),
        subcode=read_whole_number(found.get("error_subcode")),
        fbtrace_id=_read_trace(found.get("fbtrace_id"), conceal),
        said=quote,
    )
    row = next((row for row in ERROR_CODES if row.fits(facts, text, request)), None) or _guess(found, http_status)
    message = _advise(row, request, retry_after) + (f" Meta said: {_shorten(quote)}" if quote else "")
    return _conclude(row, message, facts, retry_after)


def map_transport_problem(reply: Reply, call: Call, *, retry_after: float | None = None) -> GraphFailure:
    """Build the error for a reply that is no answer of the Graph API. Here the HTTP status is all there is to go by."""
    if reply.problem is None:
        raise ValueError("A reply without a flaw has nothing to diagnose.")
    row, status = TRANSPORT_PROBLEMS[reply.problem], reply.status or 0
    if reply.problem == "not_json" and status == 429:
        row = UNKNOWN_LIMIT
    elif reply.problem == "not_json" and status >= 500:
        row = UNKNOWN_TRANSIENT
    message = f"{_advise(row, call.request, retry_after)} Seen: {reply.detail}."
    facts = GraphFacts(asked=str(call), http_status=reply.status)
    return _conclude(row, message, facts, retry_after)


def _conclude(row: ErrorCode, message: str, facts: GraphFacts, retry_after: float | None) -> GraphFailure:
    return GraphFailure(
        _build(row.error, message, facts, retry_after),
        retryable=row.retryable,
        most_tries=row.most_tries,
        # A gateway that waited for Meta's servers in vain says so with this status, whatever stands in the body.
        may_be_size=row.may_be_size or (row.retryable and facts.http_status == HTTPStatus.GATEWAY_TIMEOUT),
    )


def _advise(row: ErrorCode, request: GraphRequest, retry_after: float | None) -> str:
    seconds = DEFAULT_BLOCK if retry_after is None else retry_after
    return row.advice.format(whom=request.whom, minutes=ceil(seconds / 60))


def _build(kind: type[InsightsError], message: str, facts: GraphFacts, retry_after: float | None) -> InsightsError:
    if not issubclass(kind, RetriableGraphError):
        return kind(message, facts=facts)
    if retry_after is None and issubclass(kind, Throttled):
        retry_after = DEFAULT_BLOCK
    return kind(message, facts=facts, retry_after=retry_after)


def _guess(error: Mapping[str, Any], http_status: int | None) -> ErrorCode:
    if error.get("is_transient") is True:
        return UNKNOWN_TRANSIENT
    return UNKNOWN_LIMIT if http_status == 429 else UNKNOWN


def _join_texts(error: Mapping[str, Any]) -> str:
    texts = (read_text(error.get(name)) for name in ("message", "error_user_title", "error_user_msg"))
    return " / ".join(dict.fromkeys(text.strip() for text in texts if text))


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"


def _read_trace(value: Any, conceal: Callable[[str], str]) -> str | None:
    text = read_text(value) or ""
    return conceal(text) if _TRACE.fullmatch(text) else None
