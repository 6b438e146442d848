"""The posts that complete listings named, by account: of the same days, Meta lists no others.

Only what one listing said from its first page to a normal end counts: not what was pieced together in two tries, ended
with a note, held something unreadable, or was empty, since no answer takes away what is stored.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class CompleteListing:
    """One listing: when it began, and hashes of the ids that it named, of which there may be 10,000.

    ``oldest``: Pacific day of the oldest post that it named. Newest first, it may have been cut short after that one,
    without a sign; None where no post had a date. ``listed_id``: one of the ids.
    """

    fetched_at: str
    hashes: array[int]
    oldest: date | None
    listed_id: str


@dataclass(slots=True)
class CompleteListings:
    """The complete listings of a run, thread-safe."""

    _found: dict[str, CompleteListing] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, account_id: str, ids: Collection[str], *, fetched_at: str, oldest: date | None) -> None:
        """Record what Meta listed of an account: at least one id."""
        listing = CompleteListing(fetched_at, array("q", map(hash, ids)), oldest, max(ids))
        with self._lock:
            self._found[account_id] = listing

    def take(self) -> dict[str, CompleteListing]:
        """Return the listings by account, and forget them."""
        with self._lock:
            found, self._found = self._found, {}
        return found
