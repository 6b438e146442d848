"""Labels, key and expirations that a user wants are the table's, read back from BigQuery; others' are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.bigquery import Client, Dataset, Table

from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.bigquery.retry import RetryBudget
from airflow_provider_iginsights.bigquery.session import JobOptions
from airflow_provider_iginsights.bigquery.target import TableOptions, TargetTable
from airflow_provider_iginsights.errors import IncompatibleTable
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.bigquery import rows

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_MS = 24 * 3600 * 1000
KEY, OTHER_KEY = (f"projects/p/locations/eu/keyRings/r/cryptoKeys/{name}" for name in ("k", "other"))
ALL = TableOptions(labels=(("team", "social"),), kms_key_name=KEY, expiration_days=90, partition_expiration_days=30)


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a BigQuery whose clock a test moves, with a dataset whose tables expire after 60 days."""
    with BigQuerySandbox(project="p-1", clock=Clock(NOW, ticks=True)) as running:
        with running.client() as client:
            dataset = Dataset("p-1.d")
            dataset.default_table_expiration_ms = 60 * DAY_MS
            client.create_dataset(dataset)
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> Iterator[Client]:
    """Read what is there."""
    with sandbox.client() as opened:
        yield opened


def target(options: TableOptions) -> TargetTable:
    """Return the target with these options."""
    return replace(rows.target(), options=options)


def ensure(client: Client, options: TableOptions, *, inherit: bool = False) -> list[str]:
    """Make sure of the target as a task does, and return what it notes."""
    with BigQueryLoader(client, identity=rows.identity(), inherit_expiration=inherit) as loader:
        loader.read_clock(target(options))
        loader.notes.clear()  # the sandbox's clock is not the worker's
        loader.ensure([target(options)])
        return loader.notes


def read(client: Client) -> tuple[dict[str, str], str | None, timedelta | None, int | None]:
    """Return the user's labels, the key, the table's life after its creation and that of its partitions, in days."""
    found: Table = client.get_table(rows.target().path)
    labels = {key: text for key, text in found.labels.items() if not key.startswith(("airflow-", "iginsights_"))}
    key = found.encryption_configuration and found.encryption_configuration.kms_key_name
    lifetime = found.time_partitioning.expiration_ms
    return labels, key, found.expires and found.expires - found.created, lifetime and int(lifetime) // DAY_MS


@pytest.mark.parametrize("inherit", [False, True])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (TableOptions(), ({}, None, None, None)),
        (TableOptions(labels=(("team", "social"), ("b", ""))), ({"team": "social", "b": ""}, None, None, None)),
        (TableOptions(kms_key_name=KEY), ({}, KEY, None, None)),
        (TableOptions(expiration_days=90), ({}, None, 90 * DAY, None)),
        (TableOptions(partition_expiration_days=30), ({}, None, None, 30)),
        (ALL, ({"team": "social"}, KEY, 90 * DAY, 30)),
    ],
)
def test_a_new_table_has_them(client: Client, options: TableOptions, expected: tuple[Any, ...], inherit: bool) -> None:
    """What is not said does not expire, or as the dataset says where that is wanted; a second run changes nothing."""
    if inherit and not options.expiration_days:
        expected = (*expected[:2], 60 * DAY, expected[3])
    for _ in range(2):
        assert ensure(client, options, inherit=inherit) == []
        etag = client.get_table(rows.target().path).etag
        assert read(client) == expected
    assert client.get_table(rows.target().path).etag == etag


def test_an_older_table_is_given_them(sandbox: BigQuerySandbox, client: Client) -> None:
    """Labels of others stay; the key cannot be changed, which is said; a table with rows is no exception."""
    ensure(client, TableOptions(labels=(("team", "social"), ("mine", "yes")), kms_key_name=KEY))
    with BigQueryLoader(client, identity=rows.identity()) as loader:
        row_file = loader.row_file(rows.target())
        row_file.write(rows.row(rows.target().table, 1))
        loader.commit([row_file])
    sandbox.clock.advance(3 * DAY)
    wanted = TableOptions(labels=(("team", "brand"),), kms_key_name=OTHER_KEY, partition_expiration_days=30)
    (note,) = ensure(client, wanted)
    assert KEY in note
    assert OTHER_KEY in note
    assert read(client) == ({"team": "brand", "mine": "yes"}, KEY, None, 30)
    (note,) = ensure(client, TableOptions())
    assert "drops each partition 30 days after its day" in note
    assert ensure(client, replace(wanted, kms_key_name=KEY, partition_expiration_days=40, expiration_days=90)) == []
    assert read(client) == ({"team": "brand", "mine": "yes"}, KEY, 90 * DAY, 40)


def test_a_table_that_would_be_deleted_at_once_is_refused(sandbox: BigQuerySandbox, client: Client) -> None:
    """And stays as it was."""
    ensure(client, TableOptions())
    sandbox.clock.advance(3 * DAY)
    with pytest.raises(IncompatibleTable, match="older than the 2 expiration_days"):
        ensure(client, TableOptions(expiration_days=2))
    assert read(client)[2] is None


def test_a_table_without_partitions_cannot_let_them_expire(client: Client) -> None:
    """It is refused by name."""
    client.create_table(Table(rows.target().path, schema=schema(client)))
    with pytest.raises(IncompatibleTable, match=r"p-1\.d\..* is not partitioned"):
        ensure(client, TableOptions(partition_expiration_days=2))


def schema(client: Client) -> list[Any]:
    """Return the columns of a target, which is gone again."""
    ensure(client, TableOptions())
    columns: list[Any] = client.get_table(rows.target().path).schema
    client.delete_table(rows.target().path)
    return columns


def test_staging_has_the_key(sandbox: BigQuerySandbox, client: Client) -> None:
    """Where a policy asks for a key, it asks for it in every table; the load job names it, too."""
    sandbox.faults.add(BigQueryFault(r"DELETE .*__stg_", "internalError", times=None))
    budget = RetryBudget(lost=0.01, first_wait=0.01)
    with BigQueryLoader(client, identity=rows.identity(), options=JobOptions(retry_budget=budget)) as loader:
        loader.read_clock(target(ALL))
        loader.ensure([target(ALL)])
        row_file = loader.row_file(target(ALL))
        row_file.write(rows.row(row_file.target.table, 1))
        (result,) = loader.commit([row_file])
    (staging,) = rows.staging_left(client, target(ALL))
    found = client.get_table(target(ALL).beside(staging))
    assert found.encryption_configuration.kms_key_name == KEY
    assert found.expires - found.created <= DAY + timedelta(minutes=1)
    assert result.affected == 1
