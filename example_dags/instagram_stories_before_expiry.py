"""The last numbers of every story with one run a day, which reads each story shortly before it expires.

Between two readings the task is deferred and holds no worker slot. A run covers 25 hours, so that no time lies between
it and the next one; therefore two runs may be active at once. Take this Dag or ``instagram_hourly_stories``, not both:
the hourly one shows how the numbers grow, this one asks Meta less often. Needed: a running triggerer (without one, set
``deferrable=False``, and the task is rescheduled instead), and what ``instagram_daily_insights`` needs.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow before 3
    from airflow import DAG

from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramStoryInsightsToBigQueryOperator

POOL = os.environ.get("INSTAGRAM_POOL", "default_pool")

with DAG(
    dag_id="instagram_stories_before_expiry",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=2,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "pool": POOL},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    InstagramStoryInsightsToBigQueryOperator(
        task_id="story_insights",
        capture="before_expiry",
        deferrable=True,
        project_id=os.environ.get("GOOGLE_CLOUD_PROJECT"),
        dataset_id=os.environ.get("INSTAGRAM_DATASET", "instagram"),
        # None = application default credentials; name a Google Cloud connection where the Google provider is installed.
        gcp_conn_id=None,
        create_dataset=True,
    )
