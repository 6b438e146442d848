"""Who is told when numbers are missing or late: a mail about a task that failed, and one about a day that is overdue.

A transfer that cannot read some accounts loads all the others first and then fails with their names, so the mail about
the failed task says what is missing. It is sent when no retry is left.

The deadline alert (Airflow 3.1 or newer) tells of a day whose run has not ended six hours after the day, whatever the
run waits for: Meta's rate limit, a retry, a slot of a pool, a worker. The run goes on. The triggerer sends that mail.
Airflow before 3.1 has no deadline alerts: there this Dag runs without one, and tells of failed tasks only.

Needed: a connection ``smtp_default`` of type SMTP whose extra names the sender (``from_email``), the variable
``INSTAGRAM_ALERT_MAIL`` of the environment with the address to write to, and what ``instagram_daily_insights`` needs.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

try:
    from airflow.sdk import DAG, AsyncCallback, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference
except ImportError:  # Airflow before 3.2
    from airflow import DAG
    from airflow.timetables.interval import CronDataIntervalTimetable

    try:
        from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference
    except ImportError:  # Airflow before 3.1
        DeadlineAlert = None

from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)

DESTINATION = {
    "project_id": os.environ.get("GOOGLE_CLOUD_PROJECT"),
    "dataset_id": os.environ.get("INSTAGRAM_DATASET", "instagram"),
    "gcp_conn_id": None,
    "create_dataset": True,
}
MAIL_TO = os.environ.get("INSTAGRAM_ALERT_MAIL", "data-team@example.com")
FAILED = SmtpNotifier(
    to=MAIL_TO,
    subject="Instagram: {{ ti.task_id }} of {{ run_id }} failed",
    # `airflow dags test` gives a notifier no error before Airflow 3.3.
    html_content="<p>{{ (exception if exception is defined else 'The log says why.') | e }}</p>"
    "<p><a href='{{ ti.log_url }}'>Log</a></p>",
)
OVERDUE = {
    "to": MAIL_TO,
    "subject": "Instagram: {{ dag_run.dag_id }} is overdue",
    "html_content": "<p>{{ dag_run.dag_run_id }} should have ended by {{ deadline.deadline_time }}.</p>",
}


def make_deadline() -> dict[str, DeadlineAlert]:
    """Return the Dag's deadline; before Airflow 3.1, which has none, nothing."""
    if DeadlineAlert is None:
        return {}
    # The logical date of a run is the start of its day.
    due = timedelta(days=1) + timedelta(hours=6)
    callback = AsyncCallback(SmtpNotifier, kwargs=OVERDUE)
    return {"deadline": DeadlineAlert(reference=DeadlineReference.DAGRUN_LOGICAL_DATE, interval=due, callback=callback)}


with DAG(
    dag_id="instagram_alerts",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "on_failure_callback": FAILED},
    tags=["instagram", "bigquery"],
    doc_md=__doc__,
    **make_deadline(),
):
    InstagramAccountInsightsToBigQueryOperator(task_id="account_insights", **DESTINATION)
    InstagramMediaInsightsToBigQueryOperator(task_id="media_insights", **DESTINATION)
