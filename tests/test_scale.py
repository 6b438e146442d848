"""The tables of docs/scale.md: printed by the simulation, whose steps are worked out by hand here."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from airflow_provider_iginsights.bigquery import combine, lookup, partition_range
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from benchmarks import scale
from benchmarks.accounts import LATE

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


def points(*, cpu: float = 0.0, http: float = 0.0, jobs: float = 0.0) -> scale.Points:
    """Return tasks that need so much per account, and so many jobs."""
    sizes = {
        str(size): {"task_cpu": cpu * size, "http": http * size, "calls": 2 * http * size, "jobs": jobs}
        for size in scale.MEASURED
    }
    return scale.Points(dict.fromkeys(scale.TASKS, sizes))


def test_the_page_shows_what_is_printed() -> None:
    """Whoever measures anew, or changes the simulation, prints the tables anew."""
    assert "\n".join(scale.tables()) in PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", LATE)
def test_a_module_that_is_loaded_before_a_measurement_exists(name: str) -> None:
    """Its name is a text, which no other check reads."""
    assert find_spec(name)


def test_limits_are_those_of_the_package() -> None:
    """Chunks, source tables of a copy job, accounts that a query names, and the tables that a transfer writes."""
    assert InstagramListAccountsOperator(task_id="accounts").chunk_size == scale.CHUNK
    assert combine.MAX_SOURCES == scale.COPY_SOURCES
    assert lookup.MAX_VALUES == partition_range.MAX_ACCOUNTS == scale.NAMED_ACCOUNTS
    written = [table.name for table in TABLES if not table.is_optional]
    assert sum(scale.TABLES.values()) == len(written) + 1  # posts and stories share the table of media


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (points(cpu=0.02), 10 + 0.02 * 500),
        (points(http=2), 10 + 2 * 500 * 0.3 / 4),
        (points(cpu=0.02, http=2), 10 + 2 * 500 * 0.3 / 4),
        (points(jobs=7), 10 + 7 * 3),
    ],
)
def test_a_task_takes_its_start_its_reading_and_its_jobs(given: scale.Points, seconds: float) -> None:
    """Reading lasts as long as the CPU, or as the answers with four under way, whichever is longer."""
    assert given.take("story", 500) == pytest.approx(seconds)


def test_tasks_wait_for_a_slot() -> None:
    """Five chunks of 100 s in two slots are three rounds; what is read once a day is in the way in the first hour."""
    given = points(cpu=0.18)  # 10 s, and 90 s for 500 accounts
    day = scale.simulate(given, 2_500, slots=2)
    assert day.story_seconds == pytest.approx(300)
    assert scale.simulate(given, 2_500, slots=5).story_seconds == pytest.approx(100)
    assert day.staged == 5 * (2 + 3 + 24 * 3)


def test_a_backlog_grows_from_hour_to_hour() -> None:
    """Where an hour's polls need more than an hour, each hour begins later than the one before."""
    given = points(cpu=2)  # 1,010 s for 500 accounts: five chunks are 84 minutes in one slot
    late = scale.simulate(given, 2_500, slots=1).story_seconds
    assert late > 10 * 3600
    assert scale.choose_slots(given, 2_500) == 8  # in four, two rounds take 34 minutes


def test_requests_and_calls_are_those_of_a_day() -> None:
    """24 polls, and the daily transfers once."""
    day = scale.simulate(points(http=2), 1_000, slots=1)
    assert day.http == 2 * 1_000 * (24 + 2)
    assert day.calls_of_account == 4 * (24 + 2)
    assert day.listing_calls_an_hour == 2 * 1_000 / 25
