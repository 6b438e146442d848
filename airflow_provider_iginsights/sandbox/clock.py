"""The one clock that a sandbox server reads, so that a test can make days pass in an instant."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """A clock that stands still at ``now``, or follows the real time when ``now`` is None.

    With ``ticks`` it runs on from ``now``, and from every instant that it is set to.

    Every instant that goes in or comes out is timezone-aware; what comes out is UTC. Safe to use from several threads.
    """

    def __init__(self, now: datetime | None = None, *, ticks: bool = False) -> None:
        """Stand still at ``now`` (aware), or run on from it; follow the real time when it is None."""
        self._lock = threading.Lock()
        self._ticks = ticks
        self._now: datetime | None = None
        self._set_at = 0.0
        if now is not None:
            self.set(now)

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        with self._lock:
            return self._read()

    def set(self, now: datetime) -> None:
        """Stand still at ``now``, or run on from it. Raises ValueError when it has no time zone."""
        moment = _as_utc(now)
        with self._lock:
            self._now, self._set_at = moment, time.perf_counter()

    def advance(self, by: timedelta) -> None:
        """Move forward by ``by`` and stand still there, or run on from there."""
        with self._lock:
            self._now, self._set_at = self._read() + by, time.perf_counter()

    def _read(self) -> datetime:
        if self._now is None:
            return datetime.now(UTC)
        return self._now + timedelta(seconds=time.perf_counter() - self._set_at) if self._ticks else self._now


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"The sandbox clock needs an instant with a time zone, but got {moment.isoformat()}.")
    return moment.astimezone(UTC)
