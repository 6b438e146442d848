"""What it costs to load insight rows into BigQuery: this provider beside other ways, on the same rows.

    python -m benchmarks.load --rows 1000000 [--local-bigquery PATH --pandas PYTHON]

Every measurement is a fresh process, the BigQuery another one: the sandbox, or local-bigquery, which reads the Parquet
of data frames. ``--pandas`` names a Python with pandas, pandas-gbq, pyarrow and google-cloud-bigquery. "above imports"
is the process's peak of resident memory less what it had when everything was imported and the client made.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.servers import DATASET, PROJECT, describe_machine, served

TABLE = f"{PROJECT}.{DATASET}.instagram_account_insights"
PER_REQUEST = 500  # what BigQuery's documentation advises for streaming inserts
METRICS = ("reach", "views", "likes", "comments", "shares", "saves", "replies", "reposts", "website_clicks", "follows")
DAYS = 28
FETCHED = datetime(2026, 11, 20, 8, tzinfo=UTC)

Row = dict[str, Any]


def make_rows(count: int) -> Iterator[Row]:
    """Yield account insights: ten metrics a day of 28 days, account after account."""
    for number in range(count):
        rest, metric = divmod(number, len(METRICS))
        account, day = divmod(rest, DAYS)
        start = datetime(2026, 10, 20, 7, tzinfo=UTC) + timedelta(days=day)
        yield {
            "account_id": str(17841400000000000 + account),
            "metric": METRICS[metric],
            "period": "day",
            "timeframe": "",
            "breakdown": "",
            "breakdown_value": "",
            "metric_date": date(2026, 10, 20) + timedelta(days=day),
            "value": number % 9973,
            "end_time": None,
            "window_start": start,
            "window_end": start + timedelta(days=1, seconds=-1),
            "api_version": "v25.0",
            "fetched_at": FETCHED,
            "run_id": "scheduled__2026-11-20T00:00:00+00:00",
        }


def with_provider(client: Any, count: int) -> None:
    """Spool, stage, merge and look, as one task does."""
    from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
    from airflow_provider_iginsights.bigquery.target import TargetTable, TaskIdentity
    from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS

    identity = TaskIdentity(
        deployment="benchmark", dag_id="load", task_id="load", run_id="1", map_index=-1, try_number=1
    )
    table_id = ACCOUNT_INSIGHTS.default_id
    destination = TargetTable(table=ACCOUNT_INSIGHTS, project=PROJECT, dataset=DATASET, table_id=table_id)
    with BigQueryLoader(client, identity=identity, create_dataset=True) as loader:
        loader.ensure([destination])
        if count:
            row_file = loader.row_file(destination)
            for row in make_rows(count):
                row_file.write(row)
            loader.commit([row_file])


def with_insert_rows_json(client: Any, count: int) -> None:
    """Stream the rows in requests of 500; nothing removes what a retry inserts again."""
    rows = make_rows(count)
    while batch := list(islice(rows, PER_REQUEST)):
        texts = [{name: str(value) for name, value in row.items() if value is not None} for row in batch]
        if refused := client.insert_rows_json(TABLE, texts):
            raise RuntimeError(str(refused[:1]))


def with_load_json(client: Any, count: int) -> None:
    """Append the rows with load_table_from_json, which takes a list."""
    rows = [{name: str(value) for name, value in row.items() if value is not None} for row in make_rows(count)]
    from google.cloud.bigquery import LoadJobConfig

    config = LoadJobConfig(schema=client.get_table(TABLE).schema, write_disposition="WRITE_APPEND")
    client.load_table_from_json(rows, TABLE, job_config=config).result()


def with_dataframe(client: Any, count: int) -> None:
    """Append the rows with load_table_from_dataframe, which writes Parquet."""
    from google.cloud.bigquery import LoadJobConfig

    config = LoadJobConfig(schema=client.get_table(TABLE).schema, write_disposition="WRITE_APPEND")
    client.load_table_from_dataframe(_frame(count), TABLE, job_config=config).result()


def with_to_gbq(client: Any, count: int) -> None:
    """Append the rows with pandas_gbq.to_gbq."""
    import pandas_gbq

    pandas_gbq.to_gbq(
        _frame(count),
        f"{DATASET}.instagram_account_insights",
        project_id=PROJECT,
        if_exists="append",
        credentials=client._credentials,
        progress_bar=False,
    )


def _frame(count: int) -> Any:
    import pandas as pd

    return pd.DataFrame.from_records([row | {"value": Decimal(row["value"])} for row in make_rows(count)])


WAYS: dict[str, tuple[Callable[[Any, int], None], tuple[str, ...]]] = {
    "this provider": (with_provider, ("airflow_provider_iginsights.bigquery.loader", "tenacity")),
    "insert_rows_json": (with_insert_rows_json, ()),
    "load_table_from_json": (with_load_json, ()),
    "load_table_from_dataframe": (with_dataframe, ("pandas", "pyarrow", "pyarrow.parquet")),
    "pandas_gbq.to_gbq": (with_to_gbq, ("pandas", "pyarrow", "pyarrow.parquet", "pandas_gbq")),
}
FRAMES = ("load_table_from_dataframe", "pandas_gbq.to_gbq")


def measure(way: str, url: str, count: int) -> dict[str, float]:
    """Load the rows in this process, and return seconds and megabytes."""
    from importlib import import_module

    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    load, modules = WAYS[way]
    for module in modules:
        import_module(module)
    os.environ["BIGQUERY_EMULATOR_HOST"] = url
    client = Client(project=PROJECT, credentials=AnonymousCredentials())
    imported = _resident("VmRSS")
    wall, busy = time.perf_counter(), time.process_time()
    load(client, count)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - busy
    return {"seconds": seconds, "cpu": cpu, "imported": imported, "peak": _resident("VmHWM")}


def _resident(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) / 1024


@contextmanager
def local_bigquery(executable: str) -> Iterator[str]:
    """Serve local-bigquery on free ports and yield its address."""
    with tempfile.TemporaryDirectory() as data, socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        ports = [str(each.getsockname()[1]) for each in (one, two)]
        one.close()
        two.close()
        command = [executable, "--port", ports[0], "--grpc-port", ports[1], "--project", PROJECT, "--data-dir", data]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield _answering(f"http://127.0.0.1:{ports[0]}", process)
            finally:
                process.terminate()


def _answering(url: str, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/bigquery/v2/projects/{PROJECT}/datasets", timeout=1):  # noqa: S310 - a server on loopback
                return url
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"local-bigquery ended with {process.returncode}")


@contextmanager
def sandbox() -> Iterator[str]:
    """Serve the sandbox and yield its address."""
    with served("bigquery") as bigquery:
        yield bigquery.where["url"]


def compare(name: str, url: str, way: str, count: int, python: str) -> None:
    """Run one way in a process of its own on an empty target, and print its line of the table."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    with Client(project=PROJECT, credentials=AnonymousCredentials(), client_options={"api_endpoint": url}) as client:
        client.delete_dataset(DATASET, delete_contents=True, not_found_ok=True)
        with_provider(client, 0)
        arguments = [python, "-m", "benchmarks.load", "--measure", way, "--url", url, "--rows", str(count)]
        answer = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if answer.returncode:
            print(
                f"| {name} | {way} | {count:,} | failed: {answer.stderr.strip().splitlines()[-1][:100]} |", flush=True
            )
            return
        found = json.loads(answer.stdout)
        rows = next(iter(client.query(f"SELECT COUNT(*) FROM `{TABLE}`").result()))[0]
    above, speed = found["peak"] - found["imported"], count / found["seconds"]
    costs = f"{found['seconds']:.1f} | {speed:,.0f} | {found['cpu']:.1f} | {found['imported']:.0f} | {above:.0f}"
    print(f"| {name} | {way} | {count:,} | {rows:,} | {costs} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Compare ways to load rows into BigQuery.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--streamed", type=int, help="rows for insert_rows_json, if fewer")
    parser.add_argument("--local-bigquery", help="path of local-bigquery; without it data frames are left out")
    parser.add_argument("--pandas", default=sys.executable, help="a Python with pandas-gbq")
    parser.add_argument("--way", action="append", choices=WAYS, help="only this way; can be repeated")
    parser.add_argument("--no-sandbox", action="store_true", help="only on local-bigquery")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.url, options.rows)))
        return
    print(f"{describe_machine()}; load average {os.getloadavg()[0]:.1f}\n")
    print("| BigQuery | way | rows | in the target | s | rows/s | CPU s | MB imported | MB above imports |")
    print("|---|---|---|---|---|---|---|---|---|")
    servers: list[tuple[str, Any]] = [] if options.no_sandbox else [("sandbox", sandbox())]
    if options.local_bigquery:
        servers.append(("local-bigquery", local_bigquery(options.local_bigquery)))
    for name, server in servers:
        with server as url:
            for way in options.way or WAYS:
                if way not in FRAMES or name != "sandbox":
                    python = options.pandas if way in FRAMES else sys.executable
                    rows = options.streamed if way == "insert_rows_json" else None
                    compare(name, url, way, rows or options.rows, python)


if __name__ == "__main__":
    main()
