"""Rows on their way out: pages of REST rows, written as JSON by DuckDB, and the same rows as Python values."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import StoredTable

__all__ = ["ResultPage", "count_bytes", "count_rows", "python_rows", "read_page"]

# Google cuts a page by its bytes; what counts for a reader is that there can be a next one ("Paging through results").
_LARGEST_PAGE = 50_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_PYTHON: dict[str, Callable[[str], Any]] = {
    "INTEGER": int,
    "FLOAT": float,
    "NUMERIC": Decimal,
    "BOOLEAN": lambda text: text == "true",
    "DATE": dt.date.fromisoformat,
    "DATETIME": dt.datetime.fromisoformat,
    "TIMESTAMP": lambda text: _EPOCH + dt.timedelta(microseconds=int(text)),
    "JSON": json.loads,
}


@dataclass(frozen=True, slots=True)
class ResultPage:
    """A page of rows as JSON texts; ``next_token`` is None on the last page."""

    rows: Sequence[str]
    total: int
    next_token: str | None


def read_page(
    storage: Storage, source: str, fields: Iterable[SchemaField], parameters: Mapping[str, str]
) -> ResultPage:
    """Read the page of the DuckDB table ``source`` that the query parameters of a REST call ask for."""
    start = int(parameters.get("pageToken") or parameters.get("startIndex") or 0)
    size = min(int(parameters.get("maxResults") or _LARGEST_PAGE), _LARGEST_PAGE)
    # The REST API has every value as text under f and v ("tabledata.list"); a TIMESTAMP in microseconds, as Google's
    # client asks for it.
    cells = ", ".join(f"{{'v': {column.wire}}}" for column in fields)
    with storage.cursor() as cursor:
        cursor.execute(f"SELECT CAST(to_json({{'f': [{cells}]}}) AS VARCHAR) FROM {source} LIMIT {size} OFFSET {start}")
        rows = [text for (text,) in cursor.fetchall()]
        ends_at = start + len(rows)
        is_last = len(rows) < size and (rows or not start)
        total = ends_at if is_last else _scalar(cursor, f"SELECT count(*) FROM {source}")
    return ResultPage(rows, total, str(ends_at) if ends_at < total else None)


def python_rows(storage: Storage, table: StoredTable) -> list[dict[str, Any]]:
    """All rows of a table as dicts of Python values, straight from DuckDB."""
    fields = table.fields
    with storage.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(column.wire for column in fields)} FROM {table.physical}")
        rows = cursor.fetchall()
    return [{column.name: _value(column, text) for column, text in zip(fields, row, strict=True)} for row in rows]


def count_rows(storage: Storage, table: StoredTable) -> int:
    """Return the table's numRows."""
    with storage.cursor() as cursor:
        return _scalar(cursor, f"SELECT count(*) FROM {table.physical}")


def count_bytes(storage: Storage, table: StoredTable) -> int:
    """Return the table's numBytes: the logical size BigQuery bills."""
    sizes = " + ".join(column.size for column in table.fields)
    with storage.cursor() as cursor:
        return _scalar(cursor, f"SELECT coalesce(sum({sizes}), 0) FROM {table.physical}")


def _scalar(cursor: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = cursor.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _value(column: SchemaField, text: str | None) -> Any:
    return None if text is None else _PYTHON.get(column.kind.name, str)(text)
