"""Every SQL text that the package generates, judged by Google's own analyzer; and what the texts must contain."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import pytest
from zetasql.api import Analyzer
from zetasql.types import TypeKind

from airflow_provider_iginsights.bigquery.clearing import (
    clear_statement,
    find_hashes_target,
    hash_statement,
    texts_query,
)
from airflow_provider_iginsights.bigquery.duplicates import deduplicate_statement, duplicates_query
from airflow_provider_iginsights.bigquery.ensure import add_columns_statement
from airflow_provider_iginsights.bigquery.merge import (
    changed_days_query,
    insert_statement,
    merge_statement,
    moved_keys_query,
    new_keys_query,
    replace_statement,
    update_statement,
)
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, PartitionRange, slices
from airflow_provider_iginsights.bigquery.primary_key import replace_key_statement
from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.bigquery.table_functions import describe_function
from airflow_provider_iginsights.bigquery.target import LoadMode
from airflow_provider_iginsights.bigquery.view_sources import ViewSources
from airflow_provider_iginsights.bigquery.view_state import view_path, view_query
from airflow_provider_iginsights.bigquery.write import statements
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, TABLES, Table
from airflow_provider_iginsights.catalog.views import VIEWS, View
from tests.support.bigquery import rows
from tests.support.bigquery.analyzer import STAGING, analyzer, build_analyzer

ODD = ("1", "it's", "back\\slash\n")
SPAN = PartitionRange(start="2026-10-01", end="2026-10-28", besides=("2019-02-28", "2027-01-01"), account_ids=ODD)
MODES: tuple[LoadMode, ...] = ("merge", "replace", "append")


def generated(table: Table, mode: LoadMode) -> list[str]:
    """Return the statements that write this table in a load mode."""
    destination = rows.target(table)
    with RowFile(destination) as row_file:
        for number in range(40):
            row_file.write(rows.row(table, number))
        return list(statements(row_file, staging=STAGING, load_mode=mode, partitions=row_file.partitions))


def around(table: Table) -> list[str]:
    """Return the other statements about this table: about duplicates, about keys that moved, and altering it."""
    destination, span = rows.target(table), PartitionRange(start="2026-10-01", end="2026-10-28", account_ids=ODD)
    moved = [
        query(destination, staging=STAGING, partitions=span)
        for query in (new_keys_query, moved_keys_query, changed_days_query)
    ]
    moved += [
        write(destination, staging=STAGING, partitions=SPAN)
        for write in (merge_statement, insert_statement, update_statement, replace_statement)
    ]
    spared = [dict.fromkeys(table.group or (), ("2026-10-05",)), {"account_id": ODD, "elsewhere": ("1",)}]
    if table.group:
        moved.append(replace_statement(destination, staging=STAGING, partitions=span, protected=spared))
    looks = [
        text
        for among, reach in ((STAGING, span), (None, ALL_DAYS))
        for text in (
            duplicates_query(destination, partitions=reach, among=among),
            deduplicate_statement(destination, columns=table.column_names, partitions=reach, among=among),
        )
    ]
    nullable = [column for column in table.columns if not column.required]
    return [*looks, *moved, add_columns_statement(destination, columns=nullable), replace_key_statement(destination)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_google_analyzer_accepts_every_statement(table: Table, mode: LoadMode) -> None:
    """ZetaSQL resolves and types every statement of every table and load mode."""
    for sql in generated(table, mode):
        analyzer(table).analyze_statement(sql)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_google_analyzer_accepts_what_is_around(table: Table) -> None:
    """ZetaSQL resolves and types the checks, the deduplications and the addition of columns, too."""
    for sql in around(table):
        analyzer(table).analyze_statement(sql)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_google_analyzer_accepts_every_view(view: View) -> None:
    """ZetaSQL resolves and types the query of every view, and of every table function with days in it.

    It finds the columns that the view is said to have, with their types.
    """
    sql = view_query(locate(view), rows.target(view.table))
    for name in view.parameters:
        sql = re.sub(rf"\b{name}\b", "DATE '2026-11-20'", sql)
    statement = over_everything().analyze_statement(sql)
    found = [(each.name, each.column.type.type_kind) for each in statement.output_column_list]
    assert found == [(each.name, getattr(TypeKind, f"TYPE_{each.type}")) for each in view.columns]


@pytest.mark.parametrize("view", [view for view in VIEWS if view.parameters], ids=lambda view: view.name)
def test_columns_of_somebody_else_are_not_taken_for_arguments(view: View) -> None:
    """BigQuery takes a column before an argument of its name: a table with columns since and until is read as ours."""
    made = describe_function(locate(view), rows.target(view.table))
    sql = made.body
    for argument in made.arguments:
        assert argument.name not in view.parameters
        sql = re.sub(rf"\b{argument.name}\b", "DATE '2026-11-20'", sql)
    over_everything(others=view.parameters).analyze_statement(sql)


@cache
def over_everything(*, others: tuple[str, ...] = ()) -> Analyzer:
    """Return Google's analyzer over all tables and all views; ``others``: columns of another type in each table."""
    besides = dict.fromkeys(others, "BYTES")
    paths: dict[str, dict[str, str]] = {
        rows.target(table).path: {column.name: column.type for column in table.columns} | besides for table in TABLES
    }
    for view in VIEWS:
        paths[view_path(view, rows.target(view.table))] = {column.name: column.type for column in view.columns}
    return build_analyzer(paths)


def locate(view: View) -> View:
    """Return a view whose other tables and views have their default ids."""
    return ViewSources(targets={table.name: rows.target(table) for table in TABLES}, missing=frozenset()).locate(view)


def test_google_analyzer_would_object() -> None:
    """The referee is no yes-man: it refuses an unknown column and a comparison of different types."""
    referee = analyzer(ACCOUNT_INSIGHTS)
    good = merge_statement(
        rows.target(), staging=STAGING, partitions=PartitionRange(start="2026-10-01", end="2026-10-02")
    )
    for bad in (good.replace("`period`", "`perriod`"), good.replace("DATE '2026-10-01'", "42"), good + " garbage"):
        with pytest.raises(Exception, match=r"(?i)not found|no matching|syntax|unrecognized"):
            referee.analyze_statement(bad)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_targets_are_always_bounded_by_constants(table: Table) -> None:
    """Every read of a target names its partition with constants: BigQuery prunes, and a required filter is met."""
    bounded = f"T.`{table.partition_by}` BETWEEN DATE '2026-10-01' AND DATE '2026-10-28'"
    for sql in (*generated(table, "merge"), *generated(table, "replace"), *around(table)[:2]):
        assert bounded in sql, sql


def test_columns_are_listed_and_quoted() -> None:
    """No statement inserts by position, and no name stands without back-quotes."""
    for table, mode in product(TABLES, MODES):
        for sql in (*generated(table, mode), *around(table)):
            assert "INSERT ROW" not in sql
            for name in table.column_names:
                assert f"INSERT ({name}" not in sql
                assert f".{name}" not in sql


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["a"], [("a", "a")]),
        (["a", "b"], [("a", "b")]),
        (["a", "b", "c", "d", "e"], [("a", "b"), ("c", "d"), ("e", "e")]),
    ],
)
def test_slices_hold_every_day_once(days: list[str], expected: list[tuple[str, str]]) -> None:
    """Days are cut into pieces that one job may modify."""
    assert [(piece.start, piece.end) for piece in slices(days, size=2)] == expected


@pytest.mark.parametrize("table", [table for table in TABLES if table.protectable], ids=lambda table: table.name)
def test_google_analyzer_accepts_what_clears(table: Table) -> None:
    """Texts are read, set to NULL and replaced by hashes, in every table that has such columns."""
    target, columns = rows.target(table), table.protectable
    hashes = find_hashes_target(target).table
    judge = build_analyzer(
        {
            target.path: {column.name: column.type for column in table.columns},
            STAGING: {column.name: column.type for column in hashes.columns},
        }
    )
    for sql in (
        clear_statement(target, columns),
        texts_query(target, columns[0]),
        hash_statement(target, columns[0], hashes=STAGING),
    ):
        judge.analyze_statement(sql)
