"""Every schedule kind with every run kind: how Airflow makes the run, what it says about time, and the days it means.

Every run is made by Airflow's own code (the timetable, the REST API's request body, ``Dag.test``): none is written by
hand. "Now" is 2026-11-21 18:00 UTC, when 2026-11-20 is the last closed Pacific day.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.window import RunDates
from tests.support.airflow_versions import offers, tell_lack

if not offers("3.3"):
    pytest.skip(tell_lack("the runs of Airflow 3.3"), allow_module_level=True)

from airflow.sdk import (
    DAG,
    Asset,
    CronDataIntervalTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
)

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
CLICK = datetime(2026, 11, 21, 14, 32, tzinfo=UTC)


def at(text: str) -> datetime:
    """Return 2026-11-``text``, for example ``21T08:00``, in UTC."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


MakeRun = Callable[[DAG, Any], "DagRun"]


def create(scheduler_dag: Any, *, run_type: str, triggered_by: str, state: str = "running", **values: Any) -> DagRun:
    """Create a run of a serialized Dag."""
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    run: DagRun = scheduler_dag.create_dagrun(
        run_type=DagRunType(run_type),
        triggered_by=DagRunTriggeredByType(triggered_by),
        state=DagRunState(state),
        **values,
    )
    return run


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


@dataclass(frozen=True)
class Case:
    """A schedule, how the run came about (None: ``dag.test``), and what must follow: facts, rule, days of November."""

    schedule: Any
    make: MakeRun | None
    facts: RunDates
    rule: str
    days: tuple[int, ...]
    _: KW_ONLY
    start: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    earlier_success: datetime | None = None
    since: str | None = None
    until: str | None = None


def spanning(
    start: str,
    end: str | None = None,
    *,
    run_after: datetime | None = None,
    logical_date: str | None = None,
    **more: Any,
) -> RunDates:
    """Return the facts of a run with a data interval: its end is its start, it runs at its end, unless given."""
    return RunDates(
        data_interval_start=at(start),
        data_interval_end=at(end or start),
        run_after=run_after or at(end or start),
        logical_date=at(logical_date or start),
        **more,
    )


def by_hand(start: str, end: str | None = None, **more: Any) -> RunDates:
    """Return the facts of a run with a data interval that somebody triggered at 14:32."""
    return spanning(start, end, run_after=CLICK, is_manual=True, **more)


def partition(day: int, run_after: str) -> RunDates:
    """Return the facts of a run for a partition of November."""
    return RunDates(partition_date=date(2026, 11, day), run_after=at(run_after))


def daily(zone: str) -> CronDataIntervalTimetable:
    """Return the midnight-to-midnight schedule of a zone."""
    return CronDataIntervalTimetable("0 0 * * *", timezone=zone)


def partitioned(zone: str, key_format: str = "%Y-%m-%d") -> CronPartitionTimetable:
    """Return the schedule that makes yesterday's partition at midnight of a zone."""
    return CronPartitionTimetable("0 0 * * *", timezone=zone, run_offset=-1, key_format=key_format)


INTERVAL = CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=timedelta(days=1))
BY_HAND = RunDates(run_after=CLICK, is_manual=True)
BY_ASSET = RunDates(run_after=CLICK)
INTERVAL_TEMPLATES: dict[str, Any] = {"since": "{{ data_interval_start }}", "until": "{{ data_interval_end }}"}
CASES: dict[str, Case] = {
    "@daily, scheduled, first run": Case(
        "@daily", scheduled, spanning("21T00:00"), "one_day", (19,), start=at("21T00:00")
    ),
    "@daily, scheduled, after two failed days": Case(
        "@daily",
        scheduled,
        spanning("21T00:00", previous_success_end=at("18T00:00")),
        "since_previous_success",
        (17, 18, 19),
        start=at("21T00:00"),
        earlier_success=at("18T00:00"),
    ),
    "@daily, manual with logical date": Case("@daily", manual(at("10T00:00")), by_hand("10T00:00"), "one_day", (8,)),
    "@daily, manual without logical date": Case("@daily", manual(None), BY_HAND, "last_closed_day", (20,)),
    "@daily, UI dialog: logical date is now": Case(
        "@daily",
        manual(CLICK),
        by_hand("21T14:32", previous_success_end=at("21T00:00")),
        "since_previous_success",
        (20,),
        earlier_success=at("21T00:00"),
    ),
    "@daily, manual with an explicit data interval": Case(
        "@daily",
        manual(at("10T00:00"), data_interval_start=at("05T08:00"), data_interval_end=at("08T08:00")),
        by_hand("05T08:00", "08T08:00", logical_date="10T00:00"),
        "data_interval",
        (5, 6, 7),
    ),
    "@daily, backfill": Case("@daily", backfilled, spanning("10T00:00"), "one_day", (8,)),
    "@daily, dag.test with a logical date": Case("@daily", None, by_hand("10T00:00"), "one_day", (8,)),
    "@hourly, scheduled: no day ends in this hour": Case(
        "@hourly",
        scheduled,
        spanning("21T02:00", previous_success_end=at("21T01:00")),
        "since_previous_success",
        (),
        start=at("21T02:00"),
        earlier_success=at("21T01:00"),
    ),
    "timedelta, scheduled at an odd instant": Case(
        timedelta(days=1), scheduled, spanning("20T18:38:00.720000"), "one_day", (19,), start=at("20T18:38:00.720000")
    ),
    "CronTriggerTimetable with interval, scheduled": Case(
        INTERVAL, scheduled_second, spanning("20T00:00", "21T00:00"), "data_interval", (19,), start=at("20T00:00")
    ),
    "CronTriggerTimetable with interval, manual at 14:32": Case(
        INTERVAL, manual(CLICK), by_hand("20T14:32", "21T14:32", logical_date="21T14:32"), "data_interval", (20,)
    ),
    "UTC days, scheduled": Case(
        daily("UTC"), scheduled, spanning("20T00:00", "21T00:00"), "data_interval", (19,), start=at("20T00:00")
    ),
    "UTC days, manual with logical date: the last full day": Case(
        daily("UTC"),
        manual(at("10T05:00")),
        by_hand("09T00:00", "10T00:00", logical_date="10T05:00"),
        "data_interval",
        (8,),
    ),
    "UTC days, backfill": Case(daily("UTC"), backfilled, spanning("10T00:00", "11T00:00"), "data_interval", (9,)),
    "UTC days, dag.test with a logical date": Case(
        daily("UTC"), None, by_hand("09T00:00", "10T00:00", logical_date="10T00:00"), "data_interval", (8,)
    ),
    "Pacific days, scheduled: the day itself": Case(
        daily("America/Los_Angeles"),
        scheduled,
        spanning("20T08:00", "21T08:00"),
        "data_interval",
        (20,),
        start=at("20T08:00"),
    ),
    "Pacific days, scheduled on the day of 25 hours": Case(
        daily("America/Los_Angeles"),
        scheduled,
        spanning("01T07:00", "02T08:00"),
        "data_interval",
        (1,),
        start=at("01T07:00"),
    ),
    "Berlin days, scheduled": Case(
        daily("Europe/Berlin"),
        scheduled,
        spanning("19T23:00", "20T23:00"),
        "data_interval",
        (19,),
        start=at("19T23:00"),
    ),
    "Berlin days, manual at 14:32": Case(
        daily("Europe/Berlin"),
        manual(CLICK),
        by_hand("19T23:00", "20T23:00", logical_date="21T14:32"),
        "data_interval",
        (19,),
    ),
    "Tokyo days, scheduled": Case(
        daily("Asia/Tokyo"), scheduled, spanning("19T15:00", "20T15:00"), "data_interval", (19,), start=at("19T15:00")
    ),
    "partitions, scheduled": Case(
        partitioned("UTC"), scheduled, partition(20, "21T00:00"), "partition_date", (20,), start=at("21T00:00")
    ),
    "Tokyo partitions, scheduled: the key's day, not the UTC day of its instant": Case(
        partitioned("Asia/Tokyo"), scheduled, partition(20, "20T15:00"), "partition_date", (20,), start=at("20T15:00")
    ),
    "partitions whose key is no date, scheduled: the partition date": Case(
        partitioned("UTC", "day %j"),
        scheduled,
        partition(20, "21T00:00"),
        "partition_date",
        (20,),
        start=at("21T00:00"),
    ),
    "partitions, backfill": Case(partitioned("UTC"), backfilled, partition(10, "10T00:00"), "partition_date", (10,)),
    "partitions, manual with a key": Case(
        partitioned("UTC"),
        manual(None, partition_key="2026-11-12"),
        RunDates(partition_date=date(2026, 11, 12), run_after=CLICK, is_manual=True),
        "partition_date",
        (12,),
    ),
    "asset, triggered": Case(
        [Asset("bigquery://project/dataset/table")], asset_triggered, BY_ASSET, "last_closed_day", (20,)
    ),
    "no schedule, manual without logical date": Case(None, manual(None), BY_HAND, "last_closed_day", (20,)),
    "no schedule, UI dialog: logical date is now": Case(None, manual(CLICK), by_hand("21T14:32"), "one_day", (20,)),
    "@daily, UI dialog, again on the same day: the last closed day once more": Case(
        "@daily",
        manual(CLICK),
        by_hand("21T14:32", previous_success_end=at("21T11:00")),
        "last_closed_day",
        (20,),
        earlier_success=at("21T11:00"),
    ),
    "@hourly, UI dialog: the last closed day, although no day ends in this hour": Case(
        "@hourly",
        manual(CLICK),
        by_hand("21T14:32", previous_success_end=at("21T14:00")),
        "last_closed_day",
        (20,),
        earlier_success=at("21T14:00"),
    ),
    "hours as intervals, manual: the last closed day, although no day ends in this hour": Case(
        CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
        manual(CLICK),
        by_hand("21T13:00", "21T14:00", logical_date="21T14:32"),
        "last_closed_day",
        (20,),
    ),
    "@hourly, scheduled: the hour in which the day ends": Case(
        "@hourly",
        scheduled,
        spanning("21T08:00", previous_success_end=at("21T07:00")),
        "since_previous_success",
        (20,),
        start=at("21T08:00"),
        earlier_success=at("21T07:00"),
    ),
    "Tokyo partitions whose key is no date, scheduled: the day of Tokyo": Case(
        partitioned("Asia/Tokyo", "day %j"),
        scheduled,
        partition(20, "20T15:00"),
        "partition_date",
        (20,),
        start=at("20T15:00"),
    ),
    "ds alone as since is that Pacific day": Case(
        "@daily", manual(at("10T00:00")), by_hand("10T00:00"), "given_date", (10,), since="{{ ds }}"
    ),
    "the data interval as templates is the data interval": Case(
        daily("America/Los_Angeles"),
        scheduled,
        spanning("20T08:00", "21T08:00"),
        "data_interval",
        (20,),
        start=at("20T08:00"),
        **INTERVAL_TEMPLATES,
    ),
    "ts_nodash alone as until takes its since from the run": Case(
        "@daily", manual(at("10T00:00")), by_hand("10T00:00"), "given_until", (8,), until="{{ ts_nodash }}"
    ),
    "a template that renders None counts as not given": Case(
        "@daily",
        manual(at("10T00:00")),
        by_hand("10T00:00"),
        "one_day",
        (8,),
        since="{{ prev_data_interval_end_success }}",
    ),
    "templates of an interval without width are the run itself": Case(
        "@daily",
        scheduled,
        spanning("21T00:00", previous_success_end=at("19T00:00")),
        "since_previous_success",
        (18, 19),
        start=at("21T00:00"),
        earlier_success=at("19T00:00"),
        **INTERVAL_TEMPLATES,
    ),
    "the start of an interval without width, alone, is the run itself": Case(
        timedelta(days=1),
        scheduled,
        spanning("20T18:38:00.720000"),
        "one_day",
        (19,),
        start=at("20T18:38:00.720000"),
        since="{{ data_interval_start }}",
    ),
    "templates of an hour, manual: the last closed day": Case(
        CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
        manual(CLICK),
        by_hand("21T13:00", "21T14:00", logical_date="21T14:32"),
        "last_closed_day",
        (20,),
        **INTERVAL_TEMPLATES,
    ),
    "templates of an interval, UI dialog": Case(
        "@daily", manual(CLICK), by_hand("21T14:32"), "one_day", (20,), **INTERVAL_TEMPLATES
    ),
    "templates of an interval, manual without logical date": Case(
        daily("America/Los_Angeles"), manual(None), BY_HAND, "last_closed_day", (20,), **INTERVAL_TEMPLATES
    ),
    "templates of an interval, asset-triggered": Case(
        [Asset("bigquery://project/dataset/table")],
        asset_triggered,
        BY_ASSET,
        "last_closed_day",
        (20,),
        **INTERVAL_TEMPLATES,
    ),
    "templates of an interval, partitions": Case(
        partitioned("UTC"), backfilled, partition(10, "10T00:00"), "partition_date", (10,), **INTERVAL_TEMPLATES
    ),
    "ds, handed to a macro, manual without logical date": Case(
        "@daily", manual(None), BY_HAND, "last_closed_day", (20,), since="{{ macros.ds_add(ds, -1) }}"
    ),
    "arithmetic with the interval, asset-triggered; the given end stays": Case(
        [Asset("bigquery://project/dataset/table")],
        asset_triggered,
        BY_ASSET,
        "given_date",
        (15,),
        since="{{ data_interval_start.subtract(days=1) }}",
        until="2026-11-16",
    ),
    "a template that provides for the missing date itself is obeyed": Case(
        "@daily", manual(None), BY_HAND, "given_date", (5,), since="{{ ds if ds is defined else '2026-11-05' }}"
    ),
    "the key of a partition": Case(
        partitioned("Asia/Tokyo"),
        scheduled,
        partition(20, "20T15:00"),
        "given_date",
        (20,),
        start=at("20T15:00"),
        since="{{ partition_key }}",
    ),
}


def build_dag(dag_id: str, schedule: Any, start: datetime, add: Callable[[], Any]) -> tuple[DAG, Any]:
    """Return a Dag with what ``add`` creates in it, and its serialized twin, known to the metadata database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG(dag_id, schedule=schedule, start_date=start, catchup=True) as dag:
        add()
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    bag = DagBag(dag_folder=os.devnull, collect_dags=False)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    return dag, DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def run_only_task(dag: DAG, run: DagRun) -> DagRun:
    """Run the only task of ``run`` with Airflow's in-process task runner, as ``Dag.test`` does."""
    from airflow.sdk.definitions.dag import _run_task

    (instance,) = run.get_task_instances()
    instance.try_number += 1
    _run_task(ti=instance, task=dag.get_task(instance.task_id))
    return run
