"""A load that is killed at any point, and run again, leaves the target as if it had run once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA, Table
from tests.support.bigquery import killed_loads as chaos

if TYPE_CHECKING:
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse


@pytest.mark.parametrize("point", chaos.POINTS)
def test_killed_and_run_again(shared_sandbox: BigQuerySandbox, point: str) -> None:
    """Whatever the point, the next try ends with exactly the truth and no staging table."""
    survives(shared_sandbox.url, chaos.POINTS[point])


@pytest.mark.parametrize("point", chaos.MOVING)
def test_killed_while_rows_move(shared_sandbox: BigQuerySandbox, point: str) -> None:
    """The same where some media have another date of publication than before, and stand in another partition."""
    survives(shared_sandbox.url, chaos.MOVING[point], table=MEDIA)


@pytest.mark.referee
@pytest.mark.parametrize("point", ["load submitted", "MERGE submitted"])
def test_killed_on_every_warehouse(warehouse: Warehouse, point: str) -> None:
    """The same on an emulator that was written by others."""
    with warehouse.connect() as client:
        survives(client._connection.API_BASE_URL, chaos.POINTS[point])


def survives(url: str, kill: chaos.Kill, *, table: Table = ACCOUNT_INSIGHTS) -> None:
    """Load a version whole, kill the next one at the point, run it again."""
    dataset = f"k_{random.SystemRandom().getrandbits(48):x}"
    warehouse = chaos.prepared(url, dataset=dataset, table=table)
    chaos.attempt(url, dataset, version=0, try_number=1, table=table)
    assert chaos.killed(url, dataset=dataset, version=1, try_number=1, kill=kill, table=table), "was not killed"
    chaos.attempt(url, dataset, version=1, try_number=2, table=table)
    assert chaos.difference(warehouse, versions=2, table=table) == ""


def test_a_short_storm(shared_sandbox: BigQuerySandbox) -> None:
    """Random kills, several in a row, over versions that build on each other: every version ends exact."""
    told: list[str] = []
    faults = chaos.storm(shared_sandbox.url, dataset="storm", kills=6, dice=random.Random(7), tell=told.append)
    assert faults == 0, told
