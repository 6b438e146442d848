"""One statement from text to outcome: what a query job does when its turn comes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery import ddl
from airflow_provider_iginsights.sandbox.bigquery.billing import Bill, bill_statement
from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, quote, result_type
from airflow_provider_iginsights.sandbox.bigquery.dialect import check_comparisons
from airflow_provider_iginsights.sandbox.bigquery.dml import Concurrency, DmlStats, check_dml, run_dml, target_of
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported, translate
from airflow_provider_iginsights.sandbox.bigquery.mutations import StatementKey
from airflow_provider_iginsights.sandbox.bigquery.query import Session, bind, duckdb_sql, parse
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, TableRef

__all__ = [
    "StatementResult",
    "check_statement",
    "is_dml",
    "mutated_table",
    "price_statement",
    "run_statement",
    "schema_of",
]

_DML: dict[type[exp.Expression], str] = {
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.TruncateTable: "TRUNCATE_TABLE",
}
# "Data manipulation language", conflicts: a statement that conflicts is run again up to three times.
_ATTEMPTS = 4
# INSERT conflicts with nothing and has a queue of its own ("Data manipulation language", concurrency).
_QUEUED = (exp.Update, exp.Delete, exp.Merge)


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What a statement left: a DuckDB table with the result of a SELECT, or counts, or the table it was about."""

    statement_type: str
    target: TableRef | None = None
    source: str | None = None
    fields: Sequence[SchemaField] = ()
    stats: DmlStats | None = None

    @property
    def schema(self) -> Resource:
        """The REST schema of the result."""
        return {"fields": [dict(column.resource) for column in self.fields]}


def run_statement(session: Session, sql: str, parameters: list[Resource], concurrency: Concurrency) -> StatementResult:
    """Run one GoogleSQL statement. Raises BigQueryError, and then it left nothing behind.

    What meets another statement on the same rows, or on a table that is being replaced, is run again up to three times.
    """
    tree, key = bind(parse(sql), parameters), (sql, json.dumps(parameters))
    for _ in range(_ATTEMPTS):
        try:
            return _run(session, tree, key, concurrency)
        except duckdb.Error as error:
            refusal = translate(error)
        except BigQueryError as error:
            refusal = error
        if refusal.reason != "concurrentUpdate":
            raise refusal
    about = target_of(session, tree).ref if type(tree) in _DML else "of the query"
    raise BigQueryError("invalidQuery", f"Could not serialize access to table {about} due to concurrent update")


def check_statement(session: Session, sql: str, parameters: list[Resource]) -> None:
    """Look a query or a DML statement through as a dry run does. Raises BigQueryError; nothing is changed or kept."""
    tree, key = bind(parse(sql), parameters), (sql, json.dumps(parameters))
    if type(tree) not in _DML and not isinstance(tree, exp.Query):
        raise not_supported("A dry run of this statement")
    try:
        if isinstance(tree, exp.Query):
            schema_of(session, tree.copy())
        else:
            check_dml(session, tree, key)
    except duckdb.Error as error:
        raise translate(error) from error


def price_statement(session: Session, sql: str, parameters: list[Resource], *, block_bytes: int) -> Bill:
    """Return what a statement would cost now; nothing for one that is wrong."""
    try:
        tree = bind(parse(sql), parameters)
    except BigQueryError:
        return Bill()
    return bill_statement(session, tree, block_bytes=block_bytes)


def is_dml(sql: str) -> bool:
    """Return whether a statement changes rows; False for one that cannot be read."""
    try:
        return type(parse(sql)) in _DML
    except BigQueryError:
        return False


def mutated_table(session: Session, sql: str) -> TableRef | None:
    """Return the table of an UPDATE, DELETE or MERGE; None for any other statement, and for one that is wrong."""
    try:
        tree = parse(sql)
        return target_of(session, tree).ref if isinstance(tree, _QUEUED) else None
    except BigQueryError:
        return None


def schema_of(session: Session, tree: exp.Expression) -> Resource:
    """Return the REST schema of a query's result."""
    with session.storage.cursor() as cursor:
        return {"fields": [dict(column.resource) for column in _describe(cursor, _prepared(session, tree))]}


def _run(session: Session, tree: exp.Expression, key: StatementKey, concurrency: Concurrency) -> StatementResult:
    kind = type(tree)
    if kind in _DML:
        target = target_of(session, tree).ref
        return StatementResult(_DML[kind], target, stats=run_dml(session, tree, key, concurrency))
    tree = tree.copy()
    if isinstance(tree, exp.Query):
        return _select(session, tree)
    if isinstance(tree, exp.Create):
        return _create(session, tree)
    run: Callable[[Session, exp.Expression], tuple[str, TableRef]] | None = {
        exp.Drop: ddl.drop,
        exp.Alter: ddl.alter,
    }.get(kind)
    if run is None:
        raise not_supported(f"The statement {kind.__name__.upper()}")
    return StatementResult(*run(session, tree))


def _select(session: Session, tree: exp.Expression) -> StatementResult:
    sql = _prepared(session, tree)
    source = f"results.main.r_{uuid.uuid4().hex}"
    with session.storage.cursor() as cursor:
        fields = _describe(cursor, sql)
        cells = ", ".join(
            f"CAST({quote(column.name)} AS {column.kind.duckdb}) AS {quote(column.name)}" for column in fields
        )
        cursor.execute(f"CREATE TABLE {source} AS SELECT {cells} FROM ({sql})")
    return StatementResult("SELECT", source=source, fields=fields)


def _create(session: Session, tree: exp.Create) -> StatementResult:
    query = tree.expression if tree.args.get("kind") == "TABLE" else None
    result = _select(session, query.copy()) if query is not None else None

    def select(query: exp.Expression) -> Resource:
        if result is not None:
            return result.schema
        return schema_of(session, query.copy())

    before = session.storage.find_table(session.ref_of(tree.find(exp.Table)))
    kind, ref = ddl.create(session, tree, select)
    if result is not None and (before is None or tree.args.get("replace")):
        table = session.storage.table(ref)
        with table.lock, session.storage.transaction() as cursor:
            cursor.execute(f"INSERT INTO {table.physical} SELECT * FROM {result.source}")
    return StatementResult(kind, ref)


def _prepared(session: Session, tree: exp.Expression) -> str:
    """Return the query in DuckDB's SQL, its unnamed columns called f0_, f1_ … as BigQuery calls them."""
    first = tree
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    unnamed = (node for node in first.selects if not isinstance(node, exp.Alias | exp.Column | exp.Star))
    for index, node in enumerate(list(unnamed)):
        node.replace(exp.alias_(node.copy(), f"f{index}_", quoted=True))
    resolved = session.resolve(tree)
    sql = duckdb_sql(resolved)
    check_comparisons(sql, lambda: resolved, session.read)
    return sql


def _describe(cursor: duckdb.DuckDBPyConnection, sql: str) -> tuple[SchemaField, ...]:
    """Return the columns of a DuckDB query, typed as BigQuery's. Raises BigQueryError for names that come twice."""
    described = cursor.execute(f"DESCRIBE {sql}").fetchall()
    names = [str(row[0]).lower() for row in described]
    if len(set(names)) < len(names):
        raise BigQueryError("invalidQuery", "Duplicate column names in the result are not supported.")
    kinds = [(str(row[0]), result_type(str(row[1]))) for row in described]
    return tuple(
        SchemaField(name, kind, False, {"name": name, "type": kind.name, "mode": "NULLABLE"}) for name, kind in kinds
    )
