"""The statements that move staged rows into a target. Text only: each is one statement, and therefore all or nothing.

``merge``: a new key is inserted; a stored row is rewritten only by a fetch that is not older, and only when a measure
differs, so that a look-back of unchanged days rewrites no partition. These are two statements, since BigQuery bills one
that may update the whole partitions that it reads, and one that only inserts the columns that it reads. The first only
inserts; the second only updates, in the days that hold rows to be rewritten, and is not sent where there are none.
A row whose numbers did not change keeps the ``fetched_at`` of the fetch that first saw them, and so does not know that
it was confirmed: of three fetches that saw A, B and A again, the one that saw B can overwrite the last A if it is
written after it. The next fetch puts that right. Only rewriting every confirmed row would rule it out; doing so now and
then would not, since what is written late was fetched only minutes or hours before.

What a row does not have depends on the column's role (``Column.role``): a count, or what a media is, keeps the stored
value; a text of the owner's is kept where the row lacks it, and emptied (NULL) where the row holds ``''``. A value that
is kept is no change.

``replace``: the same at once, and stored rows go that the new fetch no longer has. A row goes only if its *group*
(``Table.group``) was answered with at least one row: of a metric and breakdown of one day or snapshot, the values that
are no longer there. What was refused, empty or not asked is never deleted, because Meta may not give it back; nor is
anything that was fetched later than the new rows.

``append``: every staged row is added as it is, ``''`` and NULL too. The job id keeps a repeated request from adding
twice.

Staged rows hold each key once per statement (the newest; of what it lacks, the newest value that came), since BigQuery
refuses two source rows for one target row.
"""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange, condition, outside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_iginsights.bigquery.target import ProtectedGroups, TargetTable
    from airflow_provider_iginsights.catalog.columns import Role
    from airflow_provider_iginsights.catalog.tables import Column, Table

GONE = "iginsights_gone"
_UPDATED: dict[Role, str] = {
    "stated": "S.{0}",
    "kept": "IFNULL(S.{0}, T.{0})",
    "text": "IF(S.{0} IS NULL, T.{0}, NULLIF(S.{0}, ''))",
}
_INSERTED: dict[Role, str] = {"stated": "S.{0}", "kept": "S.{0}", "text": "NULLIF(S.{0}, '')"}


def merge_statement(
    target: TargetTable, *, staging: str, partitions: PartitionRange, source_partitions: PartitionRange | None = None
) -> str:
    """Return the MERGE by key.

    :param staging: path of the staging table.
    :param partitions: where the target can hold these keys.
    :param source_partitions: the part of the staged rows to merge; None = all.
    """
    return _merge(target, staging, partitions, source_partitions, clauses=(_update, _insert))


def insert_statement(
    target: TargetTable, *, staging: str, partitions: PartitionRange, source_partitions: PartitionRange | None = None
) -> str:
    """Return the MERGE that inserts the keys that the target does not have. Parameters as in merge_statement."""
    return _merge(target, staging, partitions, source_partitions, clauses=(_insert,))


def update_statement(
    target: TargetTable, *, staging: str, partitions: PartitionRange, source_partitions: PartitionRange | None = None
) -> str:
    """Return the MERGE that rewrites stored rows and inserts none. Parameters as in merge_statement."""
    return _merge(target, staging, partitions, source_partitions, clauses=(_update,))


def changed_days_query(
    target: TargetTable, *, staging: str, partitions: PartitionRange, protected: ProtectedGroups = ()
) -> str:
    """Return the query for the days (ISO) that hold rows which :func:`correct_statement` would rewrite or delete."""
    table = target.table
    changed = (
        f"SELECT DISTINCT CAST(T.{quoted(table.partition_by)} AS STRING) AS day FROM {quoted(target.path)} T\n"
        f"JOIN (\n  {_newest(table, staging=staging, partitions=None)}\n) S\n"
        f"ON {same(table.key, left='T', right='S')}\n   AND {condition(partitions, table=table, alias='T')}\n"
        f"WHERE {_is_corrected(table)}"
    )
    if not table.is_state or table.group is None:
        return changed
    vanished = _vanished_rows(target, group=table.group, staging=staging, partitions=partitions, protected=protected)
    return f"{changed}\nUNION DISTINCT\nSELECT CAST(O.{quoted(table.partition_by)} AS STRING) AS day FROM {vanished}"


def correct_statement(
    target: TargetTable,
    *,
    staging: str,
    partitions: PartitionRange,
    source_partitions: PartitionRange | None = None,
    protected: ProtectedGroups = (),
) -> str:
    """Return the second MERGE of ``merge``: it rewrites stored rows and, of a state, deletes what is gone."""
    if target.table.is_state:
        return replace_statement(
            target,
            staging=staging,
            partitions=partitions,
            source_partitions=source_partitions,
            protected=protected,
        )
    return update_statement(target, staging=staging, partitions=partitions, source_partitions=source_partitions)


def replace_statement(
    target: TargetTable,
    *,
    staging: str,
    partitions: PartitionRange,
    source_partitions: PartitionRange | None = None,
    protected: ProtectedGroups = (),
) -> str:
    """Return the MERGE that also deletes what the answered groups no longer have. Parameters as in merge_statement.

    :param protected: groups of rows of which nothing is deleted, since their answers could not be read to the end.
    """
    table = target.table
    if table.group is None:
        return merge_statement(target, staging=staging, partitions=partitions, source_partitions=source_partitions)
    names = _listed(table.column_names)
    vanished = _vanished(
        target, group=table.group, staging=staging, partitions=source_partitions or partitions, protected=protected
    )
    source = (
        f"SELECT {names}, FALSE AS {GONE} FROM ({_newest(table, staging=staging, partitions=source_partitions)})\n"
        f"  UNION ALL\n  SELECT {names}, TRUE FROM ({vanished})"
    )
    return "\n".join(
        (
            *_head(target, source=source, partitions=partitions),
            f"WHEN MATCHED AND S.{GONE} THEN DELETE",
            _update(table, also=f" AND NOT S.{GONE}"),
            _insert(table, also=f" AND NOT S.{GONE}"),
        )
    )


def append_statement(target: TargetTable, *, staging: str) -> str:
    """Return the INSERT of all staged rows."""
    names = _listed(target.table.column_names)
    return f"INSERT INTO {quoted(target.path)} ({names})\nSELECT {names} FROM {quoted(staging)}"


def same(columns: Iterable[str], *, left: str, right: str) -> str:
    """Return the condition that two aliases agree in these columns."""
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in columns)


def numbered(columns: Iterable[str]) -> str:
    """Return the window function that numbers the rows of one key, the newest first."""
    return f"ROW_NUMBER() OVER (PARTITION BY {_listed(columns)} ORDER BY `fetched_at` DESC)"


def newest_value(column: str, *, of: str, keys: Iterable[str]) -> str:
    """Return the window function for the newest value of a column that a row of the key has, as that column."""
    window = f"PARTITION BY {_listed(keys)} ORDER BY {of}.`fetched_at` DESC"
    rows = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
    return f"FIRST_VALUE({of}.{quoted(column)} IGNORE NULLS) OVER ({window} {rows}) AS {quoted(column)}"


def new_keys_query(target: TargetTable, *, staging: str, partitions: PartitionRange) -> str:
    """Return the query for the accounts that have staged keys which these partitions do not hold."""
    table = target.table
    return (
        f"SELECT DISTINCT A.`account_id` FROM {quoted(staging)} A\nWHERE NOT EXISTS (\n"
        f"  SELECT 1 FROM {quoted(target.path)} T\n"
        f"  WHERE {same(table.key, left='T', right='A')} AND {condition(partitions, table=table, alias='T')}\n)"
    )


def moved_keys_query(target: TargetTable, *, staging: str, partitions: PartitionRange) -> str:
    """Return the query for the days outside the partitions that hold staged keys of these accounts."""
    table = target.table
    return (
        f"SELECT DISTINCT CAST(T.{quoted(table.partition_by)} AS STRING) AS day FROM {quoted(target.path)} T\n"
        f"WHERE {outside(partitions, table=table, alias='T')}\n"
        f"  AND EXISTS (SELECT 1 FROM {quoted(staging)} A WHERE {same(table.key, left='A', right='T')})"
    )


def _merge(
    target: TargetTable,
    staging: str,
    partitions: PartitionRange,
    source_partitions: PartitionRange | None,
    *,
    clauses: Iterable[Callable[[Table], str]],
) -> str:
    source = _newest(target.table, staging=staging, partitions=source_partitions)
    head = _head(target, source=source, partitions=partitions)
    return "\n".join((*head, *(clause(target.table) for clause in clauses)))


# The condition on the partition has to be in ON, with constants: BigQuery prunes the target by these, not by values
# that it reads from the source ("Querying partitioned tables: MERGE").
def _head(target: TargetTable, *, source: str, partitions: PartitionRange) -> tuple[str, ...]:
    table = target.table
    return (
        f"MERGE {quoted(target.path)} T",
        f"USING (\n  {source}\n) S",
        f"ON {same(table.key, left='T', right='S')}\n   AND {condition(partitions, table=table, alias='T')}",
    )


def _newest(table: Table, *, staging: str, partitions: PartitionRange | None) -> str:
    kept = condition(partitions, table=table, alias="A") if partitions else "TRUE"
    columns = "*"
    if any(column.role != "stated" for column in table.columns):
        columns = ", ".join(
            f"A.{quoted(c.name)}" if c.role == "stated" else newest_value(c.name, of="A", keys=table.key)
            for c in table.columns
        )
    return f"SELECT {columns} FROM {quoted(staging)} A WHERE {kept} QUALIFY {numbered(table.key)} = 1"


# Rows to delete come with the source, instead of by WHEN NOT MATCHED BY SOURCE: with that clause the condition in ON
# would not prune, and the statement would read the whole target.
def _vanished(
    target: TargetTable, *, group: Iterable[str], staging: str, partitions: PartitionRange, protected: ProtectedGroups
) -> str:
    found = _vanished_rows(target, group=group, staging=staging, partitions=partitions, protected=protected)
    return f"SELECT * FROM {found}    QUALIFY {numbered(target.table.key)} = 1"


def _vanished_rows(
    target: TargetTable, *, group: Iterable[str], staging: str, partitions: PartitionRange, protected: ProtectedGroups
) -> str:
    """Return what follows FROM in a query for the stored rows O that the answered groups no longer have."""
    table = target.table
    others = "".join(f"      AND NOT ({_is_in(each, table=table, alias='O')})\n" for each in protected)
    answered = f"{same(group, left='A', right='O')} AND A.`fetched_at` >= O.`fetched_at`"
    return (
        f"{quoted(target.path)} O\n"
        f"    WHERE {condition(partitions, table=table, alias='O')}\n{others}"
        f"      AND EXISTS (SELECT 1 FROM {quoted(staging)} A WHERE {answered})\n"
        f"      AND NOT EXISTS (SELECT 1 FROM {quoted(staging)} B WHERE {same(table.key, left='B', right='O')})\n"
    )


def _is_in(group: Mapping[str, Sequence[str]], *, table: Table, alias: str) -> str:
    """Return the condition that a row is of the group; a column that the table lacks says nothing about its rows."""
    kinds = {column.name: column.type for column in table.columns}
    listed = {
        name: ", ".join(f"{'' if kinds[name] == 'STRING' else kinds[name] + ' '}{literal(each)}" for each in values)
        for name, values in group.items()
        if name in kinds
    }
    return " AND ".join(f"{alias}.{quoted(name)} IN ({values})" for name, values in listed.items()) or "TRUE"


def _update(table: Table, also: str = "") -> str:
    values = [column for column in table.columns if column.name not in table.key]
    assignments = ", ".join(f"{quoted(column.name)} = {_updated(column)}" for column in values)
    return f"WHEN MATCHED{also} AND {_is_corrected(table)}\n  THEN UPDATE SET {assignments}"


# IS DISTINCT FROM takes two NULL for equal, as = does not; an unequal NULL would rewrite its row each night.
def _is_corrected(table: Table) -> str:
    """Return the condition that a staged row S rewrites the stored row T of its key."""
    measures = (column for column in table.columns if column.name not in table.key and column.name in table.measures)
    changed = [f"{_updated(column)} IS DISTINCT FROM T.{quoted(column.name)}" for column in measures]
    changed += [_has_moved(column) for column in table.columns if column.moves_after_days is not None]
    return f"S.`fetched_at` >= T.`fetched_at` AND ({' OR '.join(changed)})"


def _has_moved(column: Column) -> str:
    """Return the condition that an instant is so many days later than the stored one, or that none is stored."""
    staged, stored = (f"{alias}.{quoted(column.name)}" for alias in "ST")
    later = f"{staged} >= TIMESTAMP_ADD({stored}, INTERVAL {column.moves_after_days} DAY)"
    return f"IFNULL({later}, {stored} IS NULL AND {staged} IS NOT NULL)"


# Columns are named: INSERT ROW goes by their order, which a user's own column can change.
def _insert(table: Table, also: str = "") -> str:
    values = ", ".join(_INSERTED[column.role].format(quoted(column.name)) for column in table.columns)
    return f"WHEN NOT MATCHED BY TARGET{also} THEN INSERT ({_listed(table.column_names)}) VALUES ({values})"


def _updated(column: Column) -> str:
    return _UPDATED[column.role].format(quoted(column.name))


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in columns)
