"""Fan-in in Airflow's own task runner: mapped tasks wait, fail, are retried and cleared, then one task writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from tests.support.airflow_versions import needs
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.dag_runs import (
    BUSY,
    DOWN,
    clear_and_run,
    count_rows,
    dag_of,
    open_sandboxes_of_dags,
    pull,
    run,
    states,
)

pytestmark = needs("a task state store")

BODY = """
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator as Write
accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size={size})
options = dict(metrics=["likes"], lookback_days=0, profile_table_id=None, load="stage")
insights = Account.partial(task_id="read"{arguments}, **options, **TO).expand(account_ids=accounts.output)
Write(task_id="write", staged=insights.output["staged"], account_ids=accounts.output, **TO)
"""
REFUSED = ErrorEffect(10, message="(#10) Application does not have permission for this action")


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts; waits that take hours take a second."""
    with open_sandboxes_of_dags() as opened:
        yield opened


def merges(sandboxes: Sandboxes) -> int:
    """Return how many MERGE and INSERT statements were sent about the tables of numbers."""
    sent = [job.statement or "" for job in sandboxes.bigquery.jobs]
    return sum(sql.startswith(("MERGE", "INSERT")) and "instagram_runs" not in sql for sql in sent)


@pytest.mark.parametrize("deferrable", [False, True], ids=["rescheduled", "deferred"])
def test_a_throttled_chunk_waits_and_is_written(sandboxes: Sandboxes, tmp_path: Path, deferrable: bool) -> None:
    """A mapped task stages what it has, waits, and stages the rest; the task that writes waits for it."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=second, times=1))
    body = BODY.format(size=3, arguments=f", deferrable={deferrable}")
    with dag_of(tmp_path, f"staged_throttled_{deferrable}", body) as dag:
        found = run(dag)
    assert {key: state for key, (state, _) in states(found).items()} == {
        ("accounts", -1): "success",
        ("read", 0): "success",
        ("write", -1): "success",
    }
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}
    assert pull(found["write", -1])["rows"] == sum(count_rows(sandboxes).values())
    assert sandboxes.staging() == []


@pytest.mark.usefixtures("without_waits")
def test_a_retry_stages_only_what_is_missing(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """What the first try staged is written together with what the second one did."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=DOWN, path=second, times=2 * GraphSettings(token="EAAG").max_tries))
    body = BODY.format(size=3, arguments=", retries=2, retry_delay=timedelta(0)")
    with dag_of(tmp_path, "staged_retried", body) as dag:
        found = run(dag)
    assert states(found)["read", 0] == ("success", 2)
    assert states(found)["write", -1] == ("success", 1)
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}
    assert pull(found["write", -1])["accounts_done"] == list(sandboxes.world.accounts)
    assert sandboxes.staging() == []


def test_a_failed_chunk_is_named_cleared_and_written(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """The run fails with the other chunks written; once the cause is gone, two clears write the rest."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=REFUSED, path=second, times=None))
    with dag_of(tmp_path, "staged_failed", BODY.format(size=1, arguments="")) as dag:
        found = run(dag)
        assert {key: state for key, (state, _) in states(found).items()} == {
            ("accounts", -1): "success",
            ("read", 0): "success",
            ("read", 1): "failed",
            ("read", 2): "success",
            ("write", -1): "failed",
        }
        assert set(count_rows(sandboxes)) == {"1", "3"}
        assert merges(sandboxes) == 1
        assert list(pull(found["write", -1], key="summary")["accounts_failed"]) == [second]
        sandboxes.graph.faults.clear()
        assert clear_and_run(dag, found["read", 1]).state == "success"
        again = clear_and_run(dag, found["write", -1])
        assert again.state == "success"
        assert pull(again)["accounts_done"] == list(sandboxes.world.accounts)
    assert set(count_rows(sandboxes)) == {"1", "2", "3"}
    assert merges(sandboxes) == 2
    assert sandboxes.staging() == []
