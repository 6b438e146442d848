"""Turns the fields of a node (a profile, a media) into checked columns of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from airflow_provider_iginsights.catalog.tables import Table
from airflow_provider_iginsights.extract.rows import NoteFault, Row, describe
from airflow_provider_iginsights.json_values import read_count, read_flag, read_text

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": read_text,
    "INT64": read_count,
    "BOOL": read_flag,
}
_ABSENT: Any = object()


def read_columns(node: Mapping[str, Any], fields: tuple[str, ...], table: Table, note: NoteFault) -> Row:
    """Return the columns for the fields of a node. A column that is not in the row keeps its stored value.

    An absent field is not in the row. Nor is null for a count or a name; for a text of the owner, null is ``""``.

    :param fields: Graph API fields that fill columns of the table.
    :param note: called for each field whose value cannot be read; its column is not in the row either.
    """
    row: Row = {}
    for field, column, read, emptied in _find_readers(fields, table):
        value = node.get(field, _ABSENT)
        if value is _ABSENT:  # META-10: a hidden field is absent, and it says nothing about the value.
            continue
        if type(value) is str and read is read_text and value.isascii():  # The common case.
            row[column] = value
            continue
        if value is None:
            if emptied:
                row[column] = ""
            continue
        found = read(value)
        if found is None:
            note(
                field, "Unreadable", f"it is {describe(value)} that column {column} of table {table.name} cannot store."
            )
        else:
            row[column] = found
    return row


@lru_cache(maxsize=16)
def _find_readers(fields: tuple[str, ...], table: Table) -> tuple[tuple[str, str, Callable[[Any], Any], bool], ...]:
    return tuple(
        (column.field, column.name, _READERS[column.type], column.role == "text")
        for column in table.columns
        if column.field in fields
    )
