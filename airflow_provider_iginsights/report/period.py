"""Which days a report is about, and in which zone its hours are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.pacific import DAY, closing_time, pacific_date
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.window import RunDates, WindowBound, parse_window_bound, resolve_window

MOST_DAYS = 400
REVISED_FOR = timedelta(hours=48)  # META-07
"""So long after a day Meta still changes its numbers."""


@dataclass(frozen=True, slots=True)
class Period:
    """The Pacific days ``first`` to ``last``, both included. ``zone``: in which the hours of posts are told."""

    first: date
    last: date
    zone: ZoneInfo

    @property
    def days(self) -> tuple[date, ...]:
        """Return the days, ascending."""
        return tuple(self.first + DAY * step for step in range((self.last - self.first).days + 1))

    def has(self, day: date) -> bool:
        """Return whether a day is one of them."""
        return self.first <= day <= self.last

    def find_provisional(self, read_last: datetime | None) -> tuple[date, ...]:
        """Return the days that Meta could still revise when their numbers were read last."""
        if read_last is None:
            return ()
        return tuple(day for day in self.days if closing_time(day) + REVISED_FOR > read_last)


def choose_period(
    since: WindowBound, until: WindowBound, *, days: int, zone: ZoneInfo, run: RunDates, now: datetime
) -> Period:
    """Return the period of a report.

    :param since: as the transfers take it; not given = ``days`` days.
    :param until: as the transfers take it: exclusive; not given = the end of the run's own window.
    :raises ConfigurationError: there is no closed day, or there are more than :data:`MOST_DAYS`.
    """
    window = resolve_window(None, until, run=run, now=now)
    closed = window.days()
    if not closed:
        raise ConfigurationError(window.explain())
    last, given = closed[-1], parse_window_bound(since)
    begun = pacific_date(given) if isinstance(given, datetime) else given
    count = (last - begun).days + 1 if begun else days
    if not 1 <= count <= MOST_DAYS:
        named = f"{begun} to {last}" if begun else f"up to {last}"
        raise ConfigurationError(
            f"A report is about 1 to {MOST_DAYS} days, not {count} ({named}). Give other days "
            "(operators: since, until, days; commands: --since, --until, --days); until is exclusive."
        )
    return Period(last - DAY * (count - 1), last, zone)


def parse_zone(name: str) -> ZoneInfo:
    """Return a zone by its name in the IANA database.

    :raises ConfigurationError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"There is no time zone {quote_value(name)} on this machine. Name one of the IANA database, such as "
            "Europe/Berlin or UTC."
        ) from error
