"""What each generated statement does to a table: which rows it inserts, rewrites, deletes and leaves alone."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.bigquery.merge import (
    append_statement,
    changed_days_query,
    correct_statement,
    insert_statement,
    merge_statement,
    moved_keys_query,
    new_keys_query,
    replace_statement,
    update_statement,
)
from airflow_provider_iginsights.bigquery.partition_range import (
    ALL_DAYS,
    MAX_ACCOUNTS,
    MAX_DAYS,
    PartitionRange,
    condition,
    outside,
    slices,
)
from airflow_provider_iginsights.bigquery.schema import fields
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA, MEDIA_CHILDREN, Table
from airflow_provider_iginsights.sandbox.bigquery.dml import Concurrency
from airflow_provider_iginsights.sandbox.bigquery.query import Session
from airflow_provider_iginsights.sandbox.bigquery.results import python_rows
from airflow_provider_iginsights.sandbox.bigquery.statements import run_statement
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import TableRef
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = dict[str, Any]

FIRST, SECOND, THIRD = "2026-10-05", "2026-10-06", "2026-10-07"
DAYS = PartitionRange(start=FIRST, end=SECOND)


class Pair:
    """A target and a staging table of the same columns, in the sandbox's BigQuery without its server."""

    def __init__(self, table: Table) -> None:
        """Create both, empty."""
        self.target = rows.target(table)
        self.staging = f"{self.target.path}_staged"
        self._storage = Storage(None, location="US")
        self._storage.create_dataset("p-1", {"datasetReference": {"datasetId": "d"}})
        schema = {"fields": [field.to_api_repr() for field in fields(table.columns)]}
        for path in (self.target.path, self.staging):
            self._storage.create_table(TableRef(*path.split(".")), {"schema": schema})

    def run(self, sql: str) -> int:
        """Run a statement and return how many rows it changed."""
        stats = run_statement(Session(self._storage, "p-1", "US"), sql, [], Concurrency()).stats
        assert stats is not None
        return stats.affected

    def ask(self, sql: str) -> list[Any]:
        """Return the one column of a query's result, sorted."""
        source = run_statement(Session(self._storage, "p-1", "US"), sql, [], Concurrency()).source
        with self._storage.cursor() as cursor:
            return sorted(value for (value,) in cursor.execute(f"SELECT * FROM {source}").fetchall())

    def put(self, stored: list[Row], staged: list[Row]) -> None:
        """Fill both anew."""
        for path, given in ((self.target.path, stored), (self.staging, staged)):
            table = self._storage.table(TableRef(*path.split(".")))
            with self._storage.transaction() as cursor:
                cursor.execute(f"DELETE FROM {table.physical}")
                for row in given:
                    names = ", ".join(f'"{name}"' for name in row)
                    cursor.execute(
                        f"INSERT INTO {table.physical} ({names}) VALUES ({', '.join('?' * len(row))})", [*row.values()]
                    )

    def read(self, *columns: str) -> list[tuple[str, ...]]:
        """Return some columns of the target in comparable form, sorted."""
        found = python_rows(self._storage, self._storage.table(TableRef(*self.target.path.split("."))))
        return sorted(tuple(rows.comparable(row[name]) for name in columns) for row in found)

    def close(self) -> None:
        """Forget both."""
        self._storage.close()


@pytest.fixture(scope="module")
def numbers() -> Iterator[Pair]:
    """Give a pair for account insights."""
    with closing(Pair(ACCOUNT_INSIGHTS)) as opened:
        yield opened


@pytest.fixture(scope="module")
def posts() -> Iterator[Pair]:
    """Give a pair for media."""
    with closing(Pair(MEDIA)) as opened:
        yield opened


@pytest.fixture(scope="module")
def children() -> Iterator[Pair]:
    """Give a pair for the children of albums, whose table is a state."""
    with closing(Pair(MEDIA_CHILDREN)) as opened:
        yield opened


def by_country(account_id: str, day: str, country: str, value: int, hour: int) -> Row:
    """Return an account's number of a country."""
    return rows.reach(account_id, day, value, breakdown="country", breakdown_value=country, fetched_at=rows.hour(hour))


STORED = [
    by_country("1", FIRST, "DE", 1, 2),
    by_country("1", FIRST, "FR", 2, 2),
    by_country("1", SECOND, "DE", 3, 2),
    by_country("1", THIRD, "DE", 4, 2),
    by_country("2", FIRST, "DE", 5, 9),  # fetched later than what is staged
    by_country("2", FIRST, "FR", 6, 9),
    by_country("3", FIRST, "DE", 7, 2),
    rows.reach("1", FIRST, 8, fetched_at=rows.hour(2)),
]
STAGED = [
    by_country("1", FIRST, "DE", 11, 5),
    by_country("1", FIRST, "DE", 99, 4),  # an older answer about the same
    by_country("1", FIRST, "ES", 12, 5),
    by_country("1", THIRD, "JP", 14, 5),
    by_country("2", FIRST, "DE", 15, 5),
    by_country("2", FIRST, "JP", 16, 5),
    by_country("3", FIRST, "DE", 7, 5),  # what is stored already
]
UNTOUCHED = [2, 3, 4, 5, 6, 7, 8]
NEW = [12, 16]


@pytest.mark.parametrize(
    ("statement", "affected", "values"),
    [
        (merge_statement, 3, [11, *NEW, *UNTOUCHED]),
        (insert_statement, 2, [1, *NEW, *UNTOUCHED]),
        (update_statement, 1, [11, *UNTOUCHED]),
        (correct_statement, 1, [11, *UNTOUCHED]),
        (replace_statement, 4, [11, *NEW, 3, 4, 5, 6, 7, 8]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_statement_does(numbers: Pair, statement: Callable[..., str], affected: int, values: list[int]) -> None:
    """The newest of a key is written, new keys where keys are inserted; a later fetch and equal numbers stay."""
    numbers.put(STORED, STAGED)
    assert numbers.run(statement(numbers.target, staging=numbers.staging, partitions=DAYS, source_partitions=DAYS)) == (
        affected
    )
    assert sorted(int(value) for (value,) in numbers.read("value")) == sorted(values)
    assert ("3", rows.comparable(rows.hour(2))) in numbers.read("account_id", "fetched_at")


@pytest.mark.parametrize("statement", [merge_statement, replace_statement])
def test_all_staged_rows_are_written_unless_days_are_named(numbers: Pair, statement: Callable[..., str]) -> None:
    """Without days of the source, a staged row of a further day is inserted; replace deletes in the days it may see."""
    numbers.put(STORED, STAGED)
    numbers.run(statement(numbers.target, staging=numbers.staging, partitions=ALL_DAYS))
    left = {int(value) for (value,) in numbers.read("value")}
    assert 14 in left
    assert left & {2, 4} == ({2, 4} if statement is merge_statement else set())


@pytest.mark.parametrize(
    ("protected", "is_kept"),
    [
        ([{"account_id": ("1",), "metric_date": (FIRST,), "breakdown": ("", "country")}], True),
        ([{"account_id": ("1",), "metric_date": (SECOND,)}], False),
        ([{"account_id": ("2", "1")}], True),
        ([{"account_id": ("2",)}, {"metric": ("it's", "reach")}], True),
        ([{"account_id": ("2",)}], False),
        ([{}], True),
        ([{"media_id": ("5",)}], True),
    ],
)
def test_replace_spares_what_was_not_read_to_its_end(
    numbers: Pair, protected: list[dict[str, tuple[str, ...]]], is_kept: bool
) -> None:
    """A row of one of the groups is not deleted; a column that the table lacks limits no group."""
    numbers.put(STORED, STAGED)
    numbers.run(replace_statement(numbers.target, staging=numbers.staging, partitions=DAYS, protected=protected))
    assert (("2",) in numbers.read("value")) == is_kept


def test_a_fetch_of_the_same_instant_corrects_and_deletes(numbers: Pair) -> None:
    """Two fetches of one second are of one run: the one that is written now counts."""
    numbers.put(
        [by_country("1", FIRST, "DE", 1, 2), by_country("1", FIRST, "FR", 2, 2)], [by_country("1", FIRST, "DE", 3, 2)]
    )
    numbers.run(replace_statement(numbers.target, staging=numbers.staging, partitions=DAYS))
    assert numbers.read("value") == [("3",)]


def test_append_adds_every_row_as_it_is(posts: Pair) -> None:
    """Keys that are stored, keys that are staged twice, and empty texts too."""
    row = rows.row(MEDIA, 1) | {"caption": ""}
    posts.put([row], [row, row])
    assert posts.run(append_statement(posts.target, staging=posts.staging)) == 2
    assert posts.read("caption") == [("",)] * 3


SEEN = "2026-11-01T00:00:00Z"
AFTER_SIX_DAYS, AFTER_SEVEN_DAYS = "2026-11-07T23:59:59Z", "2026-11-08T00:00:00Z"


@pytest.mark.parametrize(
    ("column", "before", "given", "left"),
    [
        ("like_count", 5, 6, 6),
        ("like_count", 5, None, 5),
        ("like_count", None, 6, 6),
        ("like_count", None, None, None),
        ("caption", "a", "b", "b"),
        ("caption", "a", None, "a"),
        ("caption", "a", "", None),
        ("caption", None, "", None),
        ("caption", None, "b", "b"),
    ],
)
def test_what_a_row_lacks(posts: Pair, column: str, before: object, given: object, left: object) -> None:
    """A count is kept, an owner's text kept or emptied; where that is no change, the row is not rewritten."""
    base = rows.row(MEDIA, 1, fetched_at=rows.hour(1))
    posts.put([base | {column: before}], [base | {column: given, "fetched_at": rows.hour(2)}])
    assert posts.run(update_statement(posts.target, staging=posts.staging, partitions=ALL_DAYS)) == (before != left)
    assert posts.read(column, "fetched_at") == [
        (rows.comparable(left), rows.comparable(rows.hour(1 + (before != left))))
    ]


@pytest.mark.parametrize(
    ("column", "before", "given", "is_written"),
    [
        ("media_url", "a", "b", False),
        ("last_seen_at", SEEN, AFTER_SIX_DAYS, False),
        ("last_seen_at", SEEN, AFTER_SEVEN_DAYS, True),
        ("last_seen_at", None, SEEN, True),
        ("last_seen_at", SEEN, None, False),
        ("last_seen_at", None, None, False),
    ],
)
def test_what_alone_is_no_reason_to_write(
    posts: Pair, column: str, before: str | None, given: str | None, is_written: bool
) -> None:
    """A new signed address waits for another change; when a post was last seen is moved on after seven days."""
    base = rows.row(MEDIA, 1, fetched_at=rows.hour(1))
    posts.put([base | {column: before}], [base | {column: given, "fetched_at": rows.hour(2)}])
    update = update_statement(posts.target, staging=posts.staging, partitions=ALL_DAYS)
    assert posts.run(update) == is_written
    assert posts.read(column) == [(rows.comparable(given if is_written else before),)]
    posts.put([base | {column: before}], [base | {column: given, "fetched_at": rows.hour(2), "like_count": 1}])
    assert posts.run(update) == 1
    assert posts.read(column) == [(rows.comparable(given or before),)]


def test_of_several_answers_about_a_post_each_column_is_the_newest_that_came(posts: Pair) -> None:
    """What the last answer lacks comes from the one before it; an emptied text stays empty."""
    base = rows.row(MEDIA, 1)
    posts.put(
        [],
        [
            base | {"caption": "a", "alt_text": "a", "like_count": 1, "fetched_at": rows.hour(1)},
            base | {"caption": "", "alt_text": None, "like_count": 2, "fetched_at": rows.hour(2)},
            base | {"caption": None, "alt_text": None, "like_count": None, "fetched_at": rows.hour(3)},
        ],
    )
    assert posts.run(insert_statement(posts.target, staging=posts.staging, partitions=ALL_DAYS)) == 1
    assert posts.read("caption", "alt_text", "like_count", "fetched_at") == [
        ("None", "a", "2", rows.comparable(rows.hour(3)))
    ]


def album(child: str, day: str, *, media_id: str = "7", position: int = 1, hour: int = 1) -> Row:
    """Return a picture of an album."""
    row = rows.row(MEDIA_CHILDREN, 1, fetched_at=rows.hour(hour))
    return row | {
        "account_id": "1",
        "media_id": media_id,
        "child_id": child,
        "published_date": day,
        "position": position,
    }


def test_a_correction_of_a_state_deletes_what_is_gone(children: Pair) -> None:
    """Of an album that answered, pictures go that it no longer has; those of other albums stay."""
    stored = [album("a", FIRST), album("b", FIRST), album("c", SECOND, media_id="8"), album("d", THIRD)]
    children.put(stored, [album("a", FIRST, position=2, hour=2), album("new", FIRST, hour=2)])
    among = {"staging": children.staging, "partitions": DAYS}
    assert children.ask(changed_days_query(children.target, **among)) == [FIRST]
    spared = [{"media_id": ("7",)}]
    assert children.run(correct_statement(children.target, **among, protected=spared)) == 2
    assert children.run(correct_statement(children.target, **among)) == 1
    assert children.read("child_id", "position") == [("a", "2"), ("c", "1"), ("d", "1"), ("new", "1")]


@pytest.mark.parametrize(
    ("staged", "protected", "days"),
    [
        ([album("a", FIRST, hour=2), album("c", SECOND, media_id="8", hour=2)], [], [FIRST]),  # b is gone
        ([album("a", FIRST, hour=2), album("c", SECOND, media_id="8", hour=2)], [{"media_id": ("7",)}], []),
        ([album("c", SECOND, media_id="8", position=3, hour=2)], [], [SECOND]),
        ([album("c", SECOND, media_id="8", position=3, hour=0)], [], []),
        ([album("a", FIRST, hour=2), album("b", FIRST, hour=2), album("new", FIRST, hour=2)], [], []),
    ],
)
def test_the_days_that_a_correction_is_about(
    children: Pair, staged: list[Row], protected: list[dict[str, tuple[str, ...]]], days: list[str]
) -> None:
    """Days with a row to rewrite or to delete, each once; what is only new is no correction."""
    children.put([album("a", FIRST), album("b", FIRST), album("c", SECOND, media_id="8")], staged)
    asked = changed_days_query(children.target, staging=children.staging, partitions=DAYS, protected=protected)
    assert children.ask(asked) == days


def test_days_and_accounts_are_named_once(numbers: Pair) -> None:
    """However many rows changed or are new; what is gone is no correction of a table that is no state."""
    numbers.put(STORED, [*STAGED, by_country("1", FIRST, "FR", 22, 5)])
    among = {"staging": numbers.staging, "partitions": PartitionRange(start=FIRST, end=THIRD)}
    assert numbers.ask(changed_days_query(numbers.target, **among)) == [FIRST]
    assert numbers.ask(new_keys_query(numbers.target, **among)) == ["1", "2"]
    numbers.put(STORED, [by_country("1", SECOND, "JP", 3, 5)])
    assert numbers.ask(changed_days_query(numbers.target, **among)) == []


def test_keys_are_sought_where_they_may_be(posts: Pair) -> None:
    """A post is new to some days, and an earlier day may hold it; those of other accounts are not looked at."""
    at = {
        number: rows.row(MEDIA, number) | {"account_id": account_id, "published_date": day}
        for number, account_id, day in ((1, "1", FIRST), (2, "1", THIRD), (3, "2", "2019-02-28"), (4, "3", THIRD))
    }
    posts.put(list(at.values()), [each | {"published_date": FIRST} for each in at.values()])
    among = {"staging": posts.staging}
    assert posts.ask(new_keys_query(posts.target, partitions=DAYS, **among)) == ["1", "2", "3"]
    assert posts.ask(new_keys_query(posts.target, partitions=ALL_DAYS, **among)) == []
    assert posts.ask(moved_keys_query(posts.target, partitions=DAYS, **among)) == ["2019-02-28", THIRD]
    named = PartitionRange(start=FIRST, end=SECOND, account_ids=("2",))
    assert posts.ask(moved_keys_query(posts.target, partitions=named, **among)) == ["2019-02-28"]
    posts.put(list(at.values()), [rows.row(MEDIA, 9)])
    assert posts.ask(moved_keys_query(posts.target, partitions=DAYS, **among)) == []


BEFORE, BETWEEN, AFTER = "2026-10-01", "2026-10-04", "2026-10-31"


@pytest.mark.parametrize(
    ("besides", "account_ids", "inside", "elsewhere"),
    [
        ((), (), [FIRST, SECOND], [BEFORE, BETWEEN, THIRD, AFTER]),
        ((BEFORE,), (), [BEFORE, FIRST, SECOND], [BEFORE, BETWEEN, THIRD, AFTER]),
        ((AFTER,), (), [FIRST, SECOND, AFTER], [BEFORE, BETWEEN, THIRD, AFTER]),
        ((AFTER, BEFORE), ("1", "it's"), [BEFORE, FIRST, SECOND, AFTER], [BEFORE, BETWEEN, THIRD, AFTER]),
        ((AFTER,), ("2",), [], []),
    ],
)
def test_a_range_holds_its_days_and_those_besides(
    posts: Pair, besides: tuple[str, ...], account_ids: tuple[str, ...], inside: list[str], elsewhere: list[str]
) -> None:
    """Of the named accounts, or of all; what is outside of it is outside of its own days."""
    days = (BEFORE, BETWEEN, FIRST, SECOND, THIRD, AFTER)
    posts.put([rows.row(MEDIA, n) | {"account_id": "1", "published_date": day} for n, day in enumerate(days)], [])
    span = PartitionRange(start=FIRST, end=SECOND, account_ids=account_ids).with_days(besides)
    for where, expected in ((condition, inside), (outside, elsewhere)):
        found = where(span, table=MEDIA, alias="T")
        asked = f"SELECT CAST(T.published_date AS STRING) FROM `{posts.target.path}` T WHERE {found}"
        assert posts.ask(asked) == sorted(expected)


def test_ranges_name_as_much_as_a_statement_may_say() -> None:
    """Up to so many days and accounts are named one by one; with more, all in between, or all accounts, are meant."""
    days = [f"{year}-01-01" for year in range(1500, 1500 + MAX_DAYS + 1)]
    span = PartitionRange(start="1700-05-05", end="1700-06-06")
    few = span.with_days([*days[:MAX_DAYS], days[0]])
    assert (few.start, few.end, few.besides) == (span.start, span.end, tuple(days[:MAX_DAYS]))
    many = span.with_days(reversed(days))
    assert (many.start, many.end, many.besides) == (days[0], days[-1], ())
    inner = PartitionRange(start="0700-01-01", end="3000-01-01").with_days(days)
    assert (inner.start, inner.end) == ("0700-01-01", "3000-01-01")
    for named, is_named in ((1, True), (MAX_ACCOUNTS, True), (MAX_ACCOUNTS + 1, False), (0, False)):
        accounts = PartitionRange(start=FIRST, end=FIRST, account_ids=("1",) * named)
        assert ("account_id" in condition(accounts, table=MEDIA, alias="T")) == is_named


def test_a_job_may_modify_four_thousand_partitions() -> None:
    """Days are cut so that a job stays below that, and no day is lost."""
    days = [f"{number:06d}" for number in range(9000)]
    cut = list(slices(days))
    assert max(int(piece.end) - int(piece.start) + 1 for piece in cut) < 4000
    assert [(piece.start, piece.end) for piece in cut] == [(days[n], days[n + 2999]) for n in (0, 3000, 6000)]
    assert list(slices([])) == []
