"""Many accounts at once: threads across accounts, one account at a time within each, rows in a bounded stream.

One account's failure is its own, whatever it is. What concerns the token itself (expired, blocked by policy) stops the
others, since each of their calls would fail too; so does the app's or the user's rate limit once account after account
meets it, since every further call would prolong the block. What trouble at Meta left open is asked again once all other
accounts were read.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from airflow_provider_iginsights.errors import BrokenResponse, InsightsError, PolicyBlocked, Throttled, TokenExpired
from airflow_provider_iginsights.extract.open_questions import OpenQuestion, QuestionParameters, Unanswered, is_trouble
from airflow_provider_iginsights.extract.rows import TableRow

log: logging.Logger = logging.getLogger(__name__)

CHUNK = 200  # rows handed over at once; a queue operation per row would cost more than the row
_PATIENCE = 0.2  # seconds between two looks at whether anybody still receives
_TOKEN_ERRORS = (TokenExpired, PolicyBlocked)
_SHARED_LIMITS = (4, 17, 341)  # codes of the limits that an app or a user has over all accounts (Meta: Rate Limits)
_SURE = 3  # accounts in a row that must meet such a limit: a single one may be an account's own trouble

ReadAccount = Callable[..., Iterator[TableRow]]
"""``read(account_id)`` yields the rows of an account; ``read(account_id, open_questions)`` only what an earlier reading
left open."""

Chunk = list[TableRow] | BaseException | None
Questions = Sequence[QuestionParameters] | None


@dataclass(frozen=True, slots=True)
class AccountResults:
    """How the accounts fared: ids that were ``done``, and the error of each that ``failed``.

    ``open``: questions that an account did not answer, because Meta was in trouble; all its other rows were given. Such
    an account is not done; it may have failed as well, over something else.
    """

    done: Sequence[str] = ()
    failed: Mapping[str, InsightsError] = field(default_factory=dict)
    open: Mapping[str, Sequence[OpenQuestion]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Return whether all accounts are done."""
        return not self.failed and not self.open

    def join(self, done: Collection[str], *, of: Iterable[str]) -> AccountResults:
        """Return the outcome of all accounts ``of`` the task, some of which an earlier try had ``done``."""
        known = {*done, *self.done}
        return replace(self, done=[account_id for account_id in of if account_id in known])


class AccountPool:
    """Reads accounts with ``workers`` threads. Iterate :meth:`read` to its end, then look at ``outcome``."""

    def __init__(self, read_account: ReadAccount, *, workers: int) -> None:
        self._read_account = read_account
        self._workers = max(1, workers)
        self._parcels: queue.Queue[Chunk] = queue.Queue(maxsize=2 * self._workers)
        self._stopped = threading.Event()
        self._stopping: InsightsError | None = None
        self._in_a_row = 0
        self._set_aside: dict[str, Questions] = {}
        self._gave_rows: set[str] = set()
        self._done: list[str] = []
        self._failed: dict[str, InsightsError] = {}
        self._open: dict[str, tuple[OpenQuestion, ...]] = {}

    @property
    def outcome(self) -> AccountResults:
        """Return how the accounts fared, as far as they were read."""
        return AccountResults([*self._done], {**self._failed}, {**self._open})

    def read(
        self, account_ids: Iterable[str], open_questions: Mapping[str, Sequence[QuestionParameters]] | None = None
    ) -> Iterator[TableRow]:
        """Yield the rows of all accounts as they come, and then those of what was set aside at first.

        :param open_questions: of these accounts only this is asked, which an earlier run left open.
        :raises BaseException: what Airflow raises to end or suspend a task, and what ends the process.
        """
        known = open_questions or {}
        self._gave_rows |= known.keys()
        first: dict[str, Questions] = {account_id: known.get(account_id) for account_id in account_ids}
        with ThreadPoolExecutor(min(self._workers, len(first) or 1), thread_name_prefix="iginsights") as pool:
            try:
                yield from self._pass(pool, first)
                again, self._set_aside = self._set_aside, {}
                if again and self._stopping is None:
                    log.info("%d accounts are asked again for what Meta did not answer.", len(again))
                    yield from self._pass(pool, again)
            finally:
                self._stopped.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _pass(self, pool: ThreadPoolExecutor, accounts: Mapping[str, Questions]) -> Iterator[TableRow]:
        for account_id, questions in accounts.items():
            pool.submit(self._work, account_id, questions)
        yield from self._receive(len(accounts))

    def _receive(self, open_accounts: int) -> Iterator[TableRow]:
        while open_accounts:
            parcel = self._parcels.get()
            if parcel is None:
                open_accounts -= 1
            elif isinstance(parcel, BaseException):
                raise parcel
            else:
                yield from parcel

    def _work(self, account_id: str, questions: Questions) -> None:
        try:
            if self._stopping is None:
                self._read(account_id, questions)
            else:
                self._failed[account_id] = self._stopping
        except Unanswered as unanswered:
            self._take_open(account_id, unanswered.questions)
        except InsightsError as error:
            self._take(account_id, error)
        except Exception as error:
            if _is_airflows(error):
                self._hand_over(error)
                return
            self._take_fault(account_id, error)
        except BaseException as error:
            self._hand_over(error)
            return
        self._hand_over(None)

    def _read(self, account_id: str, questions: Questions) -> None:
        rows = self._read_account(account_id) if questions is None else self._read_account(account_id, questions)
        for parcel in _pack(rows):
            if parcel:
                self._gave_rows.add(account_id)
            self._hand_over(parcel)
            if self._stopped.is_set():
                return
        self._in_a_row = 0
        self._open.pop(account_id, None)
        self._failed.pop(account_id, None)
        self._done.append(account_id)

    def _hand_over(self, parcel: Chunk) -> None:
        """Wait for room in the queue, unless nobody receives any more."""
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._parcels.put(parcel, timeout=_PATIENCE)
                return

    def _take_open(self, account_id: str, questions: tuple[OpenQuestion, ...]) -> None:
        """Keep what an account did not answer. One that answered nothing at all has failed."""
        self._in_a_row = 0
        self._failed.pop(account_id, None)
        if account_id in self._gave_rows:
            self._open[account_id] = questions
        else:
            self._failed[account_id] = questions[0].error
        self._set_aside[account_id] = [question.again for question in questions]
        log.warning("Account %s left %d questions open: %s", account_id, len(questions), questions[0].error)

    def _take(self, account_id: str, error: InsightsError) -> None:
        # A traceback holds the frames' pages; with a thousand failed accounts that would be the memory.
        self._failed[account_id] = error.with_traceback(None)
        if is_trouble(error) and account_id not in self._gave_rows:
            self._set_aside[account_id] = None
        if self._stopping is None and self._concerns_all(error):
            self._stopping = error
            log.error("Account %s stopped all accounts: %s", account_id, error)
        elif error is not self._stopping:
            log.warning("Account %s failed: %s", account_id, error)

    def _take_fault(self, account_id: str, fault: Exception) -> None:
        """Make a fault of ours the account's own: whatever in its answers nobody thought of, the others go on."""
        log.debug("Reading account %s stopped on a fault.", account_id, exc_info=fault)
        error = BrokenResponse(
            f"An answer about account {account_id} has a form that this release cannot read ({type(fault).__name__}). "
            "Please report it, with the traceback from the debug log; the other accounts are not concerned."
        )
        self._failed[account_id] = error
        log.warning("Account %s failed: %s", account_id, error)

    def _concerns_all(self, error: InsightsError) -> bool:
        if isinstance(error, Throttled) and error.facts.code in _SHARED_LIMITS:
            self._in_a_row += 1
        return isinstance(error, _TOKEN_ERRORS) or self._in_a_row >= _SURE


def _is_airflows(error: Exception) -> bool:
    """Return whether Airflow raised it to say what becomes of the task: skipped, deferred, rescheduled, failed."""
    return any(kind.__module__.partition(".")[0] == "airflow" for kind in type(error).__mro__)


def _pack(rows: Iterable[TableRow]) -> Iterator[list[TableRow]]:
    """Yield rows in lists. What came before an error is yielded before it is raised: numbers that arrived are kept."""
    parcel: list[TableRow] = []
    try:
        for row in rows:
            parcel.append(row)
            if len(parcel) >= CHUNK:
                yield parcel
                parcel = []
    except Exception:
        yield parcel
        raise
    if parcel:
        yield parcel
