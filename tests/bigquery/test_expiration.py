"""Targets do not expire with their dataset's default; one that does is named before anything is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud.bigquery import Dataset, Table

from airflow_provider_iginsights.bigquery.dry_run import dry_run_statement
from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.bigquery.retry import RetryBudget
from airflow_provider_iginsights.bigquery.session import JobOptions
from airflow_provider_iginsights.bigquery.target import TargetTable
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.errors import DatasetUnavailable, LoadError
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.bigquery import rows

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
DAY = timedelta(days=1)
SIXTY = 60 * 24 * 3600 * 1000
TARGETS = [rows.target(table) for table in TABLES]


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a BigQuery whose clock a test moves."""
    with BigQuerySandbox(project="p-1", clock=Clock(NOW, ticks=True)) as running:
        yield running


def make_dataset(sandbox: BigQuerySandbox, *, tables: int | None = None, partitions: int | None = None) -> None:
    """Make the dataset with default expirations, in milliseconds."""
    with sandbox.client() as client:
        dataset = Dataset("p-1.d")
        dataset.default_table_expiration_ms, dataset.default_partition_expiration_ms = tables, partitions
        client.create_dataset(dataset)


def ensure(sandbox: BigQuerySandbox, *targets: TargetTable, inherit: bool = False) -> list[str]:
    """Make sure of the targets as a task does, and return what it notes."""
    with (
        sandbox.client() as client,
        BigQueryLoader(client, identity=rows.identity(), inherit_expiration=inherit) as loader,
    ):
        loader.read_clock(TARGETS[0])
        loader.notes.clear()  # the sandbox's clock is not the worker's
        loader.ensure(targets or TARGETS)
        loader.check_statements(targets or TARGETS)
        return loader.notes


def expirations(sandbox: BigQuerySandbox) -> set[tuple[datetime | None, int | None]]:
    """Return when the targets and their partitions expire."""
    with sandbox.client() as client:
        found: list[Table] = [client.get_table(target.path) for target in TARGETS]
    return {(table.expires, table.time_partitioning.expiration_ms) for table in found}


DEFAULTS = [(SIXTY, None), (None, SIXTY), (SIXTY, SIXTY), (None, None)]


@pytest.mark.parametrize(("tables", "partitions"), DEFAULTS)
def test_new_targets_never_expire(sandbox: BigQuerySandbox, tables: int | None, partitions: int | None) -> None:
    """Whatever the dataset's defaults; nobody is told, and the next run finds nothing to do."""
    make_dataset(sandbox, tables=tables, partitions=partitions)
    assert ensure(sandbox) == []
    assert expirations(sandbox) == {(None, None)}
    assert ensure(sandbox) == []


@pytest.mark.parametrize(("tables", "partitions"), DEFAULTS[:3])
def test_they_inherit_where_that_is_wanted(
    sandbox: BigQuerySandbox, tables: int | None, partitions: int | None
) -> None:
    """inherit_expiration=True leaves what the dataset says, without a word."""
    make_dataset(sandbox, tables=tables, partitions=partitions)
    assert ensure(sandbox, inherit=True) == []
    ((ends, lasts),) = {(bool(ends), lasts) for ends, lasts in expirations(sandbox)}
    assert (ends, lasts) == (bool(tables) and not partitions, partitions)


@pytest.mark.parametrize(("tables", "partitions"), DEFAULTS[:3])
def test_an_older_target_that_expires_is_named(
    sandbox: BigQuerySandbox, tables: int | None, partitions: int | None
) -> None:
    """It may be meant so, and is left alone; how to change it is said."""
    make_dataset(sandbox, tables=tables, partitions=partitions)
    ensure(sandbox, inherit=True)
    sandbox.clock.advance(2 * DAY)
    before = expirations(sandbox)
    notes = ensure(sandbox)
    assert len(notes) == len(TARGETS)
    assert all(target.path in note for target, note in zip(TARGETS, notes, strict=True))
    assert all("partition_expiration_days = NULL" in note and "inherit_expiration=True" in note for note in notes)
    assert expirations(sandbox) == before
    assert ensure(sandbox, inherit=True) == []


def test_a_target_that_a_killed_task_left_is_finished(sandbox: BigQuerySandbox) -> None:
    """New, ours and empty: the next task takes the expiration away that its predecessor had no time for."""
    make_dataset(sandbox, tables=SIXTY)
    ensure(sandbox, inherit=True)
    assert ensure(sandbox) == []
    assert expirations(sandbox) == {(None, None)}


def test_staging_keeps_its_day(sandbox: BigQuerySandbox) -> None:
    """By BigQuery's clock, whatever the worker's is: here it is the real one, years off."""
    sandbox.clock.set(NOW - 900 * DAY)
    make_dataset(sandbox)
    target = rows.target()
    sandbox.faults.add(BigQueryFault(r"DELETE .*__stg_", "internalError", times=None))
    with (
        sandbox.client() as client,
        BigQueryLoader(
            client, identity=rows.identity(), options=JobOptions(retry_budget=RetryBudget(lost=0.01, first_wait=0.01))
        ) as loader,
    ):
        loader.read_clock(target)
        loader.ensure([target])
        row_file = loader.row_file(target)
        row_file.write(rows.row(target.table, 1))
        loader.commit([row_file])
        (staging,) = rows.staging_left(client, target)
        left = client.get_table(target.beside(staging)).expires - sandbox.clock.now()
    assert timedelta(hours=23, minutes=59) < left <= DAY


def test_without_billing_the_run_ends_before_it_fetches(sandbox: BigQuerySandbox) -> None:
    """Sixty days and no DML: the first refusal says what to do."""
    sandbox.switches.billing = False
    make_dataset(sandbox)
    for inherit in (False, True):
        with pytest.raises(LoadError, match="Enable billing for the project"):
            ensure(sandbox, inherit=inherit)


@pytest.mark.parametrize(
    ("effect", "advice"),
    [
        ("policyTagDenied", "Fine-Grained Reader"),
        ("tableDenied", "BigQuery Data Editor"),
        ("kmsDenied", "administrator of the encryption key"),
        ("kmsKeyRequired", "default key"),
        ("vpcServiceControls", "administrator of the VPC Service Controls perimeter"),
        ("billingNotEnabled", "Enable billing"),
    ],
)
def test_who_can_help_is_named_before_anything_is_fetched(sandbox: BigQuerySandbox, effect: str, advice: str) -> None:
    """The dry run of the statement that writes is refused as the statement would be."""
    make_dataset(sandbox)
    ensure(sandbox)
    sandbox.faults.add(BigQueryFault("POST .*/jobs$", effect, skip=1))  # type: ignore[arg-type]  # the first tells the time
    with pytest.raises(LoadError, match=advice) as caught:
        ensure(sandbox, TARGETS[0])
    assert "Job User" not in caught.value.message
    assert isinstance(caught.value, DatasetUnavailable) != (effect == "billingNotEnabled")


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("mode", ["merge", "replace", "append"])
def test_a_rehearsal_passes_where_the_load_will(sandbox: BigQuerySandbox, mode: str, required: bool) -> None:
    """Also on tables that require a partition filter."""
    make_dataset(sandbox)
    with sandbox.client() as client, BigQueryLoader(client, identity=rows.identity()) as loader:
        loader.ensure(TARGETS, load_mode=mode)  # type: ignore[arg-type]
        for target in TARGETS:
            table = client.get_table(target.path)
            table.require_partition_filter = required
            client.update_table(table, ["require_partition_filter"])
        jobs = len(sandbox.jobs)
        loader.check_statements(TARGETS, load_mode=mode)  # type: ignore[arg-type]
        assert len(sandbox.jobs) == jobs


def test_the_statement_is_that_of_the_load() -> None:
    """Only the staging table and the days are others."""
    assert dry_run_statement(rows.target(), load_mode="merge", day="2026-11-21").startswith("MERGE `p-1.d.")
    appended = dry_run_statement(rows.target(), load_mode="append", day="2026-11-21")
    assert appended.endswith("WHERE `metric_date` = DATE '2026-11-21'")


def test_jobs_run_where_they_are_paid(sandbox: BigQuerySandbox) -> None:
    """Jobs, their look-ups and their listing belong to the job project; tables stay where they are."""
    make_dataset(sandbox)
    target = rows.target()
    for try_number in (1, 2):
        with (
            sandbox.client() as client,
            BigQueryLoader(
                client, identity=rows.identity(try_number=try_number), options=JobOptions(job_project="payer")
            ) as loader,
        ):
            loader.read_clock(target)
            loader.ensure([target])
            loader.check_statements([target])
            row_file = loader.row_file(target)
            row_file.write(rows.row(target.table, 1))
            assert loader.commit([row_file])[0].rows == 1
    assert sandbox.rows("d", target.table_id)
    projects = {request.path.split("/projects/")[1].split("/")[0] for request in sandbox.log if "/jobs" in request.path}
    assert projects == {"payer"}
