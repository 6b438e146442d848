"""The used part of each account's rate limit, as Meta reports it with every answer, and the pause before the next call.

Meta's figures are percentages of a rolling window, not counts, and calls made while blocked prolong the block
(Meta: Graph API, Rate Limits). So calls slow down when the limit is nearly used up, and stop while it is blocked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from airflow_provider_iginsights.errors import GraphFacts, Throttled
from airflow_provider_iginsights.graph.headers import MAX_WAIT
from airflow_provider_iginsights.graph.json_text import read_json_pairs
from airflow_provider_iginsights.json_values import read_number

DEFAULT_BLOCK = 3600.0
"""Seconds of a block where Meta does not say how long it lasts: its shortest window is a rolling hour."""

BUSINESS_HEADER = "x-business-use-case-usage"
APP_HEADER = "x-app-usage"
_APP = "app"


@dataclass(frozen=True, slots=True)
class Usage:
    """``percent`` used of a limit (its highest counter); ``minutes`` until access returns (0 = not blocked)."""

    object_id: str
    percent: float
    minutes: float


def read_usage(headers: Mapping[str, str]) -> tuple[Usage, ...]:
    """Return the usage of Instagram limits in the headers; other products and unreadable values are left out."""
    return tuple(_read_business(_parse(headers.get(BUSINESS_HEADER))))


def read_app_usage(headers: Mapping[str, str]) -> tuple[Usage, ...]:
    """Return the usage of the app's own limit.

    It holds for calls without an account, and for Instagram Login, whose answers have no other usage header.
    """
    counters = dict(_parse(headers.get(APP_HEADER)))
    return (Usage("", _highest(counters), 0),) if counters else ()


class RateLimiter:
    """Remembers the usage per account and returns the pause before the next call. Thread-safe; never sleeps.

    :param threshold: percent above which calls are slowed down.
    :param max_pause: seconds of pause at 100 percent; from the threshold on, the pause grows in proportion.
    :param clock: monotonic seconds.
    """

    def __init__(self, *, threshold: float, max_pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._max_pause = max_pause
        self._clock = clock
        self._lock = threading.Lock()
        self._next_call_at: dict[str, float] = {}
        self._blocked_until: dict[str, float] = {}
        self._block_codes: dict[str, int | None] = {}
        self._near_limit: dict[str, bool] = {}
        self._app_percent = 0.0
        self._usage: dict[str, Usage] = {}

    @property
    def usage(self) -> dict[str, Usage]:
        """What Meta reported last, by the object's id; ``""`` = of the app."""
        with self._lock:
            return dict(self._usage)

    def find_pause(self, account_id: str | None) -> float:
        """Return the seconds to wait before the next call for an account (None = calls without an account).

        :raises Throttled: the account is blocked; ``retry_after`` is the rest of the block, and the code is Meta's.
        """
        key, now = account_id or "", self._clock()
        with self._lock:
            blocked = self._blocked_until.get(key, now) - now
            pause = self._next_call_at.get(key, now) - now
        if blocked > 0:  # META-30: a call made now would prolong the block.
            facts = GraphFacts(code=self._block_codes.get(key))
            raise Throttled(_explain_block(key, blocked), facts=facts, retry_after=blocked)
        return max(pause, 0.0)

    def record_usage(self, headers: Mapping[str, str], account_id: str | None = None) -> None:
        """Record the usage from the headers of an answer to a call for ``account_id``."""
        usages = read_usage(headers)
        for usage in usages:
            self._set_pause(usage.object_id, (usage,))
        app_usages = read_app_usage(headers)
        with self._lock:
            self._usage.update({usage.object_id: usage for usage in (*usages, *app_usages)})
        # META-29: graph.instagram.com reports only the usage of the app, even for a call about an account.
        self._set_pause(account_id or "", (account_id and usages) or app_usages)
        if account_id and app_usages:
            percent = max(usage.percent for usage in app_usages)
            with self._lock:
                self._app_percent = max(self._app_percent, percent)
                self._near_limit[_APP] = percent > self._threshold

    def take_app_usage(self) -> float:
        """Return the highest percentage of the app's limit since the last time, in answers about accounts; 0 = none."""
        with self._lock:
            percent, self._app_percent = self._app_percent, 0.0
        return percent

    def is_near_limit(self, account_id: str | None) -> bool:
        """Return whether calls for an account are slowed down or blocked, or whether the app is near its limit."""
        key, now = account_id or "", self._clock()
        with self._lock:
            is_blocked = self._blocked_until.get(key, now) > now
            return is_blocked or self._near_limit.get(key, False) or self._near_limit.get(_APP, False)

    def block(self, account_id: str | None, seconds: float, *, code: int | None = None) -> None:
        """Block calls for an account for that long; a longer block that is known already stays.

        :param code: the error code with which Meta refused a call.
        """
        key, now = account_id or "", self._clock()
        with self._lock:
            before = self._blocked_until.get(key, now)
            self._blocked_until[key] = max(now + seconds, before)
            if code is not None or before <= now:
                self._block_codes[key] = code

    def _set_pause(self, key: str, usages: Sequence[Usage]) -> None:
        if not usages:
            return
        percent = max(usage.percent for usage in usages)
        minutes = max(usage.minutes for usage in usages)
        if minutes > 0 or percent >= 100:
            self.block(key, minutes * 60 or DEFAULT_BLOCK)
        excess = max(percent - self._threshold, 0) / max(100 - self._threshold, 1)
        with self._lock:
            self._next_call_at[key] = self._clock() + self._max_pause * min(excess, 1)
            self._near_limit[key] = excess > 0


def _read_business(entries: Iterable[tuple[str, Any]]) -> Iterator[Usage]:
    for object_id, products in entries:
        for product in map(dict, filter(_is_object, products if isinstance(products, list) else ())):
            if product.get("type") == "instagram":
                minutes = min(_number(product.pop("estimated_time_to_regain_access", 0)), MAX_WAIT / 60)
                yield Usage(object_id, _highest(product), minutes)


def _parse(header: str | None) -> list[tuple[str, Any]]:
    # META-28: a key may come twice, and a dict would lose its first value. So objects are lists of pairs here.
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
    whom = f"account {key}" if key else "calls without an account"
    return (
        f"Meta's rate limit for {whom} is used up. Nothing was sent, since calls made while blocked prolong the block;"
        f" try again in {ceil(seconds / 60)} minutes."
    )
