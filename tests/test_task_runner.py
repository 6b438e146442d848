"""Airflow's own task runner with our retry policy and our link: a Dag that really runs, on Airflow 3.3 or newer."""

from __future__ import annotations

import importlib.util

import pytest

from tests.support.airflow_versions import needs, offers

pytestmark = needs("retry policies")

DAG_FILE = """
from datetime import timedelta

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import DAG, BaseOperator, task
from airflow_provider_iginsights.links.bigquery import BigQueryTableLink, table_url
from airflow_provider_iginsights.retry_policy import InsightsRetryPolicy

retrying = {"retries": 3, "retry_delay": timedelta(hours=9), "retry_policy": InsightsRetryPolicy(jitter=0)}


class WriteTable(BaseOperator):
    operator_extra_links = (BigQueryTableLink(), BigQueryTableLink(content="posts"))

    def execute(self, context):
        self.operator_extra_links[1].persist(context, table_url(project="p", dataset="d", table_id="t"))


with DAG("policy_and_link", schedule=None) as dag:

    @task(**retrying)
    def fatal():
        raise errors.TokenExpired("Make a new token.")

    ran = []

    @task(**retrying)
    def throttled():
        ran.append("once more")
        if len(ran) < 3:
            raise errors.Throttled("Wait.", retry_after=0.01)

    fatal()
    throttled()
    WriteTable(task_id="write")
"""


@pytest.fixture(scope="module")
def finished(airflow_db, tmp_path_factory):
    """Return the task instances of one run of the Dag, by task id."""
    folder = tmp_path_factory.mktemp("dags")
    path = folder / "policy_and_link.py"
    path.write_text(DAG_FILE)
    spec = importlib.util.spec_from_file_location("policy_and_link", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow.settings.DAGS_FOLDER", str(folder))
        spec.loader.exec_module(module)
        run = module.dag.test()
    return {ti.task_id: ti for ti in run.get_task_instances()}


def test_fatal_error_spends_no_retry(finished):
    """A token that expired fails the task on its first try, although it has three retries."""
    assert (finished["fatal"].state, finished["fatal"].try_number) == ("failed", 1)


def test_throttled_task_waits_as_meta_says(finished):
    """A throttled task comes back after its retry_after, long before the nine hours of the task's own delay.

    Where Airflow's policies can reschedule, no retry is used up.
    """
    tries = 1 if offers("3.4") else 3
    assert (finished["throttled"].state, finished["throttled"].try_number) == ("success", tries)


def test_link_is_shown_without_the_package(finished):
    """From the stored Dag, Airflow shows the address that the task put down, and nothing for the other link."""
    from airflow.models.serialized_dag import SerializedDagModel

    stored = SerializedDagModel.get_dag("policy_and_link").get_task("write")
    shown = {name: stored.get_extra_links(finished["write"], name) for name in stored.extra_links}
    assert not shown["BigQuery table"]
    assert shown["BigQuery table (posts)"].startswith("https://console.cloud.google.com/bigquery?project=p&")
