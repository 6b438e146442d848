"""The report for analysts, made after the load of the day and sent by mail.

Each morning the numbers of the day before are loaded; then one HTML file about the last 28 days is written for one
account, and a mail with it is sent. The mail's file has its charts as pictures (``charts="static"``), since mail
programs block scripts. More accounts: map the task ``report`` over ``account_id``, with ``{account}`` in the path.

Needed: what ``instagram_daily_insights`` needs; the extra ``report``; a connection ``smtp_default`` of type SMTP whose
extra names the sender (``from_email``). Of the environment: ``INSTAGRAM_REPORT_MAIL`` is the address to write to,
``INSTAGRAM_REPORT_ACCOUNT`` the account's id (left out: the only account of the dataset), ``INSTAGRAM_REPORT_FOLDER``
where the files are kept. The folder must be the same for all workers, or the mail finds no file.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

try:
    from airflow.sdk import DAG, CronDataIntervalTimetable
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.operators.report import InstagramInsightsReportOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)

DATASET = {
    "project_id": os.environ.get("GOOGLE_CLOUD_PROJECT"),
    "dataset_id": os.environ.get("INSTAGRAM_DATASET", "instagram"),
    "gcp_conn_id": None,
}
FOLDER = os.environ.get("INSTAGRAM_REPORT_FOLDER", f"{tempfile.gettempdir()}/instagram-reports")
FILE = f"{FOLDER}/{{{{ data_interval_start | ds }}}}.html"
SENT = SmtpNotifier(
    to=os.environ.get("INSTAGRAM_REPORT_MAIL", "analysts@example.com"),
    subject="Instagram: the 28 days up to {{ data_interval_start | ds }}",
    html_content="<p>The report is attached. It opens in any browser, without a network.</p>",
    files=[FILE],
)

with DAG(
    dag_id="instagram_report",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
):
    load = [
        InstagramAccountInsightsToBigQueryOperator(task_id="account_insights", create_dataset=True, **DATASET),
        InstagramMediaInsightsToBigQueryOperator(task_id="media_insights", create_dataset=True, **DATASET),
    ]
    report = InstagramInsightsReportOperator(
        task_id="report",
        account_id=os.environ.get("INSTAGRAM_REPORT_ACCOUNT"),
        path=FILE,
        timezone="Europe/Berlin",
        charts="static",
        on_success_callback=SENT,
        **DATASET,
    )
    load >> report
