"""What it costs to fetch insights: requests, Graph calls, time, CPU, memory; beside a plain loop and Meta's SDK.

``python -m benchmarks.graph``, where the package is installed, prints Markdown tables. The Graph API is the sandbox, in
a process of its own; every measurement runs in a fresh process. The SDK's rows need ``facebook-business``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.ways import CORE, WAYS

PATIENCE = 60.0  # seconds that a loop may wait; those that would wait longer run side by side, after all the others
SMALL, LARGE = 1_000, 100_000
POST_WAYS = [way for way in WAYS if "account" not in way and ("SDK" not in way or find_spec("facebook_business"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is measured: one way to read so many posts of so many accounts, at a latency in seconds."""

    way: str
    accounts: int
    posts: int
    latency: float

    @property
    def waits_long(self) -> bool:
        """Whether nearly all of its time is spent waiting."""
        return "loop" in self.way and self.accounts * self.posts * self.latency > PATIENCE


def main() -> None:
    """Run what the command line says: everything, or one of the helper processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["cpu", "memory", "accounts", "media"], help="one of the tables")
    parser.add_argument("--serve", nargs=3, metavar=("ACCOUNTS", "POSTS", "LATENCY"), help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=4, metavar=("WAY", "URL", "TOKEN", "IDS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(int(given.serve[0]), int(given.serve[1]), float(given.serve[2]))
    elif given.measure:
        measure(*given.measure)
    else:
        tables = {"cpu": print_cpu, "memory": print_memory, "accounts": print_accounts, "media": print_media}
        print(describe_machine(), flush=True)
        for name, table in tables.items():
            if given.only in (None, name):
                table()


def serve(accounts: int, posts: int, latency: float) -> None:
    """Be the Graph API: say where, then answer each line on standard input with the counts since the last."""
    from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

    world = World.build(accounts=accounts, media_per_account=posts)
    with GraphSandbox(world, latency=latency) as sandbox:
        start = {"url": sandbox.url, "token": world.system_user_token, "ids": list(world.accounts)}
        print(json.dumps(start), flush=True)
        for _ in sys.stdin:
            log = sandbox.log
            sandbox.clear_log()
            print(json.dumps({"http": len(log), "calls": sum(received.calls for received in log)}), flush=True)


def measure(way: str, url: str, token: str, ids: str) -> None:
    """Run one way in this process and print what it took, imports included."""
    account_ids = ids.split(",")
    with tempfile.TemporaryFile() as out:
        started, busy = time.perf_counter(), time.process_time()
        rows = WAYS[way](url, token, account_ids, out)
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "peak": measure_peak()}))


def measure_peak() -> float:
    """Return the largest resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the memory of the process that started this one
        return next(int(line.split()[1]) for line in status.open() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def graph_api(accounts: int, posts: int, latency: float) -> Iterator[dict[str, Any]]:
    """Run the Graph API in a process of its own; yields where it is, and ``count``, the way to its counts."""
    command = [sys.executable, "-m", "benchmarks.graph", "--serve", str(accounts), str(posts), str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        where = json.loads(process.stdout.readline())

        def count() -> dict[str, int]:
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return json.loads(process.stdout.readline())  # type: ignore[union-attr, no-any-return]

        try:
            yield {**where, "count": count}
        finally:
            process.stdin.close()
            process.wait(10)


def measure_apart(way: str, where: dict[str, Any]) -> dict[str, Any]:
    """Measure one way in a fresh process, and count at the server."""
    where["count"]()
    command = [
        sys.executable,
        "-m",
        "benchmarks.graph",
        "--measure",
        way,
        where["url"],
        where["token"],
        ",".join(where["ids"]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} failed:\n{done.stderr}")
    return {**json.loads(done.stdout.splitlines()[-1]), **where["count"]()}


def print_media() -> None:
    """Print the posts' table: 100, 1,000, 10,000 posts of one account, and 100 posts of 1, 10, 100 accounts."""
    head(
        "posts",
        "accounts",
        "way",
        "HTTP",
        "Graph calls",
        "numbers",
        "s at 0 ms",
        "s at 100 ms",
        "CPU µs/number",
        "peak MB",
    )
    found: dict[Run, dict[str, Any]] = {}
    for accounts, posts in ((1, 100), (1, 1_000), (1, 10_000), (10, 100), (100, 100)):
        for latency in (0, 0.1):
            runs = [Run(way=way, accounts=accounts, posts=posts, latency=latency) for way in POST_WAYS]
            with graph_api(accounts, posts, latency) as where:
                found |= {run: measure_apart(run.way, where) for run in runs if not run.waits_long}
            found |= {run: {} for run in runs if run.waits_long}
    waiting = [run for run in found if run.waits_long]
    with ThreadPoolExecutor(len(waiting)) as side_by_side:
        found |= zip(waiting, side_by_side.map(measure_alone, waiting), strict=True)
    for run, near in found.items():
        if not run.latency:
            far = found[replace(run, latency=0.1)]
            row(f"{run.accounts * run.posts:,}", f"{run.accounts}", run.way, *figures(near, f"{far['seconds']:,.2f}"))


def measure_alone(run: Run) -> dict[str, Any]:
    """Measure one way with a Graph API of its own."""
    with graph_api(run.accounts, run.posts, run.latency) as where:
        return measure_apart(run.way, where)


def print_accounts() -> None:
    """Print the accounts' table: their daily run, default metrics with breakdowns, 4 days, audience, profile."""
    head("accounts", "HTTP", "Graph calls", "numbers", "s at 0 ms", "s at 100 ms", "CPU µs/number", "peak MB")
    for accounts in (1, 10, 100):
        with graph_api(accounts, 0, 0) as near, graph_api(accounts, 0, 0.1) as far:
            found = measure_apart("this provider, account insights", near)
            late = measure_apart("this provider, account insights", far)["seconds"]
            row(str(accounts), *figures(found, f"{late:.2f}"))


def print_memory() -> None:
    """Print the peak memory for few and for many posts."""
    head("posts", "numbers", "peak MB", "s", "CPU µs/number")
    for accounts, posts in ((1, SMALL), (10, LARGE // 10)):
        with graph_api(accounts, posts, 0) as where:
            found = measure_apart("this provider", where)
            cpu = 1e6 * found["cpu"] / found["rows"]
            row(
                f"{accounts * posts:,}",
                f"{found['rows']:,}",
                f"{found['peak']:.0f}",
                f"{found['seconds']:.1f}",
                f"{cpu:.0f}",
            )


def print_cpu() -> None:
    """Print the CPU from the bytes of a page of 100 posts to NDJSON bytes, beside parsing and writing the same JSON."""
    from benchmarks.page import measure_page

    head("step (page of 100 posts, 8 metrics)", "ms")
    for step, milliseconds in measure_page(CORE):
        row(step, milliseconds)


def figures(found: dict[str, Any], late: str) -> Iterator[str]:
    """Yield the cells that all tables share."""
    yield f"{found['http']:,}"
    yield f"{found['calls']:,}"
    yield f"{found['rows']:,}"
    yield f"{found['seconds']:,.2f}"
    yield late
    yield f"{1e6 * found['cpu'] / found['rows']:.0f}"
    yield f"{found['peak']:.0f}"


def head(*names: str) -> None:
    """Print the head of a table."""
    print()
    row(*names)
    print(f"|{'---|' * len(names)}", flush=True)


def row(*cells: str) -> None:
    """Print a row of a table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def describe_machine() -> str:
    """Return processor, cores, Python and the versions that matter."""
    model = next(
        (line.partition(":")[2].strip() for line in _cpu_info() if line.startswith("model name")), platform.processor()
    )
    packages = ("requests", "urllib3", "facebook-business", "uvicorn", "starlette")
    versions = ", ".join(f"{name} {version}" for name in packages if (version := _version(name)))
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}; {versions}"


def _cpu_info() -> Sequence[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else ()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    main()
