"""Writes a Dag file for accounts: what ``init`` puts on the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

_TEXT = '''\
"""Instagram insights into BigQuery: accounts and posts once a day, stories once an hour.

Meta counts by the Pacific day, so the first Dag runs when one has ended. Meta shows the
numbers of a story for 24 hours only, so the second runs every hour. To fill earlier days
of accounts, run `airflow backfill create --dag-id instagram_daily` with two dates.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)

ACCOUNT_IDS = [
{accounts}
]
ARGUMENTS = {{
    "instagram_conn_id": {conn_id},
    "account_ids": ACCOUNT_IDS,
    # None = the application default credentials of the machine.
    "gcp_conn_id": {gcp_conn_id},
    # None = the project of the credentials.
    "project_id": {project},
    "dataset_id": {dataset},
    # None = wherever the dataset lies.
    "location": {location},
    "create_dataset": True,
    "create_views": True,
}}
COMMON = {{
    "start_date": datetime({year}, {month}, {day}, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {{"retries": 3, "retry_delay": timedelta(minutes=5)}},
    "tags": ["instagram", "bigquery"],
}}

with DAG(
    dag_id="instagram_daily",
    schedule=CronDataIntervalTimetable({cron}, timezone="America/Los_Angeles"),
    **COMMON,
):
    InstagramAccountInsightsToBigQueryOperator(task_id="account_insights", **ARGUMENTS)
    InstagramMediaInsightsToBigQueryOperator(task_id="media_insights", **ARGUMENTS)

with DAG(dag_id="instagram_stories", schedule="@hourly", **COMMON):
    InstagramStoryInsightsToBigQueryOperator(task_id="story_insights", **ARGUMENTS)
'''
_USERNAME = re.compile(r"[A-Za-z0-9._]{1,30}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DagArguments:
    """What the operators of the file are told. None = left to its default.

    ``cron``: when the daily Dag runs, in Pacific time.
    """

    conn_id: str
    dataset: str
    cron: str
    gcp_conn_id: str | None = None
    project: str | None = None
    location: str | None = None


def write_dag_file(accounts: Iterable[tuple[str, str]], *, arguments: DagArguments, now: datetime) -> str:
    """Return the text of a Dag file that reads these accounts.

    :param accounts: ids and usernames.
    :param now: the Dags begin with its day.
    """
    return _TEXT.format(
        accounts="\n".join(_spell_account(account_id, username) for account_id, username in accounts),
        conn_id=_spell(arguments.conn_id),
        gcp_conn_id=_spell(arguments.gcp_conn_id),
        project=_spell(arguments.project),
        dataset=_spell(arguments.dataset),
        location=_spell(arguments.location),
        cron=_spell(arguments.cron),
        year=now.year,
        month=now.month,
        day=now.day,
    )


def _spell_account(account_id: str, username: str) -> str:
    # What is no username could end the comment, and what follows would be code.
    comment = f"  # @{username}" if _USERNAME.fullmatch(username) else ""
    return f"    {_spell(account_id)},{comment}"


def _spell(value: str | None) -> str:
    return "None" if value is None else json.dumps(value)
