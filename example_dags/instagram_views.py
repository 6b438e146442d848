"""Account and media insights, and the views in which analysts look for them, up to date after each load.

``create_views=True`` creates beside the tables, and keeps up to date, ``instagram_account_daily`` (one row per account
and day, one column per metric), ``instagram_media_insights_latest`` (the newest number of each post) and
``instagram_media_growth`` (a table function: by how much each number has grown). The ten posts that reached most::

    SELECT account_id, media_id, published_at, value AS reach
    FROM `my-project.instagram.instagram_media_insights_latest`
    WHERE metric = 'reach' AND breakdown = ''
    ORDER BY reach DESC LIMIT 10

Needed: as for ``instagram_daily_insights``, and the right to create views in the dataset (BigQuery Data Editor has it).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)

DESTINATION = {
    "project_id": os.environ.get("GOOGLE_CLOUD_PROJECT"),
    "dataset_id": os.environ.get("INSTAGRAM_DATASET", "instagram"),
    # None = application default credentials; name a Google Cloud connection where the Google provider is installed.
    "gcp_conn_id": None,
    "create_dataset": True,
    "create_views": True,
}

with DAG(
    dag_id="instagram_views",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    accounts = InstagramAccountInsightsToBigQueryOperator(task_id="account_insights", **DESTINATION)
    media = InstagramMediaInsightsToBigQueryOperator(task_id="media_insights", **DESTINATION)
    # Two views of posts also read the profiles: in this order the first run makes them.
    accounts >> media
