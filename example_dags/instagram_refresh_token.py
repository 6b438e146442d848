"""The access token of the connection, looked after: renewed before it ends, and an alarm where that no longer helps.

``refresh_token`` runs once a week and renews a token that lives no longer than 30 days, so four runs may fail before it
ends. The new token goes into the Airflow Variable that the connection's extra ``token_variable`` names, such as
``instagram_default_access_token``; all tasks of this package read it there from then on. ``token_expires`` fails 14
days before the token ends, or the access to its person's data does: then only a login helps.

Needed: a connection ``instagram_default`` with ``token_variable`` and, for Facebook Login, ``app_id`` and
``app_secret``. A system user's token that never ends needs none of this.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

try:
    from airflow.sdk import DAG
except ImportError:  # Airflow before 3
    from airflow import DAG

from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator

with DAG(
    dag_id="instagram_refresh_token",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(hours=1)},
    doc_md=__doc__,
    tags=["instagram"],
):
    # Where a secrets backend holds the tokens: token_sink=a function that writes token.value there.
    refresh = InstagramRefreshTokenOperator(task_id="refresh_token", days_left=30)
    # Also where the renewal failed: that is when somebody has to know how much time is left.
    alarm = InstagramTokenExpiresOperator(task_id="token_expires", days_left=14, trigger_rule="all_done")
    refresh >> alarm
