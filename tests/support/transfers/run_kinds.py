"""Every schedule kind with every run kind: how Airflow makes the run, what it says about time, and the days it means.

Every run is made by Airflow's own code (the timetable, the REST API's request body, ``Dag.test``): none is written by
hand. "Now" is 2026-11-21 18:00 UTC, when 2026-11-20 is the last closed Pacific day.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import airflow
import pytest

from airflow_provider_iginsights.window import RunDates

if tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 3):
    pytest.skip("the schedules, runs and defaults of this table are those of Airflow 3.3", allow_module_level=True)

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
    facts: RunDates
    rule: str
    days: tuple[str, ...]
    start: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    earlier_success: datetime | None = None
    since: str | None = None
    until: str | None = None


def spanning(
    start: str, end: str, *, run_after: datetime | str, logical_date: str | None = None, **more: Any
) -> RunDates:
    """Return facts with a data interval; the logical date is its start unless told."""
    return RunDates(
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
BY_HAND = RunDates(run_after=CLICK, is_manual=True)
BY_ASSET = RunDates(run_after=CLICK)
INTERVAL_TEMPLATES = {"since": "{{ data_interval_start }}", "until": "{{ data_interval_end }}"}
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
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK, is_manual=True),
        rule="one_day",
        days=("2026-11-08",),
    ),
    Case(
        claim="@daily, manual without logical date",
        schedule="@daily",
        make=manual(None),
        facts=BY_HAND,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="@daily, UI dialog: logical date is now",
        schedule="@daily",
        make=manual(CLICK),
        earlier_success=at("21T00:00"),
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK, is_manual=True, previous_success_end=at("21T00:00")),
        rule="since_previous_success",
        days=("2026-11-20",),
    ),
    Case(
        claim="@daily, manual with an explicit data interval",
        schedule="@daily",
        make=manual(at("10T00:00"), data_interval_start=at("05T08:00"), data_interval_end=at("08T08:00")),
        facts=spanning("05T08:00", "08T08:00", run_after=CLICK, is_manual=True, logical_date="10T00:00"),
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
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK, is_manual=True),
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
        facts=spanning("20T14:32", "21T14:32", run_after=CLICK, is_manual=True, logical_date="21T14:32"),
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
        facts=spanning("09T00:00", "10T00:00", run_after=CLICK, is_manual=True, logical_date="10T05:00"),
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
        facts=spanning("09T00:00", "10T00:00", run_after=CLICK, is_manual=True, logical_date="10T00:00"),
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
        facts=spanning("19T23:00", "20T23:00", run_after=CLICK, is_manual=True, logical_date="21T14:32"),
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
        facts=RunDates(partition_date=date(2026, 11, 20), run_after=at("21T00:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="Tokyo partitions, scheduled: the key's day, not the UTC day of its instant",
        schedule=partitioned("Asia/Tokyo"),
        start=at("20T15:00"),
        make=scheduled,
        facts=RunDates(partition_date=date(2026, 11, 20), run_after=at("20T15:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="partitions whose key is no date, scheduled: the partition date",
        schedule=partitioned("UTC", "day %j"),
        start=at("21T00:00"),
        make=scheduled,
        facts=RunDates(partition_date=date(2026, 11, 20), run_after=at("21T00:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="partitions, backfill",
        schedule=partitioned("UTC"),
        make=backfilled,
        facts=RunDates(partition_date=date(2026, 11, 10), run_after=at("10T00:00")),
        rule="partition_date",
        days=("2026-11-10",),
    ),
    Case(
        claim="partitions, manual with a key",
        schedule=partitioned("UTC"),
        make=manual(None, partition_key="2026-11-12"),
        facts=RunDates(partition_date=date(2026, 11, 12), run_after=CLICK, is_manual=True),
        rule="partition_date",
        days=("2026-11-12",),
    ),
    Case(
        claim="asset, triggered",
        schedule=[Asset("bigquery://project/dataset/table")],
        make=asset_triggered,
        facts=BY_ASSET,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="no schedule, manual without logical date",
        schedule=None,
        make=manual(None),
        facts=BY_HAND,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="no schedule, UI dialog: logical date is now",
        schedule=None,
        make=manual(CLICK),
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK, is_manual=True),
        rule="one_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="@daily, UI dialog, again on the same day: the last closed day once more",
        schedule="@daily",
        make=manual(CLICK),
        earlier_success=at("21T11:00"),
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK, is_manual=True, previous_success_end=at("21T11:00")),
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="@hourly, UI dialog: the last closed day, although no day ends in this hour",
        schedule="@hourly",
        make=manual(CLICK),
        earlier_success=at("21T14:00"),
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK, is_manual=True, previous_success_end=at("21T14:00")),
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="hours as intervals, manual: the last closed day, although no day ends in this hour",
        schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
        make=manual(CLICK),
        facts=spanning("21T13:00", "21T14:00", run_after=CLICK, is_manual=True, logical_date="21T14:32"),
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="@hourly, scheduled: the hour in which the day ends",
        schedule="@hourly",
        start=at("21T08:00"),
        make=scheduled,
        earlier_success=at("21T07:00"),
        facts=spanning("21T08:00", "21T08:00", run_after="21T08:00", previous_success_end=at("21T07:00")),
        rule="since_previous_success",
        days=("2026-11-20",),
    ),
    Case(
        claim="Tokyo partitions whose key is no date, scheduled: the day of Tokyo",
        schedule=partitioned("Asia/Tokyo", "day %j"),
        start=at("20T15:00"),
        make=scheduled,
        facts=RunDates(partition_date=date(2026, 11, 20), run_after=at("20T15:00")),
        rule="partition_date",
        days=("2026-11-20",),
    ),
    Case(
        claim="ds alone as since is that Pacific day",
        schedule="@daily",
        make=manual(at("10T00:00")),
        since="{{ ds }}",
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK, is_manual=True),
        rule="given_date",
        days=("2026-11-10",),
    ),
    Case(
        claim="the data interval as templates is the data interval",
        schedule=daily("America/Los_Angeles"),
        start=at("20T08:00"),
        make=scheduled,
        **INTERVAL_TEMPLATES,
        facts=spanning("20T08:00", "21T08:00", run_after="21T08:00"),
        rule="data_interval",
        days=("2026-11-20",),
    ),
    Case(
        claim="ts_nodash alone as until takes its since from the run",
        schedule="@daily",
        make=manual(at("10T00:00")),
        until="{{ ts_nodash }}",
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK, is_manual=True),
        rule="given_until",
        days=("2026-11-08",),
    ),
    Case(
        claim="a template that renders None counts as not given",
        schedule="@daily",
        make=manual(at("10T00:00")),
        since="{{ prev_data_interval_end_success }}",
        facts=spanning("10T00:00", "10T00:00", run_after=CLICK, is_manual=True),
        rule="one_day",
        days=("2026-11-08",),
    ),
    Case(
        claim="templates of an interval without width are the run itself",
        schedule="@daily",
        start=at("21T00:00"),
        make=scheduled,
        earlier_success=at("19T00:00"),
        **INTERVAL_TEMPLATES,
        facts=spanning("21T00:00", "21T00:00", run_after="21T00:00", previous_success_end=at("19T00:00")),
        rule="since_previous_success",
        days=("2026-11-18", "2026-11-19"),
    ),
    Case(
        claim="the start of an interval without width, alone, is the run itself",
        schedule=timedelta(days=1),
        start=at("20T18:38:00.720000"),
        make=scheduled,
        since="{{ data_interval_start }}",
        facts=spanning("20T18:38:00.720000", "20T18:38:00.720000", run_after="20T18:38:00.720000"),
        rule="one_day",
        days=("2026-11-19",),
    ),
    Case(
        claim="templates of an hour, manual: the last closed day",
        schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
        make=manual(CLICK),
        **INTERVAL_TEMPLATES,
        facts=spanning("21T13:00", "21T14:00", run_after=CLICK, is_manual=True, logical_date="21T14:32"),
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="templates of an interval, UI dialog",
        schedule="@daily",
        make=manual(CLICK),
        **INTERVAL_TEMPLATES,
        facts=spanning("21T14:32", "21T14:32", run_after=CLICK, is_manual=True),
        rule="one_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="templates of an interval, manual without logical date",
        schedule=daily("America/Los_Angeles"),
        make=manual(None),
        **INTERVAL_TEMPLATES,
        facts=BY_HAND,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="templates of an interval, asset-triggered",
        schedule=[Asset("bigquery://project/dataset/table")],
        make=asset_triggered,
        **INTERVAL_TEMPLATES,
        facts=BY_ASSET,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="templates of an interval, partitions",
        schedule=partitioned("UTC"),
        make=backfilled,
        **INTERVAL_TEMPLATES,
        facts=RunDates(partition_date=date(2026, 11, 10), run_after=at("10T00:00")),
        rule="partition_date",
        days=("2026-11-10",),
    ),
    Case(
        claim="ds, handed to a macro, manual without logical date",
        schedule="@daily",
        make=manual(None),
        since="{{ macros.ds_add(ds, -1) }}",
        facts=BY_HAND,
        rule="last_closed_day",
        days=("2026-11-20",),
    ),
    Case(
        claim="arithmetic with the interval, asset-triggered; the given end stays",
        schedule=[Asset("bigquery://project/dataset/table")],
        make=asset_triggered,
        since="{{ data_interval_start.subtract(days=1) }}",
        until="2026-11-16",
        facts=BY_ASSET,
        rule="given_date",
        days=("2026-11-15",),
    ),
    Case(
        claim="a template that provides for the missing date itself is obeyed",
        schedule="@daily",
        make=manual(None),
        since="{{ ds if ds is defined else '2026-11-05' }}",
        facts=BY_HAND,
        rule="given_date",
        days=("2026-11-05",),
    ),
    Case(
        claim="the key of a partition",
        schedule=partitioned("Asia/Tokyo"),
        start=at("20T15:00"),
        make=scheduled,
        since="{{ partition_key }}",
        facts=RunDates(partition_date=date(2026, 11, 20), run_after=at("20T15:00")),
        rule="given_date",
        days=("2026-11-20",),
    ),
)


def build_dag(dag_id: str, schedule: Any, start: datetime, add: Callable[[], Any]) -> tuple[DAG, Any]:
    """Return a Dag with what ``add`` creates in it, and its serialized twin, known to the metadata database."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG(dag_id, schedule=schedule, start_date=start, catchup=True) as dag:
        add()
    DagBundlesManager().sync_bundles_to_db()
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
