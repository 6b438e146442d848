"""Both sandboxes in processes of their own, so that what is measured shares neither memory nor lock with them.

``python -m benchmarks.servers graph ACCOUNTS POSTS LATENCY [STORIES]`` or ``… bigquery`` says where it is, then answers
each line on its standard input with what happened since the last one, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "sandbox-project"
DATASET = "instagram"


@dataclass(frozen=True, slots=True)
class Served:
    """A sandbox at work: what it said of itself, and the way to its counts."""

    where: Mapping[str, Any]
    count: Callable[[], dict[str, Any]]


@contextmanager
def served(*arguments: object) -> Iterator[Served]:
    """Run a sandbox in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.servers", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        inbox, outbox = process.stdin, process.stdout

        def count() -> dict[str, Any]:
            inbox.write("\n")
            inbox.flush()
            return json.loads(outbox.readline())  # type: ignore[no-any-return]

        try:
            yield Served(json.loads(outbox.readline()), count)
        finally:
            inbox.close()
            process.wait(30)


def environment(graph: Served, bigquery: Served, *, max_workers: int) -> dict[str, str]:
    """Return the variables that point Airflow at both."""
    connection = {
        "conn_type": "instagram",
        "host": graph.where["url"],
        "password": graph.where["token"],
        "extra": {"max_workers": max_workers},
    }
    return {
        "AIRFLOW_CONN_INSTAGRAM_DEFAULT": json.dumps(connection),
        "BIGQUERY_EMULATOR_HOST": bigquery.where["url"],
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def serve_graph(accounts: int, posts: int, latency: float, stories: int = 0) -> None:
    """Be the Graph API; ``posts`` and live ``stories`` are of each account."""
    from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

    world = World.build(accounts=accounts, media_per_account=posts, stories_per_account=stories)
    with GraphSandbox(world, latency=latency) as sandbox:
        _say({"url": sandbox.url, "token": world.system_user_token, "ids": list(world.accounts)})
        busy = time.process_time()
        for _ in sys.stdin:
            log = sandbox.log
            counts = {"http": len(log), "calls": sum(each.calls for each in log), "refused": _count_refused(log)}
            flight = {"in_flight": sandbox.in_flight_average(), "in_flight_peak": sandbox.in_flight_peak()}
            sandbox.clear_log()
            _say(counts | flight | {"cpu": time.process_time() - busy})
            busy = time.process_time()


def serve_bigquery() -> None:
    """Be BigQuery."""
    from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox

    with BigQuerySandbox(project=PROJECT) as sandbox:
        _say({"url": sandbox.url})
        known, busy = 0, time.process_time()
        for _ in sys.stdin:
            kinds = [job.type for job in sandbox.jobs[known:]]
            known += len(kinds)
            jobs = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
            _say({"jobs": jobs, "cpu": time.process_time() - busy})
            busy = time.process_time()


def describe_machine() -> str:
    """Return processor, cores, memory, Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of an {model}, {memory:.0f} GB, Python {sys.version.split()[0]}"


def _count_refused(log: Any) -> int:
    return sum(each.status != 200 for each in log)


def _say(what: Mapping[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "graph":
        serve_graph(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), *map(int, sys.argv[5:]))
    else:
        serve_bigquery()
