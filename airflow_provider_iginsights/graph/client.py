"""The client of the Graph API that the rest of the package talks to: single reads, listings and batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.batch import LARGEST_BATCH, STOPPING, Batcher, chunk, is_unsupported
from airflow_provider_iginsights.graph.caller import Caller
from airflow_provider_iginsights.graph.exchange import Call
from airflow_provider_iginsights.graph.faults import Diagnosis
from airflow_provider_iginsights.graph.ledger import Tally
from airflow_provider_iginsights.graph.paging import Walk, read_pages
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject
from airflow_provider_iginsights.graph.settings import GraphSettings

__all__ = ["GraphClient", "Tally"]


class GraphClient:
    """Reads the Graph API for any number of accounts and threads. Close it, or use it in a ``with`` statement.

    ``account_id`` names the account whose rate limit a read counts against: calls for it are slowed down as Meta
    reports the limit used up; while it is blocked they are refused with Throttled, without being sent.

    :param settings: where to, as whom, how patiently.
    :param sleep: waits that many seconds.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: GraphSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._caller = Caller(settings, sleep=sleep, clock=clock)
        self._batches = settings.batches
        self._batch_sizes: dict[str | None, int] = {}

    @property
    def tally(self) -> Tally:
        """Return what was sent so far, over all threads."""
        return self._caller.ledger.tally

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what somebody should know about the run, each once: such as another version than the pinned."""
        return self._caller.ledger.notes

    def note(self, text: str) -> None:
        """Add a sentence to the notes of the run, and log it as a warning, unless it is there already."""
        self._caller.ledger.note(text)

    def get(self, request: GraphRequest, *, account_id: str | None = None) -> Answer:
        """Read once.

        :raises InsightsError: the leaf that says what to do; for transient trouble only after the retries.
        """
        result = self._read(request, account_id)
        if isinstance(result, Diagnosis):
            raise result.error
        return result

    def pages(self, request: GraphRequest, *, account_id: str | None = None, limit: int = 100) -> Iterator[Answer]:
        """Read a listing page by page, lazily, ``limit`` items at a time or fewer where Meta finds that too much."""
        get_page = partial(self._get_page, account_id=account_id)
        return read_pages(get_page, request, limit=limit, note=self._caller.ledger.note)

    def walk(self, request: GraphRequest) -> Walk:
        """Return what says where the listing goes on and ends, for those who open its pages themselves."""
        return Walk(whom=request.path, note=self._caller.ledger.note)

    def batch(
        self, requests: Iterable[GraphRequest], *, account_id: str | None = None
    ) -> Iterator[Answer | InsightsError]:
        """Read many, 50 per HTTP request, lazily. Yields one result per request, in order; an item's fault is a result.

        Where the host offers no batches, or says so when asked, the requests go one by one, with the same results.

        :raises InsightsError: what holds for all that follow, after the results before it: Throttled, TokenExpired or
            PolicyBlocked in an item, any refusal of a whole batch, a host that does not answer.
        """
        for requests_at_once in chunk(requests, lambda: self._batch_sizes.get(account_id, LARGEST_BATCH)):
            for result in self._settle(requests_at_once, account_id):
                if isinstance(result, Diagnosis) and result.stops:
                    raise result.error
                yield result.error if isinstance(result, Diagnosis) else result

    def tell_dates(self, listener: Callable[[datetime], None]) -> None:
        """Hand Meta's ``Date`` (aware UTC) of every reply to ``listener``, from whatever thread got it."""
        self._caller.on_date = listener

    def close(self) -> None:
        """Close the connections of all threads."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GraphClient({self.settings!r})"

    def _settle(self, requests: list[GraphRequest], account_id: str | None) -> Iterable[Answer | Diagnosis]:
        if self._batches:
            results = self._batcher(account_id).settle(requests)
            if not any(isinstance(result, Diagnosis) and is_unsupported(result) for result in results):
                return results
            self._batches = False
            self._caller.ledger.note("The Graph host offers no batch requests: objects are asked for one by one.")
        return (self._read_alone(request, account_id) for request in requests)

    def _batcher(self, account_id: str | None) -> Batcher:
        return Batcher(
            call=partial(self._caller.call, account_id=account_id),
            judge=partial(self._caller.judge, account_id=account_id),
            observe=partial(self._caller.observe, account_id=account_id),
            repeat=self._caller.repeat,
            version=self.settings.api_version,
            learn=partial(self._batch_sizes.__setitem__, account_id),
            subject=Subject("account", account_id) if account_id else None,
        )

    def _read_alone(self, request: GraphRequest, account_id: str | None) -> Answer | Diagnosis:
        result = self._read(request, account_id)
        if isinstance(result, Diagnosis):
            # A host that does not answer at all would cost the whole patience for each request left.
            silent = result.retryable and result.error.facts.http_status is None
            return Diagnosis(result.error, stops=silent or isinstance(result.error, STOPPING))
        return result

    def _get_page(self, request: GraphRequest, *, divisible: bool, account_id: str | None) -> Answer:
        result = self._read(request, account_id, divisible=divisible)
        if isinstance(result, Diagnosis):
            raise result.error
        return result

    def _read(self, request: GraphRequest, account_id: str | None, *, divisible: bool = False) -> Answer | Diagnosis:
        reply = self._caller.call(Call(request, divisible=divisible), account_id=account_id)
        if isinstance(reply, Diagnosis):
            return reply
        return Answer(reply.payload, reply.served or self.settings.api_version, request, reply.date)
