"""Keys that stand in a target twice: how they arise, the query that finds them, the statement that removes older rows.

BigQuery enforces no primary key, and an INSERT, or a MERGE that only inserts, conflicts with nothing: each reads the
table as it was when it began ("Data manipulation language: concurrent jobs" in BigQuery's documentation). Two tasks
that merge the same new key at the same moment (overlapping runs, one account in two chunks, an earlier try that still
runs) can therefore both insert it. No clause of the MERGE prevents that. So every writer checks the keys that it wrote,
and deletes older rows until it finds no key twice:

    MERGE committed -> any key of ours twice? -> no: done
                                              -> yes: one MERGE deletes these rows and inserts the newest -> check again

Why no duplicate survives the last writer: suppose two rows of one key are left for good, and the later of the two was
inserted by statement Y of writer W. Y is W's MERGE or W's deduplication; after either, W checks before it ends. That
check begins after Y was committed, BigQuery's reads see every commit before them, and the earlier row was there
already: W saw both, and did not end. A deduplication deletes rows, so two of them in one partition do conflict:
BigQuery runs the later one again on the new state, where it finds nothing to do, or refuses it, and we send it again. A
deduplication does not conflict with a MERGE that inserts a third row of the key, but then that MERGE's writer checks. A
writer that is killed between its MERGE and its check leaves the duplicates to its own retry, to the next run over the
same keys, or to ``airflow instagram tables --deduplicate``. One check costs one query over the key columns of the
partitions that were written.

The rows of one key can be equal in every column, so DELETE cannot tell them apart: the MERGE deletes all rows of the
key and inserts one copy of the newest, with all its columns, the user's own included, in one statement. A column that a
fetch never empties (``Column.role`` "kept") takes the newest value that any of the rows has.

A key whose partition can change (``Table.moves``) may stand in any day: after a MERGE that inserted keys of such a
table, all days of the task's accounts are checked.
"""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.merge import GONE, newest_value, numbered, same
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange, condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_iginsights.bigquery.target import TargetTable


def duplicates_query(target: TargetTable, *, partitions: PartitionRange, among: str | None) -> str:
    """Return the query for ``doubled``, the number of keys that the target holds more than once.

    :param among: path of a staging table: only its keys are checked; None = all keys in the partitions.
    """
    keys = ", ".join(f"T.{quoted(name)}" for name in target.table.key)
    return (
        f"SELECT COUNT(*) AS doubled FROM (\n  SELECT COUNT(*) AS copies FROM {quoted(target.path)} T\n"
        f"  WHERE {_describe_rows(target, partitions=partitions, among=among)}\n"
        f"  GROUP BY {keys} HAVING COUNT(*) > 1\n)"
    )


def deduplicate_statement(
    target: TargetTable, *, columns: Sequence[str], partitions: PartitionRange, among: str | None
) -> str:
    """Return the MERGE that leaves one row, the newest by fetched_at, of each doubled key.

    :param columns: all columns that the target has in BigQuery now.
    """
    table = target.table
    keys = ", ".join(quoted(name) for name in table.key)
    listed = ", ".join(quoted(name) for name in columns)
    values = ", ".join(f"S.{quoted(name)}" for name in columns)
    kept = {column.name for column in table.columns if column.role == "kept"}
    chosen = ", ".join(
        newest_value(name, of="T", keys=table.key) if name.lower() in kept else f"T.{quoted(name)}" for name in columns
    )
    newest = (
        f"SELECT {chosen} FROM {quoted(target.path)} T\n"
        f"    WHERE {_describe_rows(target, partitions=partitions, among=among)}\n"
        f"    QUALIFY COUNT(*) OVER (PARTITION BY {keys}) > 1 AND {numbered(table.key)} = 1"
    )
    return (
        f"MERGE {quoted(target.path)} T\n"
        f"USING (\n  SELECT N.*, {GONE} FROM (\n    {newest}\n  ) N CROSS JOIN UNNEST([TRUE, FALSE]) AS {GONE}\n) S\n"
        f"ON S.{GONE} AND {same(table.key, left='T', right='S')}\n"
        f"   AND {condition(partitions, table=table, alias='T')}\n"
        f"WHEN MATCHED THEN DELETE\n"
        f"WHEN NOT MATCHED BY TARGET AND NOT S.{GONE} THEN INSERT ({listed}) VALUES ({values})"
    )


def _describe_rows(target: TargetTable, *, partitions: PartitionRange, among: str | None) -> str:
    table = target.table
    # NULL in a key column, which only a table of the user's own can have, equals nothing: such rows are no duplicates.
    present = " AND ".join(f"T.{quoted(name)} IS NOT NULL" for name in table.key)
    inside = condition(partitions, table=table, alias="T")
    if among is None:
        return f"{inside} AND {present}"
    return f"{inside} AND EXISTS (SELECT 1 FROM {quoted(among)} K WHERE {same(table.key, left='K', right='T')})"
