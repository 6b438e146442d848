"""Compares what two loads wrote, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_iginsights.sandbox.bigquery import BigQueryError, BigQuerySandbox

Rows = Mapping[str, Counter[tuple[tuple[str, Any], ...]]]
"""The rows of each table."""

TABLES = (
    "instagram_account_insights",
    "instagram_accounts",
    "instagram_media",
    "instagram_media_children",
    "instagram_media_insights",
)
"""What the daily Dag writes, beside the tables about its runs, which have a row a run."""
OF_THE_RUN = ("run_id", "fetched_at", "last_seen_at")
"""The columns that say by which run and when a row was read."""


def read_rows(sandbox: BigQuerySandbox, dataset: str, *, leave_out: Iterable[str] = ()) -> Rows:
    """Return what the tables of the daily Dag hold, without stories, which are another Dag's.

    :param leave_out: names of columns. Without those of :data:`OF_THE_RUN`, addresses also lose their signature, which
        is another one at each read.
    """
    return {table: Counter(_read_table(sandbox, dataset, table, tuple(leave_out))) for table in TABLES}


def count_rows(rows: Rows) -> int:
    """Return the number of rows of all tables."""
    return sum(counted.total() for counted in rows.values())


def count_changes(before: Rows, after: Rows) -> int:
    """Return how many rows have come, gone or changed; one that changed counts once."""
    return sum(max((before[table] - after[table]).total(), (after[table] - before[table]).total()) for table in TABLES)


def _read_table(
    sandbox: BigQuerySandbox, dataset: str, table: str, left_out: tuple[str, ...]
) -> Iterable[tuple[tuple[str, Any], ...]]:
    try:
        rows = sandbox.rows(dataset, table)
    except BigQueryError:
        return
    for row in rows:
        if row.get("media_product_type") != "STORY":
            yield tuple(
                (name, value.partition("?")[0] if left_out and name.endswith("_url") and value else value)
                for name, value in row.items()
                if name not in left_out
            )
