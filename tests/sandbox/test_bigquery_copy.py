"""Copy jobs of the local BigQuery: many tables into one, all rows or none, under ids that are burnt for good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox

SCHEMA = [bigquery.SchemaField("k", "STRING", "REQUIRED"), bigquery.SchemaField("n", "INT64")]


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Run a BigQuery with three tables: a (1 row), b (2 rows) and c (none)."""
    with BigQuerySandbox() as running:
        client = running.client()
        client.create_dataset("d")
        for name in "abc":
            client.create_table(bigquery.Table(f"sandbox-project.d.{name}", schema=SCHEMA))
        client.query("INSERT INTO d.a (k, n) VALUES ('a', 1)").result()
        client.query("INSERT INTO d.b (k, n) VALUES ('b', 2), ('b', NULL)").result()
        yield running


def copy(sandbox: BigQuerySandbox, *sources: str, disposition: str = "WRITE_TRUNCATE", **options: str) -> str:
    """Copy tables into ``c`` and return the job's id."""
    config = bigquery.CopyJobConfig(write_disposition=disposition, create_disposition="CREATE_NEVER")
    into = options.pop("into", "d.c")
    job = sandbox.client().copy_table([f"d.{each}" for each in sources], into, job_config=config, **options)
    job.result()
    return str(job.job_id)


def rows(sandbox: BigQuerySandbox) -> list[tuple[object, ...]]:
    """Return what ``c`` holds."""
    return sorted((row["k"], row["n"] or 0) for row in sandbox.rows("d", "c"))


def test_many_tables_become_one(sandbox: BigQuerySandbox) -> None:
    """The rows of all sources stand in the destination, however often the job is repeated under another id."""
    for _ in range(2):
        copy(sandbox, "a", "b")
        assert rows(sandbox) == [("a", 1), ("b", 0), ("b", 2)]
    assert [job.type for job in sandbox.jobs[-2:]] == ["COPY", "COPY"]
    assert str(sandbox.jobs[-1].target) == "sandbox-project:d.c"


def test_dispositions(sandbox: BigQuerySandbox) -> None:
    """WRITE_APPEND adds, WRITE_EMPTY refuses a table that holds rows."""
    for _ in range(2):
        copy(sandbox, "a", disposition="WRITE_APPEND")
    assert rows(sandbox) == [("a", 1), ("a", 1)]
    with pytest.raises(Conflict):
        copy(sandbox, "a", disposition="WRITE_EMPTY")


def test_a_missing_source_fails_all(sandbox: BigQuerySandbox) -> None:
    """Nothing is written where one source does not exist, or the destination does not."""
    copy(sandbox, "a")
    with pytest.raises(NotFound):
        copy(sandbox, "b", "missing")
    with pytest.raises(NotFound):
        copy(sandbox, "a", into="d.missing")
    assert rows(sandbox) == [("a", 1)]


def test_other_columns_are_refused(sandbox: BigQuerySandbox) -> None:
    """Sources whose columns differ, and more than 1,200 sources, are refused."""
    other = bigquery.Table("sandbox-project.d.other", schema=[bigquery.SchemaField("k", "STRING", "REQUIRED")])
    sandbox.client().create_table(other)
    with pytest.raises(BadRequest, match="Incompatible table schemas"):
        copy(sandbox, "a", "other")
    with pytest.raises(BadRequest, match="Too many source tables"):
        copy(sandbox, *["a"] * 1201)
    assert rows(sandbox) == []


def test_a_destination_is_made_like_the_first_source(sandbox: BigQuerySandbox) -> None:
    """Columns, partitions and clustering are copied, an expiration is not ("Managing tables", copy)."""
    client = sandbox.client()
    client.query(
        "CREATE TABLE d.source (k STRING NOT NULL, day DATE) PARTITION BY day CLUSTER BY k "
        "OPTIONS (expiration_timestamp = TIMESTAMP '2999-01-01 00:00:00 UTC')"
    ).result()
    client.query("INSERT INTO d.source (k, day) VALUES ('a', '2026-10-01')").result()
    client.copy_table("d.source", "d.made").result()
    made, source = client.get_table("d.made"), client.get_table("d.source")
    assert (made.schema, made.time_partitioning) == (source.schema, source.time_partitioning)
    assert (made.clustering_fields, made.expires, made.num_rows) == (["k"], None, 1)
    with pytest.raises(Conflict):
        client.copy_table("d.source", "d.made").result()


def test_views_are_neither_source_nor_destination(sandbox: BigQuerySandbox) -> None:
    """Only tables are copied, only into tables."""
    sandbox.client().query("CREATE VIEW d.v AS SELECT k, n FROM d.a").result()
    with pytest.raises(BadRequest, match=r"d\.v is a view, and views cannot be copied"):
        copy(sandbox, "a", "v")
    with pytest.raises(BadRequest, match=r"Cannot copy into the view .*d\.v"):
        copy(sandbox, "a", into="d.v")
    assert rows(sandbox) == []


def test_an_append_needs_the_destinations_columns(sandbox: BigQuerySandbox) -> None:
    """WRITE_APPEND into a table of other columns is refused; WRITE_TRUNCATE gives it those of the source."""
    sandbox.client().query("CREATE TABLE d.other (k STRING NOT NULL)").result()
    with pytest.raises(BadRequest, match=r"Provided Schema does not match Table .*d\.other"):
        copy(sandbox, "a", into="d.other", disposition="WRITE_APPEND")
    assert sandbox.rows("d", "other") == []
    copy(sandbox, "a", into="d.other")
    assert sandbox.rows("d", "other") == [{"k": "a", "n": 1}]


@pytest.mark.parametrize(
    ("name", "value"), [("operationType", "SNAPSHOT"), ("destinationExpirationTime", "2999-01-01T00:00:00Z")]
)
def test_copies_outside_the_sandbox_are_refused(sandbox: BigQuerySandbox, name: str, value: str) -> None:
    """A snapshot, and a copy with an expiration, are not done as a plain copy."""
    resource = {"sourceTables": [reference("a")], "destinationTable": reference("c"), name: value}
    with pytest.raises(GoogleAPICallError, match="not supported by this sandbox"):
        sandbox.client().create_job({"copy": resource}).result()
    assert rows(sandbox) == []


def reference(table: str) -> dict[str, str]:
    """Return the REST TableReference of a table."""
    return {"projectId": "sandbox-project", "datasetId": "d", "tableId": table}


def test_ids_and_lost_answers(sandbox: BigQuerySandbox) -> None:
    """An id makes one job; a job whose answer was lost was carried out; a fault of the job writes nothing."""
    copy(sandbox, "a", job_id="once")
    with pytest.raises(Conflict):
        sandbox.client().copy_table("d.b", "d.c", job_id="once", retry=None)
    sandbox.faults.add(BigQueryFault(r"POST .*/jobs$", "jobInternalError"))
    with pytest.raises(GoogleAPICallError):
        copy(sandbox, "b")
    assert rows(sandbox) == [("a", 1)]
    assert type(sandbox.client().get_job("once")) is bigquery.CopyJob
