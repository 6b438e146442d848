"""What the sandbox remembers of the requests it got: a log, and how many were under way at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

__all__ = ["InFlight", "Received"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One HTTP request as it came in. ``calls`` is what it counts against limits, ``items`` a batch's addresses."""

    method: str
    path: str
    query: Mapping[str, str]
    has_bearer: bool
    token_in_url: bool
    calls: int
    status: int | None
    """None when the connection was cut before a status was out."""
    at: datetime
    items: tuple[str, ...] = ()


class InFlight:
    """Counts requests under way, over the real time between the first arrival and the last answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Start the statistics anew; requests under way stay counted."""
        with self._lock:
            self._now = getattr(self, "_now", 0)
            self._peak = self._now
            self._area = 0.0
            self._first: float | None = None
            self._last = time.monotonic()

    def enter(self) -> None:
        """Count a request that has arrived."""
        self._step(1)

    def leave(self) -> None:
        """Count a request that has been answered."""
        self._step(-1)

    def average(self) -> float:
        """Return the mean number of requests under way; 0 before the first."""
        with self._lock:
            span = self._last - self._first if self._first is not None else 0.0
            return self._area / span if span else 0.0

    def peak(self) -> int:
        """Return the largest number of requests under way at once."""
        with self._lock:
            return self._peak

    def _step(self, change: int) -> None:
        with self._lock:
            at = time.monotonic()
            if self._first is None:
                self._first = at
            else:
                self._area += self._now * (at - self._last)
            self._last = at
            self._now += change
            self._peak = max(self._peak, self._now)
