"""CREATE, ALTER and DROP for tables and views: the statement becomes the REST resource that tables.insert would get."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.query import Session
from airflow_provider_iginsights.sandbox.bigquery.sqlglot_versions import ClusterBy, DropPrimaryKey
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, StoredTable, TableRef

__all__ = ["alter", "create", "drop", "options_of"]

_BY_TIME = (exp.Date, exp.DateTrunc, exp.TimestampTrunc)
_LOADING_TIMES = ("_PARTITIONDATE", "_PARTITIONTIME")


def create(session: Session, tree: exp.Create, select: Callable[[exp.Expression], Resource]) -> tuple[str, TableRef]:
    """Run CREATE TABLE or VIEW; returns the statement type and the name.

    ``select`` gives the schema of a query; rows of CREATE TABLE AS are written by the caller.
    """
    if tree.args.get("kind") not in ("TABLE", "VIEW"):
        raise not_supported(f"CREATE {tree.args.get('kind')}")
    is_view = tree.args["kind"] == "VIEW"
    node = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    ref = TableRef.of(session.ref_of(node).resource)
    session.storage.dataset(ref.project, ref.dataset, location=session.location)
    resource = {**_schema(tree.this), **_properties(tree)}
    if tree.expression is not None:
        described = select(tree.expression)
        resource["schema"] = _described(described, resource.get("schema")) if is_view else described
    if is_view:
        resource["view"] = {"query": tree.expression.sql(dialect="bigquery"), "useLegacySql": False}
    kind = "CREATE_VIEW" if is_view else "CREATE_TABLE_AS_SELECT" if tree.expression is not None else "CREATE_TABLE"
    existing = session.storage.find_table(ref)
    if existing is not None and tree.args.get("exists"):
        # IF NOT EXISTS leaves what is there, whatever its columns ("DDL statements").
        return "CREATE_TABLE" if not is_view else kind, ref
    if existing is not None and tree.args.get("replace"):
        _check_kind(existing, is_view)
        session.storage.delete_table(ref)
    try:
        session.storage.create_table(ref, resource)
    except BigQueryError as error:
        if error.reason != "duplicate" or not tree.args.get("exists"):
            raise
    return kind, ref


def drop(session: Session, tree: exp.Drop) -> tuple[str, TableRef]:
    """Run DROP TABLE or VIEW [IF EXISTS]."""
    nodes = tree.args.get("tables") or [tree.this]
    if tree.args.get("kind") not in ("TABLE", "VIEW") or len(nodes) != 1:
        raise not_supported(f"DROP {tree.args.get('kind')}")
    ref = session.ref_of(nodes[0])
    found = session.storage.find_table(ref, location=session.location)
    if found is not None:
        _check_kind(found, tree.args["kind"] == "VIEW")
        session.storage.delete_table(ref)
    elif not tree.args.get("exists"):
        session.storage.table(ref)
    return f"DROP_{tree.args['kind']}", ref


def alter(session: Session, tree: exp.Alter) -> tuple[str, TableRef]:
    """Run ALTER TABLE with ADD COLUMN, ADD or DROP PRIMARY KEY and SET OPTIONS actions, all or nothing."""
    table = session.target(tree.this)
    changes: Resource = {}
    # All actions of one ALTER happen or none does; so they are collected before the table is touched.
    with table.lock:
        columns = list(table.resource["schema"]["fields"])
        for action in tree.args["actions"]:
            if isinstance(action, exp.AlterSet):
                changes |= _partitions_of(options_of(action.find_all(exp.Property)), table)
            elif isinstance(action, DropPrimaryKey | exp.AddConstraint):
                changes["tableConstraints"] = _constraints(table, action, table.resource | changes)
            elif isinstance(action, exp.ColumnDef):
                _add_column(table, action, columns)
            else:
                raise not_supported(f"ALTER TABLE with {action.sql(dialect='bigquery')}")
        if len(columns) > len(table.fields):
            changes["schema"] = {"fields": columns}
        if changes:
            session.storage.update_table(table, changes, by_ddl=True)
    return "ALTER_TABLE", table.ref


def _add_column(table: StoredTable, action: exp.ColumnDef, columns: list[Resource]) -> None:
    # Names of columns are not case-sensitive ("Lexical structure", case sensitivity).
    if action.name.lower() not in {column["name"].lower() for column in columns}:
        columns.append(_column(action))
    elif not action.args.get("exists"):
        raise BigQueryError("invalidQuery", f"Column already exists: {action.name} at table {table.ref.dotted}")


def _constraints(table: StoredTable, action: exp.Expression, resource: Resource) -> Resource | None:
    """Return the table's constraints after ADD PRIMARY KEY or DROP PRIMARY KEY."""
    claimed = (resource.get("tableConstraints") or {}).get("primaryKey")
    if isinstance(action, DropPrimaryKey):
        if claimed is None and not action.meta.get("exists"):
            raise BigQueryError("invalidQuery", f"Table {table.ref.dotted} has no primary key.")
        return None
    (key,) = action.expressions
    # BigQuery refuses a key that is to be enforced ("Use primary and foreign keys").
    if not isinstance(key, exp.PrimaryKey) or key.args.get("options") != ["NOT ENFORCED"]:
        raise not_supported(f"ALTER TABLE with {action.sql(dialect='bigquery')}: only PRIMARY KEY (...) NOT ENFORCED")
    if claimed is not None:
        raise BigQueryError("invalidQuery", f"Table {table.ref.dotted} already has a primary key.")
    return {"primaryKey": {"columns": [column.name for column in key.expressions]}}


def options_of(properties: Iterable[exp.Property]) -> Resource:
    """OPTIONS(…) as resource keys. Raises BigQueryError for an option that is not kept."""
    resource: Resource = {}
    for entry in properties:
        value, name = entry.args["value"], entry.name.lower()
        if name not in _OPTIONS:
            raise not_supported(f"The option {name}")
        # NULL clears an option ("DDL statements", table_option_list).
        key, read = _OPTIONS[name]
        resource[key] = None if isinstance(value, exp.Null) else read(value)
    return resource


def _partitions_of(options: Resource, table: StoredTable) -> Resource:
    """Return options with the expiration of partitions where the REST API has it."""
    if "expirationMs" not in options:
        return options
    # SQL counts days in an option of the table, the REST API milliseconds in its partitioning.
    partitioning = {**table.resource.get("timePartitioning", {}), "expirationMs": options.pop("expirationMs")}
    return {**options, "timePartitioning": partitioning}


def _labels(value: exp.Expression) -> dict[str, str]:
    return {pair.expressions[0].name: pair.expressions[1].name for pair in value.expressions}


def _expiration(value: exp.Expression) -> str:
    literal = value.find(exp.Literal)
    if not isinstance(value, exp.Cast) or literal is None:
        raise not_supported("An expiration_timestamp that is not a TIMESTAMP literal")
    instant = dt.datetime.fromisoformat(literal.name.replace(" UTC", "+00:00").replace("Z", "+00:00"))
    aware = instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)
    return str(int(aware.timestamp() * 1000))


_OPTIONS: dict[str, tuple[str, Callable[[exp.Expression], Any]]] = {
    "description": ("description", lambda value: value.name),
    "friendly_name": ("friendlyName", lambda value: value.name),
    "labels": ("labels", _labels),
    "require_partition_filter": ("requirePartitionFilter", lambda value: bool(value.this)),
    "expiration_timestamp": ("expirationTime", _expiration),
    "partition_expiration_days": ("expirationMs", lambda value: str(int(float(value.name) * 86_400_000))),
}


def _schema(node: exp.Expression) -> Resource:
    """Return the columns and the primary key of a CREATE statement."""
    if not isinstance(node, exp.Schema):
        return {}
    columns = [_column(entry) for entry in node.expressions if isinstance(entry, exp.ColumnDef)]
    keys = [entry for entry in node.expressions if isinstance(entry, exp.PrimaryKey)]
    others = [entry for entry in node.expressions if not isinstance(entry, exp.ColumnDef | exp.PrimaryKey)]
    if others:
        raise not_supported(f"CREATE TABLE with {others[0].sql(dialect='bigquery')}")
    constraints = [{"columns": [column.name for column in key.expressions]} for key in keys]
    key = {"tableConstraints": {"primaryKey": constraints[0]}} if constraints else {}
    return {"schema": {"fields": columns}, **key}


def _column(node: exp.ColumnDef) -> Resource:
    """Return a column definition as a TableFieldSchema."""
    column: Resource = {"name": node.name, "mode": "NULLABLE"}
    if node.kind is not None:
        column["type"] = node.kind.sql(dialect="bigquery")
    for constraint in node.args.get("constraints") or ():
        if isinstance(constraint.kind, exp.NotNullColumnConstraint):
            column["mode"] = "REQUIRED"
        elif isinstance(constraint.kind, exp.Properties):
            column |= options_of(constraint.kind.expressions)
        else:
            raise not_supported(f"A column with {constraint.sql(dialect='bigquery')}")
    return column


def _properties(tree: exp.Create) -> Resource:
    """PARTITION BY, CLUSTER BY and OPTIONS as resource keys."""
    resource: Resource = {}
    entries = tree.args["properties"].expressions if tree.args.get("properties") else []
    for entry in entries:
        if isinstance(entry, exp.PartitionedByProperty):
            resource["timePartitioning"] = _partitioning(entry.this)
        elif isinstance(entry, ClusterBy):
            resource["clustering"] = {"fields": [column.name for column in entry.expressions]}
        elif type(entry) is not exp.Property:
            raise not_supported(f"CREATE with {entry.sql(dialect='bigquery')}")
    options = options_of(entry for entry in entries if type(entry) is exp.Property)
    if "expirationMs" in options:
        resource["timePartitioning"] = {
            **resource.get("timePartitioning", {}),
            "expirationMs": options.pop("expirationMs"),
        }
    return resource | options


def _partitioning(node: exp.Expression) -> Resource:
    """``column``, ``DATE(column)`` or ``TIMESTAMP_TRUNC(column, DAY)``."""
    column = node.this if isinstance(node, _BY_TIME) else node
    # A partition by ranges of numbers, or by the time of loading, would pass here for one by days.
    if not isinstance(column, exp.Identifier | exp.Column) or column.name.upper() in _LOADING_TIMES:
        raise not_supported(f"PARTITION BY {node.sql(dialect='bigquery')}")
    unit = node.args.get("unit")
    return {"type": unit.name.upper() if unit else "DAY", "field": column.name}


def _described(described: Resource, declared: Resource | None) -> Resource:
    """Return a view's columns as the query has them, under the names and descriptions of its column list."""
    if declared is None:
        return described
    pairs = zip(described["fields"], declared["fields"], strict=True)
    return {"fields": [{**column, **listed, "type": column["type"]} for column, listed in pairs]}


def _check_kind(table: StoredTable, is_view: bool) -> None:
    if (table.view_query is not None) != is_view:
        raise BigQueryError("invalidQuery", f"{table.ref} is {'not a view' if is_view else 'a view'}.")
