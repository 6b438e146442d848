"""A night of Airflow with CeleryExecutor: its components as processes that can be stopped, killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.airflow_night import find_port, query

WORKERS = ("one", "two")
COMPONENTS = {
    "api-server": ("api-server", "--workers", "1"),
    **{name: (name,) for name in ("scheduler", "dag-processor", "triggerer")},
    **{name: ("celery", "worker", "--concurrency", "2", "--celery-hostname", f"{name}@%h") for name in WORKERS},
}

TRIES = """
SELECT task_id, count(*), count(*) FILTER (WHERE state = 'success'), max(try_number),
       count(*) FILTER (WHERE try_number > 1) FROM task_instance GROUP BY task_id ORDER BY min(start_date)
"""
"""What the report says of each task: its instances, their successes, the highest try, and how many were tried again."""


@dataclass(slots=True)
class Night:
    """A night under way: where its database is, its processes by component, and what was done to them."""

    home: Path
    database: str
    variables: dict[str, str]
    patience: float
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def start(self, name: str) -> None:
        """Start a component."""
        command = [sys.executable, "-m", "airflow", *COMPONENTS[name]]
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env=os.environ | self.variables, stdout=log, stderr=log, start_new_session=True
            )

    def send(self, name: str, number: signal.Signals) -> int:
        """Send a signal to a component and all that it started; return to how many processes."""
        members = self.find_members(name)
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(members)

    def find_members(self, name: str) -> set[int]:
        """Return the processes of a component's session, which it has for itself, also those that lost their parent."""
        found = set()
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError):
                found |= {pid} if os.getsid(pid) == self.processes[name].pid else set()
        return found

    def note(self, event: str) -> None:
        """Remember what was done, and when."""
        self.events.append(f"{time.monotonic() - self.begun:.0f} s: {event}")

    def wait(self, is_so: Callable[[], Any], what: str) -> Any:
        """Return what ``is_so`` returns as soon as it is true."""
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            if found := is_so():
                return found
            if query(self.database, "SELECT 1 FROM dag_run WHERE state = 'failed'"):
                break
            time.sleep(0.2)
        raise SystemExit(f"Waited for {what}; {query(self.database, TRIES)}")

    def find_worker(self, task_id: str) -> tuple[str, int] | None:
        """Return the worker that runs an instance of a task, and the process of it."""
        running = f"SELECT pid FROM task_instance WHERE task_id = '{task_id}' AND state = 'running'"
        for (pid,) in query(self.database, running):
            for name in WORKERS:
                if pid in self.find_members(name):
                    return name, pid
        return None

    def stop(self) -> None:
        """Kill all components."""
        for name in self.processes:
            self.send(name, signal.SIGKILL)
            self.processes[name].wait()


@contextmanager
def redis(home: Path) -> Iterator[str]:
    """Run a broker that keeps nothing on disk; yields its address."""
    port = find_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def celery(database: str, broker: str) -> dict[str, str]:
    """Return the settings of the executor; a task without a heartbeat for 40 seconds is given to another worker."""
    options = {
        "CORE__EXECUTOR": "CeleryExecutor",
        "CELERY__BROKER_URL": broker,
        "CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
        "CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    }
    return {f"AIRFLOW__{name}": value for name, value in options.items()} | {"C_FORCE_ROOT": "1"}
