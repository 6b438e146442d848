"""Many reads in one POST, up to 50 at a time (Meta: Graph API, Batch Requests)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from airflow_provider_iginsights.graph.exchange import Call, Reply, read_reply
from airflow_provider_iginsights.graph.faults import Diagnosis, may_be_too_much
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject, spell_path, spell_query
from airflow_provider_iginsights.json_values import read_objects, read_text, read_whole_number

LARGEST_BATCH: Final = 50
"""Items that Meta takes in one batch."""

SMALLEST_BATCH: Final = 10
"""Items. A batch that Meta may find too large is halved as long as it has more."""

STOPPING: Final = (Throttled, TokenExpired, PolicyBlocked)
"""What an item may say that holds for all items after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batcher:
    """Settles requests by the batch.

    :param call: makes one HTTP call, with pacing and retries of its own.
    :param judge: says what is wrong with a reply, an item's as well; None = nothing.
    :param observe: learns how much of the rate limit is used from an item's headers: the envelope has none of them.
    :param repeat: repeats a round as long as it returns places that are worth another.
    :param version: the pinned Graph API version.
    :param learn: takes the size of a batch that was answered where a larger one was not.
    :param subject: whom messages about a whole batch name.
    """

    call: Callable[[Call], Reply | Diagnosis]
    judge: Callable[[Reply, Call], Diagnosis | None]
    observe: Callable[[Mapping[str, str]], None]
    repeat: Callable[[Callable[[], list[int]]], list[int]]
    version: str
    learn: Callable[[int], None] = lambda size: None  # noqa: ARG005
    subject: Subject | None = None

    def settle(self, requests: Sequence[GraphRequest]) -> list[Answer | Diagnosis]:
        """Ask for up to 50 requests at once, then again for those that came to nothing. One result each, in order.

        Where Meta refuses a whole batch, that refusal is the result of every request still open, marked as stopping.
        """
        results: list[Answer | Diagnosis] = [_miss(request) for request in requests]

        asked = 0

        def ask_what_is_open() -> list[int]:
            nonlocal asked
            places = list(range(len(requests))) if not asked else _list_open(results, requests, asked=asked)
            asked += 1
            answers = self._ask([requests[place] for place in places])
            for place, answer in zip(places, answers, strict=True):
                results[place] = answer
            return _list_open(results, requests, asked=asked)

        self.repeat(ask_what_is_open)
        return results

    def _ask(self, requests: Sequence[GraphRequest], *, halved: bool = False) -> list[Answer | Diagnosis]:
        call = pack(requests, version=self.version, subject=self.subject)
        envelope = self.call(replace(call, divisible=len(requests) > SMALLEST_BATCH))
        if isinstance(envelope, Diagnosis):
            if len(requests) > SMALLEST_BATCH and may_be_too_much(envelope.error):
                return self._ask_in_halves(requests)
            return [_refuse(envelope)] * len(requests)
        if halved:
            self.learn(len(requests))
        # The last item read knows best; parsing the same header fifty times would cost more than it tells.
        self.observe(next((found for item in reversed(envelope.payload) if (found := _read_headers(item))), {}))
        if len(envelope.payload) != len(requests):
            # Only its place says which question an item answers (Meta: Batch Requests); a lost one is null, not away.
            return [_miss(request) for request in requests]
        return [self._read(item, request, envelope) for request, item in zip(requests, envelope.payload, strict=True)]

    def _ask_in_halves(self, requests: Sequence[GraphRequest]) -> list[Answer | Diagnosis]:
        middle = max((len(requests) + 1) // 2, SMALLEST_BATCH)
        first = self._ask(requests[:middle], halved=True)
        stop = next((result for result in first if isinstance(result, Diagnosis) and result.stops), None)
        return [*first, *([stop] * (len(requests) - middle) if stop else self._ask(requests[middle:]))]

    def _read(self, item: Any, request: GraphRequest, envelope: Reply) -> Answer | Diagnosis:
        if not isinstance(item, Mapping) or not isinstance(item.get("body"), str):
            return _miss(request)
        headers = _read_headers(item) or envelope.headers
        status = read_whole_number(item.get("code", 200))
        if status is None or not 100 <= status < 600:
            return _miss(request)
        reply = read_reply(status, headers, item["body"], dict)
        wrong = self.judge(reply, Call(request))
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
    once = all(request.once for request in requests)
    return Call(GraphRequest("", {}, subject, once), shape=list, form=form, weight=len(requests))


def is_unsupported(refusal: Diagnosis) -> bool:
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


def _list_open(results: Sequence[Answer | Diagnosis], requests: Sequence[GraphRequest], *, asked: int) -> list[int]:
    """Return the places of results that are worth another round: none once something stops all."""
    if any(isinstance(result, Diagnosis) and result.stops for result in results):
        return []
    return [
        place
        for place, (result, request) in enumerate(zip(results, requests, strict=True))
        if isinstance(result, Diagnosis) and result.is_worth_more(asked) and not request.once
    ]


def _miss(request: GraphRequest) -> Diagnosis:
    """Stand for an item that Meta left out of its answer, as it does when a batch takes too long."""
    message = f"Meta did not get to {request.whom} in a batch, several times in a row. Try again later."
    return Diagnosis(ServerTrouble(message, facts=GraphFacts(asked=f"GET {request.path}")), retryable=True)


def _refuse(refusal: Diagnosis) -> Diagnosis:
    # What an object's fault may be left out for; a batch's may not.
    if isinstance(refusal.error, SkippableGraphError):
        return Diagnosis(ConfigurationError(refusal.error.message, facts=refusal.error.facts), stops=True)
    return replace(refusal, retryable=False, stops=True)
