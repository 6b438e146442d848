"""A Dag that runs whenever the daily numbers were written: it is scheduled on their table, and told what changed.

The transfer names the table as its outlet, in whatever Dag it is::

    InstagramAccountInsightsToBigQueryOperator(..., outlets=[table_asset("my-project", "instagram", "my_table")])

The asset is the one that the Google provider means by the same table. The event's ``extra`` says which Pacific days
were written, how many rows, and how many accounts failed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

from airflow_provider_iginsights.assets import table_asset

PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT") or "my-project"
DATASET = os.environ.get("INSTAGRAM_DATASET", "instagram")

with DAG(
    dag_id="instagram_after_load",
    schedule=[table_asset(PROJECT, DATASET, "instagram_account_insights")],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    tags=["instagram"],
    doc_md=__doc__,
):

    @task
    def report(triggering_asset_events: Any = None, triggering_dataset_events: Any = None) -> list[str]:
        """Return a line for each event that started the run; Airflow 2 calls assets datasets."""
        groups = triggering_asset_events or triggering_dataset_events or {}
        return [
            f"{', '.join(event.extra['days']) or 'No day'}: {event.extra['rows_changed']} rows changed, "
            f"{event.extra['account_counts']['failed']} accounts failed."
            for events in groups.values()
            for event in events
        ]

    report()
