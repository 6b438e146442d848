"""The last numbers of every story where Meta cannot or should not reach Airflow: cloud function -> queue -> Dag.

A small function takes Meta's calls, checks the signature and puts the body on a message queue; the triggerer watches
the queue. Any queue will do for which Airflow has a provider (Pub/Sub, SQS, Kafka, Redis, ...). Install that provider
and ``apache-airflow-providers-common-messaging``, and describe the queue as the provider's docs do, in one variable:

    INSTAGRAM_WEBHOOK_QUEUE='{"scheme": "sqs", "sqs_queue": "https://sqs.eu-west-1.amazonaws.com/123/stories"}'
    INSTAGRAM_WEBHOOK_QUEUE='{"scheme": "google+pubsub", "project_id": "p", "subscription": "stories",
        "max_messages": 100, "ack_messages": true, "gcp_conn_id": "google_cloud_default", "return_immediately": false}'

Without the variable nothing starts the Dag, and no provider is imported. The operator finds the notifications in
whatever the provider wraps around them.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator

QUEUE = json.loads(os.environ.get("INSTAGRAM_WEBHOOK_QUEUE") or "null")
WATCHERS = []
if QUEUE:
    from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

    WATCHERS = [AssetWatcher(name="instagram_story_webhook_queue", trigger=MessageQueueTrigger(**QUEUE))]

with DAG(
    dag_id="instagram_story_webhook_queue",
    schedule=Asset(name="instagram_story_webhook_queue", watchers=WATCHERS),
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
