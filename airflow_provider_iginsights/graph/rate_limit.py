"""How hard each account's rate limit is used, as Meta reports it with every answer, and what follows for the next call.

Meta's figures are percentages of a rolling window, not counts, and calls made while blocked prolong the block
(Meta: Graph API, Rate Limits). So a nearly used up account is slowed down, and a blocked one is not asked at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from airflow_provider_iginsights.errors import Throttled
from airflow_provider_iginsights.graph.headers import LONGEST_WAIT
from airflow_provider_iginsights.graph.json_text import read_json_pairs
from airflow_provider_iginsights.json_values import read_number

DEFAULT_BLOCK = 3600.0
"""Seconds to stay away where Meta blocks without saying for how long: its shortest window is a rolling hour."""

BUSINESS_HEADER = "x-business-use-case-usage"
APP_HEADER = "x-app-usage"


@dataclass(frozen=True, slots=True)
class Usage:
    """One reading: ``percent`` of the limit used (its highest counter), ``minutes`` until access returns (0 = open)."""

    object_id: str
    percent: float
    minutes: float


def read_usage(headers: Mapping[str, str]) -> tuple[Usage, ...]:
    """Return the readings for Instagram in an answer's headers; other products and unreadable ones are left out.

    One read is reported under the business and under the account, and a key may come twice (Meta's own sample does).
    """
    return tuple(_read_business(_parse(headers.get(BUSINESS_HEADER))))


def read_app_usage(headers: Mapping[str, str]) -> tuple[Usage, ...]:
    """Return the reading of the app's own limit.

    It counts for calls that concern no account, and for those of Instagram Login, whose answers carry no other header.
    """
    counters = dict(_parse(headers.get(APP_HEADER)))
    return (Usage("", _highest(counters), 0),) if counters else ()


class RateLimiter:
    """Remembers the readings per account and says how long the next call has to wait. Thread-safe; never sleeps itself.

    :param threshold: percent above which calls are slowed down.
    :param max_pause: seconds between calls where 100 percent are nearly reached; below, the pause grows in proportion.
    :param clock: monotonic seconds.
    """

    def __init__(self, *, threshold: float, max_pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._max_pause = max_pause
        self._clock = clock
        self._lock = threading.Lock()
        self._open_from: dict[str, float] = {}
        self._blocked_until: dict[str, float] = {}

    def measure_pause(self, account_id: str | None) -> float:
        """Return the seconds to wait before the next call for an account (None = calls that concern no account).

        :raises Throttled: at once and without a call while the account is blocked; ``retry_after`` is what is left.
        """
        key, now = account_id or "", self._clock()
        with self._lock:
            blocked = self._blocked_until.get(key, now) - now
            pause = self._open_from.get(key, now) - now
        if blocked > 0:  # META-30
            raise Throttled(_explain_block(key, blocked), retry_after=blocked)
        return max(pause, 0.0)

    def observe(self, headers: Mapping[str, str], account_id: str | None = None) -> None:
        """Learn from the headers of an answer to a call for ``account_id``."""
        readings = read_usage(headers)
        for reading in readings:
            self._note(reading.object_id, (reading,))
        # META-29: graph.instagram.com reports the app's use alone, also where the call is about an account.
        self._note(account_id or "", (account_id and readings) or read_app_usage(headers))

    def block(self, account_id: str | None, seconds: float) -> None:
        """Refuse calls for an account for that long, or for longer where that was known already."""
        key, until = account_id or "", self._clock() + seconds
        with self._lock:
            self._blocked_until[key] = max(until, self._blocked_until.get(key, until))

    def _note(self, key: str, readings: Sequence[Usage]) -> None:
        if not readings:
            return
        percent = max(reading.percent for reading in readings)
        minutes = max(reading.minutes for reading in readings)
        if minutes > 0 or percent >= 100:
            self.block(key, minutes * 60 or DEFAULT_BLOCK)
        excess = max(percent - self._threshold, 0) / max(100 - self._threshold, 1)
        with self._lock:
            self._open_from[key] = self._clock() + self._max_pause * min(excess, 1)


def _read_business(entries: Iterable[tuple[str, Any]]) -> Iterator[Usage]:
    for object_id, products in entries:
        for product in map(dict, filter(_is_object, products if isinstance(products, list) else ())):
            if product.get("type") == "instagram":
                minutes = min(_number(product.pop("estimated_time_to_regain_access", 0)), LONGEST_WAIT / 60)
                yield Usage(object_id, _highest(product), minutes)


def _parse(header: str | None) -> list[tuple[str, Any]]:
    # META-28: pairs instead of dicts, since a key that comes twice would lose its first value.
    try:
        pairs = read_json_pairs(header or "[]")
    except ValueError:
        return []
    return pairs if _is_object(pairs) else []


def _is_object(parsed: Any) -> bool:
    return isinstance(parsed, list) and all(isinstance(pair, tuple) for pair in parsed)


def _highest(counters: Mapping[str, Any]) -> float:
    return max((_number(value) for value in counters.values()), default=0.0)


def _number(value: Any) -> float:
    return max(float(read_number(value) or 0), 0.0)


def _explain_block(key: str, seconds: float) -> str:
    whom = f"account {key}" if key else "calls that concern no account"
    return (
        f"Meta's rate limit for {whom} is used up. It was not asked again, since calls made while blocked prolong"
        f" the block; try again in {ceil(seconds / 60)} minutes."
    )
