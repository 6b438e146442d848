"""The statement that fills a current table. Text only; see :mod:`.current_rows` for when it is sent."""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.current_columns import gather, spread
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, PartitionRange, condition
from airflow_provider_iginsights.bigquery.view_state import current_target
from airflow_provider_iginsights.pacific import DAY

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.current_tables import CurrentTable
    from airflow_provider_iginsights.catalog.views import View

SEARCHED = timedelta(days=35)
"""So far back earlier numbers are looked for. What was silent for longer gets a second row."""


def current_statement(view: View, target: TargetTable, *, after: date | None, through: date) -> str:
    """Return the MERGE that brings a current table from the day ``after`` to the day ``through``.

    It writes the rows of the last days anew: BigQuery bills a MERGE that may change rows the whole days that it
    reads, whether or not it changes them all.

    :param after: the newest numbers of the days up to this one are there; None = nothing is known of what is there.
    """
    current, columns = expect_current(view, target)
    table, names = current.table, current.table.column_names
    since = str(after - SEARCHED) if after else ALL_DAYS.start
    read = PartitionRange(start=str(after + DAY) if after else since, end=str(through))
    new = condition(read, table=view.table, alias="A")
    rows = f"SELECT {_listed(view.table.column_names)} FROM {quoted(target.path)} A WHERE {new}"
    if after:
        held = condition(PartitionRange(start=since, end=str(after)), table=table, alias="C")
        rows = f"{rows}\n  UNION ALL\n  {spread(columns, current.path, condition=held)}"
    source = gather(columns, view.read(f"(\n  {rows}\n)"))
    # Rows of later days were put there by a task that has read more days.
    replaced = condition(PartitionRange(start=since, end=str(through)), table=table, alias="T")
    return "\n".join(
        (
            f"MERGE {quoted(current.path)} T",
            f"USING (\n{source}\n) S",
            # With ON FALSE, constants in this clause leave partitions out ("Query partitioned tables", MERGE).
            f"ON FALSE\nWHEN NOT MATCHED BY SOURCE AND {replaced} THEN DELETE",
            f"WHEN NOT MATCHED BY TARGET THEN INSERT ({_listed(names)}) VALUES ({_listed(names, of='S.')})",
        )
    )


def expect_current(view: View, target: TargetTable) -> tuple[TargetTable, CurrentTable]:
    """Return the current table of a view that has one, and its columns. Raises ValueError."""
    current = current_target(view, target)
    if current is None or view.current is None:
        raise ValueError(f"The view {view.name} has no current table.")
    return current, view.current


def _listed(columns: tuple[str, ...], of: str = "") -> str:
    return ", ".join(f"{of}{quoted(name)}" for name in columns)
