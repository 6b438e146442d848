"""Where each limit bites, from 1 to 100,000 accounts: a day of daily insights and hourly stories, simulated.

Run from the project's folder: ``python -m benchmarks.scale`` prints the tables of docs/scale.md, from the measured
points in ``benchmarks/scale.json``; ``python -m benchmarks.scale --measure`` measures these anew, each task and each
sandbox in a process of its own.

What an account has is that of docs/price.md (:data:`benchmarks.price.ACCOUNT`). A task's time follows from the points:
its CPU, or the time in which its requests are answered, whichever is longer, and its BigQuery jobs.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import price
from benchmarks.accounts import execute, measure, run_accounts, run_media
from benchmarks.servers import describe_machine, environment, served

CALIBRATION = Path(__file__).with_suffix(".json")
MEASURED = (1, 50, 500)
POSTS = round(price.ACCOUNT.posts_a_day * price.REFRESH_DAYS)
SIZES = (1, 100, 1_000, 5_000, 20_000, 100_000)
CHUNK = price.CHUNK
LATENCY = 0.3
"""Seconds that an answer of Meta is assumed to take."""
WORKERS = 4
"""Requests that a task has under way: where it starts, and what it keeps at least while nothing is refused."""
TASK_START = 10.0
"""Seconds that Airflow is assumed to need until a task's own code runs, its imports included."""
TABLES = {"account": 2, "media": 3, "story": 3}
"""How many tables each transfer stages rows for."""
JOB = 3.0
"""Seconds that a job of BigQuery is assumed to take."""
STORIES_WITHIN = 30 * 60
"""Seconds after the full hour within which the poll of the last account has to be done: the next one must not wait."""
SLOTS = (1, 2, 4, 8, 16, 32, 64, 128)

# Meta: "Rate limits"; BigQuery: "Quotas and limits"; Airflow: configuration reference.
CALLS_PER_IMPRESSION = 4_800
PLATFORM_CALLS_PER_USER = 200  # an hour
ACCOUNTS_PER_PAGE = 25
LOAD_JOBS_A_DAY = 100_000  # of a project; so many copy jobs as well
QUEUED_STATEMENTS = 2 + 20  # of a table
COPY_SOURCES = 1_200
MAX_MAP_LENGTH = 1_024
NAMED_ACCOUNTS = 10_000  # of a query: its text may have 1 MB


def run_stories() -> dict[str, Any]:
    """Load the live stories."""
    from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramStoryInsightsToBigQueryOperator

    return execute(InstagramStoryInsightsToBigQueryOperator)


TASKS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "account": run_accounts,
    "media": run_media,
    "story": run_stories,
}


@dataclass(frozen=True, slots=True)
class Points:
    """Measured values of the three tasks by number of accounts; between and beyond them, they grow evenly."""

    by_task: Mapping[str, Mapping[str, Mapping[str, float]]]

    def estimate(self, task: str, value: str, accounts: int) -> float:
        """Return a value of a task that reads so many accounts."""
        (few, less), (many, more) = ((size, self.by_task[task][str(size)][value]) for size in MEASURED[1:])
        if accounts == 1:
            return self.by_task[task]["1"][value]
        return max(0.0, less + (more - less) / (many - few) * (accounts - few))

    def take(self, task: str, accounts: int) -> float:
        """Return the seconds of a task that reads so many accounts."""
        answered = self.estimate(task, "http", accounts) * LATENCY / WORKERS
        read = max(self.estimate(task, "task_cpu", accounts), answered)
        return TASK_START + read + self.estimate(task, "jobs", accounts) * JOB


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a simulated day came to. ``story_seconds``: from the full hour to the end of the hour's last poll."""

    story_seconds: float
    http: int
    calls_of_account: float
    listing_calls_an_hour: int
    staged: int


def simulate(points: Points, accounts: int, *, slots: int, chunk: int = CHUNK) -> Day:
    """Let the chunks of a day run through Airflow's slots, the first come first: stories hourly, the others at 0."""
    tasks = math.ceil(accounts / chunk)
    sizes = [min(chunk, accounts - at * chunk) for at in range(tasks)]
    free = [0.0] * slots
    latest, http = 0.0, 0.0
    for hour in range(24):
        for task in ("story", "account", "media") if hour == 0 else ("story",):
            for size in sizes:
                end = max(heapq.heappop(free), hour * 3600.0) + points.take(task, size)
                heapq.heappush(free, end)
                http += points.estimate(task, "http", size)
                if task == "story":
                    latest = max(latest, end - hour * 3600.0)
    calls = {task: points.estimate(task, "calls", MEASURED[-1]) / MEASURED[-1] for task in TASKS}
    return Day(
        story_seconds=latest,
        http=round(http),
        calls_of_account=calls["account"] + calls["media"] + 24 * calls["story"],
        listing_calls_an_hour=2 * math.ceil(accounts / ACCOUNTS_PER_PAGE),
        staged=tasks * (TABLES["account"] + TABLES["media"] + 24 * TABLES["story"]),
    )


def choose_slots(points: Points, accounts: int) -> int:
    """Return the fewest slots with which every hour's stories are read in time."""
    fits = (slots for slots in SLOTS if simulate(points, accounts, slots=slots).story_seconds <= STORIES_WITHIN)
    return next(fits, SLOTS[-1])


def curve(points: Points) -> Iterator[str]:
    """Yield the lines of the table by number of accounts."""
    yield (
        "| accounts | mapped tasks per transfer | slots | last poll after the full hour | HTTP requests a day "
        "| staging tables a day, of 100,000 | US$ a month, fan-in | tasks that write themselves |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for accounts in SIZES:
        slots = choose_slots(points, accounts)
        day = simulate(points, accounts, slots=slots)
        tasks = price.count_tasks(accounts)
        together, apart = (price.price(accounts, hourly=True, tasks=each)[1] for each in (1, tasks))
        yield (
            f"| {accounts:,} | {tasks} | {slots} | {day.story_seconds / 60:.1f} min | {day.http:,} "
            f"| {day.staged / LOAD_JOBS_A_DAY:.1%} | {together:,.2f} | {apart:,.2f} |"
        )


def limits(points: Points) -> Iterator[str]:
    """Yield the lines of the table of limits: of how many accounts each is the limit, and what to set then."""
    day = simulate(points, CHUNK, slots=SLOTS[-1])
    per_task = sum(TABLES.values()) + 23 * TABLES["story"]
    hour = 3600 / points.take("story", CHUNK) * CHUNK
    rows = (
        (
            f"Meta, per account: {CALLS_PER_IMPRESSION:,} calls per impression in 24 hours",
            "never by their number",
            f"an account needs {day.calls_of_account:,.0f} calls a day, so one impression is enough; nobody says what "
            "holds for an account without any",
        ),
        (
            f"Meta, per app: {PLATFORM_CALLS_PER_USER} calls per hour and daily user, for the list of accounts alone",
            f"{PLATFORM_CALLS_PER_USER * ACCOUNTS_PER_PAGE // 2:,} with one user",
            "list the accounts once a day, and give `account_ids` to the transfers; or several connections",
        ),
        (
            "Airflow: a slot reads stories for an hour before the next poll is due",
            f"{hour:,.0f} per slot",
            "slots as in the table above; the pool of the app not below that",
        ),
        (
            f"Airflow: `max_map_length` {MAX_MAP_LENGTH:,}",
            f"{MAX_MAP_LENGTH * CHUNK:,} with chunks of {CHUNK}",
            "nothing: the list makes larger chunks",
        ),
        (
            f"BigQuery: {LOAD_JOBS_A_DAY:,} load jobs per project and day",
            f"{LOAD_JOBS_A_DAY // per_task * CHUNK:,} with chunks of {CHUNK}, "
            f"{LOAD_JOBS_A_DAY // per_task * 50:,} with chunks of 50",
            f"`chunk_size={CHUNK}` or more",
        ),
        (
            f"BigQuery: {QUEUED_STATEMENTS} statements at once per table",
            f"{QUEUED_STATEMENTS * CHUNK:,} where all mapped tasks write themselves at once",
            'fan-in: `load="stage"`, one task writes; else a pool of 20 slots',
        ),
        (
            f"BigQuery: {COPY_SOURCES:,} source tables per copy job",
            f"{COPY_SOURCES * CHUNK:,} with chunks of {CHUNK}",
            "nothing: the task that writes sends several copy jobs",
        ),
        (
            "BigQuery: 5 metadata updates per table in 10 seconds",
            "never by their number",
            "nothing: one statement a table and run; staging tables have names of their own",
        ),
        (
            "BigQuery: 1 MB of text per query",
            f"{NAMED_ACCOUNTS:,} in one task",
            "nothing: more accounts are not named, and all rows of the days are read",
        ),
        (
            "BigQuery: US$100 a month, hourly stories",
            f"{find_accounts(100, fan_in=True):,} with fan-in, {find_accounts(100, fan_in=False):,} without",
            "fan-in; a dataset per region or client only where they must be apart",
        ),
    )
    yield "| limit | bites at accounts | what to set |"
    yield "|---|---|---|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def find_accounts(dollars: float, *, fan_in: bool) -> int:
    """Return how many accounts with hourly stories cost no more a month, in thousands."""
    most = 1_000
    while price.price(most, hourly=True, tasks=1 if fan_in else price.count_tasks(most))[1] <= dollars:
        most += 1_000
    return most - 1_000


def calibrate(latency: float) -> dict[str, Any]:
    """Measure the three tasks at each size; return the points with when, where and with what they were measured."""
    points: dict[str, dict[str, dict[str, float]]] = {task: {} for task in TASKS}
    for size in MEASURED:
        with served("graph", size, POSTS, latency, price.ACCOUNT.live_stories) as graph, served("bigquery") as bigquery:
            variables = environment(graph, bigquery, max_workers=WORKERS)
            for task in TASKS:
                graph.count()
                measured = measure_apart(task, variables)
                asked, loaded = graph.count(), bigquery.count()
                measured |= {"http": asked["http"], "calls": asked["calls"], "jobs": sum(loaded["jobs"].values())}
                points[task][str(size)] = {name: round(value, 3) for name, value in measured.items()}
                print(size, task, points[task][str(size)], file=sys.stderr, flush=True)
    names = ("apache-airflow", "google-cloud-bigquery", "requests", "duckdb")
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": f"{describe_machine()}; load {os.getloadavg()[0]:.1f}",
        "versions": {name: version(name) for name in names},
        "latency": latency,
        "points": points,
    }


def measure_apart(task: str, variables: Mapping[str, str]) -> dict[str, float]:
    """Run one task in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.scale", "--task", task]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            command, env=os.environ | variables | {"AIRFLOW_HOME": home}, capture_output=True, text=True, check=True
        )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main() -> None:
    """Measure, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure the points anew, and write them down")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that each Graph API answer takes meanwhile")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        measure(TASKS[given.task])
    elif given.measure:
        CALIBRATION.write_text(json.dumps(calibrate(given.latency), indent=1) + "\n")
    else:
        print("\n".join(tables()))


def tables() -> Iterator[str]:
    """Yield what docs/scale.md shows."""
    calibration = json.loads(CALIBRATION.read_text())
    points = Points(calibration["points"])
    named = ", ".join(f"{name} {number}" for name, number in calibration["versions"].items())
    yield from curve(points)
    yield ""
    yield from limits(points)
    yield ""
    machine, latency = calibration["machine"], 1000 * calibration["latency"]
    yield f"Measured on {calibration['measured']}: {machine}; {named}; answers after {latency:.0f} ms."
    yield ""
    yield "| task | accounts | HTTP requests | Graph calls | rows | BigQuery jobs | s | CPU s | peak MB |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for task, sizes in calibration["points"].items():
        for size, each in sizes.items():
            counted = " | ".join(f"{each[name]:,.0f}" for name in ("http", "calls", "rows", "jobs"))
            took = f"{each['seconds']:.1f} | {each['task_cpu']:.1f} | {each['peak']:.0f}"
            yield f"| {task} | {size} | {counted} | {took} |"


if __name__ == "__main__":
    main()
