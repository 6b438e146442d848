"""Which partitions and blocks of a table the constants of a statement leave out, as conditions in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.query import duckdb_sql
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["block_condition", "partition_condition"]

_BOUNDS: dict[type[exp.Expression], str] = {
    exp.EQ: "lo <= {0} AND {0} <= hi",
    exp.LT: "lo < {0}",
    exp.LTE: "lo <= {0}",
    exp.GT: "hi > {0}",
    exp.GTE: "hi >= {0}",
}
"""What is true of the first and the last value of a block that can hold a row whose column is so to a constant."""


def partition_condition(table: StoredTable, alias: str, conditions: Sequence[exp.Expression]) -> exp.Expression | None:
    """Return the condition of the rows in partitions that may be read; None = of all."""
    column = table.partitioned_by
    if column is None:
        return None
    # "Query partitioned tables": only constants prune, and only where the column stands alone in its comparison.
    constant = [_plain(each) for each in conditions if _is_about(each, alias, column)]
    if not constant:
        return None
    kept = exp.and_(*constant)
    if table.is_partitioned_by_value:
        return kept
    inside = f"SELECT {table.partition_sql} FROM {table.physical} WHERE {duckdb_sql(kept)}"
    return exp.maybe_parse(f"{table.partition_sql} IN ({inside})", dialect="duckdb")


def block_condition(table: StoredTable, alias: str, conditions: Sequence[exp.Expression]) -> str | None:
    """Return the condition of the blocks, known by ``lo`` and ``hi``, that may be read; None = of all."""
    if not table.clustered_by:
        return None
    found = [text for each in conditions if _is_about(each, alias, table.clustered_by[0]) and (text := _bounds(each))]
    return " AND ".join(f"({each})" for each in found) or None


def _is_about(condition: exp.Expression, alias: str, column: str) -> bool:
    """Return whether a condition holds one column of a mention against constants alone."""
    columns = list(condition.find_all(exp.Column))
    return (
        bool(columns)
        # A subquery is no constant: BigQuery knows its value only after it has begun to read.
        and not condition.find(exp.Query)
        and all(each.table == alias and each.name.lower() == column.lower() for each in columns)
    )


def _plain(condition: exp.Expression) -> exp.Expression:
    copied = condition.copy()
    for column in copied.find_all(exp.Column):
        column.set("table", None)
    return copied


def _bounds(condition: exp.Expression) -> str | None:
    if isinstance(condition, exp.In) and isinstance(condition.this, exp.Column):
        values = ", ".join(f"({duckdb_sql(value)})" for value in _listed(condition))
        return f"EXISTS (SELECT 1 FROM (VALUES {values}) AS v(c) WHERE v.c BETWEEN lo AND hi)" if values else None
    if isinstance(condition, exp.Between) and isinstance(condition.this, exp.Column):
        low, high = duckdb_sql(condition.args["low"]), duckdb_sql(condition.args["high"])
        return f"hi >= {low} AND lo <= {high}"
    bound = _BOUNDS.get(type(condition))
    if bound and isinstance(condition.this, exp.Column) and not condition.expression.find(exp.Column):
        return bound.format(duckdb_sql(condition.expression))
    return None


def _listed(condition: exp.In) -> Iterator[exp.Expression]:
    """Yield the values of IN (...) and of IN UNNEST([...])."""
    yield from condition.expressions
    unnested = condition.args.get("unnest")
    for array in unnested.find_all(exp.Array) if unnested is not None else ():
        yield from array.expressions
