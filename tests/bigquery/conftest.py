"""Fixtures of the loader's tests.

``warehouse`` runs a test on the sandbox; with the mark ``referee`` (or, with ``--all-warehouses``, in any case) on
local-bigquery too. ``sandbox`` and ``faulty`` are for tests that stage faults.

Real BigQuery: ``pytest tests/bigquery --bigquery-project PROJECT`` with application default credentials that may create
datasets. Each test makes a dataset of its own and deletes it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
from tests.support.bigquery.warehouses import Warehouse, connect_to_emulator, find_local_bigquery, serve_local_bigquery

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "p-1"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose where to run."""
    parser.addoption("--all-warehouses", action="store_true", help="run every loader test on local-bigquery, too")
    parser.addoption("--bigquery-project", help="also run the loader's tests on real BigQuery, in this project")
    parser.addoption("--bigquery-location", default="US", help="location of the datasets made there")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "referee: also run on local-bigquery, which was written by others")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of a warehouse on the sandbox, and where it is due on local-bigquery and on real BigQuery."""
    if "warehouse" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    judged = metafunc.definition.get_closest_marker("referee") or option("--all-warehouses", default=False)
    others = {"local-bigquery": judged, "bigquery": option("--bigquery-project", default=None)}
    metafunc.parametrize("warehouse", ["sandbox", *(name for name, wanted in others.items() if wanted)], indirect=True)


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[BigQuerySandbox]:
    """Serve one sandbox to all tests that stage no faults."""
    with BigQuerySandbox(project=PROJECT) as running:
        yield running


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a sandbox to one test, which may stage faults."""
    with BigQuerySandbox(project=PROJECT) as running:
        yield running


@pytest.fixture(scope="session")
def referee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve local-bigquery, or skip."""
    executable = find_local_bigquery()
    if executable is None:
        pytest.skip("local-bigquery is not installed: name it in IGINSIGHTS_LOCAL_BIGQUERY, or see .venv-referee")
    with serve_local_bigquery(
        executable, data=tmp_path_factory.mktemp("local-bigquery") / "data", project=PROJECT
    ) as url:
        yield url


@pytest.fixture
def warehouse(request: pytest.FixtureRequest) -> Iterator[Warehouse]:
    """Give a BigQuery with a dataset name that nobody uses."""
    dataset = f"t_{secrets.token_hex(6)}"
    if request.param == "bigquery":
        yield from _real(request, dataset=dataset)
    elif request.param == "sandbox":
        yield _emulated(request.getfixturevalue("shared_sandbox").url, name="sandbox", dataset=dataset)
    else:
        yield _emulated(request.getfixturevalue("referee"), name="local-bigquery", dataset=dataset)


@pytest.fixture
def faulty(sandbox: BigQuerySandbox) -> Warehouse:
    """Give a sandbox of the test's own as a warehouse."""
    return Warehouse(name="sandbox", project=PROJECT, dataset="d", location="US", connect=sandbox.client)


def _emulated(url: str, *, name: str, dataset: str) -> Warehouse:
    return Warehouse(
        name=name, project=PROJECT, dataset=dataset, location="US", connect=lambda: connect_to_emulator(PROJECT, url)
    )


def _real(request: pytest.FixtureRequest, *, dataset: str) -> Iterator[Warehouse]:
    from google.cloud.bigquery import Client

    project, location = request.config.getoption("--bigquery-project"), request.config.getoption("--bigquery-location")
    yield Warehouse(
        name="bigquery", project=project, dataset=dataset, location=location, connect=lambda: Client(project=project)
    )
    with Client(project=project) as client:
        client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)
