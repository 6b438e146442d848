"""The local BigQuery forgets as BigQuery does: by table, by partition, and after 60 days where nobody pays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from google.api_core.exceptions import Forbidden, NotFound
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_MS = 24 * 3600 * 1000
SCHEMA = [bigquery.SchemaField("day", "DATE"), bigquery.SchemaField("n", "INT64")]


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a sandbox whose clock stands."""
    with BigQuerySandbox(clock=Clock(NOW)) as running:
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> Iterator[bigquery.Client]:
    """Return its client."""
    with sandbox.client() as made:
        yield made


def make(
    client: bigquery.Client, *, tables: int | None = None, partitions: int | None = None, partitioned: bool = True
) -> bigquery.Table:
    """Make a dataset with default expirations (milliseconds) and one table that names none."""
    dataset = bigquery.Dataset(f"{client.project}.d")
    dataset.default_table_expiration_ms, dataset.default_partition_expiration_ms = tables, partitions
    client.create_dataset(dataset)
    table = bigquery.Table(f"{client.project}.d.t", schema=SCHEMA)
    if partitioned:
        table.time_partitioning = bigquery.TimePartitioning(field="day", expiration_ms=None)
    return client.create_table(table)


@pytest.mark.parametrize(
    ("tables", "partitions", "partitioned", "ends", "lasts"),
    [
        (None, None, True, None, None),
        (5 * DAY_MS, None, True, NOW + 5 * DAY, None),
        (None, 3 * DAY_MS, True, None, 3 * DAY_MS),
        (5 * DAY_MS, 3 * DAY_MS, True, None, 3 * DAY_MS),
        (5 * DAY_MS, 3 * DAY_MS, False, NOW + 5 * DAY, None),
    ],
)
def test_what_a_table_inherits(
    client: bigquery.Client,
    tables: int | None,
    partitions: int | None,
    partitioned: bool,
    ends: datetime | None,
    lasts: int | None,
) -> None:
    """Of the two defaults one counts, and a null at creation does not take it away."""
    made = make(client, tables=tables, partitions=partitions, partitioned=partitioned)
    assert made.expires == ends
    assert (made.time_partitioning and made.time_partitioning.expiration_ms) == lasts


def test_null_takes_an_expiration_away_afterwards(client: bigquery.Client) -> None:
    """By the REST API as by DDL."""
    made = make(client, partitions=3 * DAY_MS)
    made.time_partitioning = bigquery.TimePartitioning(field="day", expiration_ms=None)
    assert client.update_table(made, ["time_partitioning"]).time_partitioning.expiration_ms is None
    client.query("ALTER TABLE d.t SET OPTIONS (partition_expiration_days = 2)").result()
    assert client.get_table("d.t").time_partitioning.expiration_ms == 2 * DAY_MS
    client.query("ALTER TABLE d.t SET OPTIONS (partition_expiration_days = NULL)").result()
    assert client.get_table("d.t").time_partitioning.expiration_ms is None


def test_tables_and_partitions_go_when_their_time_is_over(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A day that is past its time when it is written is gone at once; the others follow, then the table."""
    made = make(client, partitions=3 * DAY_MS)
    made.expires = NOW + 5 * DAY
    client.update_table(made, ["expires"])
    days = [date(2026, 11, 18), date(2026, 11, 19), date(2026, 11, 21)]
    values = ", ".join(f"(DATE '{day}', {number})" for number, day in enumerate(days))
    client.query(f"INSERT INTO d.t (day, n) VALUES {values}").result()

    def left() -> list[int]:
        return [row.n for row in client.query("SELECT n FROM d.t ORDER BY n").result()]

    assert left() == [1, 2]
    sandbox.clock.advance(DAY)
    assert left() == [2]
    assert client.get_table("d.t").num_rows == 1
    sandbox.clock.advance(5 * DAY)
    with pytest.raises(NotFound):
        client.get_table("d.t")


def test_current_time_and_job_times_follow_the_clock(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A test decides what time it is in BigQuery."""
    sandbox.clock.set(NOW - 400 * DAY)
    sql = "SELECT CURRENT_TIMESTAMP() AS t, CURRENT_DATE() AS d, CURRENT_DATE('America/Los_Angeles') AS p"
    job = client.query(sql)
    (row,) = job.result()
    assert (row.t, row.d, row.p) == (NOW - 400 * DAY, date(2025, 10, 17), date(2025, 10, 17))
    assert abs(job.created - row.t) < timedelta(seconds=1)


def test_without_billing(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """DML is refused, also in a dry run; tables last 60 days, which cannot be lengthened."""
    sandbox.switches.billing = False
    made = make(client)
    assert made.time_partitioning.expiration_ms == 60 * DAY_MS
    made.time_partitioning = bigquery.TimePartitioning(field="day", expiration_ms=None)
    with pytest.raises(Forbidden, match="Partition expiration time must be less than 60 days"):
        client.update_table(made, ["time_partitioning"])
    client.query("ALTER TABLE d.t SET OPTIONS (partition_expiration_days = NULL)").result()
    assert client.get_table("d.t").time_partitioning.expiration_ms == 60 * DAY_MS
    for dry_run in (False, True):
        config = bigquery.QueryJobConfig(dry_run=dry_run)
        with pytest.raises(Forbidden, match="DML queries are not allowed in the free tier"):
            client.query("DELETE FROM d.t WHERE TRUE", job_config=config).result()
    assert next(iter(client.query("SELECT 1 AS n").result())).n == 1


def test_tables_without_partitions_and_without_billing(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """They end after 60 days at the latest: by the request that makes one, by a dataset's default, and by ALTER."""
    sandbox.switches.billing = False
    for name in ("default_table_expiration_ms", "default_partition_expiration_ms"):
        dataset = bigquery.Dataset(f"{client.project}.long")
        setattr(dataset, name, 61 * DAY_MS)
        with pytest.raises(Forbidden, match="Datasets must have a default expiration time"):
            client.create_dataset(dataset)
    made = make(client, partitioned=False)
    assert made.expires == NOW + 60 * DAY
    for expires in (None, NOW + 61 * DAY):
        made.expires = expires
        with pytest.raises(Forbidden, match="Table expiration time must be less than 60 days"):
            client.update_table(made, ["expires"])
    made.expires = NOW + 5 * DAY
    assert client.update_table(made, ["expires"]).expires == NOW + 5 * DAY
    client.query("ALTER TABLE d.t SET OPTIONS (expiration_timestamp = NULL)").result()
    assert client.get_table("d.t").expires == NOW + 60 * DAY


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("INSERT INTO d.t (day, n) VALUES (DATE '2026-11-21', 1)", None),
        ("DELETE FROM d.t WHERE n = 1", None),
        ("SELECT n FROM d.t", None),
        ("SELECT nothing FROM d.t", "Unrecognized name"),
        ("DELETE FROM d.t WHERE nothing = 1", "Unrecognized name"),
        ("DELETE FROM d.other WHERE TRUE", "Not found"),
    ],
)
def test_a_dry_run_changes_nothing(
    sandbox: BigQuerySandbox, client: bigquery.Client, sql: str, refusal: str | None
) -> None:
    """It says what would be refused, leaves no job and no row."""
    make(client)
    client.query("INSERT INTO d.t (day, n) VALUES (DATE '2026-11-21', 1)").result()
    jobs = len(sandbox.jobs)
    config = bigquery.QueryJobConfig(dry_run=True)
    if refusal:
        with pytest.raises(Exception, match=refusal):
            client.query(sql, job_config=config, job_id="once", job_retry=None)
    else:
        client.query(sql, job_config=config, job_id="once", job_retry=None)
    assert len(sandbox.jobs) == jobs
    assert sandbox.rows("d", "t") == [{"day": date(2026, 11, 21), "n": 1}]
    client.query("SELECT 1", job_id="once", job_retry=None).result()


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ("policyTagDenied", "policy tag"),
        ("tableDenied", "bigquery.tables.updateData denied"),
        ("kmsDenied", "Encrypter/Decrypter"),
        ("kmsKeyRequired", "encryption key"),
        ("vpcServiceControls", "VPC Service Controls"),
        ("billingNotEnabled", "free tier"),
    ],
)
def test_scripted_denials(sandbox: BigQuerySandbox, client: bigquery.Client, effect: str, words: str) -> None:
    """What a project's keepers forbid is said to a job, to a dry run, and to a request that makes no job."""
    make(client)
    sandbox.faults.add(BigQueryFault("POST .*/jobs$", effect, times=2))  # type: ignore[arg-type]
    sandbox.faults.add(BigQueryFault("GET .*/tables/t$", effect))  # type: ignore[arg-type]
    for dry_run in (False, True):
        with pytest.raises(Forbidden, match=words):
            client.query("SELECT 1", job_config=bigquery.QueryJobConfig(dry_run=dry_run)).result()
    with pytest.raises(Forbidden, match=words):
        client.get_table("d.t")
