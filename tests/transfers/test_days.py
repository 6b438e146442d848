"""Schedule kind x run kind, from Airflow's own task runner to BigQuery: the days written, the rule that chose them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.task.run_dates import read_run_dates
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator
from airflow_provider_iginsights.window import RULES, RunDates
from tests.support.sandboxes import DATASET, Sandboxes, open_sandboxes
from tests.support.transfers.run_kinds import (
    CASES,
    CLICK,
    INTERVAL_TEMPLATES,
    NOW,
    Case,
    at,
    build_dag,
    manual,
    run_only_task,
)

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

pytestmark = pytest.mark.usefixtures("airflow_db", "without_waits")

START = at("01T00:00")
ONE_METRIC = {
    "metrics": ["likes"],
    "breakdowns": {"likes": []},
    "profile_table_id": None,
    "dataset_id": DATASET,
    "gcp_conn_id": None,
    "create_dataset": True,
    "lookback_days": 0,
}


class Witnessed(InstagramAccountInsightsToBigQueryOperator):
    """The transfer itself; it shows the test what its run said about time."""

    seen: ClassVar[list[RunDates]] = []

    def execute(self, context: Any) -> dict[str, Any]:
        """Note the facts and go on."""
        self.seen.append(read_run_dates(context))
        return super().execute(context)


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one account for all cases; each writes to a table of its own."""
    with open_sandboxes(World.build(now=NOW, accounts=1)) as opened:
        yield opened


def written(sandboxes: Sandboxes, table_id: str) -> tuple[str, ...]:
    """Return the Pacific days that the table holds, one row each."""
    return tuple(sorted(str(row["metric_date"]) for row in sandboxes.bigquery.rows(DATASET, table_id)))


def returned(run: DagRun) -> dict[str, Any]:
    """Return what the run's only task left in XCom."""
    (instance,) = run.get_task_instances()
    return instance.xcom_pull(task_ids=instance.task_id)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_writes_exactly_the_days_of_the_run(
    case: Case, sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Airflow says, the rule (in the log and in XCom) and the days in BigQuery are exactly those of the table."""
    table_id = f"case_{list(CASES.values()).index(case)}"

    def add() -> None:
        Witnessed(task_id="transfer", table_id=table_id, since=case.since, until=case.until, **ONE_METRIC)

    dag, scheduler_dag = build_dag(table_id, case.schedule, case.start, add)
    Witnessed.seen.clear()
    if case.earlier_success:
        manual(case.earlier_success, state="success", dag_run_id="earlier")(dag, scheduler_dag)
    if case.make is None:
        run = dag.test(logical_date=at("10T00:00"), run_after=CLICK)
    else:
        run = run_only_task(dag, case.make(dag, scheduler_dag))
    assert Witnessed.seen == [case.facts]
    assert written(sandboxes, table_id) == tuple(f"2026-11-{day:02}" for day in case.days)
    assert returned(run)["window"]["rule"] == case.rule
    said = capsys.readouterr().out
    written_days = f"Writes {f'2026-11-{case.days[0]:02}' if case.days else 'no day'}"
    assert written_days in said
    assert f": {RULES[case.rule]}." in said
    assert "Accounts: 1 done." in said


def test_mapped_tasks_render_the_same_way(sandboxes: Sandboxes) -> None:
    """A mapped transfer with the interval's templates, on a run without one, writes the last closed day."""
    account_id = sandboxes.account.id

    def add() -> None:
        InstagramAccountInsightsToBigQueryOperator.partial(
            task_id="transfer", table_id="mapped", **INTERVAL_TEMPLATES, **ONE_METRIC
        ).expand(account_ids=[[account_id]])

    dag, _ = build_dag("mapped", None, START, add)
    assert dag.test(logical_date=None, run_after=CLICK).state == "success"
    assert written(sandboxes, "mapped") == ("2026-11-20",)


def test_a_run_that_covers_no_day_says_so(sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture) -> None:
    """The hour in which no day ends writes nothing, and log and XCom say when the next day ends."""
    case = CASES["@hourly, scheduled: no day ends in this hour"]
    said = "No Pacific day ends between 2026-11-21T01:00:00Z and 2026-11-21T02:00:00Z, so there is no day to read; "
    until = "the next one ends at 2026-11-21T08:00:00Z"
    summary = sandboxes.run(
        "account",
        interval=(case.facts.previous_success_end, case.facts.data_interval_end),
        table_id="no_day",
        **{name: value for name, value in ONE_METRIC.items() if name not in ("dataset_id", "gcp_conn_id")},
    )
    assert written(sandboxes, "no_day") == ()
    assert said + until in caplog.text
    assert said + until in str(summary["left_out"])
