"""Many accounts at once: threads across accounts, one account at a time within each, rows in a bounded stream.

One account's failure is its own. What concerns the token itself (expired, blocked by policy) stops the others, since
each of their calls would fail too; so does the app's or the user's rate limit once account after account meets it,
since every further call would prolong the block.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import InsightsError, PolicyBlocked, Throttled, TokenExpired
from airflow_provider_iginsights.extract.rows import TableRow

log = logging.getLogger(__name__)

PARCEL = 200  # rows handed over at once; a queue operation per row would cost more than the row
_PATIENCE = 0.2  # seconds between two looks at whether anybody still receives
_TOKEN_ERRORS = (TokenExpired, PolicyBlocked)
_SHARED_LIMITS = (4, 17, 341)  # codes of the limits that an app or a user has over all accounts (Meta: Rate Limits)
_SURE = 3  # accounts in a row that must meet such a limit: a single one may be an account's own trouble

Parcel = list[TableRow] | BaseException | None


@dataclass(slots=True)
class Outcome:
    """How the accounts fared: ids that were ``done``, and the error of each that ``failed``."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, InsightsError] = field(default_factory=dict)


class Crowd:
    """Reads accounts with ``workers`` threads. Iterate :meth:`read` to its end, then look at ``outcome``."""

    def __init__(self, read_account: Callable[[str], Iterator[TableRow]], *, workers: int) -> None:
        self._read_account = read_account
        self._workers = max(1, workers)
        self._parcels: queue.Queue[Parcel] = queue.Queue(maxsize=2 * self._workers)
        self._stopped = threading.Event()
        self._stopping: InsightsError | None = None
        self._in_a_row = 0
        self.outcome = Outcome()

    def read(self, account_ids: Iterable[str]) -> Iterator[TableRow]:
        """Yield the rows of all accounts as they come.

        :raises Exception: what is not an :class:`InsightsError` is a fault of ours and is raised at once.
        """
        accounts = list(account_ids)
        with ThreadPoolExecutor(min(self._workers, len(accounts) or 1), thread_name_prefix="iginsights") as pool:
            for account_id in accounts:
                pool.submit(self._work, account_id)
            try:
                yield from self._receive(len(accounts))
            finally:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _receive(self, open_accounts: int) -> Iterator[TableRow]:
        while open_accounts:
            parcel = self._parcels.get()
            if parcel is None:
                open_accounts -= 1
            elif isinstance(parcel, BaseException):
                raise parcel
            else:
                yield from parcel

    def _work(self, account_id: str) -> None:
        try:
            if self._stopping is None:
                self._read(account_id)
            else:
                self.outcome.failed[account_id] = self._stopping
        except InsightsError as error:
            self._take(account_id, error)
        except BaseException as error:
            self._hand_over(error)
            return
        self._hand_over(None)

    def _read(self, account_id: str) -> None:
        for parcel in _pack(self._read_account(account_id)):
            self._hand_over(parcel)
            if self._stopped.is_set():
                return
        self._in_a_row = 0
        self.outcome.done.append(account_id)

    def _hand_over(self, parcel: Parcel) -> None:
        """Wait for room in the queue, unless nobody receives any more."""
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._parcels.put(parcel, timeout=_PATIENCE)
                return

    def _take(self, account_id: str, error: InsightsError) -> None:
        # A traceback holds the frames' pages; with a thousand failed accounts that would be the memory.
        self.outcome.failed[account_id] = error.with_traceback(None)
        if self._stopping is None and self._concerns_all(error):
            self._stopping = error
            log.error("Account %s stopped all accounts: %s", account_id, error)
        elif error is not self._stopping:
            log.warning("Account %s failed: %s", account_id, error)

    def _concerns_all(self, error: InsightsError) -> bool:
        if isinstance(error, Throttled) and error.facts.code in _SHARED_LIMITS:
            self._in_a_row += 1
        return isinstance(error, _TOKEN_ERRORS) or self._in_a_row >= _SURE


def _pack(rows: Iterable[TableRow]) -> Iterator[list[TableRow]]:
    """Yield rows in lists. What came before an error is yielded before it is raised: numbers that arrived are kept."""
    parcel: list[TableRow] = []
    try:
        for row in rows:
            parcel.append(row)
            if len(parcel) >= PARCEL:
                yield parcel
                parcel = []
    except InsightsError:
        yield parcel
        raise
    if parcel:
        yield parcel
