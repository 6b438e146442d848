"""What ``since`` and ``until`` mean, and what one run covers when they are left out.

Both are instants, half-open. A run covers the Pacific days that *closed* in (since, until], so consecutive runs cover
every closed day exactly once, whatever the schedule, its zone and daylight saving; a day still open is never covered.
Read are: a bare date (``2026-11-20``, ``20261120``: Pacific midnight), Unix seconds (10 digits, also with a fraction),
ISO 8601 (without an offset: UTC), dates and datetimes. ``None``, ``""`` and the text ``"None"``, which a template
renders for a missing value, count as not given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.pacific import (
    DAY,
    as_utc,
    closing_time,
    day_before,
    days_closing,
    format_instant,
    pacific_date,
    pacific_midnight,
)
from airflow_provider_iginsights.quoting import quote_value

WindowBound = str | int | date | datetime | None
"""What ``since`` and ``until`` may be."""
Rule = Literal[
    "given",
    "given_date",
    "given_since",
    "given_until",
    "data_interval",
    "since_previous_success",
    "one_day",
    "partition_date",
    "last_closed_day",
]
RULES: Mapping[Rule, str] = MappingProxyType(
    {
        "given": "since and until as given",
        "given_date": "the one Pacific day named by the only date given",
        "given_since": "since as given, until from the run",
        "given_until": "until as given, since from the run",
        "data_interval": "the run's data interval",
        "since_previous_success": "from the end of the previous run in which the task succeeded, at most 30 days back",
        "one_day": "one day, because the run's data interval has no width and no earlier run succeeded",
        "partition_date": "the Pacific day of the run's partition date",
        "last_closed_day": "the last Pacific day that had closed, because the run has no data interval of its own in "
        "which a day ends",
    }
)
CATCH_UP = timedelta(days=30)
LOOKBACK_DAYS = 3
"""Days before the window that are read again by default: Meta revises its numbers for 48 hours."""
REFRESH_DAYS = 28
"""How many days before the window a post may be published and still be read again by default."""
_YEARS = range(2000, 2300)
_INTERVAL_CURE = (
    "If they come from the run's data interval, it has no width, as is the default for cron schedules in Airflow 3: "
    'leave both out, or use schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles")'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDates:
    """What a Dag run says about time; instants are aware, ``None`` is what this run does not have."""

    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    previous_success_end: datetime | None = None
    partition_date: date | datetime | None = None
    run_after: datetime | None = None
    logical_date: datetime | None = None
    is_manual: bool = False

    @property
    def has_no_width(self) -> bool:
        """Whether the data interval is a point in time, as is the default for cron schedules in Airflow 3."""
        start, end = self.data_interval_start, self.data_interval_end
        return start is not None and end is not None and as_utc(start) >= as_utc(end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The half-open stretch of time that one run answers for; all instants are aware and in UTC.

    :param rule: how it was chosen; :data:`RULES` says it in words.
    :param now: the instant that decides which days are closed.
    """

    since: datetime
    until: datetime
    rule: Rule
    now: datetime

    def days(self, lookback_days: int = 0, earliest: date | None = None) -> tuple[date, ...]:
        """Return the closed Pacific days of this run, ascending.

        :param lookback_days: days before the first one to read again; a window in which no day ends has no first one.
        :param earliest: drop the days before this one.
        """
        named = days_closing(self.since, self.until)
        again = tuple(named[0] - DAY * step for step in range(lookback_days, 0, -1)) if named else ()
        closed = (day for day in again + named if closing_time(day) <= self.now)
        return tuple(day for day in closed if earliest is None or day >= earliest)

    def published_between(self, refresh_days: int | None) -> tuple[datetime | None, datetime]:
        """Return [from, to) for media's publish time: ``refresh_days`` (24 h; None: ever) before since, to until."""
        return None if refresh_days is None else self.since - DAY * refresh_days, self.until

    def explain(self) -> str:
        """Return one sentence on why this window covers no day, or not all of its days; ``""`` when it covers all."""
        named = days_closing(self.since, self.until)
        waiting = [day for day in named if closing_time(day) > self.now]
        if not named:
            following = format_instant(closing_time(pacific_date(self.until)))
            return (
                f"No Pacific day ends between {format_instant(self.since)} and {format_instant(self.until)}, so there "
                f"is no day to read; the next one ends at {following}, in the window of another run."
            )
        if not waiting:
            return ""
        whom = str(waiting[0]) if len(waiting) == 1 else f"{waiting[0]} to {waiting[-1]}"
        return (
            f"Pacific day {whom} is left out because it is still open until "
            f"{format_instant(closing_time(waiting[-1]))} (now {format_instant(self.now)}); a later run reads it if "
            "its window or lookback_days reach it."
        )


def resolve_window(since: WindowBound, until: WindowBound, *, run: RunDates, now: datetime) -> Window:
    """Return the window of a run.

    Both given: as given. One bare date alone: as ``since`` that Pacific day, as ``until`` the Pacific day that ends
    there. One instant alone: the other end comes from the run. Neither (or the run's own data interval, as
    templates render it): that interval; where that has no width, from the end of the task's previous success (at
    most 30 days back, else one day); else the partition date; else the last closed Pacific day. A manual run in whose
    interval no day ends covers the last closed day too.

    :raises ConfigurationError: unreadable text, ``until <= since``, or ``since`` is more than a day ahead of ``now``.
    """
    start, end = parse_window_bound(since, argument="since"), parse_window_bound(until, argument="until")
    if _is_own_interval(start, end, run):
        start = end = None
    first, last, rule = _choose(start, end, run, as_utc(now))
    if last <= first:
        raise ConfigurationError(_describe_backward(since, until, first, last))
    if rule.startswith("given") and first > as_utc(now) + DAY:
        raise ConfigurationError(
            f"since={quote_value(str(since))} lies in the future (now {format_instant(as_utc(now))}): there are no "
            "insights yet. Give an earlier since."
        )
    return Window(since=first, until=last, rule=rule, now=as_utc(now))


def parse_window_bound(value: WindowBound, *, argument: str = "since") -> date | datetime | None:
    """Return a bare date as ``date``, an instant as aware UTC ``datetime``, and ``None`` for a value that is not given.

    :param argument: the argument's name, for the message.
    :raises ConfigurationError: ``value`` is none of the forms that the module describes.
    """
    try:
        return _read_bound(value)
    except Exception as error:  # what str() and the methods of a foreign date or time zone raise may be anything
        raise ConfigurationError(
            f"{argument}={quote_value(value)} is no instant. Give a date (2026-11-20, a Pacific date), ISO 8601 "
            "(2026-11-20T08:00:00+00:00, UTC where it has no offset) or Unix seconds (10 digits, no milliseconds)."
        ) from error


def _read_bound(value: object) -> date | datetime | None:
    text = str(value).strip()  # by its text: a native template may hand over a lazy proxy of None
    if text in ("", "None"):
        return None
    bound = _read_text(text) if isinstance(value, str | int | float) else value
    if not isinstance(bound, date) or bound.year not in _YEARS:
        raise ValueError("neither a date nor an instant of these centuries")
    return as_utc(bound) if isinstance(bound, datetime) else date(bound.year, bound.month, bound.day)


def _read_text(text: str) -> date | datetime:
    # timestamp() of a template gives 1763625600.0, and of a run that was started by hand 1763625600.123456
    if seconds := re.fullmatch(r"([0-9]{10})(?:\.([0-9]+))?", text):
        microseconds = int((seconds[2] or "").ljust(6, "0")[:6])
        return datetime.fromtimestamp(int(seconds[1]), UTC) + timedelta(microseconds=microseconds)
    if re.match(r"[0-9]{4}-?W[0-9]{2}(?!-?[0-9])", text):
        raise ValueError("a week, which Python would read as its Monday")
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _choose(
    start: date | datetime | None, end: date | datetime | None, run: RunDates, now: datetime
) -> tuple[datetime, datetime, Rule]:
    first, last = _to_instant(start), _to_instant(end)
    if first and last:
        return first, last, "given"
    if first and not isinstance(start, datetime):
        return first, closing_time(pacific_date(first)), "given_date"
    if last and not isinstance(end, datetime):
        return day_before(last), last, "given_date"
    run_first, run_last, rule = _choose_by_run(run, last, now)
    if first:
        return first, run_last, "given_since"
    return run_first, run_last, "given_until" if last else rule


def _is_own_interval(start: date | datetime | None, end: date | datetime | None, run: RunDates) -> bool:
    """Return whether they are the run's own data interval: templates of it say no more than the run itself."""
    return start is not None and start == run.data_interval_start and end in (None, run.data_interval_end)


def _choose_by_run(run: RunDates, until: datetime | None, now: datetime) -> tuple[datetime, datetime, Rule]:
    chosen = _choose_by_interval(run, until)
    # Somebody asked for this run: where the hour or the point it stands for ends no day, the last closed day is meant.
    if chosen and not (run.is_manual and not days_closing(chosen[0], chosen[1])):
        return chosen
    last = until or (chosen[1] if chosen else _to_instant(run.run_after or run.logical_date)) or now
    return pacific_midnight(pacific_date(min(last, now)) - DAY), last, "last_closed_day"


def _choose_by_interval(run: RunDates, until: datetime | None) -> tuple[datetime, datetime, Rule] | None:
    start, end = _to_instant(run.data_interval_start), _to_instant(run.data_interval_end)
    if start and end and run.has_no_width:
        return _choose_by_success(_to_instant(run.previous_success_end), until or end)
    if start and end:
        return start, until or end, "data_interval"
    if run.partition_date:
        day = date(run.partition_date.year, run.partition_date.month, run.partition_date.day)
        return pacific_midnight(day), until or closing_time(day), "partition_date"
    return None


def _choose_by_success(previous: datetime | None, end: datetime) -> tuple[datetime, datetime, Rule]:
    if previous and previous < end:
        return max(previous, end - CATCH_UP), end, "since_previous_success"
    return day_before(end), end, "one_day"


def _to_instant(bound: date | datetime | None) -> datetime | None:
    if bound is None or isinstance(bound, datetime):
        return bound and as_utc(bound)
    return pacific_midnight(bound)


def _describe_backward(since: WindowBound, until: WindowBound, first: datetime, last: datetime) -> str:
    start, end = parse_window_bound(since), parse_window_bound(until)
    named = " and ".join(
        (f"{name}={quote_value(value)}" if given else f"{name} from the run") + f" ({format_instant(instant)})"
        for name, value, given, instant in (("since", str(since), start, first), ("until", str(until), end, last))
    )
    if last < first:
        return f"until lies before since: {named}. Give an until that is later than since."
    same = f"since and until are the same instant: {named}."
    if isinstance(start, date) and not isinstance(start, datetime):
        return f'{same} until is exclusive: for that one day give since="{start}" alone.'
    return f"{same} {_INTERVAL_CURE}."
