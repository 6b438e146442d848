"""What Google's own implementation of GoogleSQL answers to a query, over rows of our own.

ZetaSQL's reference implementation, of the same release as its analyzer: slow, and written to be right.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from zetasql.api import Analyzer, PreparedQuery
from zetasql.types import AnalyzerOptions, SimpleCatalog, TableContent, TableData, TypeKind, Value

from tests.support.bigquery.analyzer import INNER_NAMES, bigquery_language, build_catalog

__all__ = ["Answer", "Content", "evaluate"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# What the answer carries badly or not at all is asked for in another form.
_CARRIED = {"TIMESTAMP": "UNIX_MICROS({0})", "DATETIME": "CAST({0} AS STRING)", "BYTES": "TO_BASE64({0})"}
_SCALE = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A table: the types of its columns by their names, and its rows."""

    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The columns of a result with their types as BigQuery names them, and its rows as google-cloud-bigquery gives."""

    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[Any, ...]]


def evaluate(sql: str, tables: Mapping[str, Content] | None = None) -> Answer:
    """Return Google's answer to a query; ``tables`` are those that it reads, by path. Raises ServerError."""
    known = tables or {}
    catalog = _catalog(tuple((path, tuple(each.columns.items())) for path, each in known.items()))
    options = AnalyzerOptions(language_options=bigquery_language(), default_timezone="UTC")
    found = Analyzer(options, catalog).analyze_statement(sql).output_column_list
    columns = tuple((each.name, _name_kind(each.column.type.type_kind)) for each in found)
    names = [f"c{place}" for place in range(len(columns))]
    cells = [_CARRIED.get(kind, "{0}").format(name) for name, (_, kind) in zip(names, columns, strict=True)]
    named = ", ".join(f"`{name}` AS {alias}" for (name, _), alias in zip(columns, names, strict=True))
    carried = f"SELECT {', '.join(cells)} FROM (SELECT {named} FROM (\n{sql}\n))"
    content = {path: _content(each) for path, each in known.items()}
    builder = PreparedQuery.builder().set_sql(carried).set_analyzer_options(options).set_catalog(catalog)
    with builder.set_table_content(content).prepare() as query:
        data = query.execute().content.table_data
    rows = [] if data is None else data.row
    kinds = [kind for _, kind in columns]
    return Answer(columns=columns, rows=[tuple(map(_read, row.cell, kinds)) for row in rows])


@cache
def _catalog(tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]) -> SimpleCatalog:
    return build_catalog({path: dict(columns) for path, columns in tables})


def _name_kind(kind: int) -> str:
    name = TypeKind(kind).name.removeprefix("TYPE_")
    return next((ours for ours, theirs in INNER_NAMES.items() if theirs == name), name)


def _content(table: Content) -> TableContent:
    kinds = list(table.columns.values())
    return TableContent(table_data=TableData(row=[_write(row, kinds) for row in table.rows]))


def _write(row: Iterable[Any], kinds: Iterable[str]) -> TableData.Row:
    return TableData.Row(cell=[_value(cell, kind) for cell, kind in zip(row, kinds, strict=True)])


def _value(cell: Any, kind: str) -> Value:
    if cell is None:
        return Value()
    if kind == "TIMESTAMP":
        whole, rest = divmod((cell - _EPOCH) // dt.timedelta(microseconds=1), 1_000_000)
        return Value(timestamp_value=Timestamp(seconds=whole, nanos=rest * 1000))
    if kind == "NUMERIC":
        scaled = int(Decimal(cell).scaleb(_SCALE))
        return Value(numeric_value=scaled.to_bytes(scaled.bit_length() // 8 + 1, "little", signed=True))
    if kind == "DATE":
        return Value(date_value=(cell - _EPOCH.date()).days)
    return Value(**{f"{INNER_NAMES.get(kind, kind).lower()}_value": cell})


def _read(cell: Value, kind: str) -> Any:
    given = [getattr(cell, name) for name in ("string_value", "int64_value", "double_value", "bool_value")]
    value = next((each for each in (*given, cell.date_value, cell.numeric_value) if each is not None), None)
    readers: dict[str, Callable[[Any], Any]] = {
        "TIMESTAMP": lambda text: _EPOCH + dt.timedelta(microseconds=text),
        "DATETIME": dt.datetime.fromisoformat,
        "BYTES": base64.b64decode,
        "DATE": lambda days: _EPOCH.date() + dt.timedelta(days=days),
        "NUMERIC": lambda raw: Decimal(int.from_bytes(raw, "little", signed=True)).scaleb(-_SCALE),
    }
    read = readers.get(kind)
    return read(value) if read and value is not None else value
