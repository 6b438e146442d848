"""Hundreds of accounts: list them once, then read chunks of them in mapped tasks that write to the same tables.

A chunk is one load job and one MERGE per table, whatever the number of its accounts; one account's failure is reported
after all the others were loaded.
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
):
    accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=50)
    InstagramAccountInsightsToBigQueryOperator.partial(
        task_id="account_insights", max_active_tis_per_dag=8, **DESTINATION
    ).expand(account_ids=accounts.output)
    InstagramMediaInsightsToBigQueryOperator.partial(
        task_id="media_insights", max_active_tis_per_dag=8, refresh_days=28, **DESTINATION
    ).expand(account_ids=accounts.output)
