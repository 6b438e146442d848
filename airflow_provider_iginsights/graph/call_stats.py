"""Counters of a client's requests, and notes about the run."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, replace

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """Counts so far.

    :param http: HTTP requests sent.
    :param calls: calls that Meta counts against its rate limits; each item of a batch is one.
    :param retries: requests that repeated an earlier one.
    :param seconds_paused: seconds that the client waited for a rate limit or before a retry, summed over threads.
    """

    http: int = 0
    calls: int = 0
    retries: int = 0
    seconds_paused: float = 0.0


class CallStats:
    """The counters and the notes of one client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = CallCounts()
        self._calls_of: Counter[str] = Counter()
        self._notes: dict[str, None] = {}

    @property
    def counts(self) -> CallCounts:
        """Return the counts so far."""
        with self._lock:
            return self._counts

    def count_calls_of(self, account_id: str) -> int:
        """Return the calls about one account so far."""
        with self._lock:
            return self._calls_of[account_id]

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes in the order in which they were added."""
        with self._lock:
            return tuple(self._notes)

    def count(
        self, *, http: int = 0, calls: int = 0, retries: int = 0, seconds_paused: float = 0.0, about: str | None = None
    ) -> None:
        """Add to the counts.

        :param about: the account that the calls are about.
        """
        with self._lock:
            if about:
                self._calls_of[about] += calls
            self._counts = replace(
                self._counts,
                http=self._counts.http + http,
                calls=self._counts.calls + calls,
                retries=self._counts.retries + retries,
                seconds_paused=self._counts.seconds_paused + seconds_paused,
            )

    def note(self, text: str) -> None:
        """Add a sentence and log it as a warning, unless it is there already."""
        with self._lock:
            known = text in self._notes
            self._notes[text] = None
        if not known:
            logger.warning(text)
