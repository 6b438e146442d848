"""INSERT, UPDATE, DELETE, MERGE and TRUNCATE, each atomic, with BigQuery's rules for concurrency.

UPDATE, DELETE and MERGE read a snapshot when they start, work out per clause what becomes of which row, and apply it in
one transaction: the rows they change are deleted and written anew. Two statements that change the same row conflict;
the later one is run again up to three times. Rows that are only inserted conflict with nothing, so two MERGEs that
started together insert the same new key twice, as in BigQuery (``insert_race``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, quote, result_type
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.mutations import (
    Clause,
    Mutation,
    StatementKey,
    Value,
    column_named,
    read_mutation,
)
from airflow_provider_iginsights.sandbox.bigquery.query import Session, duckdb_sql
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["Concurrency", "DmlStats", "check_assignable", "check_dml", "run_dml", "target_of"]

# "Conversion rules", coercion: INT64 to NUMERIC and FLOAT64, NUMERIC to FLOAT64; nothing the other way round.
_NULL = Value("NULL", is_literal=True)
_ASSIGNABLE = {("INTEGER", "NUMERIC"), ("INTEGER", "FLOAT"), ("NUMERIC", "FLOAT")}


@dataclass(slots=True)
class Concurrency:
    """How statements meet: whether a statement's snapshot is taken before it gets the table, and ``pause`` between."""

    insert_race: bool = True
    pause: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class DmlStats:
    """Rows inserted, updated and deleted."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def affected(self) -> int:
        """NumDmlAffectedRows."""
        return self.inserted + self.updated + self.deleted

    @property
    def resource(self) -> dict[str, str]:
        """The REST DmlStats."""
        return {
            "insertedRowCount": str(self.inserted),
            "updatedRowCount": str(self.updated),
            "deletedRowCount": str(self.deleted),
        }


def run_dml(session: Session, tree: exp.Expression, key: StatementKey, concurrency: Concurrency) -> DmlStats:
    """Run the statement. Raises BigQueryError, and then nothing has changed."""
    if isinstance(tree, exp.Insert):
        return _insert(session, tree.copy())
    if isinstance(tree, exp.TruncateTable):
        return _truncate(session, tree)
    return _mutate(session, _read_mutation(session, tree, key), concurrency)


def check_dml(session: Session, tree: exp.Expression, key: StatementKey) -> None:
    """Look the statement through without running it. Raises BigQueryError."""
    if isinstance(tree, exp.Insert):
        tree = tree.copy()
        _, columns, source = _read_insert(session, tree)
        with session.storage.cursor() as cursor:
            _check_inserted(cursor, columns, tree.expression, source)
        return
    if isinstance(tree, exp.TruncateTable):
        target_of(session, tree)
        return
    mutation = _read_mutation(session, tree, key)
    with session.storage.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            # Nothing is read: an error of a single row is none of a dry run.
            for statement in mutation.prelude:
                cursor.execute(f"{statement} LIMIT 0")
            for index, clause in enumerate(mutation.clauses):
                _work_out(cursor, mutation, clause, f'"@clause{index}"', limit="LIMIT 0")
        finally:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")


def target_of(session: Session, tree: exp.Expression) -> StoredTable:
    """Return the table the statement changes."""
    node = tree.expressions[0] if isinstance(tree, exp.TruncateTable) else tree.this
    return session.target(node.this if isinstance(node, exp.Schema) else node)


def _read_mutation(session: Session, tree: exp.Expression, key: StatementKey) -> Mutation:
    # Who changes the target's columns shows them before its transaction has ended; read then, they would not fit.
    with target_of(session, tree).lock:
        return read_mutation(session, tree, key)


def _mutate(session: Session, mutation: Mutation, concurrency: Concurrency) -> DmlStats:
    with ExitStack() as held:
        if not concurrency.insert_race:
            held.enter_context(mutation.table.lock)
        with session.storage.transaction() as cursor:
            for statement in mutation.prelude:
                cursor.execute(statement)
            for index, clause in enumerate(mutation.clauses):
                _work_out(cursor, mutation, clause, f'"@clause{index}"')
            _check_single_matches(cursor, mutation)
            # The snapshot is taken: whoever inserts from here on is not seen ("Data manipulation language", concurrent
            # statements).
            concurrency.pause()
            held.enter_context(mutation.table.lock)
            if not mutation.is_current or session.storage.find_table(mutation.table.ref) is not mutation.table:
                raise BigQueryError("concurrentUpdate", f"Table {mutation.table.ref} was replaced.")
            stats = _apply(cursor, mutation)
        session.storage.touch(mutation.table)
        return stats


def _work_out(
    cursor: duckdb.DuckDBPyConnection, mutation: Mutation, clause: Clause, name: str, *, limit: str = ""
) -> None:
    """Write the rows of a clause, and what becomes of them, into a temporary table."""
    row = "NULL" if clause.action == "INSERT" else f"{mutation.alias}.rowid"
    columns = mutation.table.fields if clause.values else ()
    _check_types(cursor, clause, columns)
    values = ((column, clause.values.get(column.name.lower(), _NULL)) for column in columns)
    cells = ", ".join(f"CAST({value.sql} AS {column.kind.duckdb}) AS {quote(column.name)}" for column, value in values)
    cursor.execute(
        f'CREATE TEMP TABLE {name} AS SELECT {row} AS "@row"{", " if cells else ""}{cells} {clause.rows} {limit}'
    )


def _check_types(cursor: duckdb.DuckDBPyConnection, clause: Clause, columns: Sequence[SchemaField]) -> None:
    """Refuse values that BigQuery would not coerce to their column; DuckDB casts anything."""
    values = ((column, clause.values.get(column.name.lower(), _NULL)) for column in columns)
    checked = [(column, value) for column, value in values if not value.is_literal]
    if not checked:
        return
    cursor.execute(f"DESCRIBE SELECT {', '.join(value.sql for _, value in checked)} {clause.rows}")
    for (column, _), described in zip(checked, cursor.fetchall(), strict=True):
        check_assignable(column, described[1])


def check_assignable(column: SchemaField, duckdb_type: str) -> None:
    """Raise BigQueryError unless a value of the DuckDB type can be written to the column."""
    kind = result_type(duckdb_type)
    if duckdb_type != '"NULL"' and kind is not column.kind and (kind.name, column.kind.name) not in _ASSIGNABLE:
        raise BigQueryError(
            "invalidQuery",
            f"Value of type {kind.standard_name} cannot be assigned to {column.name}, which has type "
            f"{column.kind.standard_name}",
        )


def _check_single_matches(cursor: duckdb.DuckDBPyConnection, mutation: Mutation) -> None:
    matched = [
        f'SELECT "@row" FROM "@clause{i}"' for i, clause in enumerate(mutation.clauses) if clause.action != "INSERT"
    ]
    if not matched:
        return
    cursor.execute(f'SELECT 1 FROM ({" UNION ALL ".join(matched)}) GROUP BY "@row" HAVING count(*) > 1 LIMIT 1')
    if cursor.fetchone():
        raise BigQueryError("invalidQuery", "UPDATE/MERGE must match at most one source row for each target row")


def _apply(cursor: duckdb.DuckDBPyConnection, mutation: Mutation) -> DmlStats:
    counts = {"INSERT": 0, "UPDATE": 0, "DELETE": 0}
    physical = mutation.table.physical
    names = ", ".join(quote(column.name) for column in mutation.table.fields)
    for index, clause in enumerate(mutation.clauses):
        rows = f'"@clause{index}"'
        if clause.action != "INSERT":
            counts[clause.action] += _changed(
                cursor, f'DELETE FROM {physical} WHERE rowid IN (SELECT "@row" FROM {rows})'
            )
        if clause.action != "DELETE":
            written = _changed(cursor, f"INSERT INTO {physical} ({names}) SELECT {names} FROM {rows}")
            # An UPDATE is a deletion and an insertion here; it counts once, as the deletion.
            counts[clause.action] += written if clause.action == "INSERT" else 0
    return DmlStats(counts["INSERT"], counts["UPDATE"], counts["DELETE"])


def _changed(cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = cursor.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _insert(session: Session, tree: exp.Insert) -> DmlStats:
    """``INSERT INTO table [(columns)] VALUES or SELECT``."""
    table, columns, source = _read_insert(session, tree)
    names = ", ".join(quote(column.name) for column in columns)
    with table.lock, session.storage.transaction() as cursor:
        _check_inserted(cursor, columns, tree.expression, source)
        inserted = _changed(cursor, f"INSERT INTO {table.physical} ({names}) {source}")
        session.storage.save(table, cursor)
    return DmlStats(inserted=inserted)


def _read_insert(session: Session, tree: exp.Insert) -> tuple[StoredTable, list[SchemaField], str]:
    """Return the target, the columns that are named, and the source in DuckDB's SQL."""
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    table = session.target(target)
    named = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    columns = [column_named(table, node.name) for node in named] or list(table.fields)
    session.resolve(tree, keep=target)
    return table, columns, duckdb_sql(tree.expression)


def _check_inserted(
    cursor: duckdb.DuckDBPyConnection, columns: Sequence[SchemaField], query: exp.Expression, source: str
) -> None:
    described = cursor.execute(f"DESCRIBE {source}").fetchall()
    if len(described) != len(columns):
        raise BigQueryError(
            "invalidQuery", f"Inserted row has wrong column count; Has {len(described)}, expected {len(columns)}"
        )
    if not isinstance(query, exp.Values):
        for column, row in zip(columns, described, strict=True):
            check_assignable(column, row[1])


def _truncate(session: Session, tree: exp.TruncateTable) -> DmlStats:
    table = session.target(tree.expressions[0])
    with table.lock, session.storage.transaction() as cursor:
        deleted = _changed(cursor, f"DELETE FROM {table.physical}")
        session.storage.save(table, cursor)
    return DmlStats(deleted=deleted)
