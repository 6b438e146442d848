"""Finds the recorded answer to a request."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from airflow_provider_iginsights.cassettes.exchange import RecordedAnswer, RecordedExchange, RecordedRequest
from airflow_provider_iginsights.cassettes.files import Cassette

log: logging.Logger = logging.getLogger(__name__)

MISSING_CODE: Final = 99404
"""A code that no table of Meta's errors has, so that nobody takes it for a refusal to leave something out for."""

Asked = TypeVar("Asked", bound=Hashable)
Given = TypeVar("Given")


@dataclass(slots=True)
class _Queues(Generic[Asked, Given]):
    """The answers to each request in their order; the last one is given again and again."""

    _answers: defaultdict[Asked, list[Given]] = field(default_factory=lambda: defaultdict(list))

    def add(self, asked: Asked, given: Given) -> None:
        self._answers[asked].append(given)

    def has(self, asked: Asked) -> bool:
        return asked in self._answers

    def take(self, asked: Asked) -> Given:
        answers = self._answers[asked]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class CassettePlayer:
    """Answers requests in any order. To the same request, the recorded answers come in the order of the recording.

    A batch that was recorded is answered as a whole; any other is put together from the answers to its reads.

    :ivar missing: the requests that the cassette does not have, in the order in which they came.
    """

    def __init__(self, cassette: Cassette) -> None:
        self.missing: list[str] = []
        self._reads: _Queues[RecordedRequest, RecordedAnswer | None] = _Queues()
        self._batches: _Queues[tuple[RecordedRequest, ...], RecordedExchange] = _Queues()
        for exchange in cassette.exchanges:
            self._add(exchange)

    def answer(self, request: RecordedRequest) -> RecordedAnswer:
        """Return the answer to a read that is no part of a batch."""
        answer = self._reads.take(request) if self._reads.has(request) else self._report(request)
        return answer or RecordedAnswer(problem="no_answer")

    def answer_batch(self, requests: Sequence[RecordedRequest]) -> RecordedExchange | list[RecordedAnswer | None]:
        """Return the recorded call, or the answers to its reads where this batch was not recorded."""
        asked = tuple(requests)
        if self._batches.has(asked):
            return self._batches.take(asked)
        return [self._reads.take(each) if self._reads.has(each) else self._report(each) for each in requests]

    def _add(self, exchange: RecordedExchange) -> None:
        if exchange.is_batch:
            self._batches.add(tuple(exchange.requests), exchange)
            for request, answer in zip(exchange.requests, exchange.items or (), strict=False):
                self._reads.add(request, answer)
        else:
            self._reads.add(exchange.requests[0], exchange.answer)

    def _report(self, request: RecordedRequest) -> RecordedAnswer:
        self.missing.append(str(request))
        log.warning("The cassette has no answer to %s.", request)
        error: dict[str, Any] = {
            "message": f"The cassette has no answer to {request}",
            "type": "OAuthException",
            "code": MISSING_CODE,
        }
        return RecordedAnswer(status=400, content={"json": {"error": error}})
