"""How often one address may call: a token bucket for each of the addresses that called last, in this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

# Bounds the memory, however many addresses call.
_MOST_ADDRESSES = 4096


class RateLimit:
    """Lets an address call ``per_minute`` times a minute, evenly or at once. Safe to use from several threads.

    Processes do not know of each other: of several, each lets an address call so often.

    The memory is bounded: the address that was quiet longest is forgotten first.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Count one call; say whether it is within the limit."""
        with self._lock:
            now = self._clock()
            tokens, at = self._buckets.pop(address, (self._burst, now))
            tokens = min(self._burst, tokens + (now - at) * self._per_second)
            is_within = tokens >= 1
            self._buckets[address] = (tokens - is_within, now)
            if len(self._buckets) > _MOST_ADDRESSES:
                self._buckets.popitem(last=False)
            return is_within
