"""Many reads in one POST, up to 50 at a time (Meta: Graph API, Batch Requests)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from airflow_provider_iginsights.graph.error_mapping import GraphFailure
from airflow_provider_iginsights.graph.messages import (
    Answer,
    Call,
    GraphRequest,
    Reply,
    Subject,
    read_reply,
    spell_path,
    spell_query,
)
from airflow_provider_iginsights.graph.retry import PartSize
from airflow_provider_iginsights.graph.session import GraphSession
from airflow_provider_iginsights.json_values import read_objects, read_text, read_whole_number

LARGEST_BATCH: Final = 50
"""Items that Meta takes in one batch."""

STOPPING: Final = (Throttled, TokenExpired, PolicyBlocked)
"""What an item may say that holds for all items after it."""


@dataclass(slots=True, kw_only=True)
class BatchAnswers:
    """Up to 50 reads that are asked together, and what came of each so far.

    :param size: how many of them one POST carries; ``learn`` takes it once a smaller one than at first was answered.
    :param version: the pinned Graph API version.
    """

    caller: GraphSession
    requests: Sequence[GraphRequest]
    account_id: str | None
    version: str
    size: PartSize
    learn: Callable[[int], None]
    _results: list[Answer | GraphFailure] = field(init=False)
    _tries: list[int] = field(init=False)
    _failed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Begin with nothing answered."""
        self._results = [_miss(request) for request in self.requests]
        self._tries = [0] * len(self.requests)

    def settle(self) -> list[Answer | GraphFailure]:
        """Ask for all of them, then again for those that came to nothing. One result each, in order.

        Where Meta refuses a whole POST, that refusal is the result of every request still open, marked as stopping.
        """
        failure = self.caller.retrier.call(
            self._send_open,
            retry_if=self._is_worth_more,
            retry_after=lambda failure: self.size.find_wait(failure) if failure else None,
        )
        if failure:
            for place in self._list_open():
                self._results[place] = _refuse(failure)
        return self._results

    def _send_open(self) -> GraphFailure | None:
        """Send what is open, part by part; return what is wrong with a whole part, which ends this round."""
        places = self._list_open()
        for start in range(0, len(places), self.size.items):
            failure = self._send(places[start : start + self.size.items])
            if failure or self._is_stopped:
                return failure
        return None

    def _send(self, places: Sequence[int]) -> GraphFailure | None:
        subject = Subject("account", self.account_id) if self.account_id else None
        requests = [self.requests[place] for place in places]
        envelope = self.caller.send(pack(requests, version=self.version, subject=subject), account_id=self.account_id)
        if isinstance(envelope, GraphFailure):
            self._failed = len(places)
            return envelope
        if self.size.is_halved:
            self.learn(self.size.items)
        # The envelope has no usage headers; the last item read knows best, and reading all would tell no more.
        self.caller.observe(
            next((found for item in reversed(envelope.payload) if (found := _read_headers(item))), {}),
            account_id=self.account_id,
        )
        # META-26: only its place says which question an item answers; a lost one is null, not away.
        items = envelope.payload if len(envelope.payload) == len(places) else [None] * len(places)
        for place, item in zip(places, items, strict=True):
            self._tries[place] += 1
            self._results[place] = self._read(item, self.requests[place], envelope)
        return None

    def _is_worth_more(self, failure: GraphFailure | None) -> bool:
        places = self._list_open()
        if failure is None:
            return bool(places) and not self._is_stopped
        return not all(self.requests[place].once for place in places) and self.size.take(failure, sent=self._failed)

    @property
    def _is_stopped(self) -> bool:
        return any(isinstance(result, GraphFailure) and result.stops for result in self._results)

    def _list_open(self) -> list[int]:
        """Return the places of what was not asked yet, and of what is worth being asked again."""
        return [
            place
            for place, (result, tries) in enumerate(zip(self._results, self._tries, strict=True))
            if not tries
            or (isinstance(result, GraphFailure) and result.is_worth_more(tries) and not self.requests[place].once)
        ]

    def _read(self, item: Any, request: GraphRequest, envelope: Reply) -> Answer | GraphFailure:
        if not isinstance(item, Mapping) or not isinstance(item.get("body"), str):
            return _miss(request)
        headers = _read_headers(item) or envelope.headers
        status = read_whole_number(item.get("code", 200))
        if status is None or not 100 <= status < 600:
            return _miss(request)
        reply = read_reply(status, headers, item["body"], dict)
        wrong = self.caller.judge(reply, Call(request), account_id=self.account_id)
        if wrong is not None:
            return replace(wrong, stops=isinstance(wrong.error, STOPPING))
        return Answer(reply.payload, envelope.served or self.version, request, envelope.date)


def chunk(requests: Iterable[GraphRequest], size: Callable[[], int]) -> Iterator[list[GraphRequest]]:
    """Yield the requests in lists of at most ``size``, asked anew for each, reading no further ahead than that."""
    source = iter(requests)
    while taken := list(islice(source, size())):
        yield taken


def pack(requests: Sequence[GraphRequest], *, version: str, subject: Subject | None) -> Call:
    """Return the POST that carries the requests. The items name no token: the envelope's is good for all of them."""
    items = [{"method": "GET", "relative_url": _spell_relative_url(request, version)} for request in requests]
    form = {"batch": json.dumps(items, separators=(",", ":")), "include_headers": "true"}
    return Call(GraphRequest("", {}, subject), shape=list, form=form, weight=len(requests))


def is_unsupported(refusal: GraphFailure) -> bool:
    """Return whether a refusal of a whole batch says that the host offers none (codes 3, 2500, 100 on its root)."""
    facts, text = refusal.error.facts, refusal.error.message.lower()
    on_root = facts.asked == "POST /"
    return on_root and (facts.code in (3, 2500) or (facts.code == 100 and "unsupported post request" in text))


def _spell_relative_url(request: GraphRequest, version: str) -> str:
    return f"{spell_path(request, version)}?{spell_query(request.params)}".removesuffix("?")


def _read_headers(item: Any) -> dict[str, str]:
    """Return the headers of an item by their lower-case names; none where the item is missing."""
    pairs = item.get("headers") if isinstance(item, Mapping) else None
    named = ((read_text(pair.get("name")), read_text(pair.get("value"))) for pair in read_objects(pairs) or ())
    return {name.lower(): value for name, value in named if name and value is not None}


def _miss(request: GraphRequest) -> GraphFailure:
    """Stand for an item that Meta left out of its answer, as it does when a batch takes too long."""
    message = f"Meta did not get to {request.whom} in a batch, several times in a row. Try again later."
    return GraphFailure(ServerTrouble(message, facts=GraphFacts(asked=f"GET {request.path}")), retryable=True)


def _refuse(refusal: GraphFailure) -> GraphFailure:
    # What an object's fault may be left out for; a batch's may not.
    if isinstance(refusal.error, SkippableGraphError):
        return GraphFailure(ConfigurationError(refusal.error.message, facts=refusal.error.facts), stops=True)
    return replace(refusal, retryable=False, stops=True)
