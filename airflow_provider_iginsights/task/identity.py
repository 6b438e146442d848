"""Who writes: the task instance, so that a retry finds the jobs and staging tables of the try before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights._compat import conf
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.target import TaskIdentity


def identify_task(context: Context) -> TaskIdentity:
    """Return the identity of the running task instance; ``map_index`` is -1 where the task is not mapped.

    :raises ConfigurationError: no task instance runs: somebody called ``execute`` by hand.
    """
    from airflow_provider_iginsights.bigquery.target import TaskIdentity

    instance = (context or {}).get("ti")
    if instance is None:
        raise ConfigurationError(
            "execute was called without the context of a task instance, after which loads are named so that a retry "
            "finds them. Let Airflow run the operator: dag.test() in a test, or `airflow dags test <dag_id>`. To read "
            "rows without a Dag, use InstagramHook().read(kind, ...)."
        )
    return TaskIdentity(
        # Two Airflows may have the same Dag and write to the same dataset; the address of the UI differs.
        deployment=conf.get("api", "base_url", fallback="") or "",
        dag_id=instance.dag_id,
        task_id=instance.task_id,
        run_id=instance.run_id,
        # Airflow has -1 for a task that is not mapped; before a task runs, the index may be None.
        map_index=instance.map_index if instance.map_index is not None else -1,
        try_number=instance.try_number,
    )
