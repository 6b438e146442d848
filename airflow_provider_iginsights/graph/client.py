"""The client of the Graph API that the rest of the package uses: single reads, listings and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from airflow_provider_iginsights import waiting
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.ahead import AheadThreads, SentAhead, begin_with
from airflow_provider_iginsights.graph.batch import MAX_BATCH_SIZE, STOPPING_ERRORS, BatchRequest, chunk, is_unsupported
from airflow_provider_iginsights.graph.call_stats import CallCounts
from airflow_provider_iginsights.graph.error_mapping import GraphFailure
from airflow_provider_iginsights.graph.messages import Answer, Call, GraphRequest, Reply
from airflow_provider_iginsights.graph.paging import CursorPaging, read_pages
from airflow_provider_iginsights.graph.rate_limit import Usage
from airflow_provider_iginsights.graph.retry import RequestSize
from airflow_provider_iginsights.graph.session import GraphSession
from airflow_provider_iginsights.graph.settings import GraphSettings

__all__ = ["CallCounts", "GraphClient"]

FirstTry = Future[Reply | GraphFailure]


class GraphClient:
    """Reads the Graph API for any number of accounts and threads. Close it, or use it in a ``with`` statement.

    ``account_id`` is the account whose rate limit a read counts against. The client slows calls for it down as Meta
    reports that the limit is used up. While the account is blocked, a call raises Throttled and is not sent.

    :param settings: host, token, timeouts and retry limits.
    :param sleep: waits that many seconds; None = as :mod:`airflow_provider_iginsights.waiting` does, until it is
        stopped.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: GraphSettings,
        *,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = waiting.read_clock,
    ) -> None:
        self.settings = settings
        self._session = GraphSession(settings, sleep=sleep, clock=clock)
        self._threads = AheadThreads()
        self._supports_batches = settings.supports_batches
        # Where a size had to be halved, later requests begin with the size that worked. Keys: account id, path.
        self._sizes: dict[tuple[str | None, str], int] = {}

    @property
    def call_counts(self) -> CallCounts:
        """Return the numbers of requests so far, over all threads."""
        return self._session.stats.counts

    def count_calls_of(self, account_id: str) -> int:
        """Return the calls about one account so far, as Meta counts them."""
        return self._session.stats.count_calls_of(account_id)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes about this run, each once: for example that Meta served another API version."""
        return self._session.stats.notes

    @property
    def usage(self) -> dict[str, Usage]:
        """What Meta reported last of its rate limits, by the id of account or business; ``""`` = of the app."""
        return self._session.usage

    def take_app_usage(self) -> float:
        """Return the highest percentage of the app's rate limit that Meta reported since the last time; 0 = none."""
        return self._session.take_app_usage()

    def note(self, text: str) -> None:
        """Add a sentence to the notes of the run and log it as a warning, unless it is there already."""
        self._session.stats.note(text)

    def get(self, request: GraphRequest, *, account_id: str | None = None) -> Answer:
        """Read one object or edge.

        :raises InsightsError: the class says what to do next; a server error is raised only after all retries.
        """
        return _return_or_raise(self._read(partial(_keep, request), RequestSize(1), account_id))

    def pages(self, request: GraphRequest, *, account_id: str | None = None, limit: int = 100) -> Iterator[Answer]:
        """Read a listing page by page, lazily, with ``limit`` items on a page, or fewer where Meta finds that too much.

        Where the error may mean that a page is too large, the same page is requested once more and then with half the
        limit, down to 10. The cursor stays the same, so no item is lost or comes twice. A limit that worked is kept
        for the rest of the listing and for later listings of this path.

        :raises TooMuchData: a page of one item is still too large.
        :raises InsightsError: the class says what to do next; a server error is raised only after all retries.
        """
        get_page = partial(self._get_page, limit=limit, account_id=account_id)
        return read_pages(get_page, request, note=self._session.stats.note)

    def start_page(
        self, request: GraphRequest, *, account_id: str | None = None, limit: int = 100
    ) -> SentAhead[Answer] | None:
        """Send the request of one page of a listing from another thread; reading it is as the first of :meth:`pages`.

        :return: None near a rate limit: then nothing was sent.
        """
        if self._session.is_near_limit(account_id):
            return None
        build, size = _build_page(request), self._choose_page_size(request, limit, account_id)
        first_try = self._threads.submit(self._session.send, Call(build(size.items)), account_id=account_id)
        return SentAhead(
            first_try, partial(self._get_page, request, limit=limit, account_id=account_id, first_try=first_try)
        )

    def open_paging(self, request: GraphRequest) -> CursorPaging:
        """Return the paging of a listing, for callers that request its pages themselves."""
        return CursorPaging(path=request.path, note=self._session.stats.note)

    def batch(
        self, requests: Iterable[GraphRequest], *, account_id: str | None = None
    ) -> Iterator[Answer | InsightsError]:
        """Read many, 50 per HTTP request, lazily. Yields one result per request, in order; an item's error is a result.

        A host without batch requests gets the requests one by one; the results are the same.

        :raises InsightsError: an error that holds for all later requests, raised after the results before it:
            Throttled, TokenExpired or PolicyBlocked in an item, any refusal of a whole batch, a host without an answer.
        """
        for some in chunk(requests, partial(self._find_batch_size, account_id)):
            results = self._send_batch(self._make_batch(some, account_id))
            yield from self._read_singles(some, account_id) if results is None else _yield_or_raise(results)

    def start_batch(
        self, requests: Sequence[GraphRequest], *, account_id: str | None = None
    ) -> SentAhead[Iterator[Answer | InsightsError]] | None:
        """Send up to 50 reads from another thread; reading them is as iterating :meth:`batch`.

        :return: None near a rate limit, and for more reads than one HTTP request takes: then nothing was sent.
        """
        if self._session.is_near_limit(account_id) or len(requests) > self._find_batch_size(account_id):
            return None
        if not self._supports_batches:
            [request] = requests
            first_try = self._threads.submit(self._session.send, Call(request), account_id=account_id)
            return SentAhead(first_try, partial(self._read_singles, requests, account_id, first_try=first_try))
        batch = self._make_batch(requests, account_id)

        def read() -> Iterator[Answer | InsightsError]:
            results = self._send_batch(batch)
            return self._read_singles(requests, account_id) if results is None else _yield_or_raise(results)

        return SentAhead(batch.start(self._threads), read)

    def set_date_callback(self, callback: Callable[[datetime], None]) -> None:
        """Call ``callback`` with Meta's ``Date`` header (aware UTC) of every reply, from the thread that got it."""
        self._session.on_date = callback

    def stop(self) -> None:
        """End the calls of all threads within seconds: they raise ReadingStopped, until the client is closed."""
        self._session.stop()

    def close(self) -> None:
        """End the requests that were sent ahead, and close the connections of all threads."""
        self._threads.close()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GraphClient({self.settings!r})"

    def _find_batch_size(self, account_id: str | None) -> int:
        return self._sizes.get((account_id, ""), MAX_BATCH_SIZE) if self._supports_batches else 1

    def _make_batch(self, requests: Sequence[GraphRequest], account_id: str | None) -> BatchRequest:
        return BatchRequest(
            session=self._session,
            requests=requests,
            account_id=account_id,
            version=self.settings.api_version,
            size=RequestSize(len(requests)),
            on_smaller_size=partial(self._sizes.__setitem__, (account_id, "")),
        )

    def _send_batch(self, batch: BatchRequest) -> list[Answer | GraphFailure] | None:
        """Return one result per request; None where the host has no batch requests."""
        if not self._supports_batches:
            return None
        results = batch.send()
        if any(isinstance(result, GraphFailure) and is_unsupported(result) for result in results):
            self._supports_batches = False
            self._session.stats.note("The Graph host offers no batch requests: objects are read one by one.")
            return None
        return results

    def _read_singles(
        self, requests: Sequence[GraphRequest], account_id: str | None, *, first_try: FirstTry | None = None
    ) -> Iterator[Answer | InsightsError]:
        """Read one by one. ``first_try``: that of the only request."""
        for request in requests:
            result = self._read(partial(_keep, request), RequestSize(1), account_id, first_try=first_try)
            if not isinstance(result, GraphFailure):
                yield result
                continue
            # A host that does not answer at all would take all retries again for each of the other requests.
            no_answer = result.retryable and result.error.facts.http_status is None
            if no_answer or isinstance(result.error, STOPPING_ERRORS):
                raise result.error
            yield result.error

    def _choose_page_size(self, request: GraphRequest, limit: int, account_id: str | None) -> RequestSize:
        return RequestSize(min(limit, self._sizes.get((account_id, request.path), limit)))

    def _get_page(
        self, request: GraphRequest, *, limit: int, account_id: str | None, first_try: FirstTry | None = None
    ) -> Answer:
        size = self._choose_page_size(request, limit, account_id)
        answer = _return_or_raise(self._read(_build_page(request), size, account_id, first_try=first_try))
        if size.is_halved:
            self._sizes[account_id, request.path] = size.items
        return answer

    def _read(
        self,
        build_request: Callable[[int], GraphRequest],
        size: RequestSize,
        account_id: str | None,
        *,
        first_try: FirstTry | None = None,
    ) -> Answer | GraphFailure:
        """Send the request that ``build_request`` returns for a number of items, with all retries."""
        no_retry = build_request(size.items).no_retry
        reply = self._session.retrier.call(
            begin_with(first_try, lambda: self._session.send(Call(build_request(size.items)), account_id=account_id)),
            retry_if=lambda reply: isinstance(reply, GraphFailure) and not no_retry and size.record_failure(reply),
            retry_after=lambda reply: size.find_wait(reply) if isinstance(reply, GraphFailure) else None,
        )
        if isinstance(reply, GraphFailure):
            return reply
        version = reply.served_version or self.settings.api_version
        return Answer(reply.payload, version, build_request(size.items), reply.date)


def _keep(request: GraphRequest, _: int) -> GraphRequest:
    return request


def _build_page(request: GraphRequest) -> Callable[[int], GraphRequest]:
    return lambda items: replace(request, params={**request.params, "limit": str(items)})


def _yield_or_raise(results: Iterable[Answer | GraphFailure]) -> Iterator[Answer | InsightsError]:
    for result in results:
        if isinstance(result, GraphFailure) and result.stops:
            raise result.error
        yield result.error if isinstance(result, GraphFailure) else result


def _return_or_raise(result: Answer | GraphFailure) -> Answer:
    if isinstance(result, GraphFailure):
        raise result.error
    return result
