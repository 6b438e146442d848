"""Batch requests: up to 50 reads in one POST (Meta: Graph API, Batch Requests)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from airflow_provider_iginsights.errors import (
    ConfigurationError,
    GraphFacts,
    PolicyBlocked,
    ServerTrouble,
    SkippableGraphError,
    Throttled,
    TokenExpired,
)
from airflow_provider_iginsights.graph.ahead import AheadThreads, begin_with
from airflow_provider_iginsights.graph.error_mapping import GraphFailure
from airflow_provider_iginsights.graph.messages import (
    Answer,
    Call,
    GraphRequest,
    Reply,
    Subject,
    format_path,
    format_query,
    read_reply,
)
from airflow_provider_iginsights.graph.retry import RequestSize
from airflow_provider_iginsights.graph.session import GraphSession
from airflow_provider_iginsights.json_values import read_objects, read_text, read_whole_number

MAX_BATCH_SIZE: Final = 50
"""Number of requests that Meta accepts in one batch."""

STOPPING_ERRORS: Final = (Throttled, TokenExpired, PolicyBlocked)
"""Errors of one item that hold for all items after it."""


@dataclass(slots=True, kw_only=True)
class BatchRequest:
    """Up to 50 reads that are sent together, with the results so far.

    :param size: number of reads in one POST; it is halved where Meta may find the POST too large.
    :param on_smaller_size: called with the size once a POST of less than the first size was answered.
    :param version: the pinned Graph API version.
    """

    session: GraphSession
    requests: Sequence[GraphRequest]
    account_id: str | None
    version: str
    size: RequestSize
    on_smaller_size: Callable[[int], None]
    _results: list[Answer | GraphFailure] = field(init=False)
    _tries: list[int] = field(init=False)
    _sent: int = field(default=0, init=False)
    _first_try: Future[GraphFailure | None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Start with no request answered."""
        self._results = [_fail_missing_item(request) for request in self.requests]
        self._tries = [0] * len(self.requests)

    def start(self, threads: AheadThreads) -> Future[GraphFailure | None]:
        """Send all reads once, from another thread; :meth:`send` then waits for that and does the rest."""
        self._first_try = threads.submit(self._send_pending)
        return self._first_try

    def send(self) -> list[Answer | GraphFailure]:
        """Send all reads, then repeat those that may succeed on a retry. Returns one result each, in order.

        Where Meta refuses a whole POST, the refusal is the result of every open request and has ``stops`` set.
        """
        failure = self.session.retrier.call(
            begin_with(self._first_try, self._send_pending),
            retry_if=self._should_retry,
            retry_after=lambda failure: self.size.find_wait(failure) if failure else None,
        )
        if failure:
            for index in self._list_pending():
                self._results[index] = _stop_on(failure)
        return self._results

    def _send_pending(self) -> GraphFailure | None:
        """Send the pending requests in POSTs of ``size``; return the failure of a whole POST, which ends this round."""
        indexes = self._list_pending()
        for start in range(0, len(indexes), self.size.items):
            failure = self._post(indexes[start : start + self.size.items])
            if failure or self._is_stopped:
                return failure
        return None

    def _post(self, indexes: Sequence[int]) -> GraphFailure | None:
        subject = Subject("account", self.account_id) if self.account_id else None
        requests = [self.requests[index] for index in indexes]
        envelope = self.session.send(pack(requests, version=self.version, subject=subject), account_id=self.account_id)
        if isinstance(envelope, GraphFailure):
            self._sent = len(indexes)
            return envelope
        if self.size.is_halved:
            self.on_smaller_size(self.size.items)
        # A batch reports the rate limit in the headers of its items; the last item read has the newest figures.
        self.session.record_usage(
            next((found for item in reversed(envelope.payload) if (found := _read_headers(item))), {}),
            account_id=self.account_id,
        )
        # META-26: an item belongs to the request at the same position; an item that Meta lost is null.
        items = envelope.payload if len(envelope.payload) == len(indexes) else [None] * len(indexes)
        for index, item in zip(indexes, items, strict=True):
            self._tries[index] += 1
            self._results[index] = self._read(item, self.requests[index], envelope)
        return None

    def _should_retry(self, failure: GraphFailure | None) -> bool:
        indexes = self._list_pending()
        if failure is None:
            return bool(indexes) and not self._is_stopped
        if all(self.requests[index].no_retry for index in indexes):
            return False
        return self.size.record_failure(failure, sent=self._sent)

    @property
    def _is_stopped(self) -> bool:
        return any(isinstance(result, GraphFailure) and result.stops for result in self._results)

    def _list_pending(self) -> list[int]:
        """Return the indexes of requests that were not sent yet, or whose failure may go away on a retry."""
        return [
            index
            for index, (result, tries) in enumerate(zip(self._results, self._tries, strict=True))
            if not tries or (not self.requests[index].no_retry and _is_retryable(result, tries))
        ]

    def _read(self, item: Any, request: GraphRequest, envelope: Reply) -> Answer | GraphFailure:
        body = item.get("body") if isinstance(item, Mapping) else None
        if isinstance(body, dict):  # who passes the batch on may have read the body's text already
            body = json.dumps(body)
        if not isinstance(body, str):
            return _fail_missing_item(request)
        headers = _read_headers(item) or envelope.headers
        status = read_whole_number(item.get("code", 200))
        if status is None or not 100 <= status < 600:
            return _fail_missing_item(request)
        reply = read_reply(status, headers, body, dict)
        failure = self.session.find_failure(reply, Call(request), account_id=self.account_id)
        if failure is not None:
            return replace(failure, stops=isinstance(failure.error, STOPPING_ERRORS))
        return Answer(reply.payload, envelope.served_version or self.version, request, envelope.date)


def chunk(requests: Iterable[GraphRequest], size: Callable[[], int]) -> Iterator[list[GraphRequest]]:
    """Yield the requests in lists of at most ``size()``, without reading further ahead."""
    source = iter(requests)
    while taken := list(islice(source, size())):
        yield taken


def pack(requests: Sequence[GraphRequest], *, version: str, subject: Subject | None) -> Call:
    """Return the POST that carries the requests. The token of the POST holds for all items, so no item names one."""
    items = [{"method": "GET", "relative_url": _format_relative_url(request, version)} for request in requests]
    form = {"batch": json.dumps(items, separators=(",", ":")), "include_headers": "true"}
    return Call(GraphRequest("", {}, subject), body_type=list, form=form, read_count=len(requests))


def is_unsupported(failure: GraphFailure) -> bool:
    """Return whether a failure says that the host has no batch requests (code 3, 2500 or 100 for ``POST /``)."""
    facts, text = failure.error.facts, failure.error.message.lower()
    is_root = facts.asked == "POST /"
    return is_root and (facts.code in (3, 2500) or (facts.code == 100 and "unsupported post request" in text))


def _format_relative_url(request: GraphRequest, version: str) -> str:
    return f"{format_path(request, version)}?{_format_query(tuple(request.params.items()))}".removesuffix("?")


@lru_cache(maxsize=256)
def _format_query(params: tuple[tuple[str, str], ...]) -> str:
    """Return the query string. Most items of a task differ in the account only, and none contains a secret."""
    return format_query(dict(params))


def _read_headers(item: Any) -> dict[str, str]:
    """Return the headers of an item by lower-case name; an empty dict where the item is missing."""
    pairs = item.get("headers") if isinstance(item, Mapping) else None
    named = ((read_text(pair.get("name")), read_text(pair.get("value"))) for pair in read_objects(pairs) or ())
    return {name.lower(): value for name, value in named if name and value is not None}


def _fail_missing_item(request: GraphRequest) -> GraphFailure:
    """Return the failure for an item without an answer: Meta leaves items out when a batch takes too long."""
    message = f"Meta did not answer for {request.whom} in a batch, several times in a row. Try again later."
    return GraphFailure(ServerTrouble(message, facts=GraphFacts(asked=f"GET {request.path}")), retryable=True)


def _stop_on(failure: GraphFailure) -> GraphFailure:
    # One object can be left out with a note. An error of a whole batch concerns every object, so it is never skippable.
    if isinstance(failure.error, SkippableGraphError):
        return GraphFailure(ConfigurationError(failure.error.message, facts=failure.error.facts), stops=True)
    return replace(failure, retryable=False, stops=True)


def _is_retryable(result: Answer | GraphFailure, tries: int) -> bool:
    return isinstance(result, GraphFailure) and result.is_retryable_after(tries)
