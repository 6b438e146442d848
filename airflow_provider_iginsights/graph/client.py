"""The client of the Graph API that the rest of the package talks to: single reads, listings and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from airflow_provider_iginsights import waiting
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.batch import LARGEST_BATCH, STOPPING, BatchAnswers, chunk, is_unsupported
from airflow_provider_iginsights.graph.call_stats import CallCounts
from airflow_provider_iginsights.graph.error_mapping import GraphFailure
from airflow_provider_iginsights.graph.messages import Answer, Call, GraphRequest
from airflow_provider_iginsights.graph.paging import PageSequence, read_pages
from airflow_provider_iginsights.graph.retry import PartSize
from airflow_provider_iginsights.graph.session import GraphSession
from airflow_provider_iginsights.graph.settings import GraphSettings

__all__ = ["CallCounts", "GraphClient"]


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
        sleep: Callable[[float], None] = waiting.sleep,
        clock: Callable[[], float] = waiting.read_clock,
    ) -> None:
        self.settings = settings
        self._caller = GraphSession(settings, sleep=sleep, clock=clock)
        self._batches = settings.batches
        self._sizes: dict[tuple[str | None, str], int] = {}  # answered where larger ones were not, by account and path

    @property
    def tally(self) -> CallCounts:
        """Return what was sent so far, over all threads."""
        return self._caller.stats.tally

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what somebody should know about the run, each once: such as another version than the pinned."""
        return self._caller.stats.notes

    def note(self, text: str) -> None:
        """Add a sentence to the notes of the run, and log it as a warning, unless it is there already."""
        self._caller.stats.note(text)

    def get(self, request: GraphRequest, *, account_id: str | None = None) -> Answer:
        """Read once.

        :raises InsightsError: the leaf that says what to do; for transient trouble only after the retries.
        """
        return _open(self._read(lambda _: request, PartSize(1), account_id))

    def pages(self, request: GraphRequest, *, account_id: str | None = None, limit: int = 100) -> Iterator[Answer]:
        """Read a listing page by page, lazily, ``limit`` items at a time or fewer where Meta finds that too much.

        Where Meta may find a page too large, in whatever words or by not answering in time, it is asked once more, then
        with half the limit, down to 10: at the same cursor, so that no item is lost or comes twice. A limit that was
        answered holds for the rest of the listing, and for the next ones of this path; where none was, it was trouble.

        :raises TooMuchData: when even a page of one item is too large.
        :raises InsightsError: the leaf that says what to do; for transient trouble only after the retries.
        """
        get_page = partial(self._get_page, limit=limit, account_id=account_id)
        return read_pages(get_page, request, note=self._caller.stats.note)

    def walk(self, request: GraphRequest) -> PageSequence:
        """Return what says where the listing goes on and ends, for those who open its pages themselves."""
        return PageSequence(whom=request.path, note=self._caller.stats.note)

    def batch(
        self, requests: Iterable[GraphRequest], *, account_id: str | None = None
    ) -> Iterator[Answer | InsightsError]:
        """Read many, 50 per HTTP request, lazily. Yields one result per request, in order; an item's fault is a result.

        Where the host offers no batches, or says so when asked, the requests go one by one, with the same results.

        :raises InsightsError: what holds for all that follow, after the results before it: Throttled, TokenExpired or
            PolicyBlocked in an item, any refusal of a whole batch, a host that does not answer.
        """
        for some in chunk(requests, lambda: self._sizes.get((account_id, ""), LARGEST_BATCH)):
            for result in self._settle(some, account_id) or (self._read_alone(each, account_id) for each in some):
                if isinstance(result, GraphFailure) and result.stops:
                    raise result.error
                yield result.error if isinstance(result, GraphFailure) else result

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

    def _settle(self, requests: list[GraphRequest], account_id: str | None) -> list[Answer | GraphFailure] | None:
        """Return what came of a batch; None where the host offers none."""
        if not self._batches:
            return None
        results = BatchAnswers(
            caller=self._caller,
            requests=requests,
            account_id=account_id,
            version=self.settings.api_version,
            size=PartSize(len(requests)),
            learn=partial(self._sizes.__setitem__, (account_id, "")),
        ).settle()
        if any(isinstance(result, GraphFailure) and is_unsupported(result) for result in results):
            self._batches = False
            self._caller.stats.note("The Graph host offers no batch requests: objects are asked for one by one.")
            return None
        return results

    def _read_alone(self, request: GraphRequest, account_id: str | None) -> Answer | GraphFailure:
        result = self._read(lambda _: request, PartSize(1), account_id)
        if isinstance(result, GraphFailure):
            # A host that does not answer at all would cost the whole patience for each request left.
            silent = result.retryable and result.error.facts.http_status is None
            return GraphFailure(result.error, stops=silent or isinstance(result.error, STOPPING))
        return result

    def _get_page(self, request: GraphRequest, *, limit: int, account_id: str | None) -> Answer:
        key = (account_id, request.path)
        size = PartSize(min(limit, self._sizes.get(key, limit)))
        answer = _open(
            self._read(lambda items: replace(request, params={**request.params, "limit": str(items)}), size, account_id)
        )
        if size.is_halved:
            self._sizes[key] = size.items
        return answer

    def _read(
        self, ask_for: Callable[[int], GraphRequest], size: PartSize, account_id: str | None
    ) -> Answer | GraphFailure:
        """Read with all patience what ``ask_for`` asks for, given the number of items."""
        once = ask_for(size.items).once
        reply = self._caller.retrier.call(
            lambda: self._caller.send(Call(ask_for(size.items)), account_id=account_id),
            retry_if=lambda reply: isinstance(reply, GraphFailure) and not once and size.take(reply),
            retry_after=lambda reply: size.find_wait(reply) if isinstance(reply, GraphFailure) else None,
        )
        if isinstance(reply, GraphFailure):
            return reply
        return Answer(reply.payload, reply.served or self.settings.api_version, ask_for(size.items), reply.date)


def _open(result: Answer | GraphFailure) -> Answer:
    if isinstance(result, GraphFailure):
        raise result.error
    return result
