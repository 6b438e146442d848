"""What ``since`` and ``until`` mean to account insights: instants, Pacific days between them, limits, neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.numbers import PACIFIC, midnight

__all__ = ["InsightsWindow", "format_time", "read_time", "read_window"]

_DAY = timedelta(days=1)
# META-04
MAX_SECONDS = 2_592_000
# META-05
HISTORY_DAYS = 729
# META-06
RECENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class InsightsWindow:
    """A request's window in Unix seconds, both ends included."""

    since: int
    until: int

    def days(self, now: datetime) -> list[date]:
        """Return the Pacific days whose midnight lies in the window and is not in the future."""
        last = min(self.until, int(now.timestamp()))
        day = datetime.fromtimestamp(self.since, PACIFIC).date()
        days = []
        # META-02: a point is in the window if the midnight with which its day begins is.
        while (at := midnight(day).timestamp()) <= last:
            if at >= self.since:
                days.append(day)
            day += _DAY
        return days

    @property
    def previous(self) -> InsightsWindow:
        """The window of the same length that ends a second before this one."""
        return InsightsWindow(self.since - 1 - (self.until - self.since), self.since - 1)

    @property
    def next(self) -> InsightsWindow:
        """The window of the same length that begins a second after this one."""
        return InsightsWindow(self.until + 1, self.until + 1 + (self.until - self.since))

    def check(self, now: datetime, recent: tuple[str, ...]) -> None:
        """Raise Meta's errors: order, 30 days, 2 years or the future, and 30 days of history for ``recent`` metrics."""
        if self.until < self.since:
            raise fail("wrong_order")
        if self.until - self.since > MAX_SECONDS:
            raise fail("over_30_days")
        first, today = datetime.fromtimestamp(self.since, PACIFIC).date(), now.astimezone(PACIFIC).date()
        if first > today or first < today - timedelta(days=HISTORY_DAYS):
            raise fail("over_2_years")
        if recent and first < today - timedelta(days=RECENT_DAYS):
            raise fail("over_30_days_ago", metric=recent[0])


def read_window(params: Mapping[str, str], now: datetime, *, default_days: int = 1) -> InsightsWindow:
    """Return the window that the parameters ask for.

    With neither end: today's API takes the last 24 hours; the old one (``default_days`` = 2) yesterday through today.
    With one end: a day from or to it.
    """
    since, until = (params.get(name) for name in ("since", "until"))
    day = int(_DAY.total_seconds())
    if since and until:
        return InsightsWindow(read_time("since", since), read_time("until", until))
    if since:
        return InsightsWindow(read_time("since", since), read_time("since", since) + day)
    if until:
        return InsightsWindow(read_time("until", until) - day, read_time("until", until))
    end = int(now.timestamp())
    if default_days == 1:
        return InsightsWindow(end - day, end)
    first = now.astimezone(PACIFIC).date() - timedelta(days=default_days - 1)
    return InsightsWindow(int(midnight(first).timestamp()), end)


def read_time(name: str, text: str) -> int:
    """Return the Unix seconds that a parameter names: Unix seconds or ISO 8601; without a zone it is UTC."""
    if text.removeprefix("-").isdecimal():
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise fail("bad_time", name=name) from None
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())


def format_time(instant: datetime) -> str:
    """Return an instant as Meta writes it: ``2026-11-20T08:00:00+0000``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
