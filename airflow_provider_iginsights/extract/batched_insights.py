"""Ask many small questions in batches, take refusals apart: one bad metric or object never costs another's numbers.

A refusal that names its metrics is asked again without them. One that names nobody is taken apart on representatives,
metric by metric; the others like it wait for what that teaches. Where a breakdown is refused, the total that came with
it is asked without. What is refused is noted once.

A server in trouble teaches nothing: the question is set aside. An error that nobody knows costs the object that it was
the answer for, and the account only where more than half of its objects answer so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BeyondHistory,
    BrokenResponse,
    FatalGraphError,
    InsightsError,
    MetricRefused,
    SkippableGraphError,
    TooFewFollowers,
)
from airflow_provider_iginsights.extract.insights_request import InsightsRequest, Kind
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.open_questions import (
    AccountExhaustedRetries,
    OpenQuestion,
    QuestionParameters,
    is_trouble,
    pack_query,
)
from airflow_provider_iginsights.extract.refusals import (
    AccountRefusals,
    find_culprits,
    is_about_object,
    is_unknown_name,
)
from airflow_provider_iginsights.extract.repeated_errors import RepeatedErrors
from airflow_provider_iginsights.graph.batch import MAX_BATCH_SIZE, STOPPING_ERRORS

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.messages import Answer, GraphRequest
    from airflow_provider_iginsights.graph.settings import GraphSettings

LOST_BATCHES = 2
"""After so many batches in a row that came to nothing as a whole, the rest of the questions is set aside unasked."""


class Batching(Protocol):
    """The part of a Graph client that an inquiry needs."""

    @property
    def settings(self) -> GraphSettings:
        """How it asks: whether in batches."""

    def batch(self, requests: Iterable[GraphRequest], *, account_id: str) -> Iterator[Answer | InsightsError]:
        """Yield one result per request, in order."""


@dataclass(slots=True, kw_only=True)
class BatchedInsights:
    """Asks everything of one account, in one go or page by page; end it with :meth:`finish`.

    ``pack``: what :data:`Again` says beside the query. ``must_answer``: the account itself is asked, and a refusal of
    everything is an error, not a finding: then the fault is in the request, not in a metric. ``answered`` counts
    answers, the caller's own as well.
    """

    client: Batching
    account_id: str
    build: Callable[[InsightsRequest], GraphRequest]
    refusals: AccountRefusals
    left_out_log: LeftOutLog
    troubles: AccountExhaustedRetries
    pack: Callable[[InsightsRequest], QuestionParameters]
    must_answer: bool = False
    answered: int = 0
    _gone: set[str] = field(default_factory=set)
    _again: deque[InsightsRequest] = field(default_factory=deque)
    _held: list[InsightsRequest] = field(default_factory=list)
    _denials: RepeatedErrors = field(init=False)
    _open: list[OpenQuestion] = field(default_factory=list)
    _lost: int = 0
    _refused: InsightsError | None = None

    def __post_init__(self) -> None:
        """Begin with nothing denied."""
        self._denials = RepeatedErrors(of_account=self.must_answer, left_out_log=self.left_out_log)

    def ask(self, asks: Iterable[InsightsRequest]) -> Iterator[tuple[InsightsRequest, Answer]]:
        """Yield every question with its answer.

        :raises InsightsError: what stops the account (token, throttle, permission) at once.
        """
        fresh = iter(asks)
        while batch := self._choose(fresh):
            for ask, result in self._send(batch):
                self._denials.count(ask)
                if isinstance(result, InsightsError):
                    self._take(ask, result)
                else:
                    self.answered += 1
                    self.refusals.learn_answer(ask.group, ask.query)
                    self.troubles.forget(ask.same)
                    yield ask, result
            self._denials.weigh(answered=bool(self.answered))
            if self._lost >= LOST_BATCHES:
                self._set_rest_aside(fresh)
        self._denials.settle(answered=bool(self.answered))

    def finish(self) -> tuple[OpenQuestion, ...]:
        """Return what trouble left open, once everything was asked.

        :raises InsightsError: a refusal of everything.
        """
        if self.must_answer and self._refused and not self.answered and not self._open:
            raise self._refused
        return tuple(self._open)

    def _send(self, batch: list[InsightsRequest]) -> Iterator[tuple[InsightsRequest, Answer | InsightsError]]:
        """Yield one result per question. A batch that fails as a whole is the result of all that it left unanswered."""
        requests = [replace(self.build(ask), no_retry=self.troubles.last(ask.same)) for ask in batch]
        results = iter(self.client.batch(requests, account_id=self.account_id))
        failure: InsightsError | None = None
        for ask in batch:
            result: Answer | InsightsError
            try:
                result = failure or next(results)
            except StopIteration:
                result = failure = BrokenResponse(
                    f"Meta answered fewer questions of a batch about account {self.account_id} than it was asked."
                )
            except InsightsError as error:
                if not is_trouble(error):
                    raise
                result = failure = error
            yield ask, result
        self._lost = self._lost + 1 if failure else 0

    def _set_rest_aside(self, fresh: Iterator[InsightsRequest]) -> None:
        error = self._open[-1].error
        rest = [*self._again, *self._held, *fresh]
        self._again.clear()
        self._held.clear()
        for ask in rest:
            for part in self._reduce(ask):
                self._open.append(self._describe_open(part, error))

    def _set_aside(self, ask: InsightsRequest, error: InsightsError) -> None:
        # A traceback holds the frames' pages.
        self._open.append(self._describe_open(ask, error.with_traceback(None)))
        self.troubles.exhaust(ask.same)

    def _describe_open(self, ask: InsightsRequest, error: InsightsError) -> OpenQuestion:
        again = {**pack_query(ask.query), **self.pack(ask)}
        return OpenQuestion(whom=ask.whom, what=ask.what, error=error, again=again)

    def _choose(self, fresh: Iterator[InsightsRequest]) -> list[InsightsRequest]:
        """Return the next batch: first what refusals left open; what a representative stands for waits."""
        testing = {ask.kind for ask in self._again if ask.torn}
        batch = self._fill(fresh, testing) if testing else []
        if not batch:
            self._again.extend(self._held)
            self._held.clear()
            batch = self._fill(fresh, set())
        return batch

    def _fill(self, fresh: Iterator[InsightsRequest], testing: set[Kind]) -> list[InsightsRequest]:
        size = MAX_BATCH_SIZE if self.client.settings.supports_batches else 1
        batch: list[InsightsRequest] = []
        for ask in chain(_drain(self._again), fresh):
            if ask.kind in testing and not ask.torn:
                self._held.append(ask)
                continue
            batch += self._reduce(ask)
            if len(batch) >= size:
                break
        self._again.extendleft(reversed(batch[size:]))
        return batch[:size]

    def _reduce(self, ask: InsightsRequest) -> list[InsightsRequest]:
        """Return what is left of a question after all that was learned."""
        if ask.whom in self._gone:
            return []
        queries, dropped = self.refusals.reduce(ask.group, ask.query)
        if not dropped:
            return [ask]
        for name, error in dropped:
            self._note_refusal(ask, name, error)
        return [replace(ask, query=query) for query in queries]

    def _take(self, ask: InsightsRequest, error: InsightsError) -> None:
        match error:
            case MetricRefused():
                self._take_refusal(ask, error)
            case TooFewFollowers():
                self._take_silence(ask, error)
            case BeyondHistory():  # of these days only: the object's other days answer
                self.left_out_log.note_error(ask.whom, f"{', '.join(ask.query.names)} of {ask.about}", error)
            case SkippableGraphError():
                self._gone.add(ask.whom)
                self.left_out_log.note_error(ask.whom, "insights", error)
            case AccountUnavailable() if self.must_answer:
                raise error
            case FatalGraphError() if not isinstance(error, STOPPING_ERRORS):
                self._denials.take(ask, error)
                if not self.must_answer:
                    self._gone.add(ask.whom)
            case _ if is_trouble(error):
                self._set_aside(ask, error)
            case _:
                raise error

    def _take_refusal(self, ask: InsightsRequest, error: MetricRefused) -> None:
        culprits = find_culprits(error, ask.query.names)
        if culprits:
            self._drop(ask, culprits, error)
        elif is_about_object(error):
            self._again.extend(ask.tear())
        elif any(self.refusals.find(ask.group, ask.query.breakdown, name) for name in ask.query.names):
            self._again.append(ask)  # less what was learned since it was sent
        else:
            self._take_apart(ask)

    def _take_apart(self, ask: InsightsRequest) -> None:
        """Ask metric by metric, unless enough like it are about to be: then wait once for what that teaches."""
        representatives = {other.whom for other in self._again if other.torn and other.kind == ask.kind}
        if ask.waited or len(representatives) < self.refusals.witnesses:
            self._again.extend(ask.tear())
        else:
            self._held.append(replace(ask, waited=True))

    def _drop(self, ask: InsightsRequest, culprits: tuple[str, ...], error: MetricRefused) -> None:
        query, unknown = ask.query, is_unknown_name(error)
        if not is_about_object(error) and not query.metrics[0].alone:
            for breakdown in {query.breakdown, "" if unknown else query.breakdown}:
                self.refusals.learn_refusal(ask.group, breakdown, culprits, error, whom=ask.whom)
        for name in culprits:
            self._note_refusal(ask, name, error)
        if rest := query.without(culprits):
            remainder = replace(ask, query=rest, torn=False, named=True)
            # META-16: Meta names one metric at a time, so a second refusal may be followed by many.
            self._take_apart(remainder) if ask.named else self._again.append(remainder)
        if totals := None if unknown else query.of_totals(culprits):
            self._again.append(replace(ask, query=totals, torn=False))

    def _note_refusal(self, ask: InsightsRequest, name: str, error: InsightsError) -> None:
        self._refused = error
        breakdown = ask.query.breakdown
        self.left_out_log.note_error(ask.whom, f"{name} by {breakdown}" if breakdown else name, error)

    def _take_silence(self, ask: InsightsRequest, error: TooFewFollowers) -> None:
        if len(ask.query.metrics) > 1:
            self._again.extend(ask.tear())
        else:
            self.left_out_log.note_error(ask.whom, ask.query.names[0], error)


def _drain(asks: deque[InsightsRequest]) -> Iterator[InsightsRequest]:
    while asks:
        yield asks.popleft()
