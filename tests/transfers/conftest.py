"""The stage of the transfers' tests: a world of one or two accounts, a Graph API, a BigQuery, a clock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import NOW, Stage, open_stage

from airflow_provider_iginsights.sandbox.graph import World


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Open a stage with two accounts of thirty posts and three stories a day."""
    with open_stage() as opened:
        yield opened


@pytest.fixture
def small_stage() -> Iterator[Stage]:
    """Open a stage with one account of twelve posts and one story a day."""
    with open_stage(World.build(now=NOW, accounts=1, media_per_account=12, stories_per_account=1)) as opened:
        yield opened


@pytest.fixture(scope="session")
def referee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the independent emulator local-bigquery, or skip."""
    sys.path.append(str(Path(__file__).parents[1] / "bigquery"))
    from beds import local_bigquery, served

    executable = local_bigquery()
    if executable is None:
        pytest.skip("local-bigquery is not installed: name it in IGINSIGHTS_LOCAL_BIGQUERY, or see .venv-referee")
    data = tmp_path_factory.mktemp("referee") / "data"
    with served(executable, data=data, project="sandbox-project") as url:
        yield url
