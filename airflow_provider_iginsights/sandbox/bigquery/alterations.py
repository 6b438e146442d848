"""The DuckDB table under a BigQuery table: how it is made, and how it follows a schema that changes."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, quote
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["alter", "create_sql", "shape"]


def alter(table: StoredTable, wanted: tuple[SchemaField, ...], cursor: duckdb.DuckDBPyConnection) -> None:
    """Bring the DuckDB table to the wanted columns: new NULLABLE ones, and REQUIRED that became NULLABLE."""
    have, want = ({column.name.lower(): column for column in columns} for columns in (table.fields, wanted))
    for name, column in have.items():
        if name not in want:
            raise BigQueryError(
                "invalid",
                f"Provided Schema does not match Table {table.ref}. Field {column.name} is missing in new schema",
            )
        if want[name].kind is not column.kind or (want[name].required and not column.required):
            raise BigQueryError(
                "invalid",
                f"Provided Schema does not match Table {table.ref}. Field {column.name} has changed type or mode",
            )
        if column.required and not want[name].required:
            cursor.execute(f"ALTER TABLE {table.physical} ALTER COLUMN {quote(column.name)} DROP NOT NULL")
    for column in (column for name, column in want.items() if name not in have):
        if column.required:
            raise BigQueryError(
                "invalid",
                f"Provided Schema does not match Table {table.ref}. Cannot add required "
                f"fields to an existing schema. (field: {column.name})",
            )
        cursor.execute(f"ALTER TABLE {table.physical} ADD COLUMN {column.ddl}")


def create_sql(physical: str, fields: Iterable[SchemaField]) -> str:
    """Return the statement that makes the DuckDB table of these columns."""
    columns = ", ".join(column.ddl for column in fields)
    if not columns:
        raise not_supported("A table without columns", reason="notImplemented")
    return f"CREATE TABLE {physical} ({columns})"


def shape(fields: Iterable[SchemaField]) -> list[str]:
    """Return the columns as DuckDB declares them."""
    return [column.ddl for column in fields]
