"""The environment of every test: an Airflow home of its own, set before anything imports Airflow; no deadlines."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from airflow_provider_iginsights.testing import set_testing
from tests.support.airflow_versions import has_pinned_airflow, keep_handlers
from tests.support.server_tests import refuse_servers, starts_server
from tests.support.slow_tests import is_slow

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
OUR_CODE = r"(airflow_provider_iginsights|tests|example_dags)\b"
OTHERS_WARNINGS = ("ignore", f"error:::{OUR_CODE}", "error::ResourceWarning", "error::pytest.PytestWarning")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what ``make check`` asks for."""
    parser.addoption("--without-servers", action="store_true", help="Leave out tests that start a server or a process.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the slow tests, and take out, where that is asked for, the tests that start a server or a process."""
    for item in filter(is_slow, items):
        item.add_marker("slow")
    if config.option.without_servers:
        left = {item for item in items if starts_server(item)}
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=list(left))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking through all that was imported and collected, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def pytest_unconfigure() -> None:
    """Let what was kept go: libraries in C++ tell of objects that are left at the end."""
    gc.unfreeze()


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and let the unavoidable warnings pass."""
    config.addinivalue_line("markers", "slow: one of tests/support/slow_tests.py, which make test leaves out")
    # A cell of make matrix may have the pinned Airflow beside older libraries.
    is_pinned = has_pinned_airflow() and not config.pluginmanager.has_plugin("tests.support.matrix.installed")
    for line in (*(() if is_pinned else OTHERS_WARNINGS), *UNAVOIDABLE_WARNINGS):
        config.addinivalue_line("filterwarnings", line)
    if config.option.without_servers:
        refuse_servers()


@pytest.fixture
def without_waits() -> Iterator[None]:
    """Try as often as users would, without their waits in between."""
    with set_testing():
        yield


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Create Airflow's metadata database once, for the tests that run Dags; logging stays as it was."""
    from airflow.utils.db import initdb

    with keep_handlers(logging.getLogger()):
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
