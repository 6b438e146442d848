"""Maps an error answer of Meta or a network problem to one of our errors, by the rows in ``error_codes``."""

from __future__ import annotations

import json
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
from airflow_provider_iginsights.graph.error_codes import ERROR_CODES, ErrorCode
from airflow_provider_iginsights.graph.messages import Call, GraphRequest, Reply
from airflow_provider_iginsights.graph.rate_limit import DEFAULT_BLOCK
from airflow_provider_iginsights.graph.redact import escape, redact
from airflow_provider_iginsights.graph.unknown_answers import (
    TRANSPORT_PROBLEMS,
    UNKNOWN,
    UNKNOWN_LIMIT,
    UNKNOWN_TRANSIENT,
)
from airflow_provider_iginsights.json_values import read_flag, read_text, read_whole_number

__all__ = ["ERROR_CODES", "GraphFailure", "classify", "map_error", "map_transport_problem"]

_TRACE = re.compile(r"[A-Za-z0-9_-]{1,64}")

MAX_QUOTE_LENGTH = 600
"""Number of characters of Meta's message that our message quotes at most."""


@dataclass(frozen=True, slots=True)
class GraphFailure:
    """An error, whether a retry may help (``retryable``), and whether it holds for all later requests (``stops``).

    ``max_tries``: number of tries where it is lower than the client's limit; 0 = the client's limit.
    ``may_be_size``: the cause may be that the request asks for too much at once.
    """

    error: InsightsError
    retryable: bool = False
    max_tries: int = 0
    stops: bool = False
    may_be_size: bool = False

    def is_retryable_after(self, tries: int) -> bool:
        """Return whether another try may help after this number of tries."""
        return self.retryable and not 0 < self.max_tries <= tries


def _redact_text(text: str) -> str:
    return escape(redact(text))


def classify(error: Any, *, request: GraphRequest, http_status: int | None) -> InsightsError:
    """Return our error for an ``error`` object of the Graph API."""
    return map_error(error, request=request, http_status=http_status).error


def map_error(
    error: Any,
    *,
    request: GraphRequest,
    http_status: int | None,
    asked: str = "",
    retry_after: float | None = None,
    redact_text: Callable[[str], str] = _redact_text,
) -> GraphFailure:
    """Find the row for an ``error`` object of the Graph API and build its failure, whose message quotes Meta's text.

    An unknown code is transient where ``is_transient`` is set, a rate limit where the HTTP status is 429, else fatal.
    An error without a code is none of the Graph API's: a status of 500 and more makes it transient.

    :param asked: the request as the facts of the error name it, ``GET PATH`` by default.
    :param retry_after: seconds to wait from the headers; a rate limit without them waits ``DEFAULT_BLOCK``.
    :param redact_text: removes secrets from Meta's text.
    """
    found = _read_error(error)
    text = _join_texts(found)
    quote = redact_text(text)
    facts = GraphFacts(
        asked=asked or f"GET {request.path}",
        http_status=http_status,
        code=read_whole_number(found.get("code")),
        subcode=read_whole_number(found.get("error_subcode")),
        fbtrace_id=_read_trace(found.get("fbtrace_id"), redact_text),
        said=quote,
    )
    row = next((row for row in ERROR_CODES if row.matches(facts, text, request)), None) or _choose_default(found, facts)
    message = _format_advice(row, request, retry_after) + (f" Meta said: {_shorten(quote)}" if quote else "")
    return _make_failure(row, message, facts, retry_after)


def map_transport_problem(reply: Reply, call: Call, *, retry_after: float | None = None) -> GraphFailure:
    """Build the failure for a reply that is no answer of the Graph API."""
    if reply.problem is None:
        raise ValueError("The reply has no problem that could be mapped.")
    # Such a body has no code, so the HTTP status is the only information.
    row, status = TRANSPORT_PROBLEMS[reply.problem], reply.status or 0
    if reply.problem == "not_json" and status == 429:
        row = UNKNOWN_LIMIT
    elif reply.problem == "not_json" and status >= 500:
        row = UNKNOWN_TRANSIENT
    message = f"{_format_advice(row, call.request, retry_after)} Seen: {reply.detail}."
    facts = GraphFacts(asked=str(call), http_status=reply.status)
    return _make_failure(row, message, facts, retry_after)


def _make_failure(row: ErrorCode, message: str, facts: GraphFacts, retry_after: float | None) -> GraphFailure:
    return GraphFailure(
        _build(row.error, message, facts, retry_after),
        retryable=row.retryable,
        max_tries=row.max_tries,
        # META-21: with this status a gateway says that Meta's servers were too slow, whatever the body says.
        may_be_size=row.may_be_size or (row.retryable and facts.http_status == HTTPStatus.GATEWAY_TIMEOUT),
    )


def _format_advice(row: ErrorCode, request: GraphRequest, retry_after: float | None) -> str:
    seconds = DEFAULT_BLOCK if retry_after is None else retry_after
    return row.advice.format(whom=request.whom, minutes=ceil(seconds / 60))


def _build(kind: type[InsightsError], message: str, facts: GraphFacts, retry_after: float | None) -> InsightsError:
    if not issubclass(kind, RetriableGraphError):
        return kind(message, facts=facts)
    if retry_after is None and issubclass(kind, Throttled):
        retry_after = DEFAULT_BLOCK
    return kind(message, facts=facts, retry_after=retry_after)


def _read_error(error: Any) -> Mapping[str, Any]:
    """Return the error object, also out of a list of one; of anything else only a text to quote."""
    if isinstance(error, list) and len(error) == 1:
        [error] = error
    if isinstance(error, Mapping):
        return error
    return {"message": error if isinstance(error, str) else json.dumps(error, default=str)}


def _choose_default(error: Mapping[str, Any], facts: GraphFacts) -> ErrorCode:
    is_gateway = facts.code is None and (facts.http_status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_gateway or read_flag(error.get("is_transient")):
        return UNKNOWN_TRANSIENT
    return UNKNOWN_LIMIT if facts.http_status == HTTPStatus.TOO_MANY_REQUESTS else UNKNOWN


def _join_texts(error: Mapping[str, Any]) -> str:
    texts = (read_text(error.get(name)) for name in ("message", "error_user_title", "error_user_msg"))
    return " / ".join(dict.fromkeys(text.strip() for text in texts if text))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_QUOTE_LENGTH else f"{text[:MAX_QUOTE_LENGTH]}…"


def _read_trace(value: Any, redact_text: Callable[[str], str]) -> str | None:
    text = read_text(value) or ""
    return redact_text(text) if _TRACE.fullmatch(text) else None
