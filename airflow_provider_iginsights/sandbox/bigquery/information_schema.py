"""INFORMATION_SCHEMA of a dataset, for the views that schema checks read, as DuckDB SELECTs made from the metadata."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping

from airflow_provider_iginsights.sandbox.bigquery.errors import not_supported
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["select"]

Rows = Iterator[tuple[str | int | None, ...]]

_NAMES = (("table_catalog", "VARCHAR"), ("table_schema", "VARCHAR"), ("table_name", "VARCHAR"))


def select(storage: Storage, project: str, dataset: str, view: str) -> str:
    """Return a DuckDB SELECT with the rows of one view. Raises BigQueryError for a view that is not kept here."""
    if view not in _VIEWS:
        raise not_supported(f"INFORMATION_SCHEMA.{view}")
    columns, rows_of = _VIEWS[view]
    rows = [
        (project, dataset, table.ref.table, *row)
        for table in storage.tables(project, dataset)
        for row in rows_of(table)
    ]
    lines = [_row(columns, row) for row in rows]
    return (
        # Without tables the view has no rows, but still its columns.
        " UNION ALL ".join(lines) if lines else f"SELECT * FROM ({_row(columns, (None,) * len(columns))}) WHERE false"
    )


def _row(columns: tuple[tuple[str, str], ...], row: tuple[str | int | None, ...]) -> str:
    pairs = zip(columns, row, strict=True)
    return "SELECT " + ", ".join(f"CAST({_literal(value)} AS {kind}) AS {name}" for (name, kind), value in pairs)


def _literal(value: str | int | None) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def _tables(table: StoredTable) -> Rows:
    created = dt.datetime.fromtimestamp(int(table.resource["creationTime"]) / 1000, dt.UTC).isoformat()
    yield "VIEW" if table.view_query else "BASE TABLE", "NO" if table.view_query else "YES", "NO", created


def _columns(table: StoredTable) -> Rows:
    clustered = [name.lower() for name in table.resource.get("clustering", {}).get("fields", ())]
    partitioned = str(table.resource.get("timePartitioning", {}).get("field")).lower()
    for position, column in enumerate(table.fields, 1):
        name = column.name.lower()
        yield (
            column.name,
            position,
            "NO" if column.required else "YES",
            column.kind.standard_name,
            "YES" if name == partitioned else "NO",
            clustered.index(name) + 1 if name in clustered else None,
        )


def _field_paths(table: StoredTable) -> Rows:
    for column in table.fields:
        yield column.name, column.name, column.kind.standard_name, column.resource.get("description")


_VIEWS: Mapping[str, tuple[tuple[tuple[str, str], ...], Callable[[StoredTable], Rows]]] = {
    "TABLES": (
        (*_NAMES, ("table_type", "VARCHAR"), ("is_insertable_into", "VARCHAR"), ("is_typed", "VARCHAR"),
         ("creation_time", "TIMESTAMPTZ")),
        _tables,
    ),
    "COLUMNS": (
        (*_NAMES, ("column_name", "VARCHAR"), ("ordinal_position", "BIGINT"), ("is_nullable", "VARCHAR"),
         ("data_type", "VARCHAR"), ("is_partitioning_column", "VARCHAR"), ("clustering_ordinal_position", "BIGINT")),
        _columns,
    ),
    "COLUMN_FIELD_PATHS": (
        (*_NAMES, ("column_name", "VARCHAR"), ("field_path", "VARCHAR"), ("data_type", "VARCHAR"),
         ("description", "VARCHAR")),
        _field_paths,
    ),
}  # fmt: skip
