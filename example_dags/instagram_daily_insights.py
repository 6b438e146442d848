"""Account and media insights of every account that the connection sees, once a Pacific day.

Meta keeps its books by the Pacific day, so the schedule's data interval is exactly that day. The two tasks run side by
side: where one fails, the other still loads its rows. Stories, whose numbers Meta shows for 24 hours only, are read by
``instagram_hourly_stories``. Needed: a connection ``instagram_default`` of type Instagram Insights, and Google
credentials that may create tables in the dataset.

Meta counts the calls of all tasks against one app. Where several Dags read for one app, create a pool for it and name
it in the variable ``INSTAGRAM_POOL`` of the environment: its slots are the number of tasks that ask Meta at a time.
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
}
POOL = os.environ.get("INSTAGRAM_POOL", "default_pool")

with DAG(
    dag_id="instagram_daily_insights",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "pool": POOL},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    window = {"since": "{{ data_interval_start }}", "until": "{{ data_interval_end }}"}
    InstagramAccountInsightsToBigQueryOperator(task_id="account_insights", **window, **DESTINATION)
    InstagramMediaInsightsToBigQueryOperator(task_id="media_insights", **window, **DESTINATION)
