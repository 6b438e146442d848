"""The one clock that a sandbox server reads, so that a test can make days pass in an instant."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """A clock that stands still at ``now``, or follows the real time when ``now`` is None.

    Every instant that goes in or comes out is timezone-aware; what comes out is UTC. Safe to use from several threads.
    """

    def __init__(self, now: datetime | None = None) -> None:
        """Stand still at ``now`` (aware), or follow the real time when it is None."""
        self._lock = threading.Lock()
        self._now = None if now is None else _as_utc(now)

    def now(self) -> datetime:
        """Return the current instant in UTC."""
        with self._lock:
            return datetime.now(UTC) if self._now is None else self._now

    def set(self, now: datetime) -> None:
        """Stand still at ``now`` from here on. Raises ValueError when it has no time zone."""
        moment = _as_utc(now)
        with self._lock:
            self._now = moment

    def advance(self, by: timedelta) -> None:
        """Move forward by ``by`` and stand still there."""
        with self._lock:
            self._now = (self._now or datetime.now(UTC)) + by


def _as_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"The sandbox clock needs an instant with a time zone, but got {moment.isoformat()}.")
    return moment.astimezone(UTC)
