"""The statements that fill a current table. Text only; see :mod:`.current_rows` for when they are sent."""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.merge import same
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, PartitionRange, condition
from airflow_provider_iginsights.bigquery.view_state import current_target
from airflow_provider_iginsights.pacific import DAY

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View

SEARCHED = timedelta(days=35)
"""So far back a key's earlier row is looked for. One that was silent for longer gets a second row."""


def current_statement(view: View, target: TargetTable, *, after: date | None, through: date) -> str:
    """Return the MERGE that brings a current table from the day ``after`` to the day ``through``.

    :param after: the newest rows of the days up to this one are there; None = nothing is known of what is there.
    """
    current = expect_current(view, target)
    table, day = current.table, f"T.{quoted(current.table.partition_by)}"
    names = table.column_names
    read = PartitionRange(start=str(after + DAY) if after else ALL_DAYS.start, end=str(through))
    stored = PartitionRange(start=str(after - SEARCHED) if after else ALL_DAYS.start, end=ALL_DAYS.end)
    rows = f"(SELECT {_listed(names)} FROM {quoted(target.path)} A WHERE {condition(read, table=table, alias='A')})"
    source = view.select(rows)
    # Rows of later days were put there by a task that has read more days.
    wins = f"{day} <= DATE '{through}'"
    if after is not None:
        wins += f" AND ({day} > DATE '{after}' OR {_is_newer(view.order)})"
    updates = ", ".join(f"{quoted(name)} = S.{quoted(name)}" for name in names if name not in table.key)
    return "\n".join(
        (
            f"MERGE {quoted(current.path)} T",
            f"USING (\n{source}\n) S",
            f"ON {same(table.key, left='T', right='S')}\n   AND {condition(stored, table=table, alias='T')}",
            f"WHEN MATCHED AND {wins} THEN UPDATE SET {updates}",
            f"WHEN NOT MATCHED BY TARGET THEN INSERT ({_listed(names)}) VALUES ({_listed(names, of='S.')})",
        )
    )


def clean_statement(view: View, target: TargetTable, *, through: date) -> str:
    """Return the DELETE of the rows of a current table up to this day whose keys the table does not have."""
    current = expect_current(view, target)
    days = PartitionRange(start=ALL_DAYS.start, end=str(through))
    inside, held = (condition(days, table=current.table, alias=alias) for alias in "TA")
    return (
        f"DELETE FROM {quoted(current.path)} T WHERE {inside}\n  AND NOT EXISTS (\n"
        f"    SELECT 1 FROM {quoted(target.path)} A WHERE {held}\n"
        f"      AND {same(current.table.key, left='A', right='T')}\n  )"
    )


def expect_current(view: View, target: TargetTable) -> TargetTable:
    """Return the current table of a view that has one. Raises ValueError."""
    current = current_target(view, target)
    if current is None:
        raise ValueError(f"The view {view.name} has no current table.")
    return current


def _is_newer(order: tuple[str, ...]) -> str:
    """Return the condition that a row S comes before a row T of its key."""
    first, *rest = order
    new, old = first.format("S."), first.format("T.")
    if not rest:
        return f"({new}) > ({old})"
    return f"(({new}) > ({old}) OR (({new}) = ({old}) AND {_is_newer(tuple(rest))}))"


def _listed(columns: tuple[str, ...], of: str = "") -> str:
    return ", ".join(f"{of}{quoted(name)}" for name in columns)
