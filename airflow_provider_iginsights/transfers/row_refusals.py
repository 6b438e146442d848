"""A row that its table cannot store costs that row: it is named, and all others are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import RowRefused

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.spool import Spool
    from airflow_provider_iginsights.extract.findings import Findings


def write_row(spool: Spool, row: Mapping[str, Any], findings: Findings) -> None:
    """Write one row, or note under its error's name why its table cannot store it."""
    try:
        spool.write(row)
    except RowRefused as refusal:
        table = spool.destination.table
        whom = ", ".join(f"{name} {ascii(row.get(name))[:40]}" for name in table.key if row.get(name) not in (None, ""))
        findings.note_error(whom or "a row without a key", f"a row of table {table.name}", refusal)
