"""The buttons on a task instance, as Airflow stores and shows them: after success and failures, for mapped tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from tests.support.airflow_versions import DagSerialization
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.dag_runs import dag_of, open_sandboxes_of_dags, run

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)  # so late that profiles are read
GONE = ErrorEffect(100, subcode=33, message="Unsupported get request. Object does not exist")
STATEMENT = r"POST /bigquery/.*/(jobs|queries)$"


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts."""
    with open_sandboxes_of_dags() as opened:
        yield opened


def read_links(dag: Any, instance: Any) -> dict[str, str]:
    """Return the buttons that people see, with their addresses: the webserver asks the stored Dag."""
    from airflow.models.serialized_dag import SerializedDagModel

    # Airflow's own reader turns the loading of links on, which another reader may have turned off in this process.
    stored = SerializedDagModel.get_dag(dag.dag_id) or DagSerialization.from_dict(DagSerialization.to_dict(dag))
    task = stored.get_task(instance.task_id)
    found = {name: task.get_extra_links(instance, name) for name in task.extra_links}
    return {name: address for name, address in found.items() if address}


def named(address: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def test_links_of_tasks(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """A mapped task of one account, one of two accounts that fails in part, and one whose second table is refused."""
    first, second, third = sandboxes.world.accounts
    sandboxes.graph.faults.add(GraphFault(effect=GONE, path=second, times=None))
    body = f"""
given = dict(metrics="reach", lookback_days=0, retries=0, **TO)
Account.partial(task_id="mapped", **given).expand(account_ids=["{first}", "{third},{second}"])
"""
    with dag_of(tmp_path, "linked", body) as dag:
        found = run(dag, AT)
        one, two = (read_links(dag, found["mapped", index]) for index in (0, 1))
    assert [str(found["mapped", index].state) for index in (0, 1)] == ["success", "failed"]
    username = sandboxes.world.accounts[first].username
    assert one.pop("Instagram account") == f"https://www.instagram.com/{username}/"
    jobs = {job.id for job in sandboxes.bigquery.jobs}
    for links in (one, two):
        assert sorted(links) == sorted(
            f"{kind}{of}" for kind in ("BigQuery table", "Load job", "MERGE job") for of in ("", " (accounts)")
        )
        assert named(links["BigQuery table"])["t"] == "instagram_account_insights"
        assert named(links["BigQuery table (accounts)"])["t"] == "instagram_accounts"
        for name, verb in {"Load job": "load", "MERGE job (accounts)": "merge"}.items():
            parts = re.fullmatch(r"!1m5!1m4!1m3!1s(.+)!2s(.+)!3s(.+)", named(links[name])["ws"])
            assert parts
            project, job_id, location = parts.groups()
            assert (project, location) == (sandboxes.bigquery.project, "US")
            assert job_id in jobs
            assert f"-{verb}-" in job_id


@pytest.mark.usefixtures("without_waits")
def test_links_after_a_refused_statement(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """The first table is written, the second is not: both jobs are linked, and the table that was written."""
    refused = r'(?s)^(?!.*"dryRun": ?true).*MERGE `[^`]*\.instagram_accounts`'
    fault = BigQueryFault(route=STATEMENT, effect="jobInternalError", body=refused, times=None)
    sandboxes.bigquery.faults.add(fault)
    body = 'Account(task_id="refused", metrics="reach", lookback_days=0, retries=0, **TO)'
    with dag_of(tmp_path, "refused_statement", body) as dag:
        (instance,) = run(dag, AT).values()
        links = read_links(dag, instance)
    assert str(instance.state) == "failed"
    assert "BigQuery table" in links
    assert "BigQuery table (accounts)" not in links
    assert "MERGE job (accounts)" in links
    assert "Instagram account" not in links
