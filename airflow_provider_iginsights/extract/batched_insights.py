"""Reads the insights of many objects in batches. A refused metric or object costs no number of another one.

Where a refusal names its metrics, the rest is requested again without them. Where it names none, the first objects of a
group are requested metric by metric, as probes; the others of the group wait for the result. Where a breakdown is
refused, the total is requested without it. Each refusal is noted once.

After a server error nothing is concluded: the request is kept as unanswered. An unknown error leaves out its object; it
fails the account only where more than half of the objects have one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BeyondHistory,
    FatalGraphError,
    InsightsError,
    MetricRefused,
    ObjectGone,
    SkippableGraphError,
    TooFewFollowers,
)
from airflow_provider_iginsights.extract.circuit_breaker import AccountCircuitBreaker
from airflow_provider_iginsights.extract.insights_batch import FirstRequest, InsightsBatch
from airflow_provider_iginsights.extract.insights_request import InsightsRequest, RefusalKey
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.refused_metrics import (
    AccountRefusedMetrics,
    find_named_metrics,
    is_about_object,
    is_unknown_name,
)
from airflow_provider_iginsights.extract.unanswered import (
    RepeatParameters,
    UnansweredRequest,
    describe_query,
    is_transient,
)
from airflow_provider_iginsights.extract.unknown_errors import UnknownErrors
from airflow_provider_iginsights.graph.batch import MAX_BATCH_SIZE, STOPPING_ERRORS

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.graph.messages import Answer, GraphRequest

MAX_FAILED_BATCHES = 2
"""After so many failed batches in a row, the rest of the requests is kept as unanswered without being sent."""


@dataclass(slots=True, kw_only=True)
class BatchedInsights:
    """Reads everything of one account, at once or page by page; end it with :meth:`finish`.

    :param build: returns the Graph request for an insights request.
    :param describe_scope: returns the :data:`RepeatParameters` beside the query.
    :param must_answer: the account itself is read, and a refusal of everything is raised: then the request is wrong,
        not a metric.
    :param first: is sent along with the first batch.
    :param answered: number of answers; the caller adds those that it read itself.
    """

    client: GraphClient
    account_id: str
    build: Callable[[InsightsRequest], GraphRequest]
    refused_metrics: AccountRefusedMetrics
    left_out_log: LeftOutLog
    breaker: AccountCircuitBreaker
    describe_scope: Callable[[InsightsRequest], RepeatParameters]
    must_answer: bool = False
    first: FirstRequest | None = None
    answered: int = 0
    _left_out: set[str] = field(default_factory=set)
    _pending: deque[InsightsRequest] = field(default_factory=deque)
    _held: list[InsightsRequest] = field(default_factory=list)
    _unknown_errors: UnknownErrors = field(init=False)
    _unanswered: list[UnansweredRequest] = field(default_factory=list)
    _failed_batches: int = 0
    _is_clean: bool = False
    _ahead: InsightsBatch | None = None
    _refusal: InsightsError | None = None

    def __post_init__(self) -> None:
        """Start without errors."""
        self._unknown_errors = UnknownErrors(of_account=self.must_answer, left_out_log=self.left_out_log)

    def read(self, requests: Iterable[InsightsRequest]) -> Iterator[tuple[InsightsRequest, Answer]]:
        """Yield every request with its answer; a request may come back in parts.

        :raises InsightsError: an error that concerns the whole account (token, rate limit, permission), at once.
        """
        new_requests = iter(requests)
        try:
            while batch := self._next_batch(new_requests):
                yield from self._read_batch(batch)
                self._unknown_errors.raise_if_common(answered=bool(self.answered))
                if self._failed_batches >= MAX_FAILED_BATCHES:
                    self._keep_rest(new_requests)
        finally:
            if self._ahead:
                self._ahead.abandon()
                self._ahead = None
        self._unknown_errors.note_all(answered=bool(self.answered))

    def _read_batch(self, batch: InsightsBatch) -> Iterator[tuple[InsightsRequest, Answer]]:
        errors = 0
        for request, result in batch.read():
            self._unknown_errors.count(request)
            if isinstance(result, InsightsError):
                errors += 1
                self._handle_error(request, result)
            else:
                self.answered += 1
                self.refused_metrics.record_answer(request.group, request.query)
                self.breaker.record_success(request.retry_key)
                yield request, result
        self._is_clean = not errors
        self._failed_batches = self._failed_batches + 1 if batch.failure else 0

    def finish(self) -> tuple[UnansweredRequest, ...]:
        """Return the unanswered requests, after everything was read.

        :raises InsightsError: a refusal of everything.
        """
        if self.must_answer and self._refusal and not self.answered and not self._unanswered:
            raise self._refusal
        if (gone := self._unknown_errors.count_of_gone) and not self.answered:
            # META-39: what was listed a moment ago is not deleted.
            self.client.note(
                f"Meta listed media of account {self.account_id}, and then said of each of the {gone} whose insights"
                " were asked that it does not know it. That is trouble at Meta or a missing permission rather than"
                " deleted media: run the task again later, and test the connection."
            )
        return tuple(self._unanswered)

    def _next_batch(self, new_requests: Iterator[InsightsRequest]) -> InsightsBatch | None:
        """Return the next batch. Where the one before had no errors, the one after it is sent at the same time."""
        batch, self._ahead = self._ahead or self._make_batch(self._choose(new_requests)), None
        if batch and self._is_clean and not self._pending and not self._held:
            ahead = self._make_batch(self._choose(new_requests))
            if ahead and not ahead.start():
                self._pending.extendleft(reversed(ahead.requests))
            elif ahead:
                self._ahead = ahead
        return batch

    def _make_batch(self, requests: list[InsightsRequest]) -> InsightsBatch | None:
        if not requests:
            return None
        first, self.first = self.first, None
        graph_requests = [
            replace(self.build(request), no_retry=self.breaker.is_open(request.retry_key)) for request in requests
        ]
        return InsightsBatch(
            client=self.client,
            account_id=self.account_id,
            requests=requests,
            graph_requests=[first.build(), *graph_requests] if first else graph_requests,
            first=first,
        )

    def _keep_rest(self, new_requests: Iterator[InsightsRequest]) -> None:
        error = self._unanswered[-1].error
        rest = [*self._pending, *self._held, *new_requests]
        self._pending.clear()
        self._held.clear()
        for request in rest:
            for part in self._reduce(request):
                self._unanswered.append(self._describe_unanswered(part, error))

    def _keep_unanswered(self, request: InsightsRequest, error: InsightsError) -> None:
        # A traceback would keep the pages in the frames' variables in memory.
        self._unanswered.append(self._describe_unanswered(request, error.with_traceback(None)))
        self.breaker.record_failure(request.retry_key)

    def _describe_unanswered(self, request: InsightsRequest, error: InsightsError) -> UnansweredRequest:
        repeat = {**describe_query(request.query), **self.describe_scope(request)}
        return UnansweredRequest(whom=request.whom, what=request.what, error=error, repeat=repeat)

    def _choose(self, new_requests: Iterator[InsightsRequest]) -> list[InsightsRequest]:
        """Return the next batch: probes come first, and requests that they may decide are held."""
        probed = {request.refusal_key for request in self._pending if request.is_probe}
        batch = self._fill(new_requests, probed) if probed else []
        if not batch:
            self._pending.extend(self._held)
            self._held.clear()
            batch = self._fill(new_requests, set())
        return batch

    def _fill(self, new_requests: Iterator[InsightsRequest], probed: set[RefusalKey]) -> list[InsightsRequest]:
        size = MAX_BATCH_SIZE if self.client.settings.supports_batches else 1
        batch: list[InsightsRequest] = []
        for request in chain(_drain(self._pending), new_requests):
            if request.refusal_key in probed and not request.is_probe:
                self._held.append(request)
                continue
            batch += self._reduce(request)
            if len(batch) >= size:
                break
        self._pending.extendleft(reversed(batch[size:]))
        return batch[:size]

    def _reduce(self, request: InsightsRequest) -> list[InsightsRequest]:
        """Return the request without what Meta is known to refuse: none, one, or one more for totals."""
        if request.whom in self._left_out:
            return []
        queries, dropped = self.refused_metrics.reduce(request.group, request.query)
        if not dropped:
            return [request]
        for name, error in dropped:
            self._note_refusal(request, name, error)
        return [replace(request, query=query) for query in queries]

    def _handle_error(self, request: InsightsRequest, error: InsightsError) -> None:
        match error:
            case MetricRefused():
                self._handle_refusal(request, error)
            case TooFewFollowers():
                self._handle_too_few_followers(request, error)
            case BeyondHistory():  # It concerns these days only; the other days of the object may have numbers.
                what = f"{', '.join(request.query.names)} of {request.scope}"
                self.left_out_log.note_error(request.whom, what, error)
            case SkippableGraphError():
                if isinstance(error, ObjectGone):
                    self._unknown_errors.add_gone(request)
                self._left_out.add(request.whom)
                self.left_out_log.note_error(request.whom, "insights", error)
            case AccountUnavailable() if self.must_answer:
                raise error
            case FatalGraphError() if not isinstance(error, STOPPING_ERRORS):
                self._unknown_errors.add(request, error)
                if not self.must_answer:
                    self._left_out.add(request.whom)
            case _ if is_transient(error):
                self._keep_unanswered(request, error)
            case _:
                raise error

    def _handle_refusal(self, request: InsightsRequest, error: MetricRefused) -> None:
        named = find_named_metrics(error, request.query.names)
        find = self.refused_metrics.find
        if named:
            self._drop(request, named, error)
        elif is_about_object(error):
            self._pending.extend(request.make_probes())
        elif any(find(request.group, request.query.breakdown, name) for name in request.query.names):
            self._pending.append(request)  # A refusal was recorded after this request was sent, so it gets smaller.
        else:
            self._probe(request)

    def _probe(self, request: InsightsRequest) -> None:
        """Request metric by metric; or hold the request, once, where enough objects of its group are probed already."""
        probed = {other.whom for other in self._pending if other.is_probe and other.refusal_key == request.refusal_key}
        if request.was_held or len(probed) < self.refused_metrics.min_objects:
            self._pending.extend(request.make_probes())
        else:
            self._held.append(replace(request, was_held=True))

    def _drop(self, request: InsightsRequest, named: tuple[str, ...], error: MetricRefused) -> None:
        query, is_unknown = request.query, is_unknown_name(error)
        # META-23: a refusal for one post says nothing about its product type.
        if not is_about_object(error) and not query.metrics[0].alone:
            for breakdown in {query.breakdown, "" if is_unknown else query.breakdown}:
                self.refused_metrics.record_refusal(request.group, breakdown, named, error, whom=request.whom)
        for name in named:
            self._note_refusal(request, name, error)
        if rest := query.without(named):
            remainder = replace(request, query=rest, is_probe=False, is_reduced=True)
            # META-16: Meta names one metric at a time, so after a second refusal many more may follow.
            self._probe(remainder) if request.is_reduced else self._pending.append(remainder)
        if totals := None if is_unknown else query.of_totals(named):
            self._pending.append(replace(request, query=totals, is_probe=False))

    def _note_refusal(self, request: InsightsRequest, name: str, error: InsightsError) -> None:
        self._refusal = error
        breakdown = request.query.breakdown
        self.left_out_log.note_error(request.whom, f"{name} by {breakdown}" if breakdown else name, error)

    def _handle_too_few_followers(self, request: InsightsRequest, error: TooFewFollowers) -> None:
        # META-15: the minimum differs by metric, and the error does not say which metric it is about.
        if len(request.query.metrics) > 1:
            self._pending.extend(request.make_probes())
        else:
            self.left_out_log.note_error(request.whom, request.query.names[0], error)


def _drain(requests: deque[InsightsRequest]) -> Iterator[InsightsRequest]:
    while requests:
        yield requests.popleft()
