"""One token per business: several connections in one Dag, each account read with its own; a dead token costs no other.

The listing task asks every connection which accounts it sees; each chunk names its connection, so the mapped tasks know
whom to ask as whom. A throttled task gives its slot back and comes again; what fails is tried again as its error asks.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.retry_policy import default_retry_policy
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)

CONNECTIONS = os.environ.get("INSTAGRAM_CONN_IDS", "instagram_default")  # such as "instagram_brand_a,instagram_brand_b"
DESTINATION = {
    "project_id": os.environ.get("GOOGLE_CLOUD_PROJECT"),
    "dataset_id": os.environ.get("INSTAGRAM_DATASET", "instagram"),
    "gcp_conn_id": None,
    "create_dataset": True,
}


def choose_retries() -> dict[str, Any]:
    """Return when to try again: as each error asks on Airflow 3.3 and newer, after fixed delays before."""
    try:
        return {"retries": 5, "retry_policy": default_retry_policy()}
    except ConfigurationError:
        return {"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True}


with DAG(
    dag_id="instagram_many_connections",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=choose_retries(),
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    accounts = InstagramListAccountsOperator(task_id="accounts", instagram_conn_ids=CONNECTIONS, chunk_size=50)
    InstagramAccountInsightsToBigQueryOperator.partial(
        task_id="account_insights",
        page_ids=accounts.output["page_ids"],
        max_active_tis_per_dag=8,
        on_account_error="skip",
        **DESTINATION,
    ).expand_kwargs(accounts.output)
    InstagramMediaInsightsToBigQueryOperator.partial(
        task_id="media_insights", max_active_tis_per_dag=8, on_account_error="skip", refresh_days=28, **DESTINATION
    ).expand_kwargs(accounts.output)
