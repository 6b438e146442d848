"""Reads many accounts with a pool of threads. Each thread reads one account at a time; rows go through a bounded queue.

How many threads are at work at the same time follows Meta's rate limit: see :mod:`.worker_limit`.

An error of one account does not stop the others. An error of the token (expired, blocked by policy) does, since each of
their calls would fail, too. The rate limit of the app or the user does so after several accounts in a row, since each
further call would prolong the block. Requests that failed with a server error are repeated after all other accounts.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from airflow_provider_iginsights.errors import BrokenResponse, InsightsError, PolicyBlocked, Throttled, TokenExpired
from airflow_provider_iginsights.extract.account_counts import AccountCounts
from airflow_provider_iginsights.extract.rows import TableRow
from airflow_provider_iginsights.extract.unanswered import (
    IncompleteAccount,
    RepeatParameters,
    UnansweredRequest,
    is_transient,
)
from airflow_provider_iginsights.extract.worker_limit import WorkerLimit

log: logging.Logger = logging.getLogger(__name__)

CHUNK_SIZE = 200  # Rows per queue operation: one operation per row would take longer than reading the row.
_POLL_SECONDS = 0.2  # How often a thread with a full queue checks whether the reader has stopped.
_TOKEN_ERRORS = (TokenExpired, PolicyBlocked)
_SHARED_LIMIT_CODES = (4, 17, 341)  # Rate limits of the app or the user, over all accounts (Meta: Rate Limits).
_MIN_LIMITED_ACCOUNTS = 3  # A single account may meet such a code for reasons of its own.

ReadAccount = Callable[..., Iterator[TableRow]]
"""``read(account_id)`` yields the rows of an account; ``read(account_id, unanswered)`` only those of requests that were
not answered before."""

Chunk = list[TableRow] | BaseException | None
Unanswered = Sequence[RepeatParameters] | None


@dataclass(frozen=True, slots=True)
class AccountResults:
    """The result of each account: ids that are ``done``, and the error of each that ``failed``.

    ``unanswered``: the requests that an account did not answer because of a server error; all its other rows were read.
    Such an account is not done. It may also have failed, with another error.
    ``given_up``: those requests of accounts that count as done, since no try is left that could repeat them.
    """

    done: Sequence[str] = ()
    failed: Mapping[str, InsightsError] = field(default_factory=dict)
    unanswered: Mapping[str, Sequence[UnansweredRequest]] = field(default_factory=dict)
    given_up: Mapping[str, Sequence[UnansweredRequest]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Return whether all accounts are done."""
        return not self.failed and not self.unanswered

    def join(self, done: Collection[str], *, of: Iterable[str]) -> AccountResults:
        """Return the results of all accounts ``of`` the task, some of which an earlier try had ``done``."""
        known = {*done, *self.done}
        return replace(self, done=[account_id for account_id in of if account_id in known])


class AccountPool:
    """Reads accounts with up to ``workers`` threads. Iterate :meth:`read` to its end, then use ``results``.

    :param take_app_usage: see :class:`WorkerLimit`.
    :param stop: ends the calls that the threads have under way, where the rows are not read to their end.
    :param counts: counts what reading each account comes to.
    """

    def __init__(
        self,
        read_account: ReadAccount,
        *,
        workers: int,
        take_app_usage: Callable[[], float] = lambda: 0.0,
        stop: Callable[[], object] = lambda: None,
        counts: AccountCounts | None = None,
    ) -> None:
        self._read_account = read_account
        self._workers = max(1, workers)
        self._worker_limit = WorkerLimit(workers, take_app_usage=take_app_usage)
        self._stop = stop
        self._counts = counts or AccountCounts()
        self._chunks: queue.Queue[Chunk] = queue.Queue(maxsize=2 * self._workers)
        self._stopped = threading.Event()
        self._stopping_error: InsightsError | None = None
        self._limited_accounts = 0
        self._repeat_later: dict[str, Unanswered] = {}
        self._with_rows: set[str] = set()
        self._done: list[str] = []
        self._failed: dict[str, InsightsError] = {}
        self._unanswered: dict[str, tuple[UnansweredRequest, ...]] = {}

    @property
    def results(self) -> AccountResults:
        """Return the results of the accounts that were read so far."""
        return AccountResults([*self._done], {**self._failed}, {**self._unanswered})

    def count_read(self) -> int:
        """Return how many accounts were read so far, also those that failed or are not whole."""
        return len({*self._done, *self._failed, *self._unanswered})

    def read(
        self, account_ids: Iterable[str], unanswered: Mapping[str, Sequence[RepeatParameters]] | None = None
    ) -> Generator[TableRow, None, None]:
        """Yield the rows of all accounts as they come, then those of repeated requests.

        :param unanswered: for these accounts, only the requests that an earlier run left unanswered.
        :raises BaseException: an exception of Airflow that ends or suspends the task, or one that ends the process.
        """
        known = unanswered or {}
        self._with_rows |= known.keys()
        first: dict[str, Unanswered] = {account_id: known.get(account_id) for account_id in account_ids}
        threads = min(self._workers, len(first) or 1)
        with ThreadPoolExecutor(threads, thread_name_prefix="iginsights") as pool:
            try:
                yield from self._read_all(pool, first)
                repeat, self._repeat_later = self._repeat_later, {}
                if repeat and self._stopping_error is None:
                    log.info("%d accounts are read again for requests that Meta did not answer.", len(repeat))
                    yield from self._read_all(pool, repeat)
            except BaseException:
                # The threads are awaited below: a call that goes on would hold up Airflow's timeout by minutes.
                self._stop()
                raise
            finally:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _read_all(self, pool: ThreadPoolExecutor, accounts: Mapping[str, Unanswered]) -> Iterator[TableRow]:
        # An account is taken once its thread may read it, so that accounts are begun in their order.
        waiting = deque(accounts.items())
        for _ in accounts:
            pool.submit(self._read_next, waiting)
        yield from self._receive(len(accounts))

    def _receive(self, remaining: int) -> Iterator[TableRow]:
        while remaining:
            chunk = self._chunks.get()
            if chunk is None:
                remaining -= 1
            elif isinstance(chunk, BaseException):
                raise chunk
            else:
                yield from chunk

    def _read_next(self, waiting: deque[tuple[str, Unanswered]]) -> None:
        with self._worker_limit.wait_for_turn():
            if not self._stopped.is_set():
                account_id, unanswered = waiting.popleft()
                with self._counts.reading(account_id):
                    self._read_account_safely(account_id, unanswered)

    def _read_account_safely(self, account_id: str, unanswered: Unanswered) -> None:
        try:
            if self._stopping_error is None:
                self._read(account_id, unanswered)
            else:
                self._failed[account_id] = self._stopping_error
        except IncompleteAccount as incomplete:
            self._record_unanswered(account_id, incomplete.unanswered)
        except InsightsError as error:
            self._record_error(account_id, error)
        except Exception as error:
            if _is_airflow_exception(error):
                self._put(error)
                return
            self._record_unexpected(account_id, error)
        except BaseException as error:
            self._put(error)
            return
        self._put(None)

    def _read(self, account_id: str, unanswered: Unanswered) -> None:
        rows = self._read_account(account_id) if unanswered is None else self._read_account(account_id, unanswered)
        for chunk in _make_chunks(rows):
            if chunk:
                self._with_rows.add(account_id)
                self._counts.add_rows(account_id, chunk)
            self._put(chunk)
            if self._stopped.is_set():
                return
        self._limited_accounts = 0
        self._worker_limit.record_result()
        self._unanswered.pop(account_id, None)
        self._failed.pop(account_id, None)
        self._done.append(account_id)

    def _put(self, chunk: Chunk) -> None:
        """Wait for room in the queue, unless the reader has stopped."""
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._chunks.put(chunk, timeout=_POLL_SECONDS)
                return

    def _record_unanswered(self, account_id: str, requests: tuple[UnansweredRequest, ...]) -> None:
        """Keep the unanswered requests of an account. An account without any row has failed."""
        self._limited_accounts = 0
        self._worker_limit.record_result(requests[0].error)
        self._failed.pop(account_id, None)
        if account_id in self._with_rows:
            self._unanswered[account_id] = requests
        else:
            self._failed[account_id] = requests[0].error
        self._repeat_later[account_id] = [request.repeat for request in requests]
        log.warning("Account %s: %d requests were not answered: %s", account_id, len(requests), requests[0].error)

    def _record_error(self, account_id: str, error: InsightsError) -> None:
        # A traceback would keep the pages in the frames' variables in memory, for each of a thousand failed accounts.
        self._failed[account_id] = error.with_traceback(None)
        self._worker_limit.record_result(error)
        if is_transient(error) and account_id not in self._with_rows:
            self._repeat_later[account_id] = None
        if self._stopping_error is None and self._stops_all(error):
            self._stopping_error = error
            log.error("Account %s stopped all accounts: %s", account_id, error)
        elif error is not self._stopping_error:
            log.warning("Account %s failed: %s", account_id, error)

    def _record_unexpected(self, account_id: str, exception: Exception) -> None:
        """Turn an exception of our own code into an error of the account, so that the other accounts are read."""
        log.debug("Reading account %s stopped on an unexpected exception.", account_id, exc_info=exception)
        kind = type(exception).__name__
        error = BrokenResponse(
            f"An answer about account {account_id} has a form that this release cannot read ({kind}). "
            "Please report it, with the traceback from the debug log; the other accounts are not concerned."
        )
        self._failed[account_id] = error
        log.warning("Account %s failed: %s", account_id, error)

    def _stops_all(self, error: InsightsError) -> bool:
        if isinstance(error, Throttled) and error.facts.code in _SHARED_LIMIT_CODES:
            self._limited_accounts += 1
        return isinstance(error, _TOKEN_ERRORS) or self._limited_accounts >= _MIN_LIMITED_ACCOUNTS


def _is_airflow_exception(error: Exception) -> bool:
    """Return whether Airflow raised it to skip, defer, reschedule or fail the task."""
    return any(kind.__module__.partition(".")[0] == "airflow" for kind in type(error).__mro__)


def _make_chunks(rows: Iterable[TableRow]) -> Iterator[list[TableRow]]:
    """Yield rows in lists. Rows before an error are yielded before it is raised, so that they are stored."""
    chunk: list[TableRow] = []
    try:
        for row in rows:
            chunk.append(row)
            if len(chunk) >= CHUNK_SIZE:
                yield chunk
                chunk = []
    except Exception:
        yield chunk
        raise
    if chunk:
        yield chunk
