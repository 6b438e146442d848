"""UPDATE, DELETE and MERGE in one shape.

There are preparatory statements, then clauses that each say which rows they are about and what becomes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, quote
from airflow_provider_iginsights.sandbox.bigquery.dialect import check_comparisons
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.query import (
    Session,
    check_partition_filter,
    duckdb_sql,
    has_constant_filter,
)
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable, TableShape

__all__ = ["Clause", "Mutation", "StatementKey", "Value", "column_named", "read_mutation"]

StatementKey = tuple[str, str]
"""What one statement is told from another by: its text, and its parameters as text."""


_MOST_READ = 64
_READ: dict[tuple[object, ...], tuple[Mutation, tuple[tuple[StoredTable, TableShape], ...]]] = {}
"""Statements that were read, each with the tables that it depends on, as they were then."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a column becomes, in DuckDB's SQL; BigQuery coerces a literal to its column by what it is."""

    sql: str
    is_literal: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of a mutation: what it does, and the FROM and WHERE of the rows it does it to.

    ``values`` maps columns of the table, in small letters, to what they become; a row of the target is identified by
    ``rowid``.
    """

    action: str
    rows: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mutation:
    """An UPDATE, DELETE or MERGE in one shape: preparatory statements, then clauses."""

    table: StoredTable
    alias: str
    prelude: Sequence[str]
    clauses: Sequence[Clause]
    shape: TableShape

    @property
    def is_current(self) -> bool:
        """Whether the table still is what it was when the statement was read."""
        return self.shape == self.table.shape


@dataclass(frozen=True, slots=True)
class Compared:
    """What a mutation compares: the conditions over its target and what it joins."""

    table: StoredTable
    alias: str
    joins: Sequence[exp.Join]
    conditions: Sequence[exp.Expression]

    def as_select(self) -> exp.Expression:
        """Return the conditions as those of a SELECT."""
        target = exp.alias_(exp.to_table(str(self.table.physical)), self.alias[1:-1], table=True, quoted=True)
        select = exp.select("1").from_(target).where(*(part.copy() for part in self.conditions))
        select.set("joins", [join.copy() for join in self.joins])
        return select


def _merge(session: Session, tree: exp.Expression) -> Mutation:
    """``MERGE``: the source is read once, the pairs that match are found once, and each WHEN draws on them."""
    table, target = _target(session, tree)
    _check_merge_filter(table, tree, target)
    session.resolve(tree, keep=target)
    alias, source = _alias(target), tree.args["using"]
    conditions = [tree.args["on"], *(when.args.get("condition") for when in tree.args["whens"].expressions)]
    read_sql = duckdb_sql(source)
    texts = [duckdb_sql(part) if part is not None else "true" for part in conditions]
    compared = Compared(table, alias, [exp.Join(this=source)], [part for part in conditions if part is not None])
    check_comparisons(" ".join([alias, read_sql, *texts]), compared.as_select, [table, *session.read])
    name = _alias(source)
    target_sql, source_sql = f"{table.physical} AS {alias}", f'"@source" AS {name}'
    joined = f"{target_sql} JOIN {source_sql} ON {texts[0]}"
    prelude = [
        f'CREATE TEMP TABLE "@source" AS SELECT * FROM {read_sql}',
        f'CREATE TEMP TABLE "@pairs" AS SELECT {alias}.rowid AS t, {name}.rowid AS s FROM {joined}',
    ]
    both = (
        f'FROM "@pairs" AS "@p" JOIN {target_sql} ON {alias}.rowid = "@p".t JOIN {source_sql} ON {name}.rowid = "@p".s'
    )
    rows = {
        (True, False): f"{both} WHERE true",
        (False, False): f'FROM {source_sql} WHERE {name}.rowid NOT IN (SELECT s FROM "@pairs")',
        (False, True): f'FROM {target_sql} WHERE {alias}.rowid NOT IN (SELECT t FROM "@pairs")',
    }
    clauses: list[Clause] = []
    earlier: dict[tuple[bool, bool], str] = dict.fromkeys(rows, "")
    for when, text in zip(tree.args["whens"].expressions, texts[1:], strict=True):
        kind = bool(when.args.get("matched")), bool(when.args.get("source"))
        condition = f"({text})"
        clauses.append(_when(table, alias, when.args["then"], f"{rows[kind]}{earlier[kind]} AND {condition}"))
        # A row goes to the first clause of its kind whose condition holds ("DML syntax", MERGE).
        earlier[kind] += f" AND NOT coalesce({condition}, false)"
    return _mutation(table, alias, clauses, prelude)


def _mutation(table: StoredTable, alias: str, clauses: Sequence[Clause], prelude: Sequence[str] = ()) -> Mutation:
    return Mutation(table, alias, prelude, clauses, table.shape)


def _when(table: StoredTable, alias: str, then: exp.Expression, rows: str) -> Clause:
    """Return the action of a WHEN clause over its rows."""
    if isinstance(then, exp.Insert):
        columns = then.this.expressions if then.this is not None else [exp.column(c.name) for c in table.fields]
        values = then.expression.expressions if isinstance(then.expression, exp.Tuple) else []
        if len(columns) != len(values) or not values:
            raise not_supported("MERGE with INSERT ROW or with a count of values other than that of the columns")
        return Clause("INSERT", rows, _assigned(table, zip(columns, values, strict=True)))
    if isinstance(then, exp.Update):
        return Clause("UPDATE", rows, _updated(table, alias, then.expressions))
    return Clause("DELETE", rows)


def _update(session: Session, tree: exp.Expression) -> Mutation:
    table, target = _target(session, tree)
    check_partition_filter(table, target)
    session.resolve(tree, keep=target)
    alias, source = _alias(target), tree.args.get("from_")
    others = f", {duckdb_sql(source).removeprefix('FROM ')}" if source else ""
    joins = [exp.Join(this=source.this)] if source else []
    rows = f"FROM {table.physical} AS {alias}{others} WHERE {_where(tree)}"
    compared = Compared(table, alias, joins, [tree.args["where"].this])
    check_comparisons(rows, compared.as_select, [table, *session.read])
    return _mutation(table, alias, [Clause("UPDATE", rows, _updated(table, alias, tree.expressions))])


def _delete(session: Session, tree: exp.Expression) -> Mutation:
    table, target = _target(session, tree)
    check_partition_filter(table, target)
    session.resolve(tree, keep=target)
    alias = _alias(target)
    rows = f"FROM {table.physical} AS {alias} WHERE {_where(tree)}"
    compared = Compared(table, alias, [], [tree.args["where"].this])
    check_comparisons(rows, compared.as_select, [table, *session.read])
    return _mutation(table, alias, [Clause("DELETE", rows)])


def read_mutation(session: Session, tree: exp.Expression, key: StatementKey) -> Mutation:
    """Return the statement in that shape; ``key`` is its text. Raises BigQueryError for what cannot be done."""
    # Whoever writes makes a dry run first, and reading a MERGE takes longer than running it.
    place = *key, session.project, session.location, tuple(sorted((session.default_dataset or {}).items()))
    mutation, read = _READ.get(place, (None, ()))
    if mutation is None or not all(_is_unchanged(session, *each) for each in read):
        mutation = _BUILDERS[type(tree)](session, tree.copy())
        if not session.is_volatile:
            if len(_READ) >= _MOST_READ:
                _READ.clear()
            _READ[place] = mutation, tuple((table, table.shape) for table in [mutation.table, *session.read])
    return mutation


def _is_unchanged(session: Session, table: StoredTable, shape: TableShape) -> bool:
    try:
        return session.storage.find_table(table.ref) is table and table.shape == shape
    except BigQueryError:
        return False


_BUILDERS: dict[type[exp.Expression], Callable[[Session, exp.Expression], Mutation]] = {
    exp.Merge: _merge,
    exp.Update: _update,
    exp.Delete: _delete,
}


def _target(session: Session, tree: exp.Expression) -> tuple[StoredTable, exp.Table]:
    target = tree.this
    return session.target(target), target


def _alias(node: exp.Expression) -> str:
    """Return the name other parts of the statement use for a table or subquery."""
    return quote(node.alias or (node.name if isinstance(node, exp.Table) else "@unnamed"))


def _where(tree: exp.Expression) -> str:
    if not tree.args.get("where"):
        # "DML syntax": UPDATE and DELETE need WHERE; WHERE TRUE changes all rows.
        raise BigQueryError("invalidQuery", f"{tree.key.upper()} must have a WHERE clause")
    return duckdb_sql(tree.args["where"].this)


def _check_merge_filter(table: StoredTable, tree: exp.Expression, target: exp.Table) -> None:
    """Refuse a filtered target without a filter in ON or, with ON FALSE, in each clause that reads it."""
    on = tree.args["on"]
    if isinstance(on, exp.Boolean) and not on.this and table.required_partition_filter:
        column = table.required_partition_filter
        # With ON FALSE nothing matches, and only NOT MATCHED BY SOURCE reads the target ("Query partitioned tables",
        # MERGE).
        reads = [when for when in tree.args["whens"].expressions if when.args.get("source")]
        if all(when.args.get("condition") and has_constant_filter(when.args["condition"], column) for when in reads):
            return
    check_partition_filter(table, target, on)


def column_named(table: StoredTable, name: str) -> SchemaField:
    """Return the table's column of that name. Raises BigQueryError (invalidQuery)."""
    for column in table.fields:
        if column.name.lower() == name.lower():
            return column
    raise BigQueryError("invalidQuery", f"Column {name} is not present in table {table.ref.dotted}")


def _assigned(table: StoredTable, pairs: Iterable[tuple[exp.Expression, exp.Expression]]) -> dict[str, Value]:
    return {column_named(table, column.name).name.lower(): _value(value) for column, value in pairs}


def _updated(table: StoredTable, alias: str, assignments: Sequence[exp.Expression]) -> dict[str, Value]:
    """Every column's value after an UPDATE: what is assigned, else what it was."""
    assigned = _assigned(table, ((node.this, node.expression) for node in assignments))
    kept = {column.name.lower(): Value(f"{alias}.{quote(column.name)}") for column in table.fields}
    return {**kept, **assigned}


def _value(node: exp.Expression) -> Value:
    inner = node.this if isinstance(node, exp.Neg | exp.Cast) else node
    # A FLOAT64 literal is a cast by now.
    is_other_cast = isinstance(node, exp.Cast) and node.to.this != exp.DataType.Type.DOUBLE
    return Value(duckdb_sql(node), not is_other_cast and isinstance(inner, exp.Literal | exp.Null))
