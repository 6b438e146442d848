"""Reads the dates of a run from the task's context. What the run does not have is None, and no error.

Airflow leaves keys out rather than setting them to ``None``: a manual run without a logical date and an asset-triggered
run have no data interval at all, a partitioned run has a partition key instead, Airflow 2 knows neither partitions nor
``run_after``, and the partition date came with Airflow 3.3. A cron schedule of Airflow 3 has an interval without width.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_iginsights.pacific import as_utc
from airflow_provider_iginsights.task.previous_success import find_previous_success
from airflow_provider_iginsights.window import CATCH_UP, RunDates


def read_run_dates(context: Mapping[str, Any]) -> RunDates:
    """Return the dates by which :func:`~airflow_provider_iginsights.window.resolve_window` decides; None if absent.

    The previous successful run is asked for only where the data interval has no width: on Airflow 3 it costs requests
    to the API server. A failure of these is raised, because a window guessed in its place would lose days.
    """
    dag_run, previous = context.get("dag_run"), None
    start, end = (_read_instant(context.get(key)) for key in ("data_interval_start", "data_interval_end"))
    # The default of Airflow 3 for cron strings and timedeltas ([scheduler] create_cron_data_intervals).
    if start is not None and end is not None and start >= end:
        previous = find_previous_success(context, back_to=end - CATCH_UP)
    return RunDates(
        data_interval_start=start,
        data_interval_end=end,
        previous_success_end=_read_instant(previous),
        partition_date=_read_partition(context, dag_run),
        run_after=_read_instant(getattr(dag_run, "run_after", None)),
        logical_date=_read_instant(context.get("logical_date")),
        is_manual=getattr(dag_run, "run_type", None) == "manual",
    )


def read_due_time(context: Mapping[str, Any]) -> datetime | None:
    """Return when the run was due: the same in each try, and after a clear; None where nothing says it."""
    run_after = getattr(context.get("dag_run"), "run_after", None)
    times = (context.get("data_interval_end"), run_after, context.get("logical_date"))
    return next((instant for instant in map(_read_instant, times) if instant), None)


def _read_instant(value: Any) -> datetime | None:
    # Airflow 3 hands out lazy proxies: never `None` themselves, they pass as an instance of what they hold.
    return as_utc(value) if isinstance(value, datetime) else None


def _read_partition(context: Mapping[str, Any], dag_run: Any) -> date | None:
    # The key is written in the timetable's zone; the date is an instant in UTC and may lie on the day before.
    keys = (context.get("partition_key"), getattr(dag_run, "partition_key", None))
    days = (_read_day(key) for key in keys if isinstance(key, str))
    dates = (context.get("partition_date"), getattr(dag_run, "partition_date", None))
    instants = (_read_instant(each) for each in dates)
    zone = _read_zone(context.get("dag"))
    return next((day for day in days if day), None) or next(
        (instant.astimezone(zone).date() for instant in instants if instant), None
    )


def _read_day(key: str) -> date | None:
    try:
        return datetime.fromisoformat(key).date()
    except ValueError:
        return None


def _read_zone(dag: Any) -> tzinfo:
    """Return the zone in which the Dag's timetable counts its days; UTC where it does not say."""
    zone = getattr(getattr(dag, "timetable", None), "timezone", UTC)
    return ZoneInfo(zone) if isinstance(zone, str) else zone if isinstance(zone, tzinfo) else UTC
