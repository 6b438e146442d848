"""A row that its table cannot store costs that row: it is named, and all others are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_iginsights.errors import InsightsError, RowRefused

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.catalog.tables import Table


class RefusalLog(Protocol):
    """Takes what was not written."""

    def about(self, account_id: str) -> AbstractContextManager[None]:
        """Count what is named in the block for an account."""

    def note_error(self, whom: str, what: str, error: InsightsError) -> None:
        """Name what is missing, and why."""

    def keep_unreadable(self, group: Mapping[str, Sequence[str]]) -> None:
        """Remember a group of rows that is not whole."""


def write_row(row_file: RowFile, row: Mapping[str, Any], left_out_log: RefusalLog) -> None:
    """Write one row, or note under its error's name why its table cannot store it."""
    try:
        row_file.write(row)
    except RowRefused as refusal:
        table = row_file.target.table
        whom = ", ".join(f"{name} {ascii(row.get(name))[:40]}" for name in table.key if row.get(name) not in (None, ""))
        if table.group:
            left_out_log.keep_unreadable(_find_group(row, table, table.group))
        with left_out_log.about(str(row.get("account_id") or "")):
            left_out_log.note_error(whom or "a row without a key", f"a row of table {table.name}", refusal)


def _find_group(row: Mapping[str, Any], table: Table, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the group of a row as far as the row can be believed: what is none of the column's values is left open."""
    values = {name: row.get(name) for name in columns}
    texts = {column.name for column in table.columns if column.type == "STRING"}
    return {
        name: (str(value),)
        for name, value in values.items()
        if type(value) is date or (name in texts and isinstance(value, str) and (value.isprintable() or not value))
    }
