"""Kills loads with SIGKILL at chosen and at random moments, repeats them, and compares the target with the truth.

By hand, for as long as one likes::

    python -m tests.support.bigquery.killed_loads --kills 100 [--local-bigquery PATH] [--seed N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA, Table
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse, connect_to_emulator, serve_local_bigquery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_iginsights.bigquery.loader import BigQueryLoader

PROJECT = "p-1"
ROWS = 300
SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(
    ["tests.support.bigquery.rows", "google.cloud.bigquery", "airflow_provider_iginsights.bigquery.loader"]
)


When = Literal["fetching", "before", "during", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """When to die: around the ``number``-th request (from 1) whose method, path and body hold these texts.

    ``during`` dies so many seconds after it was sent, without having read the answer; ``fetching`` when so many rows
    were read.
    """

    when: When
    method: str = ""
    path: str = ""
    body: str = ""
    number: int = 1
    seconds: float = 0.0


POINTS: dict[str, Kill] = {
    "while fetching": Kill(when="fetching", number=ROWS // 2),
    "before the load": Kill(when="before", method="GET", path="/jobs"),
    "staging created": Kill(when="after", method="POST", path="/tables"),
    "while loading": Kill(when="during", method="POST", path="/upload/", seconds=0.004),
    "load submitted": Kill(when="after", method="POST", path="/upload/"),
    "loaded": Kill(when="before", method="POST", path="/jobs", body="MERGE"),
    "while the MERGE is sent": Kill(when="during", method="POST", path="/jobs", body="MERGE", seconds=0.004),
    "MERGE submitted": Kill(when="after", method="POST", path="/jobs", body="MERGE"),
    "merged": Kill(when="before", method="POST", path="/jobs", body="doubled"),
    "looked": Kill(when="before", method="DELETE", path="__stg_"),
    "dropped": Kill(when="after", method="DELETE", path="__stg_"),
}
MOVING: dict[str, Kill] = {
    "new keys are asked for": Kill(when="after", method="POST", path="/jobs", body="SELECT DISTINCT A"),
    "their days are known": Kill(when="after", method="POST", path="/jobs", body="AS day"),
    **{point: POINTS[point] for point in ("load submitted", "while the MERGE is sent", "MERGE submitted", "merged")},
}
"""Points of a load of media, of which some have moved to another day."""


def warehouse_at(url: str, *, dataset: str) -> Warehouse:
    """Return an emulator as a warehouse."""
    return Warehouse(
        name=url, project=PROJECT, dataset=dataset, location="US", connect=lambda: connect_to_emulator(PROJECT, url)
    )


def attempt(
    url: str, dataset: str, version: int, try_number: int, kill: Kill | None = None, table: Table = ACCOUNT_INSIGHTS
) -> None:
    """Run one try: write the rows of a version, and die on the way if so told."""
    warehouse = warehouse_at(url, dataset=dataset)
    destination = rows.target(table, project=PROJECT, dataset=dataset)
    run_id = f"run-{version}"
    with warehouse.loader(rows.identity(run_id=run_id, try_number=try_number)) as loader:
        if kill is not None:
            kill_at(loader, kill)
        row_file = loader.row_file(destination)
        for number, row in enumerate(given(version, table), 1):
            row_file.write(row)
            if kill is not None and kill.when == "fetching" and number == kill.number:
                _die()
        loader.commit([row_file])


def kill_at(loader: BigQueryLoader, kill: Kill) -> None:
    """Let the process die around one of the loader's requests."""
    session = loader.session.client._http
    session.request = _deadly(session.request, kill)


def given(version: int, table: Table = ACCOUNT_INSIGHTS) -> list[dict[str, object]]:
    """Return the rows of a version: most keys are those of the version before, some are new, some media have moved."""
    made = rows.rows(table, range(version * 40, version * 40 + ROWS), version=version)
    if table == MEDIA:
        for row in made[::5]:
            row["published_date"] = f"{2020 - version}-02-{1 + version:02d}"
    return made


def prepared(url: str, *, dataset: str, table: Table = ACCOUNT_INSIGHTS) -> Warehouse:
    """Create the target and return the warehouse."""
    warehouse = warehouse_at(url, dataset=dataset)
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([rows.target(table, project=PROJECT, dataset=dataset)])
    return warehouse


def killed(
    url: str, *, dataset: str, version: int, try_number: int, kill: Kill | None, table: Table = ACCOUNT_INSIGHTS
) -> bool:
    """Run a try in a process of its own; tell whether it was killed. Raises RuntimeError if it failed otherwise."""
    process = SPAWN.Process(target=attempt, args=(url, dataset, version, try_number, kill, table))
    process.start()
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"version {version}, try {try_number} ended with {process.exitcode} at {kill}")
    return process.exitcode != 0


def difference(warehouse: Warehouse, *, versions: int, table: Table = ACCOUNT_INSIGHTS) -> str:
    """Return how target and leftovers differ from what they should be; '' if they do not."""
    destination = rows.target(table, project=PROJECT, dataset=warehouse.dataset)
    expected = rows.truth(table, [row for version in range(versions) for row in given(version, table)])
    with warehouse.connect() as client:
        found, left = rows.stored(client, destination), rows.staging_left(client, destination)
    wrong = len(set(found) ^ set(expected)), len(found) - len(set(found))
    return "" if wrong == (0, 0) and not left else f"{wrong[0]} rows differ, {wrong[1]} stand twice, left: {left}"


def random_kill(dice: random.Random) -> Kill:
    """Return a kill around any request of a load."""
    when: When = dice.choice(("fetching", "before", "during", "after"))
    return Kill(when=when, number=dice.randint(1, 16), seconds=dice.random() * 0.03)


def _deadly(request: Callable[..., Any], kill: Kill) -> Callable[..., Any]:
    seen = [0]

    def deadly(method: str, url: str, *arguments: Any, **options: Any) -> Any:
        body = str(options.get("data") or (arguments[0] if arguments else ""))
        if not (kill.method in method and kill.path in url and kill.body in body):
            return request(method, url, *arguments, **options)
        seen[0] += 1
        if seen[0] == kill.number and kill.when == "before":
            _die()
        if seen[0] == kill.number and kill.when == "during":
            later = threading.Timer(kill.seconds, _die)
            later.daemon = True
            later.start()
        answer = request(method, url, *arguments, **options)
        if seen[0] == kill.number and kill.when == "after":
            _die()
        return answer

    return deadly


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def emulator(executable: Path | None) -> Iterator[str]:
    """Serve local-bigquery if it is named, else the sandbox."""
    if executable:
        with (
            tempfile.TemporaryDirectory() as folder,
            serve_local_bigquery(executable, data=Path(folder) / "d", project=PROJECT) as url,
        ):
            yield url
    else:
        from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox

        with BigQuerySandbox(project=PROJECT) as sandbox:
            yield sandbox.url


def storm(url: str, *, dataset: str, kills: int, dice: random.Random, tell: Callable[[str], object]) -> int:
    """Load version after version, each killed up to three times, until so many kills were done; return the faults."""
    warehouse = prepared(url, dataset=dataset)
    done = faults = version = 0
    while done < kills:
        deaths = 0
        while (
            deaths < 3
            and done < kills
            and killed(url, dataset=dataset, version=version, try_number=deaths + 1, kill=random_kill(dice))
        ):
            deaths += 1
            done += 1
        attempt(url, dataset, version, try_number=deaths + 1)
        version += 1
        wrong = difference(warehouse, versions=version)
        faults += bool(wrong)
        tell(f"version {version - 1}: {deaths} kills ({done} in all): {wrong or 'exact'}\n")
    return faults


def main() -> int:
    """Run the storm and return how often the target was wrong."""
    parser = argparse.ArgumentParser(description="Kill loads at random moments and compare the target with the truth.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--local-bigquery", type=Path)
    options = parser.parse_args()
    with emulator(options.local_bigquery) as url:
        dice = random.Random(options.seed)
        return storm(url, dataset="chaos", kills=options.kills, dice=dice, tell=sys.stdout.write)


if __name__ == "__main__":
    sys.exit(main())
