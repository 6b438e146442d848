"""The Pacific calendar, by which Meta counts days: which instant is which day, how requests are cut.

A Pacific day is a plain ``date``; it has 24 hours, or 23 and 25 where daylight saving changes. Instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")  # META-01
DAY = timedelta(days=1)
SERIES_DAYS = 30
SERIES_SECONDS = 2_592_000  # META-04: and so many are still answered


def as_utc(instant: datetime) -> datetime:
    """Return an instant as a plain aware datetime in UTC; a naive one is read as UTC, never as local time."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    shifted = aware.astimezone(UTC)
    return datetime.combine(shifted.date(), shifted.time(), UTC)


def format_instant(instant: datetime) -> str:
    """Return an instant as ``2026-11-20T08:00:00Z``, the one form of timestamps in our rows and messages."""
    return as_utc(instant).isoformat().replace("+00:00", "Z")


def pacific_midnight(day: date) -> datetime:
    """Return the instant (UTC) at which the Pacific day ``day`` begins: 07:00Z in summer, 08:00Z in winter."""
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def pacific_date(instant: datetime) -> date:
    """Return the Pacific day to which ``instant`` belongs; a naive instant is UTC."""
    return as_utc(instant).astimezone(PACIFIC).date()


def closing_time(day: date) -> datetime:
    """Return the instant (UTC) at which ``day`` is over: the next Pacific midnight."""
    return pacific_midnight(day + DAY)


def day_before(instant: datetime) -> datetime:
    """Return the same Pacific wall-clock time one calendar day earlier: one Pacific midnight lies in between."""
    return as_utc(as_utc(instant).astimezone(PACIFIC) - DAY)


def pacific_day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first and the last whole second (UTC) of the Pacific day: [midnight, next midnight - 1 s]."""
    return pacific_midnight(day), closing_time(day) - timedelta(seconds=1)


def request_window(first: date, last: date | None = None) -> tuple[int, int]:
    """Return since and until for the Graph API (Unix seconds) of the days ``first`` to ``last``, or of one."""
    # META-03: a total is of the whole window and has no date, so the window of one day must not touch another.
    start, _ = pacific_day_bounds(first)
    _, end = pacific_day_bounds(last or first)
    return int(start.timestamp()), int(end.timestamp())


def days_closing(since: datetime, until: datetime) -> tuple[date, ...]:
    """Return the Pacific days whose closing time lies in (``since``, ``until``], ascending."""
    # A day closes at the midnight that begins the next, so the day before an instant's own is the last closed by then.
    after, last = (pacific_date(instant) - DAY for instant in (since, until))
    return tuple(after + DAY * step for step in range(1, (last - after).days + 1))


def split_into_requests(days: Iterable[date], size: int = SERIES_DAYS) -> Iterator[tuple[date, ...]]:
    """Cut days into runs of neighbours that one request may cover.

    Yields ascending tuples without gaps, of at most ``size`` days and at most 2,592,000 s between the two ends of their
    :func:`request_window`: the Graph API's cap. Around the 25-hour day in November that is 29 days, not 30.
    """
    run: tuple[date, ...] = ()
    for day in sorted(set(days)):
        if run and not _fits(run, day, size):
            yield run
            run = ()
        run = (*run, day)
    if run:
        yield run


def _fits(run: tuple[date, ...], day: date, size: int) -> bool:
    since, until = request_window(run[0], day)
    return day - run[-1] == DAY and len(run) < size and until - since <= SERIES_SECONDS


def split_by_history(days: Iterable[date], history_days: int, today: date) -> tuple[tuple[date, ...], tuple[date, ...]]:
    """Split Pacific days into (askable, too old), keeping their order.

    ``today`` is the current Pacific date; a day is askable when it lies at most ``history_days`` before it: 729 for
    account metrics (730 is refused), 30 for ``follower_count`` and ``online_followers``.
    """
    oldest = today - DAY * history_days
    ordered = tuple(days)
    return tuple(day for day in ordered if day >= oldest), tuple(day for day in ordered if day < oldest)
