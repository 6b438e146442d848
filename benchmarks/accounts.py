"""What an agency's night costs: N accounts, each its daily account metrics and 100 posts, in one task per operator.

``python -m benchmarks.accounts`` prints Markdown tables for 10, 100 and 1,000 accounts at 100 ms latency. The sandboxes
are processes of their own, and every task is measured in a fresh process. ``benchmarks/airflow_night.py`` runs the same
night as mapped tasks of a real Airflow.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any

from benchmarks.servers import DATASET, describe_machine, environment, served

POSTS = 100
LATE = tuple(
    f"airflow_provider_iginsights.{name}"
    for name in ("transfers.instagram_to_bigquery", "bigquery.fan_in", "task.source", "graph.client")
)
HEAD = (
    "accounts",
    "task",
    "s",
    "HTTP",
    "Graph calls",
    "in flight (mean / allowed)",
    "rows",
    "BigQuery jobs",
    "peak MB",
    "CPU s, task",
    "CPU s, sandboxes",
    "HTTP per account",
    "CPU ms per account",
)


def main() -> None:
    """Run what the command line says: the tables, or one measurement of its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that each Graph API answer takes")
    parser.add_argument("--workers", type=int, default=16, help="most accounts read at the same time (max_workers)")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--measure", choices=TASKS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(TASKS[given.measure])
        return
    print(describe_machine(), f"; latency {1000 * given.latency:.0f} ms, max_workers {given.workers}\n", sep="")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for accounts in given.accounts:
        with served("graph", accounts, POSTS, given.latency) as graph, served("bigquery") as bigquery:
            variables = environment(graph, bigquery, max_workers=given.workers)
            for task in given.tasks:
                found[task, accounts] = measure_apart(task, graph, bigquery, variables)
                print_row(accounts, task, given.workers, found[task, accounts])
    print_growth(found, sorted(given.accounts))


def measure_apart(task: str, graph: Any, bigquery: Any, variables: dict[str, str]) -> dict[str, Any]:
    """Run one task in a fresh process; add what the sandboxes counted."""
    graph.count()
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.accounts", "--measure", task],
            env=os.environ | variables | {"AIRFLOW_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{task} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    asked, loaded = graph.count(), bigquery.count()
    return {**found, **asked, "sandboxes": asked["cpu"] + loaded["cpu"], "jobs": sum(loaded["jobs"].values())}


def measure(task: Callable[[], dict[str, Any]]) -> None:
    """Run one task in this process, as a worker does, and print what it took."""
    for module in ("google.cloud.bigquery", "airflow_provider_iginsights.hooks.instagram", *LATE):
        import_module(module)  # what a process loads once is no cost of an account
    started, busy = time.perf_counter(), time.process_time()
    summary = task()
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert not summary["accounts_failed"], summary["accounts_failed"]
    done = {"seconds": seconds, "task_cpu": cpu, "peak": peak, "rows": summary["rows"]}
    print(json.dumps(done))


def run_accounts() -> dict[str, Any]:
    """Load the daily account metrics, the audience and the profiles."""
    from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator

    return execute(InstagramAccountInsightsToBigQueryOperator)


def run_media() -> dict[str, Any]:
    """Load every post."""
    from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramMediaInsightsToBigQueryOperator

    return execute(InstagramMediaInsightsToBigQueryOperator, refresh_days=None)


TASKS = {"account insights": run_accounts, "100 posts each": run_media}


def execute(
    operator: Any, *, map_index: int = -1, hand_over: Callable[[Any], None] | None = None, **arguments: Any
) -> dict[str, Any]:
    """Run an operator for the last day, and return its summary; ``hand_over`` gets what it leaves to others."""
    number = map_index

    class Instance:
        """The part of a task instance that an operator uses."""

        dag_id, task_id, run_id, map_index, try_number = "night", operator.__name__, "benchmark", number, 1

        def xcom_push(self, key: str, value: Any) -> None:
            """Keep nothing but what is handed over."""
            if hand_over is not None and key == "staged":
                hand_over(value)

    now = datetime.now(UTC)
    context = {"ti": Instance(), "data_interval_start": now - timedelta(days=1), "data_interval_end": now}
    task = operator(task_id="night", dataset_id=DATASET, gcp_conn_id=None, create_dataset=True, **arguments)
    return task.execute(context)  # type: ignore[no-any-return]


def print_row(accounts: int, task: str, workers: int, found: dict[str, Any]) -> None:
    """Print one measurement."""
    cells = (
        f"{accounts:,}",
        task,
        f"{found['seconds']:,.1f}",
        f"{found['http']:,}",
        f"{found['calls']:,}",
        f"{found['in_flight']:.2f} / {workers}",
        f"{found['rows']:,}",
        f"{found['jobs']}",
        f"{found['peak']:.0f}",
        f"{found['task_cpu']:.1f}",
        f"{found['sandboxes']:.1f}",
        f"{found['http'] / accounts:.2f}",
        f"{1000 * found['task_cpu'] / accounts:.1f}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def print_growth(found: dict[tuple[str, int], dict[str, Any]], sizes: list[int]) -> None:
    """Print what each further account costs: a task's fixed part (connections, BigQuery's jobs) drops out."""
    print()
    for task in dict.fromkeys(task for task, _ in found):
        for few, many in pairwise(sizes):
            less, more = found[task, few], found[task, many]
            http, cpu = ((more[name] - less[name]) / (many - few) for name in ("http", "task_cpu"))
            each = f"{http:.2f} HTTP, {1000 * cpu:.1f} ms CPU per further account"
            print(f"* {task}, from {few:,} to {many:,} accounts: {each}")


if __name__ == "__main__":
    main()
