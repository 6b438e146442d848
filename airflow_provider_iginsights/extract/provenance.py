"""The origin of a row: the run that read it, and the time. One object per run, used for every answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from airflow_provider_iginsights.pacific import format_instant, pacific_date


def utc_now() -> datetime:
    """Return the current instant (UTC)."""
    return datetime.now(UTC)


class FetchTime(NamedTuple):
    """The time at which one answer was read, in the forms of our columns."""

    fetched_at: str
    snapshot_date: date
    snapshot_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """``run_id`` of the Airflow run, ``connection_id`` of its connection; ``clock`` returns the current time (UTC)."""

    run_id: str
    connection_id: str | None = None
    clock: Callable[[], datetime] = utc_now

    def read_now(self) -> FetchTime:
        """Return the current time: exactly, as a Pacific date, and as the hour (UTC) of a story snapshot."""
        now = self.clock()
        return FetchTime(format_instant(now), *_read_hour(now.replace(minute=0, second=0, microsecond=0)))


@lru_cache(maxsize=8)
def _read_hour(hour: datetime) -> tuple[date, str]:
    # The Pacific date never changes within an hour of UTC, so one conversion per hour is enough.
    return pacific_date(hour), format_instant(hour)
