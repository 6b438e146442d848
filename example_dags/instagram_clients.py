"""An agency's clients: each account is read with the agency's token and written to the dataset of its client.

A file says whose each account is, in two columns, account_id and client::

    account_id,client
    17841400000000001,acme
    17841400000000002,globex

One mapped task per client reads its accounts and writes tables that nobody shares, so that no fan-in is needed. An
account that the token sees and the file does not name is written to the agency's own dataset, so that nothing is lost.
docs/agencies.md compares this with one dataset for all clients, and views for each.
"""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable, task
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.decorators import task
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)

CLIENTS_FILE = os.environ.get("INSTAGRAM_CLIENTS_FILE", "/opt/airflow/config/instagram_clients.csv")
OWN = "agency"  # the client of accounts that the file does not name
DESTINATION = {
    "project_id": os.environ.get("GOOGLE_CLOUD_PROJECT"),
    "gcp_conn_id": None,
    "create_dataset": True,
    "map_index_template": "{{ task.dataset_id }}",
}


@task(retries=0)
def share_accounts(listed: list[list[str]]) -> list[dict[str, Any]]:
    """Return for each client its accounts and its dataset, as the mapped tasks take them."""
    with Path(CLIENTS_FILE).open(newline="", encoding="utf-8") as file:
        named = [(row["account_id"].strip(), row["client"].strip()) for row in csv.DictReader(file)]
    clients = dict(named)
    if len(clients) < len(named):
        raise ValueError(f"{CLIENTS_FILE} names an account twice. Give each account one client.")
    shared: defaultdict[str, list[str]] = defaultdict(list)
    for account_id in sorted({*clients, *(account_id for chunk in listed for account_id in chunk)}):
        shared[clients.get(account_id, OWN)].append(account_id)
    return [{"account_ids": ids, "dataset_id": f"instagram_{client}"} for client, ids in sorted(shared.items())]


with DAG(
    dag_id="instagram_clients",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=500)
    clients = share_accounts(accounts.output)
    InstagramAccountInsightsToBigQueryOperator.partial(
        task_id="account_insights", max_active_tis_per_dag=8, **DESTINATION
    ).expand_kwargs(clients)
    InstagramMediaInsightsToBigQueryOperator.partial(
        task_id="media_insights", max_active_tis_per_dag=8, refresh_days=28, **DESTINATION
    ).expand_kwargs(clients)
