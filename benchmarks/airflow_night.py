"""The same night as mapped tasks of a real Airflow: ``airflow standalone``, LocalExecutor, PostgreSQL.

``python -m benchmarks.airflow_night`` needs PostgreSQL's programs (Debian: postgresql), psycopg2 and asyncpg; run as
root it starts the database as the user postgres. Everything happens on loopback and in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import importlib.metadata
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.accounts import POSTS
from benchmarks.servers import describe_machine, environment, served

DAG = """
import os, resource
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
)


def note_memory(context):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ti = context["ti"]
    Path(os.environ["NIGHT_PEAKS"], f"{ti.task_id}-{ti.map_index}").write_text(str(peak))


WINDOW = {"since": os.environ["NIGHT_SINCE"], "until": os.environ["NIGHT_UNTIL"]}
TO = {"dataset_id": "instagram", "gcp_conn_id": None, "create_dataset": True, "retries": 2}

with DAG("night", schedule="@once", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False,
         default_args={"on_success_callback": note_memory}):
    accounts = InstagramListAccountsOperator(task_id="accounts", chunk_size=int(os.environ["NIGHT_CHUNK"]))
    InstagramAccountInsightsToBigQueryOperator.partial(task_id="account_insights", **WINDOW, **TO).expand(
        account_ids=accounts.output
    )
    InstagramMediaInsightsToBigQueryOperator.partial(task_id="posts", refresh_days=None, **WINDOW, **TO).expand(
        account_ids=accounts.output
    )
"""
TASKS = """
SELECT task_id, count(*), count(*) FILTER (WHERE state = 'success'),
       extract(epoch FROM max(end_date) - min(start_date)),
       extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY end_date - start_date)), max(try_number)
FROM task_instance GROUP BY task_id ORDER BY min(start_date)
"""


def main() -> None:
    """Run the night and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=20, help="mapped tasks per operator")
    parser.add_argument("--parallelism", type=int, default=4, help="tasks that run at the same time")
    parser.add_argument("--workers", type=int, default=4, help="accounts that a task reads at the same time")
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--patience", type=float, default=1500, help="seconds until the night is given up")
    given = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="night-", ignore_cleanup_errors=True)))
        home.chmod(0o755)
        database = stack.enter_context(postgresql(home))
        graph = stack.enter_context(served("graph", given.accounts, POSTS, given.latency))
        bigquery = stack.enter_context(served("bigquery"))
        variables = environment(graph, bigquery, max_workers=given.workers) | settings(home, database, given)
        prepare(home, variables)
        stack.enter_context(standalone(home, variables))
        start_night(database, variables["AIRFLOW__API__PORT"], patience=given.patience)
        took = wait_for_night(database, home, patience=given.patience)
        report(database, home, given, graph.count(), bigquery.count(), took)


@contextmanager
def postgresql(home: Path) -> Iterator[str]:
    """Run a PostgreSQL cluster of its own on a free port; yields its address."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    folder, port = home / "postgresql", find_port()
    folder.mkdir()
    run: Sequence[str] = ()
    if getpass.getuser() == "root":
        shutil.chown(folder, "postgres")
        run = ("runuser", "-u", "postgres", "--")
    control = (*run, str((binaries or Path("/usr/bin")) / "pg_ctl"), "--pgdata", str(folder / "data"))
    subprocess.run([*control, "init", "-o", "--username=airflow --auth=trust"], check=True, stdout=subprocess.DEVNULL)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
    subprocess.run(
        [*control, "start", "-w", "-l", str(folder / "log"), "-o", options], check=True, stdout=subprocess.DEVNULL
    )
    try:
        yield f"airflow@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "stop", "-m", "immediate"], check=False, stdout=subprocess.DEVNULL)


def settings(home: Path, database: str, given: argparse.Namespace) -> dict[str, str]:
    """Return the settings of the throw-away Airflow."""
    api = find_port()
    now = datetime.now(UTC)
    options = {
        "CORE__DAGS_FOLDER": str(home / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": str(given.parallelism),
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": str(given.parallelism),
        "API__HOST": "127.0.0.1",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{api}/execution/",
        "API__PORT": str(api),
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{database}",
        "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "LOGGING__WORKER_LOG_SERVER_PORT": str(find_port()),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(find_port()),
    }
    path = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {f"AIRFLOW__{name}": value for name, value in options.items()} | {
        "AIRFLOW_HOME": str(home / "airflow"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(path),
        "NIGHT_PEAKS": str(home / "peaks"),
        "NIGHT_CHUNK": str(-(-given.accounts // given.tasks)),
        "NIGHT_SINCE": (now - timedelta(days=1)).isoformat(),
        "NIGHT_UNTIL": now.isoformat(),
    }


def prepare(home: Path, variables: dict[str, str]) -> None:
    """Write the Dag and create the metadata tables."""
    (home / "peaks").mkdir()
    (home / "dags").mkdir()
    (home / "dags" / "night.py").write_text(DAG)
    run_airflow(variables, "db", "migrate")


@contextmanager
def standalone(home: Path, variables: dict[str, str]) -> Iterator[None]:
    """Run all of Airflow's components."""
    with (home / "standalone.log").open("w") as log:
        command = [sys.executable, "-m", "airflow", "standalone"]
        process = subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def start_night(database: str, port: str, *, patience: float) -> None:
    """Wait until the API server answers and the Dag is known, then let it run."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        time.sleep(1)
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/api/v2/version", timeout=5):
            if query(database, "UPDATE dag SET is_paused = false WHERE dag_id = 'night' RETURNING dag_id"):
                return
    raise SystemExit("Airflow did not come up.")


def wait_for_night(database: str, home: Path, *, patience: float) -> float:
    """Wait for the run's end; return its seconds, from its first task's start to the end of its last."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        time.sleep(2)
        found = query(database, "SELECT state, extract(epoch FROM end_date - start_date) FROM dag_run")
        if found and found[0][0] in ("success", "failed"):
            if found[0][0] == "failed":
                raise SystemExit(
                    f"The night failed: {query(database, TASKS)}\n{(home / 'standalone.log').read_text()[-5000:]}"
                )
            return float(found[0][1])
    raise SystemExit(
        f"The night did not end: {query(database, TASKS)}\n{(home / 'standalone.log').read_text()[-5000:]}"
    )


def report(
    database: str, home: Path, given: argparse.Namespace, asked: dict[str, Any], loaded: dict[str, Any], took: float
) -> None:
    """Print the table."""
    version = query(database, "SHOW server_version")[0][0].split()[0]
    airflow = importlib.metadata.version("apache-airflow")
    print(f"{describe_machine()}, Airflow {airflow}, PostgreSQL {version}, LocalExecutor")
    print(f"{given.accounts:,} accounts, {POSTS} posts each, latency {1000 * given.latency:.0f} ms; ", end="")
    print(f"{given.parallelism} tasks at a time, max_workers {given.workers}\n")
    names = ("task", "mapped", "succeeded", "s, first start to last end", "s, median", "highest try", "peak MB")
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for task, mapped, good, span, median, tries in query(database, TASKS):
        peak = max((int(file.read_text()) for file in (home / "peaks").glob(f"{task}-*")), default=0)
        print(f"| {task} | {mapped} | {good} | {span:.1f} | {median:.1f} | {tries} | {peak} |")
    print(f"\nThe whole run: {took:.0f} s, {asked['http']:,} HTTP requests, {asked['calls']:,} Graph calls, ", end="")
    print(
        f"{asked['refused']} refused; {asked['in_flight']:.1f} in flight on average (peak {asked['in_flight_peak']});"
    )
    print(f"BigQuery jobs {json.dumps(loaded['jobs'])}; ", end="")
    print(f"CPU of the sandboxes: {asked['cpu']:.0f} s Graph API, {loaded['cpu']:.0f} s BigQuery.")


def query(database: str, sql: str) -> list[tuple[Any, ...]]:
    """Ask the metadata database."""
    import psycopg2

    with contextlib.closing(psycopg2.connect(f"postgresql://{database}")) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        found = cursor.fetchall()
        connection.commit()
    return found


def find_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def run_airflow(variables: dict[str, str], *arguments: str) -> None:
    """Run an airflow command; end where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"airflow {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")


if __name__ == "__main__":
    main()
