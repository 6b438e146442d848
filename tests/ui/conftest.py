"""A whole Airflow, as ``airflow standalone`` runs it, over PostgreSQL; the sandbox behind it; a browser before it.

Everything is on free ports of loopback, in a temporary folder, and ends with the session.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from airflow_provider_iginsights.sandbox.environment import SandboxSettings, run_sandbox
from benchmarks.airflow_night import find_port, postgresql, query, run_airflow, standalone

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = timedelta(minutes=10)
"""How long to wait for what a machine that does nothing else shows within a second."""
LARGEST_IMAGE = 150 * 1024
WIDTH, HEIGHT = 1120, 640
"""What a picture shows of a window, in pixels from the top left."""


@dataclass(frozen=True)
class Site:
    """A running Airflow. ``host`` and ``token`` are the sandbox's, as a person would enter them."""

    url: str
    database: str
    host: str
    token: str
    log: Path

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask Airflow's database."""
        return query(self.database, sql)

    def wait_for(self, is_so: Callable[[], Any], what: str) -> Any:
        """Return what ``is_so`` returns as soon as it is true."""
        until = time.monotonic() + PATIENCE.total_seconds()
        while not (found := is_so()):
            if time.monotonic() > until:
                raise AssertionError(f"Waited in vain for {what}.\n{self.log.read_text()[-5000:]}")
            time.sleep(0.5)
        return found

    def is_up(self) -> bool:
        """Return whether the API server answers and the example Dags are known."""
        with suppress(requests.RequestException):
            if requests.get(f"{self.url}/api/v2/monitor/health", timeout=10).ok:
                return bool(self.query("SELECT 1 FROM dag WHERE dag_id = 'instagram_daily_insights'"))
        return False


def make_settings(home: Path, database: str, port: int) -> dict[str, str]:
    """Return the environment of an Airflow that knows the example Dags and lets anybody in."""
    options = {
        "CORE__UNIT_TEST_MODE": "False",
        "CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "2",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__TEST_CONNECTION": "Enabled",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{database}",
        # A busy API server is slow to answer a task that starts, which Airflow would count as a lost try.
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        "LOGGING__WORKER_LOG_SERVER_PORT": str(find_port()),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(find_port()),
    }
    return {f"AIRFLOW__{name}": value for name, value in options.items()} | {
        "AIRFLOW_HOME": str(home / "airflow"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Run Airflow with a connection that was added by the README's command, with port 0, and a person's token."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ui-", ignore_cleanup_errors=True)))
        home.chmod(0o755)
        database, port = stack.enter_context(postgresql(home)), find_port()
        sandbox = stack.enter_context(run_sandbox(SandboxSettings(media=5, stories=1)))
        connection = json.loads(sandbox.pop("AIRFLOW_CONN_INSTAGRAM_DEFAULT"))
        variables = make_settings(home, database, port) | sandbox
        run_airflow(variables, "db", "migrate")
        given = (
            "--conn-type",
            "instagram",
            "--conn-host",
            connection["host"],
            "--conn-password",
            connection["password"],
        )
        run_airflow(variables, "connections", "add", "instagram_default", *given, "--conn-port", "0")
        stack.enter_context(standalone(home, variables))
        log = home / "standalone.log"
        opened = Site(f"http://127.0.0.1:{port}", database, connection["host"], connection["password"], log)
        opened.wait_for(opened.is_up, "Airflow to come up")
        yield opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Open Debian's chromium without a window."""
    expect.set_options(timeout=1000 * PATIENCE.total_seconds())
    # Its sandbox refuses to work for root, as whom containers run tests; it sees nothing but this Airflow.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Open a window of English Airflow."""
    context = browser.new_context(base_url=site.url, locale="en-US", viewport={"width": WIDTH, "height": 700})
    context.set_default_timeout(1000 * PATIENCE.total_seconds())
    yield context.new_page()
    context.close()


@pytest.fixture
def take_picture() -> Callable[[Page, str], None]:
    """Return a function that keeps what a window shows as a picture of the docs."""

    def take(page: Page, name: str) -> None:
        IMAGES.mkdir(parents=True, exist_ok=True)
        path = IMAGES / f"{name}.png"
        page.screenshot(path=path, animations="disabled", clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
        assert path.stat().st_size <= LARGEST_IMAGE, path

    return take
