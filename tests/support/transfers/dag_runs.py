"""Dags that Airflow's own task runner runs, in this process, against the sandboxes."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import ErrorEffect, World
from tests.support.airflow_versions import run_dag
from tests.support.sandboxes import NOW, Sandboxes, open_sandboxes

HEAD = """
from datetime import UTC, datetime, timedelta

from airflow_provider_iginsights._compat import DAG, CronDataIntervalTimetable

from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator as Account,
)

TO = dict(dataset_id="instagram", gcp_conn_id=None, create_dataset=True)

with DAG(
    {dag_id!r},
    schedule=CronDataIntervalTimetable("0 8 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
) as dag:
"""

BUSY = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account")
DOWN = ErrorEffect(2, http=500, message="Service temporarily unavailable")


@contextmanager
def open_sandboxes_of_dags() -> Iterator[Sandboxes]:
    """Serve three accounts without media; waits that take hours take a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_iginsights.graph.error_mapping.DEFAULT_BLOCK", 1.0)
        patch.setattr("airflow_provider_iginsights.task.rate_limit_wait.JITTER", 0.1)
        with open_sandboxes(World.build(now=NOW, accounts=3, media_per_account=0, stories_per_account=0)) as opened:
            yield opened


def count_rows(sandboxes: Sandboxes) -> Counter[str]:
    """Return how many numbers of each account are stored, by the account's last digit."""
    return Counter(row["account_id"][-1] for row in sandboxes.rows("instagram_account_insights"))


@contextmanager
def dag_of(folder: Path, dag_id: str, body: str) -> Iterator[Any]:
    """Write a Dag file into a folder of Dags, import it as Airflow does, and yield its Dag."""
    path = folder / f"{dag_id}.py"
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    path.write_text(HEAD.format(dag_id=dag_id) + lines)
    spec = importlib.util.spec_from_file_location(dag_id, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow.settings.DAGS_FOLDER", str(folder))
        spec.loader.exec_module(module)
        yield module.dag


def run(dag: Any, at: datetime = datetime(2026, 11, 20, 8, tzinfo=UTC)) -> dict[tuple[str, int], Any]:
    """Run the Dag for a logical date; return its task instances by task id and map index."""
    found = run_dag(dag, at).get_task_instances()
    return {(instance.task_id, instance.map_index): instance for instance in found}


def states(instances: Mapping[tuple[str, int], Any]) -> dict[tuple[str, int], tuple[str, int]]:
    """Return state and try number of each task instance."""
    return {key: (str(instance.state), instance.try_number) for key, instance in instances.items()}


def pull(instance: Any, key: str = "return_value") -> Any:
    """Return what a task instance left in XCom."""
    return instance.xcom_pull(task_ids=instance.task_id, map_indexes=instance.map_index, key=key)


def clear_and_run(dag: Any, instance: Any) -> Any:
    """Clear a finished task instance, as a person does in the UI, and run it again; return it as it is then."""
    from airflow.models.taskinstance import TaskInstance, clear_task_instances
    from airflow.sdk.definitions.dag import _run_task
    from airflow.utils.session import create_session
    from sqlalchemy import select

    who = {name: getattr(instance, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    mine = select(TaskInstance).filter_by(**who)
    with create_session() as session:
        clear_task_instances(list(session.scalars(mine)), session)
    with create_session() as session:
        cleared = session.scalars(mine).one()
        if cleared.try_number == instance.try_number:  # from Airflow 3.4 on, a clear counts the try
            cleared.try_number += 1
        session.flush()
        session.expunge(cleared)
    _run_task(ti=cleared, task=dag.task_dict[instance.task_id], run_triggerer=True)
    with create_session() as session:
        return session.scalars(mine).one()
