"""Kills whole transfers with SIGKILL at random moments, runs them again as Airflow would, and compares every table.

By hand, for as long as one likes::

    python -m tests.support.transfers.killed_transfers --kills 100 [--seed N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import time_machine

from airflow_provider_iginsights.sandbox.bigquery import BigQueryError
from tests.support.sandboxes import (
    DATASET,
    END,
    KEYS,
    NOW,
    RUN_KEYS,
    START,
    TRANSFERS,
    RecordingTaskInstance,
    Sandboxes,
    facts,
    open_sandboxes,
)

SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(
    ["tests.support.sandboxes", "google.cloud.bigquery", "airflow_provider_iginsights.bigquery.loader"]
)
POINTED = ("AIRFLOW", "BIGQUERY_EMULATOR_HOST", "GOOGLE_CLOUD_PROJECT")

Facts = dict[str, dict[tuple[object, ...], dict[str, object]]]


@dataclass(frozen=True, slots=True)
class Killed:
    """One transfer that was killed and run again: when it died, what it had done by then, and what is wrong now."""

    kind: str
    seconds: float
    phase: str
    wrong: tuple[str, ...]


def run_transfer(kind: str, dataset: str, try_number: int, now: datetime, environment: Mapping[str, str]) -> None:
    """Run one transfer to its end, in a process of its own, which leaves nothing in its HOME and TMPDIR."""
    os.environ.update(environment)
    tempfile.tempdir = None  # remembered from the process that this one was forked from
    instance = RecordingTaskInstance(task_id=kind, try_number=try_number)
    with time_machine.travel(now, tick=True):
        operator = TRANSFERS[kind](task_id=kind, dataset_id=dataset, gcp_conn_id=None, create_dataset=True)
        context: Any = {"ti": instance, "data_interval_start": START, "data_interval_end": END}
        operator.execute(context)
    assert not [*Path.home().iterdir(), *Path(tempfile.gettempdir()).iterdir()]


def kill_and_repeat(sandboxes: Sandboxes, *, disks: Path, kills: int, seed: int) -> Iterator[Killed]:
    """Yield what became of transfers that were killed at random moments of their run, all kinds in turn.

    :param disks: where each try gets a HOME and a TMPDIR of its own, as on another worker.
    """
    dice = random.Random(seed)
    truth, length = {}, {}
    start(sandboxes, "story", f"{DATASET}_warm", 1, disks=disks).join()  # imports, once for all processes
    for kind in TRANSFERS:
        begun = time.perf_counter()
        start(sandboxes, kind, f"{DATASET}_whole_{kind}", 1, disks=disks).join()
        length[kind] = time.perf_counter() - begun
        truth[kind] = read(sandboxes, f"{DATASET}_whole_{kind}")
    for number in range(kills):
        kind, dataset = list(TRANSFERS)[number % len(TRANSFERS)], f"{DATASET}_{number}"
        jobs, seconds = len(sandboxes.bigquery.jobs), dice.uniform(0, 1.05 * length[kind])
        victim = start(sandboxes, kind, dataset, 1, disks=disks)
        time.sleep(seconds)
        victim.kill()
        victim.join()
        phase = name_phase(sandboxes, dataset, jobs)
        again = start(sandboxes, kind, dataset, 2, disks=disks)
        again.join()
        yield Killed(kind, seconds, phase, tuple(compare(sandboxes, dataset, truth[kind], again.exitcode)))
        client = sandboxes.bigquery.client()
        client.delete_dataset(dataset, delete_contents=True)
        client.close()


def start(sandboxes: Sandboxes, kind: str, dataset: str, number: int, *, disks: Path) -> multiprocessing.Process:
    """Start a try of a transfer."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(POINTED)}
    environment |= {name: tempfile.mkdtemp(dir=disks) for name in ("HOME", "TMPDIR")}
    process = SPAWN.Process(target=run_transfer, args=(kind, dataset, number, NOW, environment), daemon=True)
    process.start()
    return process  # type: ignore[return-value]


def name_phase(sandboxes: Sandboxes, dataset: str, jobs: int) -> str:
    """Return how far a killed transfer had come, as BigQuery saw it."""
    types = Counter(job.type for job in sandboxes.bigquery.jobs[jobs:])
    staging = [name for name in tables(sandboxes, dataset) if name not in KEYS | RUN_KEYS]
    if types["QUERY"]:
        return "MERGE" if staging else "clean-up"
    return "stage and load" if types["LOAD"] or staging else "fetch"


def compare(sandboxes: Sandboxes, dataset: str, truth: Facts, exit_code: int | None) -> Iterator[str]:
    """Yield what differs from a run that nobody disturbed."""
    if exit_code:
        yield f"the second try ended with {exit_code}"
    found = read(sandboxes, dataset)
    for table_id in sorted(truth.keys() | found.keys()):
        want, have = truth.get(table_id, {}), found.get(table_id, {})
        if lost := want.keys() - have.keys():
            yield f"{table_id} lost {len(lost)} rows"
        if changed := [key for key in have if have[key] != want.get(key)]:
            yield f"{table_id} has {len(changed)} other rows"
    yield from (f"staging table {name} is left" for name in tables(sandboxes, dataset) if name not in KEYS | RUN_KEYS)
    runs = sandboxes.bigquery.rows(dataset, "instagram_runs")
    if sorted(row["account_id"] for row in runs) != sorted(sandboxes.world.accounts):
        yield f"instagram_runs has {len(runs)} rows of {len(sandboxes.world.accounts)} accounts"
    yield from (f"instagram_runs says {row['status']}" for row in runs if row["status"] != "done")


def read(sandboxes: Sandboxes, dataset: str) -> Facts:
    """Return the rows of a dataset by table and key; a key that comes twice is an error."""
    ours = [name for name in tables(sandboxes, dataset) if name in KEYS]
    return {name: facts(name, sandboxes.bigquery.rows(dataset, name)) for name in ours}


def tables(sandboxes: Sandboxes, dataset: str) -> list[str]:
    """Return the tables of a dataset, none where it was not created yet."""
    try:
        return sandboxes.bigquery.tables(dataset)
    except BigQueryError:
        return []


def main() -> int:
    """Kill as often as the command line says; print the phases and what went wrong; return 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with open_sandboxes() as sandboxes, tempfile.TemporaryDirectory() as disks:
        killed = list(kill_and_repeat(sandboxes, disks=Path(disks), kills=options.kills, seed=options.seed))
    bad = [one for one in killed if one.wrong]
    sys.stdout.write(f"{len(killed)} kills: {dict(Counter(one.phase for one in killed))}; {len(bad)} wrong\n")
    sys.stdout.writelines(f"{one}\n" for one in bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
