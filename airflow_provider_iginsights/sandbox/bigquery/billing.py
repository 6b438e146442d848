"""What a statement would cost at Google, on demand: the bytes that it processes and the bytes that are billed.

The rules, from Google's documentation ("BigQuery pricing", "On-demand query size calculation" of the DML reference,
"Introduction to clustered tables"), and what is assumed where it is silent, always to the dearer side:

* A column that a statement names costs its logical size in what is read; NULL costs nothing. Each mention of a table
  counts for itself.
* Conditions that hold the partition column against constants leave partitions out; those that hold the first cluster
  column against constants leave blocks out. Blocks hold ``Switches.block_bytes`` of whole rows of one partition, in
  the order of that column; a block is read if a constant lies between its first and its last value.
* UPDATE, DELETE, and a MERGE that has such a clause cost in addition the whole size of the target's partitions that
  they read, whether or not a row changes; blocks do not count here. INSERT, and a MERGE that only inserts, do not.
  A MERGE with WHEN NOT MATCHED BY SOURCE reads all partitions, unless ON is FALSE and that clause leaves some out.
* At least 10 MiB are billed per table, rounded up to MiB; nothing where nothing is processed, or where it fails.
* Nobody knows blocks beforehand: a dry run, and the limit ``maximumBytesBilled``, count all blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from airflow_provider_iginsights.sandbox.bigquery.columns import quote
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.pruning import block_condition, partition_condition
from airflow_provider_iginsights.sandbox.bigquery.query import Session, duckdb_sql
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["Bill", "bill_statement"]

MIB = 2**20
LEAST = 10 * MIB
_FREE = 0, 0


@dataclass(frozen=True, slots=True)
class Bill:
    """Bytes ``processed`` and ``billed``; ``at_most`` and ``billed_at_most``: what is known of them beforehand."""

    processed: int = 0
    billed: int = 0
    at_most: int = 0
    billed_at_most: int = 0

    @property
    def statistics(self) -> dict[str, str]:
        """What the REST JobStatistics2 says of it after a run."""
        return {"totalBytesProcessed": str(self.processed), "totalBytesBilled": str(self.billed)}

    @property
    def forecast(self) -> dict[str, str]:
        """What the REST JobStatistics2 says of it after a dry run."""
        # JobStatistics2 has both words: what clustering leaves out is known only after the run ("Estimate query size").
        accuracy = "PRECISE" if self.at_most == self.processed else "UPPER_BOUND"
        said = {"totalBytesProcessed": str(self.at_most), "totalBytesProcessedAccuracy": accuracy}
        # A dry run itself is free ("Estimate and control costs").
        return {**said, "totalBytesBilled": "0"}

    def check(self, limit: str | None) -> None:
        """Refuse a statement that can cost more than the limit (bytes). Raises BigQueryError."""
        if limit and int(limit) < self.billed_at_most:
            raise BigQueryError(
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {limit}. {self.billed_at_most} or higher required.",
            )


class Mention(NamedTuple):
    """One mention of a table: the columns that are read, None = all, and the conditions that hold for its rows."""

    table: StoredTable
    alias: str
    columns: frozenset[str] | None
    conditions: Sequence[exp.Expression]


def bill_statement(session: Session, tree: exp.Expression, *, block_bytes: int) -> Bill:
    """Return what a statement would cost now; nothing for one that is wrong, or that reads no table."""
    select, changed = _read_part(tree)
    if select is None:
        return Bill()
    try:
        reading = Session(session.storage, session.project, session.location, session.default_dataset)
        resolved = reading.resolve(select)
        tables = {str(table.physical): table for table in reading.read if table.physical}
        if not tables:
            return Bill()
        mentions = list(_mentions(resolved, tables))
        target = session.target(changed) if changed is not None else None
        with session.storage.cursor() as cursor:
            sizes = [(each.table, *_measure(cursor, each, block_bytes=block_bytes)) for each in mentions]
            rewritten = [each._replace(columns=None) for each in mentions if each.table is target][:1]
            sizes += [(each.table, *_measure(cursor, each, block_bytes=None)) for each in rewritten]
    except (BigQueryError, duckdb.Error):
        return Bill()
    return _add_up(sizes)


def _add_up(sizes: Sequence[tuple[StoredTable, int, int]]) -> Bill:
    read: dict[str, int] = {}
    most: dict[str, int] = {}
    for table, size, at_most in sizes:
        name = str(table.physical)
        read[name], most[name] = read.get(name, 0) + size, most.get(name, 0) + at_most
    return Bill(sum(read.values()), _billed(read), sum(most.values()), _billed(most))


def _billed(by_table: Mapping[str, int]) -> int:
    if not any(by_table.values()):
        return 0
    # "BigQuery pricing": at least 10 MB for each table that a query references, rounded up to the next MB.
    return sum(max(LEAST, -(-size // MIB) * MIB) for size in by_table.values())


def _read_part(tree: exp.Expression) -> tuple[exp.Expression | None, exp.Expression | None]:
    """Return a SELECT that reads what the statement reads, and the table of which it may rewrite rows."""
    if isinstance(tree, exp.Query):
        return tree.copy(), None
    if isinstance(tree, exp.Insert) or (isinstance(tree, exp.Create) and tree.args.get("kind") == "TABLE"):
        query = tree.expression
        return (query.copy() if isinstance(query, exp.Query) else None), None
    if isinstance(tree, exp.Merge):
        return _read_by_merge(tree)
    if isinstance(tree, exp.Update | exp.Delete):
        values = [node.expression for node in tree.expressions] if isinstance(tree, exp.Update) else []
        select = _select(values, tree.this)
        if source := tree.args.get("from_"):
            select.join(source.this.copy(), join_type="cross", copy=False)
        if where := tree.args.get("where"):
            select.where(where.this.copy(), copy=False)
        return select, tree.this
    return None, None


def _read_by_merge(tree: exp.Merge) -> tuple[exp.Expression, exp.Expression | None]:
    whens = tree.args["whens"].expressions
    values: list[exp.Expression] = [when.args["condition"] for when in whens if when.args.get("condition")]
    for when in whens:
        then = when.args["then"]
        if isinstance(then, exp.Insert) and then.expression:
            values += then.expression.expressions
        elif isinstance(then, exp.Update):
            values += [node.expression for node in then.expressions]
    # With NOT MATCHED BY SOURCE, every row of the target counts: its condition leaves nothing out. But with ON FALSE,
    # nothing else reads the target, and what holds for all rows of these clauses leaves out days ("Update partitioned
    # table data using DML": pruning partitions with MERGE).
    by_source = [when for when in whens if when.args.get("source")]
    select, on = _select(values, tree.this), tree.args["on"].copy()
    is_false = isinstance(on, exp.Boolean) and not on.this
    if is_false and len(by_source) == 1 and (condition := by_source[0].args.get("condition")):
        select.where(condition.copy(), copy=False)
    select.join(tree.args["using"].copy(), on=on, join_type="full" if by_source else "inner", copy=False)
    # "On-demand query size calculation" (DML): a MERGE with only INSERT clauses pays for what it reads, no partition.
    only_inserts = all(isinstance(when.args["then"], exp.Insert) for when in whens)
    return select, None if only_inserts else tree.this


def _select(values: Sequence[exp.Expression], target: exp.Expression) -> exp.Select:
    """Return a SELECT from the target of what the values read: their columns, each once, and their subqueries."""
    queries = [value for value in values if value.find(exp.Query)]
    columns = (node for value in values if not value.find(exp.Query) for node in value.find_all(exp.Column))
    read = [*{(node.text("table"), node.name): node for node in columns}.values(), *queries]
    named = [exp.Alias(this=node.copy(), alias=exp.to_identifier(f"v{at}")) for at, node in enumerate(read)]
    one = exp.Alias(this=exp.Literal.number(1), alias=exp.to_identifier("v"))
    return exp.Select(expressions=named or [one]).from_(target.copy(), copy=False)


def _mentions(resolved: exp.Expression, tables: Mapping[str, StoredTable]) -> Iterator[Mention]:
    """Yield every mention of a table, that of a statement's target first."""
    schema = {name: {c.name: c.kind.duckdb for c in table.fields} for name, table in tables.items()}
    try:
        plain = qualify(resolved, schema=schema, dialect="bigquery", validate_qualify_columns=False)
        scopes = list(traverse_scope(pushdown_projections(plain)))
    except SqlglotError:
        scopes = []
    if not scopes:  # what cannot be read through is read whole
        yield from (Mention(table, "", None, ()) for table in tables.values())
    for scope in reversed(scopes):
        for alias, (node, source) in scope.selected_sources.items():
            if isinstance(source, exp.Table) and source.name in tables:
                columns = frozenset(column.name.lower() for column in scope.source_columns(alias))
                yield Mention(tables[source.name], alias, columns, list(_conditions(scope.expression, node)))


def _conditions(select: exp.Expression, node: exp.Expression) -> Iterator[exp.Expression]:
    """Yield the conditions without which no row of a mention comes through."""
    if where := select.args.get("where"):
        yield from _conjuncts(where.this)
    for join in select.args.get("joins") or ():
        # The outer side of a join comes through whatever ON says, so its partitions are read all the same.
        is_inner = join.side == "" or (join.side == "LEFT" and join.this is node)
        if join.args.get("on") and is_inner:
            yield from _conjuncts(join.args["on"])


def _conjuncts(condition: exp.Expression) -> Iterator[exp.Expression]:
    inner = condition.unnest()
    if not isinstance(inner, exp.And):
        yield inner
        return
    for part in inner.flatten():
        yield from _conjuncts(part)


def _measure(cursor: duckdb.DuckDBPyConnection, mention: Mention, *, block_bytes: int | None) -> tuple[int, int]:
    """Return the bytes that a mention reads, and with all blocks; without ``block_bytes``, blocks do not count."""
    table = mention.table
    read = [column for column in table.fields if mention.columns is None or column.name.lower() in mention.columns]
    if not read:
        return _FREE
    size = " + ".join(column.size for column in read)
    kept = partition_condition(table, mention.alias, mention.conditions)
    rows = f"FROM {table.physical} WHERE {duckdb_sql(kept) if kept is not None else 'true'}"
    all_blocks = _number(cursor, f"SELECT sum({size}) {rows}")
    blocks = block_condition(table, mention.alias, mention.conditions) if block_bytes is not None else None
    if blocks is None or not all_blocks:
        return all_blocks, all_blocks
    whole, first = " + ".join(column.size for column in table.fields), quote(table.clustered_by[0])
    ordered = f"OVER (PARTITION BY {table.partition_sql} ORDER BY {first}, rowid ROWS UNBOUNDED PRECEDING)"
    placed = (
        f"SELECT {first} AS c, {table.partition_sql} AS p, {size} AS size,"
        f" (sum({whole}) {ordered} - ({whole})) // {block_bytes} AS block {rows}"
    )
    grouped = f"SELECT sum(size) AS size, min(c) AS lo, max(c) AS hi FROM ({placed}) GROUP BY p, block"
    return _number(cursor, f"SELECT sum(size) FROM ({grouped}) WHERE {blocks}"), all_blocks


def _number(cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = cursor.execute(sql).fetchone()
    return int(row[0] or 0) if row else 0
