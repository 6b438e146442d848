"""Thousands of accounts: list them once, read chunks of them in mapped tasks, write what all of them staged at once.

A statement bills the days that it touches, whosever rows they hold. So the mapped tasks stage only, and one task per
transfer writes: one statement a table, whatever the number of chunks. It runs also where mapped tasks failed, writes
the rest, and then fails naming what is missing; clear those tasks and it, and it writes what is new.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator

DESTINATION = {
    "project_id": os.environ.get("GOOGLE_CLOUD_PROJECT"),
    "dataset_id": os.environ.get("INSTAGRAM_DATASET", "instagram"),
    "gcp_conn_id": None,
    "create_dataset": True,
}

with DAG(
    dag_id="instagram_many_accounts",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=500)
    account_insights = InstagramAccountInsightsToBigQueryOperator.partial(
        task_id="account_insights",
        page_ids=accounts.output["page_ids"],
        load="stage",
        max_active_tis_per_dag=8,
        **DESTINATION,
    ).expand(account_ids=accounts.output)
    media_insights = InstagramMediaInsightsToBigQueryOperator.partial(
        task_id="media_insights", load="stage", max_active_tis_per_dag=8, refresh_days=28, **DESTINATION
    ).expand(account_ids=accounts.output)
    for transfer in (account_insights, media_insights):
        InstagramWriteStagedToBigQueryOperator(
            task_id=f"write_{transfer.task_id}",
            staged=transfer.output["staged"],
            account_ids=accounts.output,
            **DESTINATION,
        )
