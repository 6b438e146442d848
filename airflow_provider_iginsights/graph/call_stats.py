"""What a client did, counted, and what somebody should know about it, noted once."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace

logger: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """Counts so far.

    :param http: HTTP requests sent.
    :param calls: what they count against Meta's limits; each item of a batch is one.
    :param retries: tries that repeated an earlier one.
    :param seconds_paused: seconds that the client waited, for the limit's sake or before a retry, summed over threads.
    """

    http: int = 0
    calls: int = 0
    retries: int = 0
    seconds_paused: float = 0.0


class CallStats:
    """The tally and the notes of one client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tally = CallCounts()
        self._notes: dict[str, None] = {}

    @property
    def tally(self) -> CallCounts:
        """Return the counts so far."""
        with self._lock:
            return self._tally

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes in the order they were made."""
        with self._lock:
            return tuple(self._notes)

    def count(self, *, http: int = 0, calls: int = 0, retries: int = 0, seconds_paused: float = 0.0) -> None:
        """Add to the counts."""
        with self._lock:
            self._tally = replace(
                self._tally,
                http=self._tally.http + http,
                calls=self._tally.calls + calls,
                retries=self._tally.retries + retries,
                seconds_paused=self._tally.seconds_paused + seconds_paused,
            )

    def note(self, text: str) -> None:
        """Keep a sentence and log it as a warning, unless it is there already."""
        with self._lock:
            known = text in self._notes
            self._notes[text] = None
        if not known:
            logger.warning(text)
