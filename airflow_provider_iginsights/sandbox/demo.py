"""Runs Dag files for real against the sandbox and prints what BigQuery then holds.

Everything happens in a temporary AIRFLOW_HOME and on loopback; nothing is left running and nothing is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.sandbox.environment import SandboxSettings, run_sandbox

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

FIRST_ROWS = 3
SHOWN = 40  # characters of a value


def run_demo(
    settings: SandboxSettings, *, dag_files: Sequence[Path], dataset: str, say: Callable[[str], None]
) -> str | None:
    """Run the Dags and print the tables; return a sentence about the first command of Airflow that failed.

    :param dag_files: of one folder; each Dag has its file's name as its id.
    :param dataset: the dataset that the Dags write.
    :param say: takes the lines to print.
    """
    with tempfile.TemporaryDirectory(prefix="iginsights-demo-") as home, run_sandbox(settings) as sandbox:
        environment = os.environ | make_environment(Path(home), dag_files[0].parent) | sandbox
        failed = run_dags([file.stem for file in dag_files], environment)
        if failed is None:
            os.environ.update(sandbox)
            print_tables(settings.project, dataset, say=say)
    return failed


def make_environment(home: Path, dags_folder: Path) -> dict[str, str]:
    """Return the settings of a throw-away Airflow that knows only the Dags of this folder."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder.resolve()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


def run_dags(dag_ids: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Create the metadata database and run each Dag once, as ``airflow dags test`` does; return what failed."""
    airflow = (sys.executable, "-m", "airflow")
    for command in (("db", "migrate"), *(("dags", "test", dag_id) for dag_id in dag_ids)):
        log = subprocess.PIPE if command[0] == "db" else None
        done = subprocess.run((*airflow, *command), env=dict(environment), stdout=log, stderr=log, check=False)  # noqa: S603 - our own words
        if done.returncode:
            said = (done.stderr or b"").decode()
            return f"`airflow {' '.join(command)}` failed with exit code {done.returncode}.\n{said}".rstrip()
    return None


def print_tables(project: str, dataset: str, *, say: Callable[[str], None]) -> None:
    """Print the row count and the first rows of every table, read back from BigQuery."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    client = Client(project=project, credentials=AnonymousCredentials())
    tables = sorted(table.table_id for table in client.list_tables(dataset))
    say(f"\nBigQuery now holds {len(tables)} tables in {project}.{dataset}:")
    for table_id in tables:
        _print_table(client, f"{project}.{dataset}.{table_id}", say=say)
    client.close()


def _print_table(client: Client, path: str, *, say: Callable[[str], None]) -> None:
    count = next(iter(client.query(f"SELECT COUNT(*) AS n FROM `{path}`").result())).n  # noqa: S608 - its own tables
    say(f"\n{path}: {count} rows")
    for row in client.query(f"SELECT * FROM `{path}` ORDER BY 1, 2, 3 LIMIT {FIRST_ROWS}").result():  # noqa: S608 - its own tables
        shown = (f"{name}={_shorten(value)}" for name, value in row.items() if value not in (None, ""))
        say(f"  {', '.join(shown)}")


def _shorten(value: object) -> str:
    return " ".join(str(value).split())[:SHOWN]
