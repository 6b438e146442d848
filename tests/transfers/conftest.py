"""The independent emulator for the transfers' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bigquery.warehouses import find_local_bigquery, serve_local_bigquery


@pytest.fixture(scope="session")
def referee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the independent emulator local-bigquery, or skip."""
    executable = find_local_bigquery()
    if executable is None:
        pytest.skip("local-bigquery is not installed: name it in IGINSIGHTS_LOCAL_BIGQUERY, or see .venv-referee")
    data = tmp_path_factory.mktemp("referee") / "data"
    with serve_local_bigquery(executable, data=data, project="sandbox-project") as url:
        yield url
