"""The loader from end to end: what stands in the target after any sequence of loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult, TargetTable
from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    TABLES,
    Table,
)
from airflow_provider_iginsights.errors import RowRefused
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.bigquery import Client

    from tests.support.bigquery.warehouses import Warehouse


def target(warehouse: Warehouse, table: Table = ACCOUNT_INSIGHTS) -> TargetTable:
    """Return the target in the warehouse's dataset."""
    return rows.target(table, project=warehouse.project, dataset=warehouse.dataset, location=warehouse.location)


def load(
    warehouse: Warehouse,
    given: Sequence[dict[str, object]],
    *,
    table: Table = ACCOUNT_INSIGHTS,
    try_number: int = 1,
    **how: Any,
) -> LoadResult:
    """Run one try that loads these rows into one table."""
    destination = target(warehouse, table)
    mode: LoadMode = how.get("load_mode", "merge")
    with warehouse.loader(rows.identity(try_number=try_number)) as loader:
        loader.ensure([destination], load_mode=mode)
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        (result,) = loader.commit([row_file], **how)
    return result


def read(warehouse: Warehouse, table: Table = ACCOUNT_INSIGHTS) -> list[tuple[object, ...]]:
    """Return what stands in the target."""
    with warehouse.connect() as client:
        return rows.stored(client, target(warehouse, table))


def values(warehouse: Warehouse, *columns: str) -> list[tuple[str, ...]]:
    """Return some columns of the account insights, sorted."""
    names = ", ".join(columns)
    with warehouse.connect() as client:
        found = client.query(f"SELECT {names} FROM `{target(warehouse).path}`").result()
        return sorted(tuple(rows.comparable(value) for value in each.values()) for each in found)


def leftovers(warehouse: Warehouse) -> list[str]:
    """Return the staging tables that are left."""
    with warehouse.connect() as client:
        return rows.staging_left(client, target(warehouse))


@pytest.mark.referee
def test_all_tables_hold_exactly_what_was_sent(warehouse: Warehouse) -> None:
    """One commit writes every table: all columns, all types, every row once; staging is gone."""
    # The other emulator takes seconds a table; these three have every type and kind of key.
    tables = (ACCOUNT_INSIGHTS, MEDIA, STORY_INSIGHTS) if warehouse.name == "local-bigquery" else TABLES
    destinations = [target(warehouse, table) for table in tables]
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure(destinations)
        row_files = [loader.row_file(destination) for destination in destinations]
        for row_file in row_files:
            for row in rows.rows(row_file.target.table, range(60)):
                row_file.write(row)
        results = loader.commit(row_files)
    assert [(each.rows, each.affected, each.deduplicated) for each in results] == [(60, 60, 0)] * len(tables)
    for table in tables:
        assert read(warehouse, table) == rows.truth(table, rows.rows(table, range(60)))
    assert leftovers(warehouse) == []


@pytest.mark.referee
def test_loads_in_any_order_leave_the_latest_fetch(warehouse: Warehouse) -> None:
    """New keys are inserted, changed ones updated, an older fetch that arrives late changes nothing."""
    leaves_the_latest_fetch(warehouse, ACCOUNT_INSIGHTS)


def test_media_are_as_they_were_last_fetched(warehouse: Warehouse) -> None:
    """The same for a table whose partition is not part of the key."""
    leaves_the_latest_fetch(warehouse, MEDIA)


def leaves_the_latest_fetch(warehouse: Warehouse, table: Table) -> None:
    """Load three versions in the order first, third, second."""
    first, second = rows.rows(table, range(30), version=1), rows.rows(table, range(20, 50), version=3)
    late = rows.rows(table, range(50), version=2)
    assert [load(warehouse, given, table=table).affected for given in (first, second, late)] == [30, 30, 20]
    assert read(warehouse, table) == rows.truth(table, [*first, *second, *late])


def test_the_same_rows_again_change_nothing(warehouse: Warehouse) -> None:
    """A rerun with unchanged numbers rewrites no row, although it was fetched later."""
    load(warehouse, rows.rows(ACCOUNT_INSIGHTS, range(30)))
    again = [row | {"fetched_at": rows.hour(5)} for row in rows.rows(ACCOUNT_INSIGHTS, range(30))]
    assert load(warehouse, again, try_number=2).affected == 0


def test_a_late_fetch_between_two_equal_ones_lasts_until_the_next(warehouse: Warehouse) -> None:
    """A row that was left alone does not know that it was confirmed; the next fetch puts it right."""
    seen = [("A", 1), ("A", 3), ("B", 2), ("A", 4)]
    left = []
    for number, (value, at) in enumerate(seen, 1):
        given = rows.reach("1", "2026-10-05", {"A": 10, "B": 20}[value], fetched_at=rows.hour(at))
        load(warehouse, [given], try_number=number)
        left.append(values(warehouse, "value", "fetched_at"))
    assert [value for ((value, _),) in left] == ["10", "10", "20", "10"]
    assert left[1] == left[0], "an unrevised row was rewritten"


def test_one_key_twice_in_a_load_is_one_row(warehouse: Warehouse) -> None:
    """Of rows with the same key in one load, the one that was fetched last is stored."""
    given = [rows.row(ACCOUNT_INSIGHTS, 1, version=version) for version in (1, 3, 2)]
    again = [rows.row(ACCOUNT_INSIGHTS, 1, version=version) for version in (4, 6, 5)]
    assert [load(warehouse, each, try_number=number).deduplicated for number, each in enumerate((given, again), 1)] == [
        0,
        0,
    ]
    assert read(warehouse) == rows.truth(ACCOUNT_INSIGHTS, again)


@pytest.mark.referee
def test_replace_deletes_what_the_new_answer_no_longer_has(warehouse: Warehouse) -> None:
    """Within accounts, metrics and days that answered, vanished rows go; everything else stays."""
    old = {"fetched_at": rows.hour(1), "breakdown": "country"}
    load(
        warehouse,
        [
            rows.reach("1", "2026-10-05", 1, breakdown_value="DE", **old),
            rows.reach("1", "2026-10-05", 2, breakdown_value="FR", **old),
            rows.reach("1", "2026-10-06", 3, breakdown_value="DE", **old),
            rows.reach("1", "2026-10-05", 4, metric="views", breakdown_value="DE", **old),
            rows.reach("2", "2026-10-05", 5, breakdown_value="DE", **old),
            rows.reach("3", "2026-10-05", 6, breakdown_value="DE", **old),
            rows.reach("3", "2026-10-05", 7, breakdown_value="FR", **old),
            rows.reach("1", "2026-11-05", 8, breakdown_value="DE", **old),
        ],
    )
    new = {"fetched_at": rows.hour(2), "breakdown": "country"}
    given = [
        rows.reach("1", "2026-10-05", 10, breakdown_value="DE", **new),
        rows.reach("3", "2026-10-05", 60, breakdown_value="DE", **new),
    ]
    result = load(warehouse, given, try_number=2, load_mode="replace")
    assert result.affected == 4
    assert sorted(int(value) for (value,) in values(warehouse, "value")) == [3, 4, 5, 8, 10, 60]


@pytest.mark.referee
def test_replace_spares_groups_that_were_not_read_to_the_end(warehouse: Warehouse) -> None:
    """Nothing goes of a group of which something could not be read; the same metric of another account or day does."""
    names = ("reach", "it's", "views")
    part = {"breakdown": "country", "fetched_at": rows.hour(1)}
    places = [(name, account, day) for name in names for account in ("1", "2") for day in ("2026-10-05", "2026-10-06")]
    load(
        warehouse,
        [rows.reach(account, day, 1, metric=name, breakdown_value="FR", **part) for name, account, day in places],
    )
    part["fetched_at"] = rows.hour(2)
    given = [rows.reach(account, day, 2, metric=name, breakdown_value="DE", **part) for name, account, day in places]
    spared = [
        {"account_id": ("1",), "metric": ("reach",), "metric_date": ("2026-10-05",), "breakdown": ("", "country")},
        {"account_id": ("2", "3"), "metric": ("it's",)},
        {"account_id": ("1",), "metric": ("views",), "breakdown": ("city",)},
    ]
    load(warehouse, given, try_number=2, load_mode="replace", protected=spared)
    kept = [row for row in values(warehouse, "metric", "account_id", "metric_date", "value") if row[-1] == "1"]
    assert [row[:3] for row in kept] == [
        ("it's", "2", "2026-10-05"),
        ("it's", "2", "2026-10-06"),
        ("reach", "1", "2026-10-05"),
    ]
    assert len(values(warehouse, "value")) == len(kept) + len(given)


def test_replace_spares_everything_of_which_nothing_is_known(warehouse: Warehouse) -> None:
    """A group without a column is any row: nothing is deleted."""
    part = {"breakdown": "country", "fetched_at": rows.hour(1)}
    load(warehouse, [rows.reach("1", "2026-10-05", 1, breakdown_value="FR", **part)])
    part["fetched_at"] = rows.hour(2)
    load(
        warehouse,
        [rows.reach("1", "2026-10-05", 2, breakdown_value="DE", **part)],
        try_number=2,
        load_mode="replace",
        protected=[{}],
    )
    assert values(warehouse, "value") == [("1",), ("2",)]


def test_replace_never_deletes_what_was_fetched_later(warehouse: Warehouse) -> None:
    """A restatement that was overtaken by a newer fetch neither deletes nor overwrites its rows."""
    kept = rows.reach("1", "2026-10-05", 1, breakdown="country", breakdown_value="FR", fetched_at=rows.hour(9))
    load(warehouse, [kept])
    late = rows.reach("1", "2026-10-05", 2, breakdown="country", breakdown_value="DE", fetched_at=rows.hour(2))
    load(warehouse, [late], try_number=2, load_mode="replace")
    assert values(warehouse, "value") == [("1",), ("2",)]


@pytest.mark.referee
def test_replace_deletes_nothing_that_was_not_answered(warehouse: Warehouse) -> None:
    """Another breakdown, the total, another timeframe, an empty answer: none of them says that stored rows are gone."""
    old = {"fetched_at": rows.hour(1)}
    kept = [
        rows.reach("1", "2026-10-05", 1, **old),
        rows.reach("1", "2026-10-05", 2, breakdown="city", breakdown_value="Berlin", **old),
        rows.reach("1", "2026-10-05", 3, breakdown="country", breakdown_value="DE", period="week", **old),
        rows.reach("1", "2026-10-05", 4, breakdown="country", breakdown_value="DE", timeframe="THIS_WEEK", **old),
    ]
    gone = rows.reach("1", "2026-10-05", 5, breakdown="country", breakdown_value="DE", **old)
    load(warehouse, [*kept, gone])
    new = rows.reach("1", "2026-10-05", 6, breakdown="country", breakdown_value="FR", fetched_at=rows.hour(2))
    assert load(warehouse, [new], try_number=2, load_mode="replace").affected == 2
    assert values(warehouse, "value") == [("1",), ("2",), ("3",), ("4",), ("6",)]


@pytest.mark.parametrize("table", [MEDIA_INSIGHTS, STORY_INSIGHTS], ids=lambda table: table.name)
def test_replace_restates_one_snapshot_of_one_media(warehouse: Warehouse, table: Table) -> None:
    """Of a media's breakdown only the values that the same snapshot no longer has go."""
    base = rows.row(table, 3) | {"fetched_at": rows.hour(1), "breakdown": "action", "breakdown_value": "a"}
    others = [
        base | {"account_id": "other"},
        base | {"media_id": "other"},
        base | {"metric": "other"},
        base | {"breakdown": ""},
        base
        | ({"snapshot_at": "2026-10-04T09:00:00Z"} if table == STORY_INSIGHTS else {"snapshot_date": "2026-10-05"}),
    ]
    load(warehouse, [base, *others], table=table)
    new = base | {"fetched_at": rows.hour(2), "breakdown_value": "b"}
    assert load(warehouse, [new], table=table, try_number=2, load_mode="replace").affected == 2
    assert read(warehouse, table) == rows.truth(table, [new, *others])


def test_replace_keeps_posts_that_were_not_listed(warehouse: Warehouse) -> None:
    """A post that a listing does not show may only have been refused: its row stays."""
    posts = rows.rows(MEDIA, range(3), version=1)
    load(warehouse, posts, table=MEDIA)
    again = rows.row(MEDIA, 0, version=2)
    load(warehouse, [again], table=MEDIA, try_number=2, load_mode="replace")
    assert read(warehouse, MEDIA) == rows.truth(MEDIA, [*posts, again])


def test_an_empty_answer_deletes_nothing(warehouse: Warehouse) -> None:
    """A restatement without rows leaves the target as it was, without a job."""
    load(warehouse, [rows.reach("1", "2026-10-05", 1, fetched_at=rows.hour(1))])
    result = load(warehouse, [], try_number=2, load_mode="replace")
    assert (result.load_job_id, result.merge_job_id, result.rows) == (None, None, 0)
    assert values(warehouse, "value") == [("1",)]


def test_append_keeps_the_history(warehouse: Warehouse) -> None:
    """Every load adds its rows, whether or not their keys are there."""
    for version in (1, 2):
        load(warehouse, rows.rows(ACCOUNT_INSIGHTS, range(5), version=version), try_number=version, load_mode="append")
    assert len(read(warehouse)) == 10


def test_long_and_odd_text_arrives_unchanged(warehouse: Warehouse) -> None:
    """A caption of 1 MB, emoji, NUL, quotes, line separators and backslashes are stored as they were."""
    captions = ["🌅" * 250_000, "a\x00b", 'quote " and \\ and \n', "\u2028\u2029\ufeff", ""]
    given = [rows.row(MEDIA, number) | {"caption": caption} for number, caption in enumerate(captions)]
    load(warehouse, given, table=MEDIA)
    with warehouse.connect() as client:
        found = client.query(f"SELECT media_id, caption FROM `{target(warehouse, MEDIA).path}`").result()
        assert {row["media_id"]: row["caption"] for row in found} == {
            f"media_id-{number}": caption or None for number, caption in enumerate(captions)
        }


@pytest.mark.referee
def test_numbers_keep_every_digit(warehouse: Warehouse) -> None:
    """Counts beyond 2^53 and decimals come back to the last digit."""
    numbers = [2**53 + 1, "12345678901234567890123456789.123456789", "0.1", "-0.000000001"]
    given = [
        rows.reach("1", f"2026-10-0{n}", rows.Decimal(v), fetched_at=rows.hour(1)) for n, v in enumerate(numbers, 1)
    ]
    load(warehouse, given)
    assert values(warehouse, "metric_date", "value") == [(f"2026-10-0{n}", str(v)) for n, v in enumerate(numbers, 1)]


def test_columns_of_the_user_stay(warehouse: Warehouse) -> None:
    """A column that a user added keeps its values through updates and inserts of ours."""
    load(warehouse, [rows.reach("1", "2026-10-05", 1, fetched_at=rows.hour(1))])
    with warehouse.connect() as client:
        run(client, f"ALTER TABLE `{target(warehouse).path}` ADD COLUMN note STRING")
        run(client, f"UPDATE `{target(warehouse).path}` SET note = 'mine' WHERE account_id = '1'")
    load(
        warehouse,
        [rows.reach(account, "2026-10-05", 2, fetched_at=rows.hour(2)) for account in ("1", "2")],
        try_number=2,
    )
    assert values(warehouse, "account_id", "value", "note") == [("1", "2", "mine"), ("2", "2", "None")]


def test_a_refused_row_stops_everything(warehouse: Warehouse) -> None:
    """A row that its column cannot store is refused by name, and nothing of the load is written."""
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([target(warehouse)])
        row_file = loader.row_file(target(warehouse))
        row_file.write(rows.reach("1", "2026-10-05", 1, fetched_at=rows.hour(1)))
        with pytest.raises(RowRefused, match="column value needs a finite number"):
            row_file.write(rows.reach("1", "2026-10-06", float("nan"), fetched_at=rows.hour(1)))
    assert read(warehouse) == []


def test_more_days_than_one_job_may_modify(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load over very many days is written in slices, and stands there whole."""
    monkeypatch.setattr("airflow_provider_iginsights.bigquery.write.MAX_PARTITIONS", 10)
    monkeypatch.setattr("airflow_provider_iginsights.bigquery.partition_range.slices.__kwdefaults__", {"size": 10})
    given = rows.rows(STORY_INSIGHTS, range(56))
    assert load(warehouse, given, table=STORY_INSIGHTS).affected == 56
    assert read(warehouse, STORY_INSIGHTS) == rows.truth(STORY_INSIGHTS, given)


def run(client: Client, sql: str) -> None:
    """Run one statement of the user's."""
    client.query(sql).result()
