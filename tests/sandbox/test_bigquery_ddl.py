"""Definitions in the local BigQuery that are refused, and those that leave what is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox

UNSUPPORTED = "is not supported by this sandbox"


@pytest.fixture(scope="module")
def client() -> Iterator[bigquery.Client]:
    """Run a BigQuery with the table d.t and the view d.v."""
    with BigQuerySandbox() as running:
        client = running.client()
        client.create_dataset("d")
        client.query_and_wait("CREATE TABLE d.t (k STRING NOT NULL, n INT64, PRIMARY KEY (k) NOT ENFORCED)")
        client.query_and_wait("CREATE TABLE d.keyless (k STRING)")
        client.query_and_wait("CREATE VIEW d.v AS SELECT k FROM d.t")
        yield client


def describe(client: bigquery.Client) -> dict[str, dict[str, object]]:
    """Return all that is known of each table and view."""
    return {each.table_id: client.get_table(each).to_api_repr() for each in client.list_tables("d")}


REFUSED = [
    ("CREATE FUNCTION d.f(x INT64) AS (x)", f"CREATE FUNCTION {UNSUPPORTED}"),
    ("CREATE TABLE d.new LIKE d.t", UNSUPPORTED),
    ("CREATE TABLE d.new (k STRING, CHECK (k <> ''))", UNSUPPORTED),
    ("CREATE TABLE d.new (k STRING DEFAULT 'x')", f"A column with DEFAULT 'x' {UNSUPPORTED}"),
    ("CREATE TABLE d.new (k STRING) OPTIONS (kms_key_name = 'x')", f"The option kms_key_name {UNSUPPORTED}"),
    ("CREATE TABLE d.new (k STRING) OPTIONS (expiration_timestamp = '2030-01-01')", "not a TIMESTAMP literal"),
    ("CREATE TABLE d.new (k INT64) PARTITION BY k", "can only be of type TIMESTAMP, DATE or DATETIME"),
    ("CREATE TABLE d.new (n INT64) PARTITION BY RANGE_BUCKET(n, GENERATE_ARRAY(0, 9, 3))", UNSUPPORTED),
    ("CREATE TABLE d.new (at DATE) PARTITION BY RANGE_BUCKET(at, [DATE '2026-01-01'])", UNSUPPORTED),
    ("CREATE TABLE d.new (at DATE) PARTITION BY _PARTITIONDATE", f"PARTITION BY _PARTITIONDATE {UNSUPPORTED}"),
    ("CREATE TABLE d.new (at DATE) OPTIONS (partition_expiration_days = 3)", "Partitioning without a column is"),
    ("CREATE TABLE d.t (k STRING)", "Already Exists: Table sandbox-project:d.t"),
    ("CREATE OR REPLACE TABLE d.v (k STRING)", "sandbox-project:d.v is a view"),
    ("CREATE OR REPLACE VIEW d.t AS SELECT 1 AS x", "sandbox-project:d.t is not a view"),
    ("CREATE TABLE no_dataset (k STRING)", 'Table "no_dataset" must be qualified with a dataset'),
    ("DROP SCHEMA d", f"DROP SCHEMA {UNSUPPORTED}"),
    ("DROP TABLE d.v", "sandbox-project:d.v is a view"),
    ("DROP VIEW d.t", "sandbox-project:d.t is not a view"),
    ("DROP TABLE d.missing", "Not found: Table sandbox-project:d.missing"),
    ("ALTER TABLE d.v SET OPTIONS (description = 'x')", "sandbox-project:d.v is a view"),
    ("ALTER TABLE d.t ADD COLUMN N STRING", "Column already exists: N at table"),
    ("ALTER TABLE d.t ADD COLUMN z INT64 NOT NULL", "Cannot add required fields to an existing schema"),
    ("ALTER TABLE d.t ADD COLUMN z INT64, ADD COLUMN n INT64", "Column already exists: n"),
    ("ALTER TABLE d.t DROP COLUMN n", UNSUPPORTED),
    ("ALTER TABLE d.t RENAME TO u", UNSUPPORTED),
    ("ALTER TABLE d.t ADD PRIMARY KEY (n) NOT ENFORCED", "already has a primary key"),
    ("ALTER TABLE d.keyless ADD PRIMARY KEY (k)", r"only PRIMARY KEY \(\.\.\.\) NOT ENFORCED"),
    ("ALTER TABLE d.keyless ADD PRIMARY KEY (z) NOT ENFORCED", "cannot be found in the schema: z"),
    ("ALTER TABLE d.keyless DROP PRIMARY KEY", "has no primary key"),
]


@pytest.mark.parametrize(("sql", "words"), REFUSED, ids=[sql for sql, _ in REFUSED])
def test_a_refused_definition_changes_nothing(client: bigquery.Client, sql: str, words: str) -> None:
    """What BigQuery refuses, and what the sandbox does not do, fails in words, and all tables stay as they were."""
    before = describe(client)
    with pytest.raises(GoogleAPICallError, match=words):
        client.query(sql, job_retry=None).result()
    assert describe(client) == before


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE IF NOT EXISTS d.t (z STRING)",
        "CREATE TABLE IF NOT EXISTS d.t AS SELECT 1 AS z",
        "CREATE VIEW IF NOT EXISTS d.v AS SELECT n FROM d.t",
        "DROP TABLE IF EXISTS d.missing",
        "ALTER TABLE d.t ADD COLUMN IF NOT EXISTS N STRING",
    ],
)
def test_if_exists_leaves_what_is_there(client: bigquery.Client, sql: str) -> None:
    """IF NOT EXISTS and IF EXISTS succeed and do nothing, whatever else the statement says ("DDL statements")."""
    before = describe(client)
    client.query_and_wait(sql)
    assert describe(client) == before


@pytest.mark.parametrize(
    "written", ["2030-01-02 03:04:05 UTC", "2030-01-02T03:04:05Z", "2030-01-02 03:04:05", "2030-01-01 19:04:05-08:00"]
)
def test_an_expiration_is_an_instant(client: bigquery.Client, written: str) -> None:
    """A TIMESTAMP literal without a zone is UTC ("Data types"); NULL takes the expiration away."""
    client.query_and_wait(
        f"CREATE OR REPLACE TABLE d.e (k STRING) OPTIONS (expiration_timestamp=TIMESTAMP '{written}')"
    )
    assert client.get_table("d.e").expires == dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    client.query_and_wait("ALTER TABLE d.e SET OPTIONS (expiration_timestamp = NULL, friendly_name = 'E')")
    table = client.get_table("d.e")
    assert (table.expires, table.friendly_name) == (None, "E")
    client.query_and_wait("DROP TABLE d.e")


@pytest.mark.parametrize(
    ("kind", "by", "unit"),
    [
        ("DATE", "at", "DAY"),
        ("DATE", "DATE_TRUNC(at, MONTH)", "MONTH"),
        ("TIMESTAMP", "DATE(at)", "DAY"),
        ("TIMESTAMP", "TIMESTAMP_TRUNC(at, HOUR)", "HOUR"),
    ],
)
def test_partitions_by_time(client: bigquery.Client, kind: str, by: str, unit: str) -> None:
    """The units of partitions are those of the statement, and so is how long each lasts."""
    sql = f"CREATE OR REPLACE TABLE d.p (at {kind}) PARTITION BY {by} OPTIONS (partition_expiration_days = 1.5)"
    client.query_and_wait(sql)
    found = client.get_table("d.p").time_partitioning
    assert (found.field, found.type_, found.expiration_ms) == ("at", unit, 36 * 3_600_000)
    client.query_and_wait("DROP TABLE d.p")
