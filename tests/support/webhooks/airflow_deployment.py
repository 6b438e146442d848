"""A real Airflow in a folder of its own: API server, scheduler and Dag processor as processes that a test may kill."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import requests

# The API server kills itself when a test asks for it: before, or right after, it commits what it was given.
KILLER = """
import os, signal
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session


def kill_if_asked(name):
    flag = Path(os.environ["KILL_FOLDER"]) / name
    if flag.exists():
        flag.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


@event.listens_for(Session, "after_flush")
def flushed(session, context):
    if any(type(each).__name__ == "AssetEvent" for each in session.new):
        session.info["holds_event"] = True


# Savepoints are committed within the transaction, and are not what is meant.
@event.listens_for(Session, "before_commit")
def before(session):
    if session.get_nested_transaction() is None and session.info.get("holds_event"):
        kill_if_asked("before_commit")


@event.listens_for(Session, "after_commit")
def after(session):
    if session.get_nested_transaction() is None and session.info.pop("holds_event", False):
        kill_if_asked("after_commit")
"""
ENTRY_POINT = "from airflow_provider_iginsights.plugins.webhook_plugin import InstagramWebhookPlugin\n"


@dataclass(slots=True)
class Deployment:
    """An Airflow with the local executor. ``environment`` is added to that of its processes.

    Its database is SQLite, or an empty PostgreSQL whose SQLAlchemy address stands in ``IGINSIGHTS_LIVE_DATABASE``.
    """

    home: Path
    dags: Path
    environment: Mapping[str, str]
    port: int = 0
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        """The address of Airflow's database."""
        return os.environ.get("IGINSIGHTS_LIVE_DATABASE") or f"sqlite:///{self.home / 'airflow.db'}"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on Airflow's database."""
        from sqlalchemy import NullPool, create_engine, text

        engine = create_engine(self.database, poolclass=NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def prepare(self) -> None:
        """Make folders and database."""
        self.port = free_port()
        plugins = self.home / "plugins"
        plugins.mkdir(parents=True)
        (self.home / "kill").mkdir()
        (plugins / "killer.py").write_text(KILLER)
        if not entry_points(group="airflow.plugins", name="instagram_webhook"):
            (plugins / "webhook.py").write_text(ENTRY_POINT)
        subprocess.run(self._command("db", "migrate"), env=self._env(), check=True, capture_output=True, timeout=120)

    def start(self, *names: str) -> None:
        """Start the named components."""
        for name in names:
            arguments = ("--port", str(self.port), "--workers", "1") if name == "api-server" else ()
            with (self.home / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    self._command(name, *arguments), env=self._env(), stdout=log, stderr=log, start_new_session=True
                )

    def wait_until_up(self, seconds: float = 90) -> None:
        """Wait for the API server to answer."""

        def is_up() -> bool:
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"{self.url}/api/v2/monitor/health", timeout=5).ok
            return False

        self.wait_for(is_up, "the API server to answer", seconds)

    def kill_at(self, moment: str) -> None:
        """Let the API server die of SIGKILL at its next ``before_commit`` or ``after_commit`` of an asset event."""
        (self.home / "kill" / moment).touch()

    def restart_api_server(self) -> int:
        """Wait for the API server's death, start it anew, and return what it died of."""
        code = self._processes["api-server"].wait(timeout=30)
        self._end("api-server")
        self.start("api-server")
        self.wait_until_up()
        return code

    def wait_for(self, is_so: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Return what ``is_so`` returns as soon as it is true; fail with the ends of the logs if it takes too long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := is_so():
                return found
            time.sleep(0.3)
        raise AssertionError(f"Waited {seconds} s for {what}.\n{self.logs()}")

    def logs(self, size: int = 4000) -> str:
        """Return the end of every component's log."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-size:]}" for path in self.home.glob("*.log"))

    def command(self, *arguments: str) -> str:
        """Run an airflow command; return what it prints."""
        done = subprocess.run(self._command(*arguments), env=self._env(), capture_output=True, text=True, timeout=120)
        return done.stdout

    def stop(self) -> None:
        """Kill all components and what they started."""
        for name in list(self._processes):
            self._end(name)

    def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "airflow", *arguments]

    def _env(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return inherited | {
            "AIRFLOW_HOME": str(self.home),
            "KILL_FOLDER": str(self.home / "kill"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-only-for-this-test-only-for-this-test-0123456789",
            "AIRFLOW__API__SECRET_KEY": "only-for-this-test",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            **self.environment,
        }


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def deployed(home: Path, dags: Path, environment: Mapping[str, str]) -> Iterator[Deployment]:
    """Run an Airflow until the end of the block."""
    deployment = Deployment(home, dags, environment)
    deployment.prepare()
    try:
        deployment.start("api-server")
        deployment.wait_until_up()
        deployment.start("scheduler", "dag-processor")
        yield deployment
    finally:
        deployment.stop()
