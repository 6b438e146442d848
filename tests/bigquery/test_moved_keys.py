"""One row for each key in the whole table, also where a key's day changes, without reading the whole table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.bigquery.duplicate_check import check
from airflow_provider_iginsights.bigquery.partition_range import MAX_DAYS, PartitionRange, condition
from airflow_provider_iginsights.catalog.tables import MEDIA, STORY_INSIGHTS, Table
from airflow_provider_iginsights.pacific import pacific_date
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse


def load(
    warehouse: Warehouse,
    *given: Mapping[str, object],
    task_id: str = "load",
    try_number: int = 1,
    mode: LoadMode = "merge",
    table: Table = MEDIA,
) -> LoadResult:
    """Run one try that loads media."""
    destination = rows.target(table, project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.loader(rows.identity(task_id=task_id, try_number=try_number)) as loader:
        loader.ensure([destination])
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        return loader.commit([row_file], load_mode=mode)[0]


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """Return what stands in the table of media."""
    with warehouse.connect() as client:
        return rows.stored(client, rows.target(MEDIA, project=warehouse.project, dataset=warehouse.dataset))


def media(number: int, day: str, *, version: int = 1, account_id: str = "1") -> dict[str, object]:
    """Return a media that was published on this day."""
    moved = {"account_id": account_id, "published_date": day, "published_at": f"{day}T20:00:00Z"}
    return rows.row(MEDIA, number, version=version) | moved


@pytest.mark.referee
@pytest.mark.parametrize("mode", ["merge", "replace"])
@pytest.mark.parametrize("day", ["2026-10-04", "2026-10-06", "2019-02-28", "2027-01-01"])
def test_a_post_whose_timestamp_changes_is_one_row(warehouse: Warehouse, day: str, mode: LoadMode) -> None:
    """One day off or many years: the row moves with its date, and its neighbours and other accounts' rows stay."""
    others = [media(2, "2026-10-05"), media(1, "2026-10-05", account_id="2"), media(3, day)]
    load(warehouse, media(1, "2026-10-05"), *others)
    moved = media(1, day, version=2)
    result = load(warehouse, moved, try_number=2, mode=mode)
    assert (result.affected, result.deduplicated) == (1, 0)
    assert stored(warehouse) == rows.truth(MEDIA, [moved, *others])


def test_a_post_moves_there_and_back_and_a_late_fetch_does_not_win(warehouse: Warehouse) -> None:
    """Whatever the order, the last fetch says where the row is; what was fetched before it changes nothing."""
    days = ["2026-10-05", "2024-02-29", "2026-10-05", "2020-01-01"]
    for number, day in enumerate(days, 1):
        assert load(warehouse, media(1, day, version=number), try_number=number).affected == 1
    assert load(warehouse, media(1, "2018-01-01", version=2), try_number=9).affected == 0
    assert stored(warehouse) == rows.truth(MEDIA, [media(1, days[-1], version=len(days))])


def test_many_posts_move_at_once(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """More days than are named one by one are looked at as a whole."""
    monkeypatch.setattr("airflow_provider_iginsights.bigquery.partition_range.MAX_DAYS", 5)
    days = [f"20{year:02d}-06-15" for year in range(10, 26)]
    load(warehouse, *(media(number, day) for number, day in enumerate(days)))
    moved = [media(number, "2026-10-05", version=2) for number in range(len(days))]
    assert load(warehouse, *moved, try_number=2).affected == len(days)
    assert stored(warehouse) == rows.truth(MEDIA, moved)


def test_only_new_keys_are_sought_elsewhere(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Posts that stand where they stood cost questions about their own days; a new one, one about its account."""
    load(faulty, media(1, "2026-10-05"), media(2, "2026-10-06", account_id="2"))
    asked = len(_questions(sandbox))
    load(faulty, media(1, "2026-10-05", version=2), media(2, "2026-10-06", version=2, account_id="2"), try_number=2)
    again = _questions(sandbox)[asked:]
    assert len(again) == 3  # which are new, which differ, which stand twice
    assert all("BETWEEN DATE '2026-10-05' AND DATE '2026-10-06'" in sql for sql in again)
    load(faulty, media(1, "2026-10-05", version=3), media(3, "2026-10-06", version=3, account_id="2"), try_number=3)
    new = _questions(sandbox)[asked + 3 :]
    (elsewhere,) = [sql for sql in new if "> DATE" in sql]
    assert len(new) == 4
    assert "T.`account_id` IN ('2')" in elsewhere
    assert "caption" not in "".join(sql for sql in new if "IS DISTINCT FROM" not in sql)


def _questions(sandbox: BigQuerySandbox) -> list[str]:
    with sandbox.client() as client:
        jobs = [job for job in client.list_jobs() if job.job_type == "query" and job.query.startswith("SELECT")]
    return [job.query for job in sorted(jobs, key=lambda job: job.created)]


def test_other_tables_ask_nothing_more(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Where the key says the day, a load asks one question as ever: whether a key stands twice."""
    load(faulty, rows.row(STORY_INSIGHTS, 1), table=STORY_INSIGHTS)
    assert len(_questions(sandbox)) == 1


def test_tasks_that_race_with_two_dates_leave_one_row(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Two tasks insert the same new posts at once, each under another date: every post is one row, the newest."""
    load(faulty, media(99, "2026-10-05"))
    sandbox.switches.snapshot_seconds = 0.5
    sandbox.switches.dml_queue = (10, 20)
    given = [
        [media(n, day, version=version) for n in range(8)]
        for version, day in enumerate(("2026-10-05", "2019-02-28"), 1)
    ]
    with ThreadPoolExecutor(2) as pool:
        results = [
            each.result()
            for each in [pool.submit(load, faulty, *part, task_id=f"task_{n}") for n, part in enumerate(given)]
        ]
    assert sum(result.deduplicated for result in results) >= 8, "the tasks did not race"
    assert stored(faulty) == rows.truth(MEDIA, [media(99, "2026-10-05"), *given[1]])


@pytest.mark.referee
def test_duplicates_in_two_days_are_found_and_removed(warehouse: Warehouse) -> None:
    """The check looks at all days: of a key in two partitions the newest row stays, with what only the other has."""
    first, second = media(1, "2026-10-05"), media(1, "2019-02-28", version=2) | {"like_count": None}
    load(warehouse, first)
    with warehouse.connect() as client:
        destination = rows.target(MEDIA, project=warehouse.project, dataset=warehouse.dataset)
        load(warehouse, second, mode="append")
        assert [each.doubled for each in check(client, targets=[destination])] == [1]
        assert [each.deduplicated for each in check(client, targets=[destination], deduplicate=True)] == [True]
        assert [each.doubled for each in check(client, targets=[destination])] == [0]
    assert stored(warehouse) == rows.truth(MEDIA, [second | {"like_count": first["like_count"]}])


@pytest.mark.parametrize("first", [datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)], ids=str)
def test_the_day_of_a_poll_follows_from_its_hour(first: datetime) -> None:
    """Also around the changes of daylight saving: stories that were polled need not be sought in other days."""
    for minutes in range(0, 3 * 24 * 60, 7):
        at = first + timedelta(minutes=minutes)
        assert pacific_date(at) == pacific_date(at.replace(minute=0))


def test_a_span_names_days_and_accounts() -> None:
    """Days besides are named one by one within constant bounds, or become part of the span where they are many."""
    span = PartitionRange(start="2026-10-05", end="2026-10-06", account_ids=("1", "it's"))
    assert condition(span, table=MEDIA, alias="T") == (
        "T.`published_date` BETWEEN DATE '2026-10-05' AND DATE '2026-10-06' AND T.`account_id` IN ('1', 'it\\'s')"
    )
    days = "BETWEEN DATE '2026-10-05' AND DATE '2026-10-06'"
    assert condition(span.with_days(["2019-02-28"]), table=MEDIA, alias="T").startswith(
        "T.`published_date` BETWEEN DATE '2019-02-28' AND DATE '2026-10-06' AND "
        f"(T.`published_date` {days} OR T.`published_date` IN (DATE '2019-02-28'))"
    )
    many = [(rows.FIRST_DAY - timedelta(days=number)).isoformat() for number in range(MAX_DAYS + 1)]
    wide = span.with_days(many)
    assert (wide.start, wide.end, wide.besides) == (many[-1], "2026-10-06", ())
    assert "account_id" not in condition(
        PartitionRange(start="a", end="b", account_ids=("1",) * 10_001), table=MEDIA, alias="T"
    )
