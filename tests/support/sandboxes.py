"""Both sandboxes, a clock that stands where a test puts it, and a way to run operators against them as a task does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

import time_machine

from airflow_provider_iginsights.catalog.run_tables import RUN_TABLES
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.sandbox.bigquery import BigQueryError, BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import Account, GraphSandbox, World
from airflow_provider_iginsights.transfers.base import InstagramToBigQueryOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
DAY = timedelta(days=1)
START, END = datetime(2026, 11, 20, 8, tzinfo=UTC), datetime(2026, 11, 21, 8, tzinfo=UTC)
DATASET = "instagram"
TRANSFERS: Mapping[str, type[InstagramToBigQueryOperator]] = {
    "account": InstagramAccountInsightsToBigQueryOperator,
    "media": InstagramMediaInsightsToBigQueryOperator,
    "story": InstagramStoryInsightsToBigQueryOperator,
}
PROVENANCE = ("api_version", "fetched_at", "run_id", "connection_id", "last_seen_at")
KEYS = {table.default_id: table.key for table in TABLES}
RUN_KEYS = {table.default_id: table.key for table in RUN_TABLES}
OPTIONAL = frozenset(table.default_id for table in TABLES if table.is_optional)

Row = dict[str, Any]


def pacific_days(first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last``, both included."""
    return [first + DAY * step for step in range((last - first).days + 1)]


@dataclass(slots=True)
class RecordingTaskInstance:
    """The part of a task instance that an operator uses: who it is, and what it pushed."""

    task_id: str = "transfer"
    dag_id: str = "brand"
    run_id: str = "scheduled__2026-11-21T08:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep what a task shows to others."""
        self.pushed[key] = value


class TaskStateStore(dict[str, Any]):
    """A task state store that keeps JSON, as Airflow's does."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        """Forget a value; an unknown one is no error."""
        self.pop(key, None)


@dataclass(slots=True)
class Sandboxes:
    """A world behind a Graph API, an empty BigQuery, and the environment that points Airflow at both."""

    world: World
    graph: GraphSandbox
    bigquery: BigQuerySandbox
    clock: Clock
    token: str
    extra: Mapping[str, Any]
    _traveller: time_machine.Traveller
    instance: RecordingTaskInstance = field(default_factory=RecordingTaskInstance)

    @property
    def now(self) -> datetime:
        """The instant of the world, which runs on."""
        return self.clock.now()

    @property
    def account(self) -> Account:
        """The world's first account."""
        return next(iter(self.world.accounts.values()))

    def travel(self, by: timedelta) -> None:
        """Make time pass, for Meta and for Airflow."""
        self.clock.advance(by)
        self._traveller.move_to(self.clock.now())

    def move_worker(self, skew: timedelta) -> None:
        """Set only the worker's clock, so far from the world's; :meth:`travel` sets it right again."""
        self._traveller.move_to(self.clock.now() + skew)

    def connect(self, conn_id: str = "instagram_default", **changes: Any) -> None:
        """Define the Airflow connection; ``changes`` win over the token and the extra of the sandbox."""
        connection = {"conn_type": "instagram", "host": self.graph.url, "password": self.token, "extra": self.extra}
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection | changes)

    def run(self, kind: str, *, interval: tuple[datetime, datetime] = (START, END), **arguments: Any) -> dict[str, Any]:
        """Run a transfer for a data interval and return its summary; without a table of runs unless one is named."""
        options: dict[str, Any] = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}
        options |= {"runs_table_id": None, "left_out_table_id": None}
        options |= arguments
        operator = TRANSFERS[kind](task_id=kind, **options)
        since, until = interval
        self.instance = RecordingTaskInstance(task_id=kind, run_id=f"scheduled__{until}")
        context: Any = {"ti": self.instance, "data_interval_start": since, "data_interval_end": until}
        summary: dict[str, Any] = operator.execute(context)
        return summary

    def rows(self, table_id: str) -> list[Row]:
        """Return what a table holds, sorted by its key; nothing where there is no such table."""
        try:
            found = self.bigquery.rows(DATASET, table_id)
        except BigQueryError:
            return []
        return sorted(found, key=lambda row: [str(row[name]) for name in (KEYS | RUN_KEYS)[table_id]])

    def everything(self) -> dict[str, list[Row]]:
        """Return all that the dataset holds, by table, without optional tables that hold nothing."""
        rows = {table_id: self.rows(table_id) for table_id in KEYS}
        return {table_id: found for table_id, found in rows.items() if found or table_id not in OPTIONAL}

    def staging(self) -> list[str]:
        """Return the tables that are none of ours."""
        try:
            return [name for name in self.bigquery.tables(DATASET) if name not in KEYS | RUN_KEYS]
        except BigQueryError:
            return []


@contextmanager
def open_sandboxes(
    world: World | None = None,
    *,
    pin: str | None = None,
    environment: Mapping[str, str] | None = None,
    bigquery_clock: Clock | None = None,
    pricing: bool = False,
    ticks: bool = True,
    graph_sandbox: type[GraphSandbox] = GraphSandbox,
    bigquery_sandbox: type[BigQuerySandbox] = BigQuerySandbox,
) -> Iterator[Sandboxes]:
    """Stop the clock at NOW (it ticks on from there), start both sandboxes and set the environment.

    :param ticks: False = time only passes by :meth:`Sandboxes.travel`, so that no number grows while a slow machine
        works: the totals of posts do with each hour of their age.
    :param bigquery_clock: another clock for BigQuery than the world's.
    :param pricing: whether BigQuery tells what statements cost; few tests look at that, and it takes long.
    :param graph_sandbox: the class of the Graph sandbox, and ``bigquery_sandbox`` that of the other.
    """
    world = world or World.build(now=NOW)
    clock = Clock(world.now, ticks=ticks)
    with ExitStack() as stack:
        traveller = stack.enter_context(time_machine.travel(world.now, tick=ticks))
        graph = stack.enter_context(graph_sandbox(world, clock=clock, pin=pin))
        bigquery = stack.enter_context(bigquery_sandbox(clock=bigquery_clock or clock))
        bigquery.switches.pricing = pricing
        # Who asks for a small job finds it done, instead of asking again and again.
        bigquery.switches.insert_seconds = 0.2
        settings = {"BIGQUERY_EMULATOR_HOST": bigquery.url, "GOOGLE_CLOUD_PROJECT": bigquery.project}
        stack.enter_context(patch.dict(os.environ, settings | dict(environment or {})))
        extra = {"api_version": pin} if pin else {}
        sandboxes = Sandboxes(world, graph, bigquery, clock, world.system_user_token, extra, traveller)
        sandboxes.connect()
        yield sandboxes


def facts(table_id: str, rows: Iterable[Row]) -> dict[tuple[Any, ...], Row]:
    """Return rows by key, without how they came to be. A key that comes twice is an error."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[name] for name in KEYS[table_id])
        assert key not in found, f"{table_id} holds {key} twice"
        found[key] = describe(row)
    return found


def describe(row: Mapping[str, Any]) -> Row:
    """Return a row without how it came to be, and addresses without their signature, which is another at every read."""
    return {
        name: value.partition("?")[0] if name.endswith("_url") and value else value
        for name, value in row.items()
        if name not in PROVENANCE
    }
