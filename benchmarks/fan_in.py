"""What the task that writes needs for thousands of accounts: time and memory of fan-in, by number of accounts.

``python -m benchmarks.fan_in --accounts 500 5000`` stages the stories of each account in chunks of 500, then writes
what was staged. The sandboxes, and the task that writes, are processes of their own. The task that writes stories holds
most: the polls of all accounts, and what is stored of their stories.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.accounts import execute, measure
from benchmarks.servers import describe_machine, environment, served

CHUNK = 500


def main() -> None:
    """Print a line per number of accounts, or run one task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[500, 5_000])
    parser.add_argument("--task", choices=("stage", "write"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task == "stage":
        stage(given.folder)
    elif given.task == "write":
        measure(lambda: write(given.folder))
    else:
        print(f"{describe_machine()}; load {os.getloadavg()[0]:.1f}\n")
        print(
            "| accounts | chunks | rows written | s | CPU s | BigQuery jobs | peak MB |\n|---|---|---|---|---|---|---|"
        )
        for accounts in given.accounts:
            print(f"| {' | '.join(run(accounts))} |", flush=True)


def run(accounts: int) -> tuple[str, ...]:
    """Stage the stories of so many accounts, write them, and return the cells of the line."""
    with (
        served("graph", accounts, 0, 0.0, 1) as graph,
        served("bigquery") as bigquery,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        (folder / "chunks.json").write_text(json.dumps(split(graph.where["ids"])))
        variables = environment(graph, bigquery, max_workers=4) | {"AIRFLOW_HOME": name}
        start("stage", folder, variables)
        bigquery.count()
        found = json.loads(start("write", folder, variables).splitlines()[-1])
        jobs = sum(bigquery.count()["jobs"].values())
    chunks = -(-accounts // CHUNK)
    took = f"{found['seconds']:.1f}", f"{found['task_cpu']:.1f}"
    return f"{accounts:,}", str(chunks), f"{found['rows']:,}", *took, str(jobs), f"{found['peak']:.0f}"


def split(account_ids: list[str]) -> list[list[str]]:
    """Return the chunks."""
    return [account_ids[at : at + CHUNK] for at in range(0, len(account_ids), CHUNK)]


def start(task: str, folder: Path, variables: dict[str, str]) -> str:
    """Run a task in a process of its own; return what it prints."""
    command = [sys.executable, "-m", "benchmarks.fan_in", "--task", task, "--folder", str(folder)]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def stage(folder: Path) -> None:
    """Stage every chunk, and keep what each hands over."""
    operator = import_module("airflow_provider_iginsights.transfers.instagram_to_bigquery")
    chunks = json.loads((folder / "chunks.json").read_text())
    handed: list[Any] = []
    for place, chunk in enumerate(chunks):
        execute(
            operator.InstagramStoryInsightsToBigQueryOperator,
            hand_over=handed.append,
            map_index=place,
            account_ids=chunk,
            load="stage",
        )
    (folder / "staged.json").write_text(json.dumps(handed))


def write(folder: Path) -> dict[str, Any]:
    """Write what was staged, and return the summary."""
    operator = import_module("airflow_provider_iginsights.transfers.staged_to_bigquery")
    chunks, staged = (json.loads((folder / f"{name}.json").read_text()) for name in ("chunks", "staged"))
    return execute(operator.InstagramWriteStagedToBigQueryOperator, staged=staged, account_ids=chunks)


if __name__ == "__main__":
    main()
