"""The fields of a node (a profile, a media) as the columns that they fill, each checked on its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from airflow_provider_iginsights.catalog.tables import Table
from airflow_provider_iginsights.extract.rows import Row, Tell, describe
from airflow_provider_iginsights.json_values import read_flag, read_text, read_whole_number

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "STRING": read_text,
    "INT64": read_whole_number,
    "BOOL": read_flag,
}
_ABSENT: Any = object()


def read_columns(node: Mapping[str, Any], fields: tuple[str, ...], table: Table, tell: Tell) -> Row:
    """Return what a node says about the columns that its fields fill; what it does not say is no member of the row.

    A field that is absent tells nothing, so what is stored stays. Null tells nothing about a count or a name either,
    but it empties a text that its owner writes: that is ``""`` in the row.

    :param fields: Graph API fields that fill columns of the table.
    :param tell: takes each field whose value has no plain reading; its column is left out as well.
    """
    row: Row = {}
    for field, column, read, emptied in _find_readers(fields, table):
        value = node.get(field, _ABSENT)
        if value is _ABSENT:
            continue
        if type(value) is str and read is read_text and value.isascii():  # nearly every value
            row[column] = value
            continue
        if value is None:
            if emptied:
                row[column] = ""
            continue
        found = read(value)
        if found is None:
            tell(
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
