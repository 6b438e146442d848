"""What a person reads of a task that Airflow's own task runner ran: its log, its XComs, its links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_iginsights.links.bigquery import BigQueryTableLink
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from tests.support.airflow_versions import SHOWS_LOCALS, offers
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.dag_runs import dag_of, open_sandboxes_of_dags, pull, run

BODY = 'Account(task_id="transfer", metrics="reach", lookback_days=1, retries=0, **TO)'
GONE = ErrorEffect(100, subcode=33, message="Unsupported get request. Object does not exist")


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts."""
    with open_sandboxes_of_dags() as opened:
        yield opened


def test_a_task_that_fails_in_part(
    sandboxes: Sandboxes, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The error stands once in the log; the summary is there with its days, and so is the link to the table."""
    first, second, third = sandboxes.world.accounts
    sandboxes.graph.faults.add(GraphFault(effect=GONE, path=second, times=None))
    caplog.set_level("INFO")
    with dag_of(tmp_path, "fails_in_part", BODY) as dag:
        (instance,) = run(dag).values()
    log = capsys.readouterr().out + caplog.text
    assert instance.state == "failed"
    assert "Writes 2026-11-19 (Pacific), reads 2026-11-18 again" in log
    assert "The above exception was the direct cause" not in log
    assert "XCom not found" not in log
    assert "No XCom value found" not in log
    summary = pull(instance, key="summary")
    assert summary["window"]["days"] == ["2026-11-19"]
    assert summary["window"]["days_read_again"] == ["2026-11-18"]
    assert summary["account_counts"] == dict.fromkeys(summary["account_counts"], 0) | {"done": 2, "failed": 1}
    assert summary["accounts_done"] == [first, third]
    assert list(summary["accounts_failed"]) == [second]
    assert "t=instagram_account_insights" in pull(instance, key=BigQueryTableLink().xcom_key)


def test_a_task_that_fails_before_it_writes(
    sandboxes: Sandboxes, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Its error stands once in the log, with one traceback, and no link is looked for."""
    sandboxes.connect(password="EAAGdead")
    caplog.set_level("INFO", logger="airflow.task")
    with dag_of(tmp_path, "fails_at_once", BODY) as dag:
        (instance,) = run(dag).values()
    # Airflow 3 writes the log of a task to the output, Airflow 2 to the logger of tasks; whether that ends up in the
    # output, too, and how often, is a matter of the handlers that ran before.
    of_task = "".join(caplog.handler.format(each) for each in caplog.records if each.name == "airflow.task")
    log = capsys.readouterr().out if offers("3.0") else of_task
    assert "Task failed with exception" in log
    assert instance.state == "failed"
    if not SHOWS_LOCALS:
        assert log.count("Meta did not accept the token") == 1
        assert log.count("Traceback (most recent call last)") == 1
    assert "XCom not found" not in log
    assert not pull(instance, key=BigQueryTableLink().xcom_key)
