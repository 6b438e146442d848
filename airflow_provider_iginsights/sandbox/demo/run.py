"""The demo: real runs of two example Dags against the sandbox, what BigQuery then holds, and a load that is killed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.job import JobRecord
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.demo.airflow_process import LOOPBACK, AirflowProcess, make_environment
from airflow_provider_iginsights.sandbox.demo.comparison import (
    OF_THE_RUN,
    Rows,
    count_changes,
    count_rows,
    read_rows,
)
from airflow_provider_iginsights.sandbox.demo.folder import DemoFailed, open_folder
from airflow_provider_iginsights.sandbox.demo.progress import StepPrinter
from airflow_provider_iginsights.sandbox.demo.queries import DATASET, REELS, show_numbers
from airflow_provider_iginsights.sandbox.environment import SandboxSettings, build_world, describe_servers
from airflow_provider_iginsights.sandbox.graph import GraphSandbox
from airflow_provider_iginsights.sandbox.graph.numbers import PACIFIC

DAILY, HOURLY = "instagram_daily_insights", "instagram_hourly_stories"
POLLS, BETWEEN = 6, timedelta(hours=4)
"""How often the hourly Dag runs. A story lives for 24 hours."""
_OTHER = "instagram_again"
_NUMBERS = ("instagram_account_insights", "instagram_media_insights")
"""The main table of each task of the daily Dag. Airflow runs the tasks in any order."""
_SLOW = BigQueryFault(route="POST /upload/.*/jobs", body="|".join(_NUMBERS), skip=1, effect="slowJob", seconds=5.0)
_LONGEST = 120.0
"""Seconds until the load begins that is to be killed."""
_BEGIN = (
    "A real Airflow reads a local Graph API and fills a local BigQuery: no token, no",
    "cloud, and all of it ends with this demo. What Airflow logs stays in",
)
_END = (
    "Where next: `airflow instagram sandbox -- airflow standalone` starts an Airflow",
    "with both servers; the README leads on, to a token and to Google Cloud.",
)
_DEFECT = "That is a defect of this package: please report it."


def run_demo(
    settings: SandboxSettings, *, dag_files: Sequence[Path], write: Callable[[str], None], blocks: str
) -> None:
    """Play the demo. Everything happens on loopback and in a temporary folder; of it, only Airflow's log is kept.

    :param dag_files: the Dags ``instagram_daily_insights`` and ``instagram_hourly_stories``.
    :param write: takes texts to print, as they are.
    :param blocks: the characters of a curve, the lowest first.
    :raises DemoFailed: something of it failed; the message says what, and where Airflow's log is.
    """
    with ExitStack() as stack:
        home, log = open_folder(stack, dag_files)
        try:
            with _go_past_proxies(), _start(settings) as (graph, bigquery):
                ours = describe_servers(graph, bigquery, token=graph.world.system_user_token)
                environment = make_environment(home, ours, inherited=os.environ)
                with AirflowProcess(environment, log) as first, AirflowProcess(environment, log) as second:
                    demo = Demo(graph, bigquery, first, second, StepPrinter(write), blocks)
                    demo.play(log.name)
        except DemoFailed as error:
            raise DemoFailed(f"{error} Airflow's log: {log.name}") from error


@contextmanager
def _go_past_proxies() -> Iterator[None]:
    """Let no proxy stand between our own client of BigQuery and the local one."""
    before = {name: os.environ.get(name) for name in LOOPBACK}
    os.environ.update(LOOPBACK)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _start(settings: SandboxSettings) -> Iterator[tuple[GraphSandbox, BigQuerySandbox]]:
    """Run both servers, whose clock stands still."""
    clock = Clock(Clock(settings.now).now())
    world = build_world(settings, now=clock.now())
    with GraphSandbox(world, clock=clock) as graph, BigQuerySandbox(project=settings.project, clock=clock) as bigquery:
        # What statements would cost is not shown, and takes long to tell. Nor is it of use to ask again for small jobs.
        bigquery.switches.pricing, bigquery.switches.insert_seconds = False, 1.0
        yield graph, bigquery


@dataclass(frozen=True, slots=True)
class Demo:
    """Two servers, two Airflows, and what prints. ``blocks``: the characters of a curve."""

    graph: GraphSandbox
    bigquery: BigQuerySandbox
    first: AirflowProcess
    second: AirflowProcess
    progress: StepPrinter
    blocks: str

    def play(self, log: str) -> None:
        """Run it from the beginning to the end. Raises DemoFailed."""
        say = self.progress.say
        say(*_BEGIN, log, "")
        now = self.bigquery.clock.now()
        self.fill(now)
        day = now.astimezone(PACIFIC).date() - timedelta(days=1)
        say("", *show_numbers(self.bigquery, day=day, blocks=self.blocks), "")
        self.repeat(now)
        self.kill(now)
        say("", "The SQL of the reels, to go on with:", *(f"  {line}" for line in REELS.splitlines()))
        say(*_END)

    def fill(self, now: datetime) -> None:
        """Run the hourly Dag some times in the hours before ``now``, and the daily Dag then."""
        step, clock = self.progress.step, self.bigquery.clock
        with step("Create Airflow's database"):
            self.first.run("airflow", "db", "migrate")
            self.second.begin("airflow", "version")
        hours = (POLLS - 1) * BETWEEN // timedelta(hours=1)
        with step(f"Run {HOURLY} {POLLS} times in {hours} hours"):
            for poll in reversed(range(POLLS)):
                clock.set(now - poll * BETWEEN)
                self.first.run("airflow", "dags", "test", HOURLY, clock.now().isoformat())
        with step(f"Run {DAILY} at the end of a day"):
            self.first.run("airflow", "dags", "test", DAILY, now.isoformat())
        with step("Make views for analysts"):
            self.first.run("airflow_provider_iginsights", "tables", "--views", "--dataset", DATASET)

    def repeat(self, now: datetime) -> None:
        """Run the daily Dag again, and count what changed."""
        before = read_rows(self.bigquery, DATASET)
        with self.progress.step(f"Run {DAILY} again") as tell:
            self.first.run("airflow", "dags", "test", DAILY, now.isoformat())
            changed = count_changes(before, read_rows(self.bigquery, DATASET))
            tell(f"{changed} rows changed")
        if changed:
            raise DemoFailed(f"The same day again changed {changed} rows. {_DEFECT}")

    def kill(self, now: datetime) -> None:
        """Run the daily Dag into another dataset, kill it there, run it again, and compare with the first dataset."""
        command = ("airflow", "dags", "test", DAILY, now.isoformat())
        with self.progress.step("Run it into empty tables; kill -9 in its second load") as tell:
            self.bigquery.faults.add(_SLOW)
            self.first.begin(*command, environment={"INSTAGRAM_DATASET": _OTHER})
            self._await_load()
            self.first.kill()
            written = self._read(_OTHER)
            tell(f"{sum(bool(written[table]) for table in _NUMBERS)} of {len(_NUMBERS)} tasks done")
        with self.progress.step("The same again, by another Airflow") as tell:
            self.second.wait()
            self.second.run(*command, environment={"INSTAGRAM_DATASET": _OTHER})
            once, again = self._read(DATASET), self._read(_OTHER)
            changed = count_changes(once, again)
            tell(f"identical: {count_rows(again):,} rows" if not changed else f"{changed} rows differ")
        if changed:
            raise DemoFailed(f"{changed} rows differ from those of a load that nobody killed. {_DEFECT}")

    def _await_load(self) -> None:
        """Wait until the second task of the Dag has begun to load its numbers."""
        until = time.monotonic() + _LONGEST
        while [job.state for job in self.bigquery.jobs if _is_load_of_numbers(job)][1:] != ["RUNNING"]:
            if self.first.has_ended(within=0.02):
                raise DemoFailed("The Dag ended before its second task loaded its numbers.")
            if time.monotonic() > until:
                raise DemoFailed(f"The Dag's second task loaded no numbers within {_LONGEST:.0f} seconds.")

    def _read(self, dataset: str) -> Rows:
        return read_rows(self.bigquery, dataset, leave_out=OF_THE_RUN)


def _is_load_of_numbers(job: JobRecord) -> bool:
    is_ours = job.target is not None and job.target.dataset == _OTHER
    return is_ours and job.type == "LOAD" and any(table in str(job.target) for table in _NUMBERS)
