"""Who is told which days are missing: once a day, of all accounts in all tables, whatever the reason.

A task that fails tells of its own run only. This Dag looks at what the tables hold: a day that nobody asked for, since
a Dag was paused or an account was added late to its list, is missing as well as one that Meta refused. The check is one
query. It fails with the accounts, tables and days, and the mail says the same.

It runs at noon in the Pacific zone, when the night's runs have ended. Needed: what ``instagram_alerts`` needs.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow before 3.0
    from airflow import DAG
try:
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:  # Airflow before 3.2
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.operators.tables import InstagramTablesCompleteOperator

FAILED = SmtpNotifier(
    to=os.environ.get("INSTAGRAM_ALERT_MAIL", "data-team@example.com"),
    subject="Instagram: days are missing in BigQuery",
    # `airflow dags test` gives a notifier no error before Airflow 3.3.
    html_content="<p>{{ (exception if exception is defined else 'The log says why.') | e }}</p>"
    "<p><a href='{{ ti.log_url }}'>Log</a></p>",
)

with DAG(
    dag_id="instagram_missing_days",
    schedule=CronDataIntervalTimetable("0 12 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"on_failure_callback": FAILED},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    InstagramTablesCompleteOperator(
        task_id="tables_complete",
        project_id=os.environ.get("GOOGLE_CLOUD_PROJECT"),
        dataset_id=os.environ.get("INSTAGRAM_DATASET", "instagram"),
        gcp_conn_id=None,
    )
