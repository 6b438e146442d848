"""GoogleSQL into DuckDB.

One statement is parsed, its parameters filled in, its tables, views and INFORMATION_SCHEMA resolved against
the storage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from airflow_provider_iginsights.sandbox.bigquery import information_schema
from airflow_provider_iginsights.sandbox.bigquery.dialect import rewrite
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.parsing import parse_statements
from airflow_provider_iginsights.sandbox.bigquery.routines import arguments_of, call
from airflow_provider_iginsights.sandbox.bigquery.sqlglot_versions import unify
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, StoredTable, TableRef

__all__ = ["Session", "bind", "check_partition_filter", "duckdb_sql", "has_constant_filter", "location_of", "parse"]

# "Quotas and limits", views: levels of nested views.
_DEEPEST_VIEW = 16
_CONSTANT_COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
_POSITION = {"line", "col", "start", "end"}
_FILTERED = (exp.Select, exp.Update, exp.Delete)

E = TypeVar("E", bound=exp.Expression)


@lru_cache(maxsize=64)
def parse(sql: str) -> exp.Expression:
    """Return the one statement of ``sql``. Raises BigQueryError (invalidQuery) for syntax errors and scripts.

    A job reads its statement up to five times. They share one tree: whoever changes it makes a copy first.
    """
    try:
        statements = parse_statements(sql)
    except SqlglotError as error:
        raise BigQueryError("invalidQuery", f"Syntax error: {str(error).splitlines()[0]}", location="query") from error
    if len(statements) != 1:
        raise not_supported("A script of several statements" if statements else "An empty query")
    tree = statements[0]
    unify(tree)
    for node in tree.walk():
        # Where a name stands in the text is copied with each tree, and takes longer to copy than the name.
        if node._meta and node._meta.keys() <= _POSITION:
            node._meta = None
    if isinstance(tree, exp.Command):
        raise not_supported(f"The statement {tree.name}")
    if isinstance(tree, exp.Delete) and not tree.this:
        # GoogleSQL's DELETE without FROM is read as MySQL's form that names several tables.
        tree.set("this", tree.args["tables"][0])
        tree.set("tables", None)
    return tree


def duckdb_sql(tree: exp.Expression) -> str:
    """Return the statement or expression in DuckDB's SQL."""
    try:
        text: str = tree.sql(dialect="duckdb", identify=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except SqlglotError as error:
        raise not_supported(f"This SQL ({error})") from error
    return text


def location_of(storage: Storage, project: str, sql: str, default_dataset: Mapping[str, str] | None) -> str:
    """Where BigQuery would run the query: where its first dataset lies, else the default region."""
    session = Session(storage, project, None, default_dataset)
    try:
        for node in parse(sql).find_all(exp.Table):
            if node.db or default_dataset:
                ref = session.ref_of(node)
                return storage.dataset(ref.project, ref.dataset).location
    except BigQueryError:
        pass
    return storage.location


@dataclass(slots=True)
class Session:
    """What names in a statement mean: the project, the job's region and the default dataset."""

    storage: Storage
    project: str
    location: str | None
    default_dataset: Mapping[str, str] | None = None
    depth: int = 0
    read: list[StoredTable] = field(default_factory=list)
    is_volatile: bool = False
    """Whether a statement means something else the next time, although all tables stay what they are."""

    def ref_of(self, node: exp.Table) -> TableRef:
        """Return the table a name stands for. Raises BigQueryError when it has no dataset."""
        default = self.default_dataset or {}
        dataset = node.db or default.get("datasetId")
        if not dataset:
            raise BigQueryError(
                "invalidQuery", f'Table "{node.name}" must be qualified with a dataset (e.g. dataset.table).'
            )
        # Without a project, a name is of the job's own one; without a dataset, of the default dataset's.
        project = node.catalog or (self.project if node.db else default.get("projectId")) or self.project
        return TableRef(project, dataset, node.name)

    def target(self, node: exp.Expression | None) -> StoredTable:
        """Return the table that a DML or DDL statement changes. Raises BigQueryError (404, or 400 for a view)."""
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise not_supported("A statement on anything but a table")
        table = self.storage.table(self.ref_of(node), location=self.location)
        if table.physical is None:
            raise BigQueryError("invalidQuery", f"{table.ref} is a view; it cannot be changed by this statement.")
        return table

    def resolve(self, tree: E, *, keep: exp.Expression | None = None) -> E:
        """Rewrite the tree in place for DuckDB; the node ``keep`` (a statement's target) stays as it is."""
        self._call_functions(tree)
        rewrite(tree)
        if tree.find(exp.CurrentTimestamp, exp.CurrentDate):
            self._read_clock(tree)
        known = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for node in [node for node in tree.find_all(exp.Table) if node is not keep]:
            if not isinstance(node.this, exp.Identifier):
                raise not_supported(f"The table function {node.name or node.this.sql()}")
            if node.db or node.name.lower() not in known:
                node.replace(self._source(node))
        for column in tree.find_all(exp.Column):
            column.set("db", None)
            column.set("catalog", None)
        return tree

    def _call_functions(self, tree: exp.Expression) -> None:
        """Put the queries of table functions in the place of their calls."""
        for node in [node for node in tree.find_all(exp.Table) if isinstance(node.this, exp.Anonymous)]:
            parts = [node.catalog, node.db, *str(node.this.name).split(".")]
            *qualifiers, name = [part for part in parts if part]
            path = exp.table_(name, *reversed(qualifiers[-2:]))
            routine = self.storage.routines.find(self.ref_of(path))
            if routine is None:
                raise not_supported(f"The table function {name}")
            self.is_volatile = True
            body = parse(str(routine["definitionBody"])).copy()
            query = call(body, arguments=arguments_of(routine), given=node.this.expressions)
            alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(name, quoted=True))
            node.replace(exp.Subquery(this=query, alias=alias))

    def _read_clock(self, tree: exp.Expression) -> None:
        """Put the sandbox's time where the statement asks for the current one."""
        # DuckDB's own clock would be the machine's, and a test that sets the sandbox's time would see two.
        self.is_volatile = True
        now = self.storage.clock.now()
        for node in list(tree.find_all(exp.CurrentTimestamp)):
            node.replace(exp.cast(exp.Literal.string(now.isoformat()), "TIMESTAMPTZ", dialect="duckdb"))
        for node in list(tree.find_all(exp.CurrentDate)):
            zone = ZoneInfo(node.this.name) if node.this else now.tzinfo
            node.replace(exp.cast(exp.Literal.string(str(now.astimezone(zone).date())), "DATE", dialect="duckdb"))

    def _source(self, node: exp.Table) -> exp.Expression:
        """Return what stands for a table name: the table of its rows, the view's query, or rows about metadata."""
        ref = self.ref_of(node)
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(ref.table, quoted=True))
        schema_view = ref.table.upper().partition("INFORMATION_SCHEMA.")
        if schema_view[1]:
            self.storage.dataset(ref.project, ref.dataset, location=self.location)
            self.is_volatile = True
            rows = information_schema.select(self.storage, ref.project, ref.dataset, schema_view[2])
            return exp.Subquery(this=sqlglot.parse_one(rows, read="duckdb"), alias=alias)
        if "*" in ref.table:
            raise not_supported(f"The wildcard table {ref.table}")
        table = self.storage.table(ref, location=self.location)
        self.read.append(table)
        if table.view_query is not None:
            return exp.Subquery(this=self._view(table), alias=alias)
        check_partition_filter(table, node)
        return _with_extras(exp.Table(this=exp.to_identifier(table.physical), alias=alias), node)

    def _view(self, view: StoredTable) -> exp.Expression:
        if self.depth >= _DEEPEST_VIEW:
            raise BigQueryError("invalidQuery", f"Too many nested views at {view.ref}.")
        # A view's query names its datasets ("Introduction to views"): the reader's default dataset does not count.
        inner = Session(self.storage, view.ref.project, self.location, None, self.depth + 1, self.read)
        resolved = inner.resolve(parse(str(view.view_query)).copy())
        self.is_volatile |= inner.is_volatile
        return resolved


def check_partition_filter(table: StoredTable, node: exp.Table, on: exp.Expression | None = None) -> None:
    """Refuse to read a table that asks for a partition filter where no clause around ``node`` has one.

    Only the clauses next to the name must say whose column they mean; further out, a view's or subquery's column counts
    by its name. ``on`` is the condition of a MERGE.
    """
    column, alias = table.required_partition_filter, node.alias_or_name
    if column is None:
        return
    near = [] if on is None else [on]
    ancestor = node.find_ancestor(*_FILTERED)
    near += _conditions(ancestor)
    far: list[exp.Expression] = []
    while ancestor is not None:
        ancestor = ancestor.find_ancestor(*_FILTERED)
        far += _conditions(ancestor)
    if not (
        any(has_constant_filter(condition, column, alias) for condition in near)
        or any(has_constant_filter(condition, column) for condition in far)
    ):
        raise BigQueryError(
            "invalidQuery",
            f"Cannot query over table '{table.ref.dotted}' without a filter over column(s) '{column}' that can be used "
            "for partition elimination",
        )


def has_constant_filter(condition: exp.Expression, column: str, alias: str | None = None) -> bool:
    """Whether a conjunct of the condition holds the column (of ``alias``, if given) against constants only."""
    condition = condition.unnest()
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        columns = list(part.find_all(exp.Column))
        if isinstance(part.unnest(), _CONSTANT_COMPARISONS) and len(columns) == 1:
            owner = columns[0].table
            if columns[0].name.lower() == column.lower() and (alias is None or owner in ("", alias)):
                return True
    return False


def _conditions(node: exp.Expression | None) -> list[exp.Expression]:
    """Return the WHERE of a node and the ON of its joins."""
    if node is None:
        return []
    where = [node.args["where"].this] if node.args.get("where") else []
    return where + [join.args["on"] for join in node.args.get("joins") or () if join.args.get("on")]


def bind(tree: exp.Expression, parameters: Sequence[Resource]) -> exp.Expression:
    """Return a copy with the query parameters as typed literals. Raises BigQueryError for one that is missing.

    A tree that has none is returned itself.
    """
    if not parameters and not tree.find(exp.Parameter, exp.Placeholder):
        return tree
    tree = tree.copy()
    named = {str(entry.get("name")).lower(): entry for entry in parameters if entry.get("name")}
    positional = iter([entry for entry in parameters if not entry.get("name")])
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder, bfs=False)):
        entry = next(positional, None) if isinstance(node, exp.Placeholder) else named.get(node.name.lower())
        if entry is None:
            raise BigQueryError("invalidQuery", f"Query parameter '{node.name or '?'}' not found")
        node.replace(_literal(entry["parameterType"], entry.get("parameterValue") or {}))
    return tree


def _literal(kind: Resource, value: Resource) -> exp.Expression:
    name = str(kind["type"])
    if name == "ARRAY":
        items = [_literal(kind["arrayType"], item) for item in value.get("arrayValues") or ()]
        array: exp.Expression = exp.Array(expressions=items)
        return exp.cast(array, exp.DataType.build(f"ARRAY<{kind['arrayType']['type']}>", dialect="bigquery"))
    # None of these is a type of our columns; a wrong reading of them would be worse than none.
    if name in ("STRUCT", "RANGE", "BYTES", "GEOGRAPHY", "BIGNUMERIC", "INTERVAL"):
        raise not_supported(f"A query parameter of the type {name}")
    text = value.get("value")
    content = exp.null() if text is None else exp.Literal.string(str(text))
    return exp.cast(content, exp.DataType.build(name, dialect="bigquery"))


def _with_extras(replacement: exp.Table, node: exp.Table) -> exp.Table:
    """Keep what hangs on a table name: joins, PIVOT, TABLESAMPLE."""
    for key in ("joins", "pivots", "laterals"):
        if node.args.get(key):
            replacement.set(key, node.args[key])
    if node.args.get("sample") or node.args.get("when") or node.args.get("version"):
        raise not_supported("TABLESAMPLE and time travel")
    return replacement
