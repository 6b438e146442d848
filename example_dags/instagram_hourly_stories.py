"""The live stories of every account that the connection sees, once an hour: Meta shows their numbers for 24 hours only.

What was published and has expired between two runs is lost, so stories have a Dag of their own. Where an hourly run is
too often, take ``instagram_stories_before_expiry`` instead. Needed: as for ``instagram_daily_insights``.
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
    dag_id="instagram_hourly_stories",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "pool": POOL},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    InstagramStoryInsightsToBigQueryOperator(
        task_id="story_insights",
        project_id=os.environ.get("GOOGLE_CLOUD_PROJECT"),
        dataset_id=os.environ.get("INSTAGRAM_DATASET", "instagram"),
        # None = application default credentials; name a Google Cloud connection where the Google provider is installed.
        gcp_conn_id=None,
        create_dataset=True,
    )
