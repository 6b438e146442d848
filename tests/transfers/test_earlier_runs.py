"""From where a run without a width goes on: from the last run in which this very task read what it had to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights._compat import AirflowSkipException, task
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator
from tests.support.sandboxes import DATASET, Sandboxes, open_sandboxes
from tests.support.transfers.run_kinds import NOW, at, build_dag

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("airflow_db", "without_waits")

ENDED = ErrorEffect(190, message="Error validating access token: Session has expired")
OPTIONS: dict[str, Any] = {
    "task_id": "transfer",
    "metrics": ["likes"],
    "breakdowns": {"likes": []},
    "profile_table_id": None,
    "runs_table_id": None,
    "dataset_id": DATASET,
    "gcp_conn_id": None,
    "create_dataset": True,
    "lookback_days": 0,
    "since": "{{ dag_run.conf.get('since') }}",
}


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=0, stories_per_account=0)) as opened:
        yield opened


@task
def choose_night(dag_run: Any = None) -> None:
    """Skip what follows where the run says so, as a task that looks at the day of the week does."""
    if dag_run.conf.get("skips"):
        raise AirflowSkipException


@task(trigger_rule="all_done")
def notify() -> None:
    """Run whatever became of the others: so the Dag's run is a success."""


def alone(_: Sandboxes) -> Any:
    """Return one task for all accounts."""
    return InstagramAccountInsightsToBigQueryOperator(**OPTIONS)


def mapped(sandboxes: Sandboxes) -> Any:
    """Return a mapped task, an account each."""
    ids = [[account_id] for account_id in sandboxes.world.accounts]
    return InstagramAccountInsightsToBigQueryOperator.partial(**OPTIONS).expand(account_ids=ids)


def written(sandboxes: Sandboxes) -> dict[str, list[int]]:
    """Return the days of November that are stored of each account."""
    rows = sandboxes.rows("instagram_account_insights")
    return {
        account_id: sorted(int(str(row["metric_date"])[-2:]) for row in rows if row["account_id"] == account_id)
        for account_id in sandboxes.world.accounts
    }


@pytest.mark.parametrize("add", [alone, mapped])
@pytest.mark.parametrize(
    ("fails", "conf", "besides"),
    [(True, {}, []), (False, {"skips": True}, []), (False, {"since": "2026-11-02"}, [2])],
    ids=["failed", "skipped", "read other days"],
)
def test_no_day_is_lost_though_the_runs_in_between_are_green(
    sandboxes: Sandboxes,
    add: Callable[[Sandboxes], Any],
    fails: bool,
    conf: dict[str, Any],
    besides: list[int],
) -> None:
    """A run's last task decides whether it is a success: of two such nights, the third one reads all days."""

    def fill() -> None:
        choose_night() >> add(sandboxes) >> notify()

    dag, _ = build_dag(f"night_{add.__name__}_{fails}_{bool(conf)}_{len(besides)}", "@daily", at("01T00:00"), fill)
    last = list(sandboxes.world.accounts)[-1]
    assert dag.test(logical_date=at("18T08:30")).state == "success"
    if fails:
        sandboxes.graph.faults.add(GraphFault(effect=ENDED, path=last, times=None))
    for day in (19, 20):
        assert dag.test(logical_date=at(f"{day}T08:30"), run_conf=conf).state == "success"
    sandboxes.graph.faults.clear()
    assert dag.test(logical_date=at("21T08:30")).state == "success"
    assert written(sandboxes) == {each: [*besides, 17, 18, 19, 20] for each in sandboxes.world.accounts}
