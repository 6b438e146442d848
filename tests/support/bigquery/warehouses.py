"""Where the loader's tests run: the sandbox, the independent emulator local-bigquery, and real BigQuery on request."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.fan_in import FanInLoader
from airflow_provider_iginsights.bigquery.retry import RetryBudget
from airflow_provider_iginsights.bigquery.session import JobOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.target import TaskIdentity

ROOT = Path(__file__).parents[3]
OF_JOBS = ("labels", "retry_budget", "job_project", "maximum_bytes_billed")
SECONDS_TO_START = 60
IMPATIENT = RetryBudget(busy=5, lost=5, first_wait=0.01, longest_wait=0.05, first_poll=0.005, longest_poll=0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """One BigQuery to test on, with an empty dataset of the test's own."""

    name: str
    project: str
    dataset: str
    location: str
    connect: Callable[[], Client]

    @contextmanager
    def loader(self, identity: TaskIdentity, **options: object) -> Iterator[FanInLoader]:
        """Open a warehouse as one try of a task does; it creates the dataset and does not wait long."""
        client = self.connect()
        of_jobs = {name: options.pop(name) for name in OF_JOBS if name in options}
        settings = {"create_dataset": True} | options
        jobs = JobOptions(**{"retry_budget": IMPATIENT} | of_jobs)  # type: ignore[arg-type]
        try:
            with FanInLoader(client, identity=identity, options=jobs, **settings) as loader:  # type: ignore[arg-type]
                yield loader
        finally:
            client.close()


def find_local_bigquery() -> Path | None:
    """Return the executable of the independent emulator, None if it is not installed."""
    named = os.environ.get("IGINSIGHTS_LOCAL_BIGQUERY") or ROOT / ".venv-referee" / "bin" / "local-bigquery"
    return Path(named) if Path(named).is_file() else None


@contextmanager
def serve_local_bigquery(executable: Path, *, data: Path, project: str) -> Iterator[str]:
    """Run local-bigquery and yield its address."""
    port, grpc_port = find_free_port(), find_free_port()
    options = ["--port", str(port), "--grpc-port", str(grpc_port), "--project", project, "--data-dir", str(data)]
    with (data.parent / "local-bigquery.log").open("wb") as log:
        process = subprocess.Popen([executable, *options], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/bigquery/v2/projects/{project}/datasets", process=process)
            yield url
        finally:
            process.terminate()
            process.wait()


def connect_to_emulator(project: str, url: str) -> Client:
    """Return a client of an emulator."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    return Client(project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": url})


def find_free_port() -> int:
    """Return a loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, *, process: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS_TO_START * 10):
        if process.poll() is not None:
            raise RuntimeError(f"local-bigquery ended with {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - a server on loopback
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"local-bigquery did not answer within {SECONDS_TO_START} seconds")
