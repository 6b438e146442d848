"""How much of their limits the accounts and the app have used, and the headers that say so."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.objects import Account

__all__ = ["UsageCounter"]


# "Rate limits", platform rate limits: a rolling hour.
APP_WINDOW = timedelta(hours=1)


class UsageCounter:
    """Percentages per account. A call at or above ``threshold`` is refused with 80002 and blocks for ``minutes``.

    Calls during a block prolong it, as Meta's do; when it is over the account starts again at 0.

    ``app_limit``: calls in a rolling hour that the app may make, about whatever; None = any number. A call above it is
    refused with 4, and counts as well. With such a limit every answer reports what the app has used.
    """

    def __init__(self, *, per_call: float = 0.0, threshold: float = 100.0, minutes: int = 5) -> None:
        self.per_call = per_call
        self.threshold = threshold
        self.minutes = minutes
        self.foreign: list[Mapping[str, Any]] = []
        """Entries of other products, added under the business's key."""
        self.app_percent: float = 0.0
        self.app_limit: int | None = None
        self.app_refused: int = 0
        """Number of calls that were refused at ``app_limit``."""
        self._app_calls: deque[datetime] = deque()
        self._percent: dict[str, float] = {}
        self._blocked_until: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def set(self, account_id: str, percent: float) -> None:
        """Set what the account has used, in percent; below the threshold this also lifts a block."""
        with self._lock:
            self._percent[account_id] = percent
            if percent < self.threshold:
                self._blocked_until.pop(account_id, None)

    def percent(self, account_id: str) -> float:
        """Return what the account has used, in percent."""
        with self._lock:
            return self._percent.get(account_id, 0.0)

    def count(self, account: Account, now: datetime) -> None:
        """Count one call. Raises the account's limit error (80002) when it is blocked."""
        with self._lock:
            until = self._blocked_until.get(account.id)
            if until is not None and now >= until:
                del self._blocked_until[account.id]
                self._percent[account.id] = 0.0
            used = self._percent.get(account.id, 0.0)
            if used >= self.threshold:
                # META-30
                self._blocked_until[account.id] = now + timedelta(minutes=self.minutes)
                raise fail("account_limit")
            self._percent[account.id] = used + self.per_call

    def count_app_call(self, now: datetime) -> None:
        """Count one call of the app. Raises the app's limit error (4) when it is one too many."""
        if self.app_limit is None:
            return
        with self._lock:
            self._app_calls.append(now)
            if self._count_app_calls(now) > self.app_limit:
                self.app_refused += 1
                raise fail("app_limit")

    def check_app(self) -> None:
        """Raise the app's limit error (4) when the app is at its limit."""
        if self.app_percent >= 100:
            raise fail("app_limit")

    def account_header(self, account: Account, now: datetime) -> dict[str, str]:
        """Return the header of a call about an account: one read under the business and under the account."""
        with self._lock:
            percent, until = self._percent.get(account.id, 0.0), self._blocked_until.get(account.id)
        # Rounded up: a caller that waits as many minutes is not too early.
        minutes = 0 if until is None else max(0, -int(-(until - now).total_seconds() // 60))
        entry = {
            "type": "instagram",
            "call_count": int(percent),
            "total_cputime": int(percent / 2),
            "total_time": int(percent / 2),
            "estimated_time_to_regain_access": minutes,
        }
        # META-28: the same read under two keys, beside entries of other products.
        value = {account.business_id: [*self.foreign, entry], account.id: [entry]}
        app_header = {} if self.app_limit is None else self.app_header(now)
        return {"x-business-use-case-usage": json.dumps(value), **app_header}

    def app_header(self, now: datetime) -> dict[str, str]:
        """Return the header with what the app has used."""
        with self._lock:
            used = 100 * self._count_app_calls(now) / self.app_limit if self.app_limit else 0.0
        percent = int(max(self.app_percent, used))
        return {"x-app-usage": json.dumps({"call_count": percent, "total_time": percent, "total_cputime": percent})}

    def _count_app_calls(self, now: datetime) -> int:
        while self._app_calls and self._app_calls[0] <= now - APP_WINDOW:
            self._app_calls.popleft()
        return len(self._app_calls)
