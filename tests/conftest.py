"""The environment of every test: an Airflow home of its own, set before anything imports Airflow; no deadlines."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from airflow_provider_iginsights.testing import set_testing

if TYPE_CHECKING:
    from tests.support.sandboxes import Sandboxes

ROOT = Path(__file__).parents[1]
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ.update(
    {
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        # Unit test mode turns these two on; production has them off, and they decide what a data interval is.
        "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "False",
        "AIRFLOW__SCHEDULER__CREATE_DELTA_DATA_INTERVALS": "False",
        # Airflow 2 warns whoever leaves this at its default, each command on its error output, too.
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{AIRFLOW_HOME / 'airflow.db'}",
    }
)
os.environ.setdefault("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "example_dags"))

settings.register_profile("suite", deadline=None, database=None)
settings.load_profile("suite")

# Warnings are errors here; these come from inside Airflow's own code and no test can prevent them.
UNAVOIDABLE_WARNINGS = (
    # Airflow's in-process API server imports FastAPI's test client, which would rather have httpx2.
    "ignore:Using `httpx` with `starlette.testclient` is deprecated",
)

# Airflow of constraints.txt is the one that no warning comes from. On any other, packages warn one another of what they
# deprecate: there, only a warning to our own code counts, and one of a thing left open. The later line wins.
PINNED = re.compile(r"^apache-airflow==(.+)$", re.MULTILINE)
OUR_CODE = r"(airflow_provider_iginsights|tests|example_dags)\b"
OTHERS_WARNINGS = ("ignore", f"error:::{OUR_CODE}", "error::ResourceWarning", "error::pytest.PytestWarning")


def warns_as_pinned() -> bool:
    """Return whether the installed Airflow is that of constraints.txt."""
    return version("apache-airflow") in PINNED.findall((ROOT / "constraints.txt").read_text("utf-8"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``make check`` asks for."""
    parser.addoption("--without-servers", action="store_true", help="Leave out tests that start a server or a process.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take out, where that is asked for, the tests that start a server or a process."""
    if config.option.without_servers:
        left = [item for item in items if starts_server(item)]
        items[:] = [item for item in items if not starts_server(item)]
        config.hook.pytest_deselected(items=left)


def pytest_configure(config: pytest.Config) -> None:
    """Let the unavoidable warnings pass."""
    # A cell of make matrix may have the pinned Airflow beside older libraries.
    is_pinned = warns_as_pinned() and not config.pluginmanager.has_plugin("tests.support.matrix.installed")
    for line in (*(() if is_pinned else OTHERS_WARNINGS), *UNAVOIDABLE_WARNINGS):
        config.addinivalue_line("filterwarnings", line)
    if config.option.without_servers:
        sys.addaudithook(refuse_servers)


# What a module names that starts a server or a process, or runs a Dag in Airflow.
STARTERS = {
    "BigQuerySandbox",
    "GraphSandbox",
    "Server",
    "RawServer",
    "multiprocessing",
    "socket",
    "subprocess",
}


def starts_server(item: pytest.Item) -> bool:
    """Return whether the module of a test or of one of its fixtures names what starts a server or a process."""
    if not isinstance(item, pytest.Function):
        return False
    fixtures = [each[-1].func for each in item._fixtureinfo.name2fixturedefs.values()]
    # The fixtures of this file import what they start when they are asked for.
    late = {name for function in fixtures for name in function.__code__.co_varnames}
    modules = {item.module.__name__, *(function.__module__ for function in fixtures)}
    return "airflow_db" in item.fixturenames or "open_sandboxes" in late or any(map(names_starter, modules))


@cache
def names_starter(name: str) -> bool:
    """Return whether a module of the tests names a starter, or something of a module that does."""
    named = vars(sys.modules[name]) if name in sys.modules else {}
    if not STARTERS.isdisjoint(named):
        return True
    sources = {getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in named.values()}
    ours = {str(source) for source in sources if str(source).startswith("tests.support.")}
    return any(names_starter(source) for source in ours - {name})


def refuse_servers(event: str, arguments: tuple[object, ...]) -> None:
    """Let a test fail that starts a server after all, so that the names stay complete."""
    if event == "socket.bind" and isinstance(arguments[1], tuple):
        raise RuntimeError("This test starts a server: name in STARTERS of tests/conftest.py what it starts it with.")


@pytest.fixture
def without_waits() -> Iterator[None]:
    """Try as often as users would, without their waits in between."""
    with set_testing():
        yield


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Create Airflow's metadata database once, for the tests that run Dags."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts of thirty posts and three stories a day."""
    from tests.support.sandboxes import open_sandboxes

    with open_sandboxes() as opened:
        yield opened


@pytest.fixture
def small_sandboxes() -> Iterator[Sandboxes]:
    """Serve one account of twelve posts and one story a day."""
    from airflow_provider_iginsights.sandbox.graph import World
    from tests.support.sandboxes import NOW, open_sandboxes

    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=12, stories_per_account=1)) as opened:
        yield opened
