"""The last numbers of every story, minutes after Meta sends them: from the receiver in the API server to BigQuery.

Needs Airflow 3 and the receiver, which the setting ``AIRFLOW__INSTAGRAM__WEBHOOK_CONN_ID`` turns on. Each message of
Meta is an event of the asset; a run reads all events that came since the run before it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset

from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from airflow_provider_iginsights.webhooks.asset import ASSET_NAME, ASSET_URI

with DAG(
    dag_id="instagram_story_webhook",
    schedule=Asset(name=ASSET_NAME, uri=ASSET_URI),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["instagram", "bigquery", "webhook"],
    doc_md=__doc__,
):
    InstagramStoryWebhookToBigQueryOperator(
        task_id="story_webhook",
        project_id=os.environ.get("GOOGLE_CLOUD_PROJECT"),
        dataset_id=os.environ.get("INSTAGRAM_DATASET", "instagram"),
        gcp_conn_id=None,
        create_dataset=True,
    )
