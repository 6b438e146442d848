"""Runs a Dag file for real against the sandbox and prints what BigQuery then holds: ``python -m …sandbox.demo FILE``.

Everything happens in a temporary AIRFLOW_HOME and on loopback; nothing is left running and nothing is kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.sandbox.__main__ import make_parser, run_sandbox

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

FIRST_ROWS = 3
SHOWN = 40  # characters of a value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the Dag and print the tables; return the exit code of the Dag run."""
    parser = argparse.ArgumentParser(parents=[make_parser()], add_help=False, description=__doc__)
    parser.add_argument("dag_file", type=Path, help="a Dag file; its Dag has the file's name as its id")
    parser.add_argument("--dataset", default="instagram", help="dataset that the Dag writes (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="iginsights-demo-") as home, run_sandbox(options) as sandbox:
        environment = os.environ | make_environment(Path(home), options.dag_file) | sandbox
        code = run_dag(options.dag_file.stem, environment)
        if code == 0:
            os.environ.update(sandbox)
            print_tables(options.project, options.dataset)
    return code


def make_environment(home: Path, dag_file: Path) -> dict[str, str]:
    """Return the settings of a throw-away Airflow that knows only this Dag file."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dag_file.resolve().parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


def run_dag(dag_id: str, environment: Mapping[str, str]) -> int:
    """Create the metadata database and run the Dag once, as ``airflow dags test`` does; return its exit code."""
    airflow = (sys.executable, "-m", "airflow")
    for command in (("db", "migrate"), ("dags", "test", dag_id)):
        log = subprocess.PIPE if command[0] == "db" else None
        done = subprocess.run((*airflow, *command), env=dict(environment), stdout=log, stderr=log, check=False)  # noqa: S603 - our own words
        if done.returncode:
            sys.stderr.write(f"`airflow {' '.join(command)}` failed.\n{(done.stderr or b'').decode()}")
            return done.returncode
    return 0


def print_tables(project: str, dataset: str) -> None:
    """Print the row count and the first rows of every table, read back from BigQuery."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    client = Client(project=project, credentials=AnonymousCredentials())
    tables = sorted(table.table_id for table in client.list_tables(dataset))
    sys.stdout.write(f"\nBigQuery now holds {len(tables)} tables in {project}.{dataset}:\n")
    for table_id in tables:
        _print_table(client, f"{project}.{dataset}.{table_id}")
    client.close()


def _print_table(client: Client, path: str) -> None:
    count = next(iter(client.query(f"SELECT COUNT(*) AS n FROM `{path}`").result())).n
    sys.stdout.write(f"\n{path}: {count} rows\n")
    for row in client.query(f"SELECT * FROM `{path}` ORDER BY 1, 2, 3 LIMIT {FIRST_ROWS}").result():
        shown = (f"{name}={_shorten(value)}" for name, value in row.items() if value not in (None, ""))
        sys.stdout.write(f"  {', '.join(shown)}\n")


def _shorten(value: object) -> str:
    return " ".join(str(value).split())[:SHOWN]


if __name__ == "__main__":
    sys.exit(main())
