"""What is read from a task's context beyond what every run of the table of schedules shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_iginsights.task.run_dates import read_run_dates
from airflow_provider_iginsights.window import RunDates

POINT = datetime(2026, 11, 19, 15, tzinfo=UTC)


def test_an_empty_context_has_no_facts() -> None:
    """A context without any key, as in a unit test of an operator, is read as a run that knows nothing."""
    assert read_run_dates({}) == RunDates()


@pytest.mark.parametrize(("run_type", "is_manual"), [("manual", True), ("scheduled", False), ("backfill", False)])
def test_reads_whether_somebody_asked_for_the_run(run_type: str, is_manual: bool) -> None:
    """Only a manual run is one; a backfill repeats scheduled ones."""
    assert read_run_dates({"dag_run": SimpleNamespace(run_type=run_type)}).is_manual is is_manual


@pytest.mark.parametrize(
    ("timezone", "day"),
    [("Asia/Tokyo", 20), (ZoneInfo("Asia/Tokyo"), 20), ("UTC", 19), ("America/Los_Angeles", 19), (None, 19)],
)
def test_a_partition_date_is_read_in_the_zone_of_its_timetable(timezone: Any, day: int) -> None:
    """15:00 UTC is midnight of the next day in Tokyo; where the timetable names no zone, the date is UTC's."""
    timetable = SimpleNamespace(timezone=timezone) if timezone else SimpleNamespace()
    context = {"partition_key": "day", "partition_date": POINT, "dag": SimpleNamespace(timetable=timetable)}
    assert read_run_dates(context).partition_date == date(2026, 11, day)


def test_a_key_that_is_a_date_is_enough() -> None:
    """Airflow 3.2 has partition keys and no partition dates: an ISO key is read, another one is no date."""
    runs = (SimpleNamespace(partition_key=key) for key in ("2026-11-20", "2026-11-20T00:00:00", "week 47"))
    days = [read_run_dates({"dag_run": run}).partition_date for run in runs]
    assert days == [date(2026, 11, 20), date(2026, 11, 20), None]


@pytest.mark.parametrize(("end", "asked"), [(POINT, True), (POINT.replace(hour=16), False)])
def test_asks_for_the_previous_success_only_where_the_interval_is_a_point(end: datetime, asked: bool) -> None:
    """A real interval says it all; the request to the API server is spared."""
    earlier = POINT.replace(day=18)
    context = {"data_interval_start": POINT, "data_interval_end": end, "prev_data_interval_end_success": earlier}
    assert read_run_dates(context).previous_success_end == (earlier if asked else None)
