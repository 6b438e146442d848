"""Counts what reading each account came to: rows, seconds, values that were left out."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.rows import TableRow

_name_of = itemgetter(0)


@dataclass(slots=True)
class AccountCount:
    """The counts of one account. ``rows`` by the name of their table, ``left_out`` by the name of the error."""

    rows: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class AccountCounts:
    """Thread-safe: each thread reads one account at a time, and says which."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, AccountCount] = defaultdict(AccountCount)
        self._reading = threading.local()
        self._lock = threading.Lock()

    @property
    def account_id(self) -> str:
        """Return the account that this thread is reading; '' = none."""
        return getattr(self._reading, "account_id", "")

    @contextmanager
    def reading(self, account_id: str) -> Iterator[None]:
        """Count what this thread leaves out in the block for the account, and the seconds."""
        started, before = time.monotonic(), self.account_id
        self._reading.account_id = account_id
        try:
            yield
        finally:
            self._reading.account_id = before
            with self._lock:
                self._counts[account_id].seconds += time.monotonic() - started

    def add_rows(self, account_id: str, rows: Iterable[TableRow]) -> None:
        """Count rows that were read of an account."""
        found = Counter(map(_name_of, rows))
        with self._lock:
            self._counts[account_id].rows += found

    def add_left_out(self, kind: str) -> None:
        """Count a value that is left out of the account which this thread reads."""
        if account_id := self.account_id:
            with self._lock:
                self._counts[account_id].left_out[kind] += 1

    def find(self, account_id: str) -> AccountCount:
        """Return the counts of an account so far."""
        with self._lock:
            return self._counts[account_id]
