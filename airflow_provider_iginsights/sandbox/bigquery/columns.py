"""The column types the local BigQuery knows, as one table: stored how, read from NDJSON how, sent over the wire how.

Loading follows BigQuery: STRING takes strings, and numbers and booleans are coerced to their JSON text (fractions in
their shortest form); INT64 takes whole numbers up to 2^53 - 1 either side of zero and strings up to 64 bits; NUMERIC
takes strings and numbers, at most 29 digits before the point, and rounds what lies beyond nine decimals half away from
zero (a fraction of more than 15 digits must be a string, as a JSON number would already have lost some); FLOAT64 takes
numbers and numeric strings; BOOL takes true and false, bare or as strings; DATE is ``YYYY-[M]M-[D]D``; TIMESTAMP is a
date, a time with at most six decimals and ``Z``, `` UTC``, ``+HH:MM`` or nothing (UTC). A JSON column takes any value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported

__all__ = ["ColumnType", "SchemaField", "fields_of", "quote", "result_type"]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A BigQuery type: REST and SQL name, DuckDB type, and SQL templates.

    ``parse`` reads an NDJSON cell, NULL when it is refused ($r its JSON, $t its JSON type, $s its text); ``wire``
    writes the column $c as the REST API does; ``size`` is the bytes BigQuery counts for a value.
    """

    name: str
    standard_name: str
    duckdb: str
    parse: str
    wire: str = "CAST($c AS VARCHAR)"
    size: str = "8"

    def parse_sql(self, cell: str) -> str:
        """Return the SQL that turns the JSON in ``cell`` into a value, or NULL when BigQuery would refuse it."""
        return Template(self.parse).substitute(r=cell, t=f"json_type({cell})", s=f"({cell} ->> '$')")

    def wire_sql(self, column: str) -> str:
        """Return the SQL that turns ``column`` into the string a REST answer carries."""
        return Template(self.wire).substitute(c=column)

    def size_sql(self, column: str) -> str:
        """Return the SQL for the logical bytes of a value of ``column``; NULL counts nothing."""
        return f"(CASE WHEN {column} IS NULL THEN 0 ELSE {Template(self.size).substitute(c=column)} END)"


_DATE = r"\d{4}-\d{1,2}-\d{1,2}"
# "Loading JSON data from Cloud Storage", limitations: date parts by dashes, time parts by colons; the separator may be
# a blank.
_TIME = _DATE + r"([ Tt]([01]?\d|2[0-3]):\d{1,2}:\d{1,2}(\.\d{1,6})?)?(Z|z| UTC|[+-]\d{2}(:\d{2})?)?"
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?"
_IS_WHOLE = "$t IN ('BIGINT', 'UBIGINT')"
# DuckDB reads a JSON fraction as DOUBLE, which holds 15 digits; what has more would be changed without a word.
_IS_SHORT = "length(ltrim(regexp_replace($s, '[^0-9]', '', 'g'), '0')) <= 15 AND NOT contains($s, 'e')"


_TYPES: tuple[ColumnType, ...] = (
    ColumnType(
        "STRING", "STRING", "VARCHAR", "CASE WHEN $t NOT IN ('OBJECT', 'ARRAY') THEN $s END", "$c", "2 + strlen($c)"
    ),
    ColumnType(
        "INTEGER",
        "INT64",
        "BIGINT",
        f"CASE WHEN {_IS_WHOLE} AND abs(TRY_CAST($s AS HUGEINT)) < 9007199254740992 THEN TRY_CAST($s AS BIGINT)"
        " WHEN $t = 'VARCHAR' AND regexp_full_match($s, '[+-]?\\d+') THEN TRY_CAST($s AS BIGINT) END",
    ),
    ColumnType(
        "FLOAT",
        "FLOAT64",
        "DOUBLE",
        f"CASE WHEN {_IS_WHOLE} OR $t = 'DOUBLE' OR $t = 'VARCHAR' AND"
        f" regexp_full_match(lower($s), '{_NUMBER}|nan|[+-]?inf(inity)?') THEN TRY_CAST($s AS DOUBLE) END",
    ),
    ColumnType(
        "NUMERIC",
        "NUMERIC",
        "DECIMAL(38, 9)",
        f"CASE WHEN {_IS_WHOLE} OR $t = 'DOUBLE' AND {_IS_SHORT} OR $t = 'VARCHAR' AND"
        f" regexp_full_match(lower($s), '{_NUMBER}') THEN TRY_CAST($s AS DECIMAL(38, 9)) END",
        "rtrim(rtrim(CAST($c AS VARCHAR), '0'), '.')",
        "16",
    ),
    ColumnType(
        "BOOLEAN",
        "BOOL",
        "BOOLEAN",
        "CASE WHEN $t = 'BOOLEAN' OR $t = 'VARCHAR' AND lower($s) IN ('true', 'false')"
        " THEN TRY_CAST($s AS BOOLEAN) END",
        size="1",
    ),
    ColumnType(
        "DATE",
        "DATE",
        "DATE",
        f"CASE WHEN $t = 'VARCHAR' AND regexp_full_match($s, '{_DATE}') THEN TRY_CAST($s AS DATE) END",
    ),
    ColumnType(
        "TIMESTAMP",
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
        f"CASE WHEN $t = 'VARCHAR' AND regexp_full_match($s, '{_TIME}') THEN TRY_CAST(upper($s) AS TIMESTAMPTZ) END",
        "CAST(epoch_us($c) AS VARCHAR)",
    ),
    ColumnType("JSON", "JSON", "JSON", "CASE WHEN $t <> 'NULL' THEN $r END", size="strlen(CAST($c AS VARCHAR))"),
)
# No column of ours: a result may have the type, by DATETIME(...) for example.
_DATETIME = ColumnType("DATETIME", "DATETIME", "TIMESTAMP", "NULL", "replace(CAST($c AS VARCHAR), ' ', 'T')")
_BY_NAME: dict[str, ColumnType] = {name: kind for kind in _TYPES for name in (kind.name, kind.standard_name)}
_RESULT_TYPES: dict[str, ColumnType] = {
    **{kind.duckdb.partition("(")[0]: kind for kind in (*_TYPES, _DATETIME)},
    **dict.fromkeys(("HUGEINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER"), _BY_NAME["INTEGER"]),
    "FLOAT": _BY_NAME["FLOAT"],
    '"NULL"': _BY_NAME["INTEGER"],
}


@dataclass(frozen=True, slots=True)
class SchemaField:
    """A column of a table or result: ``resource`` is the TableFieldSchema it was declared with."""

    name: str
    kind: ColumnType
    required: bool
    resource: Mapping[str, Any]

    @property
    def ddl(self) -> str:
        """The column as DuckDB declares it."""
        collation = " COLLATE NOCASE" if self.resource.get("collation") else ""
        return f"{quote(self.name)} {self.kind.duckdb}{collation}{' NOT NULL' if self.required else ''}"

    @property
    def wire(self) -> str:
        """The SQL for its value in a REST answer."""
        return self.kind.wire_sql(quote(self.name))

    @property
    def size(self) -> str:
        """The SQL for the logical bytes of its value in a row."""
        return self.kind.size_sql(quote(self.name))


def fields_of(schema: Mapping[str, Any] | None) -> tuple[SchemaField, ...]:
    """Return the columns of a REST TableSchema. Raises BigQueryError for names and types that cannot be had."""
    return tuple(_field(resource) for resource in (schema or {}).get("fields", ()))


def result_type(duckdb_type: str) -> ColumnType:
    """Return the BigQuery type of a query's column. Raises BigQueryError for arrays, structs and intervals."""
    kind = _RESULT_TYPES.get(duckdb_type.partition("(")[0])
    if kind is None or duckdb_type.endswith("]"):
        raise not_supported(f"A result column of the type {duckdb_type}")
    return kind


def quote(name: str) -> str:
    """Return an identifier as DuckDB quotes it."""
    return '"' + name.replace('"', '""') + '"'


def _field(resource: Mapping[str, Any]) -> SchemaField:
    name, mode = str(resource.get("name", "")), str(resource.get("mode") or "NULLABLE").upper()
    kind = _BY_NAME.get(str(resource.get("type", "")).upper())
    # "Specify a schema", column names: at most 300 letters, digits and underscores. Flexible names are not played.
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,299}", name):
        raise BigQueryError(
            "invalid",
            f'Invalid field name "{name}". Fields must contain only letters, numbers, and '
            "underscores, start with a letter or underscore, and be at most 300 characters long.",
        )
    if kind is None or mode not in ("NULLABLE", "REQUIRED"):
        raise not_supported(f"The column {name} of the type {resource.get('type')} {mode}", reason="invalid")
    return SchemaField(name, kind, mode == "REQUIRED", {**resource, "type": kind.name, "mode": mode})
