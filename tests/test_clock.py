"""The run's clock: whose time it takes, when, and what it says about the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from airflow_provider_iginsights.clock import RunClock

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def standing() -> float:
    """Return the seconds of a clock that stands."""
    return 100.0


def worker(ahead: timedelta) -> time_machine.travel:
    """Set the worker's clock, which stands still with its monotonic one."""
    return time_machine.travel(NOW + ahead, tick=False)


@pytest.mark.parametrize("ahead", [timedelta(), *(sign * timedelta(hours=24) for sign in (1, -1))], ids=str)
def test_until_it_is_set_it_is_the_workers(ahead: timedelta) -> None:
    """There is nobody else to ask."""
    with worker(ahead):
        assert RunClock().now() == NOW + ahead


@pytest.mark.parametrize("skew", [24 * 3600, -24 * 3600, 600, -600, 61, -61, 59, -59, 0])
def test_bigquery_wins_over_the_worker(skew: int) -> None:
    """The clock follows BigQuery's and runs on by the worker's monotonic time; more than 60 seconds are a note."""
    notes: list[str] = []
    ticks = iter((100.0, 105.0, 105.0))
    with worker(skew * SECOND):
        clock = RunClock(note=notes.append, monotonic=lambda: next(ticks))
        clock.set_by_bigquery(NOW)
        assert clock.now() == NOW + 5 * SECOND
        shown = NOW + 65 * SECOND + (skew - 5) * SECOND * (abs(skew - 5) > 60)
        assert clock.as_worker_time(NOW + 65 * SECOND) == shown
    direction = "ahead" if skew > 0 else "behind"
    assert [f"{abs(skew)} seconds {direction}" in note for note in notes] == [True] * (abs(skew) > 60)


@pytest.mark.parametrize("off", [0, 1, 2, 3, -3, 299, -299, 300, 301, -301, 86400])
def test_meta_wins_within_five_minutes_of_bigquery(off: int) -> None:
    """Beyond them it is BigQuery's, with a note; within two seconds a Date of whole seconds has nothing to add."""
    notes: list[str] = []
    with worker(timedelta(hours=24)):
        clock = RunClock(note=notes.append, monotonic=standing)
        clock.set_by_bigquery(NOW)
        clock.set_by_meta(NOW + off * SECOND)
        clock.set_by_meta(NOW + off * SECOND)
        assert clock.now() == NOW + (off if 2 < abs(off) <= 300 else 0) * SECOND
    assert len(notes) == 1 + (abs(off) > 300)


def test_only_the_first_agreeing_date_counts() -> None:
    """One that is off is passed over; what comes after one that agrees is not looked at: rows are dated by then."""
    with worker(timedelta()):
        clock = RunClock(note=lambda _: None, monotonic=standing)
        clock.set_by_bigquery(NOW)
        for off in (9000, 60, -60, 0):
            clock.set_by_meta(NOW + off * SECOND)
        assert clock.now() == NOW + 60 * SECOND


@pytest.mark.parametrize("skew", [24 * 3600, -600, 3, 0])
def test_without_bigquery_it_is_metas(skew: int) -> None:
    """Whoever reads without a warehouse is told the time by the first answer."""
    notes: list[str] = []
    with worker(skew * SECOND):
        clock = RunClock(note=notes.append, monotonic=standing)
        clock.set_by_meta(NOW)
        assert clock.now() == NOW
    assert len(notes) == (abs(skew) > 60)
