"""Turns the fields of a node (a profile, a media) into checked columns of a row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from airflow_provider_iginsights.catalog.tables import Column, Table
from airflow_provider_iginsights.extract.rows import MAX_EXACT, NoteFault, Row, describe
from airflow_provider_iginsights.json_values import read_count, read_flag, read_id, read_text

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": read_text,
    "INT64": read_count,
    "BOOL": read_flag,
}
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class NodeColumns:
    """The columns of a table that fields of a node fill: the field, the column, its reader, whether null empties it."""

    table: Table
    readers: tuple[tuple[str, str, Callable[[Any], Any], bool], ...]


def read_columns(node: Mapping[str, Any], columns: NodeColumns, note: NoteFault) -> Row:
    """Return the columns for the fields of a node. A column that is not in the row keeps its stored value.

    An absent field is not in the row. Nor is null for a count or a name; for a text of the owner, null is ``""``.

    :param note: called for each field whose value cannot be read; its column is not in the row either.
    """
    row: Row = {}
    for field, column, read, emptied in columns.readers:
        value = node.get(field, _ABSENT)
        if value is _ABSENT:  # META-10: a hidden field is absent, and it says nothing about the value.
            continue
        if type(value) is str and read is read_text and value.isascii():  # The common case.
            row[column] = value
            continue
        if type(value) is int and read is read_count and 0 <= value <= MAX_EXACT:  # The common case.
            row[column] = value
            continue
        if value is None:
            if emptied:
                row[column] = ""
            continue
        found = read(value)
        if found is None:
            where = f"column {column} of table {columns.table.name}"
            note(field, "Unreadable", f"it is {describe(value)} that {where} cannot store.")
        else:
            row[column] = found
    return row


@lru_cache(maxsize=16)
def find_node_columns(table: Table, fields: Collection[str], *, of: str = "") -> NodeColumns:
    """Return the columns of a table that these fields of the Graph API fill.

    :param of: the node inside a node, such as ``children``, whose fields they are.
    """
    return NodeColumns(
        table,
        tuple(
            (*_find_reader(column, column.field.removeprefix(f"{of}.")), column.role == "text")
            for column in table.columns
            if column.field in fields
        ),
    )


def _find_reader(column: Column, path: str) -> tuple[str, str, Callable[[Any], Any]]:
    name, _, inner = path.partition(".")
    read = _READERS[column.type]
    return name, column.name, partial(_read_inner, inner, read_id if inner == "id" else read) if inner else read


def _read_inner(name: str, read: Callable[[Any], Any], node: Any) -> Any:
    return read(node.get(name)) if isinstance(node, dict) else None
