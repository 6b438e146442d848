"""What becomes of a stored value when a newer row has none: kept, emptied or replaced, by the column's role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.catalog.tables import (
    ACCOUNTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
    Table,
)
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult
    from tests.support.bigquery.warehouses import Warehouse

TEXTS = ("caption", "alt_text", "biography", "website")
KEPT = {
    "accounts": ("username", "name", "followers_count", "follows_count", "media_count"),
    "media": (
        "media_type", "media_product_type", "permalink", "shortcode", "username", "published_at", "like_count",
        "comments_count",
    ),
    "media_insights": ("media_product_type", "published_at"),
    "story_insights": ("published_at", "expires_at"),
}  # fmt: skip
REPLACED = {"media_insights": ("api_version",), "story_insights": ("is_final",), "story_polls": ("previous_poll_at",)}
TABLES = [ACCOUNTS, MEDIA, MEDIA_INSIGHTS, STORY_INSIGHTS, STORY_POLLS]


def load(
    warehouse: Warehouse, table: Table, *given: Mapping[str, object], try_number: int, mode: LoadMode = "merge"
) -> LoadResult:
    """Run one try that loads rows of one table."""
    destination = rows.target(table, project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.loader(rows.identity(try_number=try_number)) as loader:
        loader.ensure([destination], load_mode=mode)
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        return loader.commit([row_file], load_mode=mode)[0]


def stored(warehouse: Warehouse, table: Table) -> list[dict[str, str]]:
    """Return the rows of the table as texts, by column."""
    destination = rows.target(table, project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.connect() as client:
        return [dict(zip(table.column_names, row, strict=True)) for row in rows.stored(client, destination)]


def texts(table: Table, row: Mapping[str, object]) -> dict[str, str]:
    """Return a row as texts, by column."""
    return {name: rows.comparable(row.get(name)) for name in table.column_names}


def without(table: Table, row: Mapping[str, object], value: object) -> dict[str, object]:
    """Return what a later answer says that leaves all that may be left out absent (...), or gives it this value."""
    loose = [column.name for column in table.columns if column.role != "stated"]
    later = {name: each for name, each in row.items() if name not in loose}
    return later | {"fetched_at": rows.hour(5)} | ({} if value is ... else dict.fromkeys(loose, value))


@pytest.mark.referee
@pytest.mark.parametrize("table", TABLES[:4], ids=lambda table: table.name)
@pytest.mark.parametrize("value", [..., None], ids=["absent", "null"])
def test_what_meta_leaves_out_is_kept_and_is_no_change(warehouse: Warehouse, table: Table, value: object) -> None:
    """Whether the key is missing in the row or None: nothing is erased, and no row is rewritten."""
    before = rows.row(table, 3, version=1)
    load(warehouse, table, before, try_number=1)
    assert load(warehouse, table, without(table, before, value), try_number=2).affected == 0
    assert stored(warehouse, table) == [texts(table, before)]


@pytest.mark.parametrize("table", TABLES[:4], ids=lambda table: table.name)
def test_one_column_changes_and_the_others_stay(warehouse: Warehouse, table: Table) -> None:
    """Each kept column by itself takes a new value, while those that are absent keep theirs."""
    before = rows.row(table, 3, version=1)
    load(warehouse, table, before, try_number=1)
    expected = texts(table, before)
    for number, name in enumerate(KEPT[table.name], 2):
        new = {name: rows.row(table, 3, version=7)[name]}
        if name.endswith("_at"):
            new[name] = "2026-10-09T09:00:00Z"
        later = without(table, before, ...) | new | {"fetched_at": rows.hour(5 + number)}
        assert load(warehouse, table, later, try_number=number).affected == 1
        expected |= {key: rows.comparable(each) for key, each in (new | {"fetched_at": rows.hour(5 + number)}).items()}
        assert stored(warehouse, table) == [expected]


@pytest.mark.referee
@pytest.mark.parametrize("table", [ACCOUNTS, MEDIA], ids=lambda table: table.name)
def test_an_owner_can_empty_a_text_and_write_it_again(warehouse: Warehouse, table: Table) -> None:
    """An empty text in the row is NULL in the table; emptying it twice changes nothing; a new text is stored."""
    names = [column.name for column in table.columns if column.name in TEXTS]
    first = rows.row(table, 3, version=1)
    empty = first | dict.fromkeys(names, "") | {"fetched_at": rows.hour(2)}
    again = empty | {"fetched_at": rows.hour(3)}
    back = first | {"fetched_at": rows.hour(4)}
    seen = []
    for number, row in enumerate((first, empty, again, back), 1):
        changed = load(warehouse, table, row, try_number=number).affected
        seen.append((changed, {name: stored(warehouse, table)[0][name] for name in names}))
    full, none = {name: first[name] for name in names}, dict.fromkeys(names, "None")
    assert seen == [(1, full), (1, none), (0, none), (1, full)]


def test_a_text_that_is_empty_from_the_start_is_null(warehouse: Warehouse) -> None:
    """A new row stores an empty text as NULL, too."""
    load(warehouse, MEDIA, rows.row(MEDIA, 1) | {"caption": "", "alt_text": ""}, try_number=1)
    assert [(row["caption"], row["alt_text"]) for row in stored(warehouse, MEDIA)] == [("None", "None")]


@pytest.mark.parametrize(("name", "columns"), REPLACED.items())
def test_what_a_row_says_of_itself_is_replaced(warehouse: Warehouse, name: str, columns: tuple[str, ...]) -> None:
    """Where a row states a column whole, None takes the place of the stored value, once the row is rewritten."""
    table = next(table for table in TABLES if table.name == name)
    before = rows.row(table, 3, version=1)
    load(warehouse, table, before, try_number=1)
    measure = "live_stories" if table == STORY_POLLS else "value"
    later = before | dict.fromkeys(columns) | {"fetched_at": rows.hour(5), measure: 77}
    assert load(warehouse, table, later, try_number=2).affected == 1
    assert stored(warehouse, table) == [texts(table, later)]


def test_a_final_mark_moves_both_ways(warehouse: Warehouse) -> None:
    """A snapshot that was final no longer is, and is again."""
    for number, is_final in enumerate((True, False, True), 1):
        row = rows.row(STORY_INSIGHTS, 3) | {"is_final": is_final, "fetched_at": rows.hour(1)}
        assert load(warehouse, STORY_INSIGHTS, row, try_number=number).affected == 1
        assert [each["is_final"] for each in stored(warehouse, STORY_INSIGHTS)] == [str(is_final)]


@pytest.mark.referee
def test_two_answers_about_one_media_in_one_load(warehouse: Warehouse) -> None:
    """A listing that shows a post twice, the second time with little, loses nothing; an emptied text stays empty."""
    whole = rows.row(MEDIA, 3, version=1)
    little = without(MEDIA, whole, ...) | {"alt_text": "", "like_count": 9}
    load(warehouse, MEDIA, whole, little, try_number=1)
    assert stored(warehouse, MEDIA) == [
        texts(MEDIA, whole | {"alt_text": None, "like_count": 9, "fetched_at": rows.hour(5)})
    ]


def test_a_history_tells_empty_from_absent(warehouse: Warehouse) -> None:
    """``append`` stores rows as they came: '' where the owner emptied a text, NULL where the answer left it out."""
    whole = rows.row(MEDIA, 3, version=1)
    given = [whole, without(MEDIA, whole, ...), whole | {"caption": "", "fetched_at": rows.hour(6)}]
    load(warehouse, MEDIA, *given, try_number=1, mode="append")
    assert sorted(row["caption"] for row in stored(warehouse, MEDIA)) == ["", "None", whole["caption"]]
