"""What each kind of schedule and run says about time, asked of Airflow itself, and the Pacific days that follow.

Every run is made by Airflow's own code (the timetable, the REST API's request body, ``Dag.test``) and every context by
its task runner: none is written by hand. "Now" is 2026-11-21 18:00 UTC, when 2026-11-20 is the last closed Pacific day.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import airflow
import pytest

from airflow_provider_iginsights.window import RunFacts, Window, resolve_window

if tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 3):
    pytest.skip("the schedules, runs and defaults of this table are those of Airflow 3.3", allow_module_level=True)

from airflow.sdk import (
    DAG,
    Asset,
    BaseOperator,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
)

from airflow_provider_iginsights.transfers.run_facts import read_run_facts

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

pytestmark = pytest.mark.usefixtures("airflow_db")

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
CLICK = datetime(2026, 11, 21, 14, 32, tzinfo=UTC)


def at(text: str) -> datetime:
    """Return 2026-11-``text``, for example ``21T08:00``, in UTC."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


class WindowProbe(BaseOperator):
    """Reads the facts of its run and resolves its window, as every transfer does, and shows both to the test."""

    template_fields = ("since", "until")
    seen: ClassVar[list[tuple[RunFacts, Window]]] = []

    def __init__(self, *, since: str | None = None, until: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until

    def execute(self, context: Any) -> None:
        """Append (facts, window) to ``seen``."""
        facts = read_run_facts(context)
        self.seen.append((facts, resolve_window(self.since, self.until, run=facts, now=NOW)))


MakeRun = Callable[[DAG, Any], "DagRun"]


def create(scheduler_dag: Any, *, run_type: str, triggered_by: str, state: str = "running", **values: Any) -> DagRun:
    """Create a run of a serialized Dag."""
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    return scheduler_dag.create_dagrun(
        run_type=DagRunType(run_type),
        triggered_by=DagRunTriggeredByType(triggered_by),
        state=DagRunState(state),
        **values,
    )


def from_info(scheduler_dag: Any, info: Any, *, run_type: str, triggered_by: str) -> DagRun:
    """Create the run that a timetable's ``DagRunInfo`` describes, with the values that the scheduler passes."""
    return create(
        scheduler_dag,
        run_type=run_type,
        triggered_by=triggered_by,
        run_id=f"{run_type}__{info.run_after.isoformat()}",
        logical_date=info.logical_date,
        data_interval=info.data_interval,
        run_after=info.run_after,
        partition_key=info.partition_key,
        partition_date=info.partition_date,
    )


def scheduled(_dag: DAG, scheduler_dag: Any) -> DagRun:
    """Create the first scheduled run after the Dag's start date."""
    info = scheduler_dag.next_dagrun_info(last_automated_run_info=None)
    return from_info(scheduler_dag, info, run_type="scheduled", triggered_by="timetable")


def scheduled_second(_dag: DAG, scheduler_dag: Any) -> DagRun:
    """Create the second scheduled run: the first of a trigger with an interval precedes the start date: no tasks."""
    first = scheduler_dag.next_dagrun_info(last_automated_run_info=None)
    info = scheduler_dag.next_dagrun_info(last_automated_run_info=first)
    return from_info(scheduler_dag, info, run_type="scheduled", triggered_by="timetable")


def backfilled(_dag: DAG, scheduler_dag: Any) -> DagRun:
    """Create the run of a backfill of 2026-11-10."""
    info = next(iter(scheduler_dag.iter_dagrun_infos_between(at("10T00:00"), at("10T00:00"))))
    return from_info(scheduler_dag, info, run_type="backfill", triggered_by="backfill")


def manual(logical_date: datetime | None, state: str = "running", **body: Any) -> MakeRun:
    """Create a run as ``POST /dags/{dag_id}/dagRuns`` does, triggered at 14:32."""

    def make(_dag: DAG, scheduler_dag: Any) -> DagRun:
        from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody

        request = TriggerDAGRunPostBody(logical_date=logical_date, run_after=CLICK, **body)
        values = request.validate_context(scheduler_dag)
        return create(scheduler_dag, run_type="manual", triggered_by="rest_api", state=state, **values)

    return make


def asset_triggered(_dag: DAG, scheduler_dag: Any) -> DagRun:
    """Create the run that an asset event at 14:32 starts, with the values that the scheduler passes."""
    return create(
        scheduler_dag,
        run_type="asset_triggered",
        triggered_by="asset",
        run_id="asset_triggered__1",
        logical_date=None,
        data_interval=None,
        run_after=CLICK,
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table: a schedule, how the run came about, and what must follow."""

    claim: str
    schedule: Any
    make: MakeRun | None
    facts: RunFacts
    rule: str
    days: tuple[str, ...]
    start: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    earlier_success: datetime | None = None
    since: str | None = None
    until: str | None = None


def spanning(
    start: str, end: str, *, run_after: datetime | str, logical_date: str | None = None, **more: Any
) -> RunFacts:
    """Return facts with a data interval; the logical date is its start unless told."""
    return RunFacts(
        data_interval_start=at(start),
        data_interval_end=at(end),
        run_after=at(run_after) if isinstance(run_after, str) else run_after,
        logical_date=at(logical_date or start),
        **more,
    )


def daily(zone: str) -> CronDataIntervalTimetable:
    """Return the midnight-to-midnight schedule of a zone."""
    return CronDataIntervalTimetable("0 0 * * *", timezone=zone)


def partitioned(zone: str, key_format: str = "%Y-%m-%d") -> CronPartitionTimetable:
    """Return the schedule that makes yesterday's partition at midnight of a zone."""
    return CronPartitionTimetable("0 0 * * *", timezone=zone, run_offset=-1, key_format=key_format)


INTERVAL = CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=timedelta(days=1))
NO_INTERVAL = RunFacts(run_after=CLICK)
CASES = (
    Case(
        claim="@daily, scheduled, first run",
        schedule="@daily",
        start=at("21T00:00"),
        make=scheduled,
        facts=spanning("21T00:00", "21T00:00", run_after="21T00:00"),
        rule="one_day",
        days=("2026-11-19",),
    ),
    Case(
        claim="@daily, scheduled, after two failed days",
        schedule="@daily",
        start=at("21T00:00"),
        make=scheduled,
        earlier_success=at("18T00:00"),
        facts=spanning("21T00:00", "21T00:00", run_after="21T00:00", previous_success_end=at("18T00:00")),
        rule="since_previous_success",
        days=("2026-11-17", "2026-11-18", "2026-11-19"),
    ),
    Case(
        claim="@daily, manual with logical date",
        schedule="@daily",
        make=manual(at("10T00:00")),
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK),
        rule="one_day",
        days=("2026-11-08",),
    ),
    Case(
        claim="@daily, manual without logical date",
        schedule="@daily",
        make=manual(None),
        facts=NO_INTERVAL,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="@daily, UI dialog: logical date is now",
        schedule="@daily",
        make=manual(CLICK),
        earlier_success=at("21T00:00"),
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK, previous_success_end=at("21T00:00")),
        rule="since_previous_success",
        days=("2026-11-20",),
    ),
    Case(
        claim="@daily, manual with an explicit data interval",
        schedule="@daily",
        make=manual(at("10T00:00"), data_interval_start=at("05T08:00"), data_interval_end=at("08T08:00")),
        facts=spanning("05T08:00", "08T08:00", run_after=CLICK, logical_date="10T00:00"),
        rule="data_interval",
        days=("2026-11-05", "2026-11-06", "2026-11-07"),
    ),
    Case(
        claim="@daily, backfill",
        schedule="@daily",
        make=backfilled,
        facts=spanning("10T00:00", "10T00:00", run_after="10T00:00"),
        rule="one_day",
        days=("2026-11-08",),
    ),
    Case(
        claim="@daily, dag.test with a logical date",
        schedule="@daily",
        make=None,
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK),
        rule="one_day",
        days=("2026-11-08",),
    ),
    Case(
        claim="@hourly, scheduled: no day ends in this hour",
        schedule="@hourly",
        start=at("21T02:00"),
        make=scheduled,
        earlier_success=at("21T01:00"),
        facts=spanning("21T02:00", "21T02:00", run_after="21T02:00", previous_success_end=at("21T01:00")),
        rule="since_previous_success",
        days=(),
    ),
    Case(
        claim="timedelta, scheduled at an odd instant",
        schedule=timedelta(days=1),
        start=at("20T18:38:00.720000"),
        make=scheduled,
        facts=spanning("20T18:38:00.720000", "20T18:38:00.720000", run_after="20T18:38:00.720000"),
        rule="one_day",
        days=("2026-11-19",),
    ),
    Case(
        claim="CronTriggerTimetable with interval, scheduled",
        schedule=INTERVAL,
        start=at("20T00:00"),
        make=scheduled_second,
        facts=spanning("20T00:00", "21T00:00", run_after="21T00:00"),
        rule="data_interval",
        days=("2026-11-19",),
    ),
    Case(
        claim="CronTriggerTimetable with interval, manual at 14:32",
        schedule=INTERVAL,
        make=manual(CLICK),
        facts=spanning("20T14:32", "21T14:32", run_after=CLICK, logical_date="21T14:32"),
        rule="data_interval",
        days=("2026-11-20",),
    ),
    Case(
        claim="UTC days, scheduled",
        schedule=daily("UTC"),
        start=at("20T00:00"),
        make=scheduled,
        facts=spanning("20T00:00", "21T00:00", run_after="21T00:00"),
        rule="data_interval",
        days=("2026-11-19",),
    ),
    Case(
        claim="UTC days, manual with logical date: the last full day",
        schedule=daily("UTC"),
        make=manual(at("10T05:00")),
        facts=spanning("09T00:00", "10T00:00", run_after=CLICK, logical_date="10T05:00"),
        rule="data_interval",
        days=("2026-11-08",),
    ),
    Case(
        claim="UTC days, backfill",
        schedule=daily("UTC"),
        make=backfilled,
        facts=spanning("10T00:00", "11T00:00", run_after="11T00:00"),
        rule="data_interval",
        days=("2026-11-09",),
    ),
    Case(
        claim="UTC days, dag.test with a logical date",
        schedule=daily("UTC"),
        make=None,
        facts=spanning("09T00:00", "10T00:00", run_after=CLICK, logical_date="10T00:00"),
        rule="data_interval",
        days=("2026-11-08",),
    ),
    Case(
        claim="Pacific days, scheduled: the day itself",
        schedule=daily("America/Los_Angeles"),
        start=at("20T08:00"),
        make=scheduled,
        facts=spanning("20T08:00", "21T08:00", run_after="21T08:00"),
        rule="data_interval",
        days=("2026-11-20",),
    ),
    Case(
        claim="Pacific days, scheduled on the day of 25 hours",
        schedule=daily("America/Los_Angeles"),
        start=at("01T07:00"),
        make=scheduled,
        facts=spanning("01T07:00", "02T08:00", run_after="02T08:00"),
        rule="data_interval",
        days=("2026-11-01",),
    ),
    Case(
        claim="Berlin days, scheduled",
        schedule=daily("Europe/Berlin"),
        start=at("19T23:00"),
        make=scheduled,
        facts=spanning("19T23:00", "20T23:00", run_after="20T23:00"),
        rule="data_interval",
        days=("2026-11-19",),
    ),
    Case(
        claim="Berlin days, manual at 14:32",
        schedule=daily("Europe/Berlin"),
        make=manual(CLICK),
        facts=spanning("19T23:00", "20T23:00", run_after=CLICK, logical_date="21T14:32"),
        rule="data_interval",
        days=("2026-11-19",),
    ),
    Case(
        claim="Tokyo days, scheduled",
        schedule=daily("Asia/Tokyo"),
        start=at("19T15:00"),
        make=scheduled,
        facts=spanning("19T15:00", "20T15:00", run_after="20T15:00"),
        rule="data_interval",
        days=("2026-11-19",),
    ),
    Case(
        claim="partitions, scheduled",
        schedule=partitioned("UTC"),
        start=at("21T00:00"),
        make=scheduled,
        facts=RunFacts(partition_date=date(2026, 11, 20), run_after=at("21T00:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="Tokyo partitions, scheduled: the key's day, not the UTC day of its instant",
        schedule=partitioned("Asia/Tokyo"),
        start=at("20T15:00"),
        make=scheduled,
        facts=RunFacts(partition_date=date(2026, 11, 20), run_after=at("20T15:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="partitions whose key is no date, scheduled: the partition date",
        schedule=partitioned("UTC", "day %j"),
        start=at("21T00:00"),
        make=scheduled,
        facts=RunFacts(partition_date=at("20T00:00"), run_after=at("21T00:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="partitions, backfill",
        schedule=partitioned("UTC"),
        make=backfilled,
        facts=RunFacts(partition_date=date(2026, 11, 10), run_after=at("10T00:00")),
        rule="partition_date",
        days=("2026-11-10",),
    ),
    Case(
        claim="partitions, manual with a key",
        schedule=partitioned("UTC"),
        make=manual(None, partition_key="2026-11-12"),
        facts=RunFacts(partition_date=date(2026, 11, 12), run_after=CLICK),
        rule="partition_date",
        days=("2026-11-12",),
    ),
    Case(
        claim="asset, triggered",
        schedule=[Asset("bigquery://project/dataset/table")],
        make=asset_triggered,
        facts=NO_INTERVAL,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="no schedule, manual without logical date",
        schedule=None,
        make=manual(None),
        facts=NO_INTERVAL,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="no schedule, UI dialog: logical date is now",
        schedule=None,
        make=manual(CLICK),
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK),
        rule="one_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="ds alone as since is that Pacific day",
        schedule="@daily",
        make=manual(at("10T00:00")),
        since="{{ ds }}",
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK),
        rule="given_date",
        days=("2026-11-10",),
    ),
    Case(
        claim="the data interval as templates is the data interval",
        schedule=daily("America/Los_Angeles"),
        start=at("20T08:00"),
        make=scheduled,
        since="{{ data_interval_start }}",
        until="{{ data_interval_end }}",
        facts=spanning("20T08:00", "21T08:00", run_after="21T08:00"),
        rule="given",
        days=("2026-11-20",),
    ),
    Case(
        claim="ts_nodash alone as until takes its since from the run",
        schedule="@daily",
        make=manual(at("10T00:00")),
        until="{{ ts_nodash }}",
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK),
        rule="given_until",
        days=("2026-11-08",),
    ),
    Case(
        claim="a template that renders None counts as not given",
        schedule="@daily",
        make=manual(at("10T00:00")),
        since="{{ prev_data_interval_end_success }}",
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK),
        rule="one_day",
        days=("2026-11-08",),
    ),
)


def build_dag(case: Case, dag_id: str) -> tuple[DAG, Any]:
    """Return the Dag of a case and its serialized twin, known to the metadata database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG(dag_id, schedule=case.schedule, start_date=case.start, catchup=True) as dag:
        WindowProbe(task_id="probe", since=case.since, until=case.until)
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull, collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    return dag, DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def run_probe(dag: DAG, run: DagRun) -> None:
    """Run the only task of ``run`` with Airflow's in-process task runner, as ``Dag.test`` does."""
    from airflow.sdk.definitions.dag import _run_task

    (instance,) = run.get_task_instances()
    instance.try_number += 1
    _run_task(ti=instance, task=dag.get_task("probe"))


@pytest.mark.parametrize("case", CASES, ids=[case.claim for case in CASES])
def test_reads_what_airflow_says(case: Case, request: pytest.FixtureRequest) -> None:
    """Facts, rule and closed Pacific days of every schedule and run kind are exactly those of the table."""
    dag, scheduler_dag = build_dag(case, f"case_{CASES.index(case)}")
    WindowProbe.seen.clear()
    if case.earlier_success:
        manual(case.earlier_success, state="success", dag_run_id="earlier")(dag, scheduler_dag)
    if case.make is None:
        dag.test(logical_date=at("10T00:00"), run_after=CLICK)
    else:
        run_probe(dag, case.make(dag, scheduler_dag))
    ((facts, window),) = WindowProbe.seen
    assert facts == case.facts
    assert window.rule == case.rule
    assert tuple(str(day) for day in window.days()) == case.days


def test_an_empty_context_has_no_facts() -> None:
    """A context without any key, as in a unit test of an operator, is read as a run that knows nothing."""
    assert read_run_facts({}) == RunFacts()
