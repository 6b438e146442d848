"""Datasets, tables and views of the local BigQuery, asked through Google's client over a socket."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from tests.support.bigquery.keys import claim_key

KEY = bigquery.SchemaField("k", "STRING", "REQUIRED", description="the key")
DAY = bigquery.SchemaField("d", "DATE", "REQUIRED")
VALUE = bigquery.SchemaField("v", "NUMERIC")
NAME = "sandbox-project.d.t"


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Run a BigQuery with the dataset d."""
    with BigQuerySandbox() as running:
        running.client().create_dataset("d")
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> bigquery.Client:
    """Connect."""
    return sandbox.client()


def test_datasets_are_listed_found_and_deleted(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A dataset exists once, is listed page by page, and goes only with its tables or empty."""
    client.create_dataset("e", exists_ok=True)
    with pytest.raises(Conflict):
        client.create_dataset("e")
    assert [entry.dataset_id for entry in client.list_datasets(page_size=1)] == ["d", "e"]
    client.create_table(bigquery.Table(NAME, schema=[KEY]))
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset("d")
    client.delete_dataset("d", delete_contents=True)
    with pytest.raises(NotFound, match="Not found: Dataset sandbox-project:d"):
        client.get_dataset("d")
    assert sandbox.client().get_dataset("e").location == "US"


def test_a_dataset_without_a_location_lies_in_the_default_one(client: bigquery.Client) -> None:
    """Left out, or null in JSON as some clients send it, a location means the default region."""
    for name, location in (("left_out", {}), ("null", {"location": None}), ("given", {"location": "EU"})):
        body = {"datasetReference": {"projectId": client.project, "datasetId": name}, **location}
        client._connection.api_request("POST", f"/projects/{client.project}/datasets", data=body)
    locations = [client.get_dataset(name).location for name in ("left_out", "null", "given")]
    assert locations == ["US", "US", "EU"]


def test_table_metadata_comes_back_as_it_was_given(client: bigquery.Client) -> None:
    """Schema with descriptions, partitioning, clustering, key, labels and sizes survive the round trip."""
    table = bigquery.Table(NAME, schema=[KEY, DAY, VALUE])
    table.time_partitioning = bigquery.TimePartitioning(field="d")
    table.require_partition_filter = True
    table.clustering_fields = ["k"]
    table.description, table.labels = "numbers", {"team": "a"}
    claim_key(table, "k")
    client.create_table(table)
    found = client.get_table(NAME)
    assert [field.to_api_repr() for field in found.schema] == [
        {"name": "k", "type": "STRING", "mode": "REQUIRED", "description": "the key"},
        {"name": "d", "type": "DATE", "mode": "REQUIRED"},
        {"name": "v", "type": "NUMERIC", "mode": "NULLABLE"},
    ]
    assert (found.time_partitioning.field, found.clustering_fields) == ("d", ["k"])
    assert found.require_partition_filter is True
    assert found.table_constraints.primary_key.columns == ["k"]
    assert (found.description, found.labels, found.location, found.num_rows) == ("numbers", {"team": "a"}, "US", 0)
    assert found.table_type == "TABLE"


def test_num_bytes_is_the_logical_size(client: bigquery.Client) -> None:
    """A row counts 2 bytes and its text for a STRING, 8 for a DATE, 16 for a NUMERIC, and nothing for NULL."""
    client.create_table(bigquery.Table(NAME, schema=[KEY, DAY, VALUE]))
    rows = [{"k": "é", "d": "2026-01-01", "v": "1"}, {"k": "", "d": "2026-01-01"}]
    client.load_table_from_json(rows, NAME).result()
    assert client.get_table(NAME).num_bytes == (2 + 2 + 8 + 16) + (2 + 8)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ([bigquery.SchemaField("v", "GEOGRAPHY")], "not supported by this sandbox"),
        ([bigquery.SchemaField("v", "STRING", "REPEATED")], "not supported by this sandbox"),
        ([bigquery.SchemaField("1v", "STRING")], "Invalid field name"),
        ([KEY, bigquery.SchemaField("K", "STRING")], "Duplicate column"),
    ],
)
def test_columns_that_cannot_be_are_refused(
    client: bigquery.Client, schema: list[bigquery.SchemaField], reason: str
) -> None:
    """Unknown types, REPEATED, bad names and doubled names make no table."""
    with pytest.raises(BadRequest, match=reason):
        client.create_table(bigquery.Table(NAME, schema=schema))
    assert list(client.list_tables("d")) == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"rangePartitioning": {"field": "k"}}, "A table with rangePartitioning is not supported by this sandbox"),
        ({"timePartitioning": {"type": "DAY"}}, "Partitioning without a column is not supported by this sandbox"),
        ({"timePartitioning": {"type": "DAY", "field": "k"}}, "The type found is: STRING"),
        ({"clustering": {"fields": ["z"]}}, "The field specified for clustering cannot be found in the schema: z"),
        ({"schema": None}, "A table without columns is not supported by this sandbox"),
        ({"tableReference": {"projectId": "p", "datasetId": "d", "tableId": "a.b"}}, r"Invalid table ID \\?\"a.b"),
    ],
    ids=str,
)
def test_tables_that_cannot_be_are_refused(sandbox: BigQuerySandbox, more: dict[str, object], reason: str) -> None:
    """What BigQuery refuses, and what the sandbox does not do, makes no table."""
    reference = {"projectId": "sandbox-project", "datasetId": "d", "tableId": "t"}
    resource = {"tableReference": reference, "schema": {"fields": [{"name": "k", "type": "STRING"}]}, **more}
    address = f"{sandbox.url}/bigquery/v2/projects/sandbox-project/datasets/d/tables"
    answer = requests.post(address, json=resource, timeout=10)
    assert answer.status_code in (400, 501)
    assert re.search(reason, answer.text)
    assert sandbox.tables("d") == []


def test_a_dataset_of_a_bad_name_is_refused(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Letters, digits and underscores make a dataset's name ("Creating datasets", naming)."""
    with pytest.raises(BadRequest, match="Invalid dataset ID"):
        client.create_dataset("my-dataset")
    assert [dataset.dataset_id for dataset in client.list_datasets()] == ["d"]


@pytest.mark.parametrize("options", [{"skip_invalid_rows": True}, {"template_suffix": "_x"}], ids=str)
def test_streaming_options_outside_the_sandbox_are_refused(
    sandbox: BigQuerySandbox, client: bigquery.Client, options: dict[str, Any]
) -> None:
    """An insertAll that would leave out rows, or write another table, is refused and writes nothing."""
    table = client.create_table(bigquery.Table(NAME, schema=[KEY]))
    with pytest.raises(Exception, match="insertAll with skipInvalidRows or templateSuffix is not supported"):
        client.insert_rows_json(table, [{"k": "a"}], **options)
    assert sandbox.rows("d", "t") == []


def test_a_schema_grows_and_relaxes_only(client: bigquery.Client) -> None:
    """tables.patch adds NULLABLE columns and relaxes REQUIRED; it neither drops, retypes nor tightens."""
    table = client.create_table(bigquery.Table(NAME, schema=[KEY, VALUE]))
    relaxed = bigquery.SchemaField("k", "STRING")
    for schema in (
        [KEY],
        [KEY, bigquery.SchemaField("v", "STRING")],
        [KEY, bigquery.SchemaField("v", "NUMERIC", "REQUIRED")],
        [KEY, VALUE, bigquery.SchemaField("n", "INTEGER", "REQUIRED")],
    ):
        table.schema = schema
        with pytest.raises(BadRequest, match="Provided Schema does not match"):
            client.update_table(table, ["schema"])
    table.schema = [relaxed, VALUE, bigquery.SchemaField("n", "INTEGER")]
    client.update_table(table, ["schema"])
    client.load_table_from_json([{"n": 1}], NAME).result()
    assert [dict(row) for row in client.list_rows(NAME)] == [{"k": None, "v": None, "n": 1}]


def test_a_stale_etag_is_refused(client: bigquery.Client) -> None:
    """A patch with the etag of an older version answers 412 and changes nothing."""
    stale = client.create_table(bigquery.Table(NAME, schema=[KEY]))
    fresh = client.get_table(NAME)
    fresh.description = "first"
    client.update_table(fresh, ["description"])
    stale.description = "second"
    with pytest.raises(PreconditionFailed):
        client.update_table(stale, ["description"])
    assert client.get_table(NAME).description == "first"


def test_labels_are_merged_and_none_removes(client: bigquery.Client) -> None:
    """A patch touches the labels it names; None takes one, and any other key, away."""
    table = bigquery.Table(NAME, schema=[KEY])
    table.labels, table.description = {"a": "1", "b": "2"}, "x"
    table = client.create_table(table)
    table.labels, table.description = {"a": None, "c": "3"}, None
    table = client.update_table(table, ["labels", "description"])
    assert (table.labels, table.description) == ({"b": "2", "c": "3"}, None)


def test_an_expired_table_is_gone(client: bigquery.Client) -> None:
    """After its expirationTime a table is not found, not listed, and its name is free."""
    start = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
    with time_machine.travel(start, tick=True) as clock:
        table = bigquery.Table(NAME, schema=[KEY])
        table.expires = start + dt.timedelta(hours=24)
        client.create_table(table)
        clock.shift(dt.timedelta(hours=23))
        assert [entry.table_id for entry in client.list_tables("d")] == ["t"]
        clock.shift(dt.timedelta(hours=2))
        assert list(client.list_tables("d")) == []
        with pytest.raises(NotFound, match=r"Not found: Table sandbox-project:d\.t"):
            client.get_table(NAME)
        client.create_table(bigquery.Table(NAME, schema=[VALUE]))


def test_views_follow_their_query(client: bigquery.Client) -> None:
    """A view made and patched over REST has its query's columns, reads through, and lists as VIEW."""
    client.create_table(bigquery.Table(NAME, schema=[KEY, VALUE]))
    client.load_table_from_json([{"k": "a", "v": "2.5"}], NAME).result()
    view = bigquery.Table("sandbox-project.d.w")
    view.view_query = "SELECT k, v * 2 AS twice FROM `d.t`"
    view = client.create_table(view)
    assert [(field.name, field.field_type) for field in view.schema] == [("k", "STRING"), ("twice", "NUMERIC")]
    assert [float(row.twice) for row in client.query("SELECT twice FROM d.w").result()] == [5.0]
    view.view_query = "SELECT k FROM `d.t`"
    client.update_table(view, ["view_query"])
    assert [tuple(row) for row in client.query("SELECT * FROM d.w").result()] == [("a",)]
    assert {entry.table_id: entry.table_type for entry in client.list_tables("d")} == {"t": "TABLE", "w": "VIEW"}


def test_a_denied_dataset_is_403(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A dataset on the list of denied ones answers accessDenied, to table calls and to queries."""
    sandbox.switches.denied_datasets.add("d")
    with pytest.raises(Forbidden, match="Access Denied"):
        client.get_table(NAME)
    with pytest.raises(Forbidden, match="Access Denied"):
        client.query("SELECT * FROM d.t").result()


def test_what_is_not_served_says_so(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Routes, job types and partition decorators outside the sandbox answer 501 with a sentence."""
    answer = requests.get(f"{sandbox.url}/bigquery/v2/projects/p/datasets/d/models", timeout=10)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (501, "notImplemented")
    assert "not supported by this sandbox" in answer.text
    table = client.create_table(bigquery.Table(NAME, schema=[KEY]))
    for request in (
        lambda: client.extract_table(NAME, "gs://bucket/rows.json"),
        lambda: client.load_table_from_json([{"k": "a"}], "sandbox-project.d.t$20260101", job_config=config(table)),
    ):
        with pytest.raises(Exception, match="not supported by this sandbox"):
            request()


def config(table: bigquery.Table) -> bigquery.LoadJobConfig:
    """Load with the table's schema."""
    return bigquery.LoadJobConfig(schema=table.schema)


def test_storage_survives_a_restart(tmp_path: Path) -> None:
    """With a folder, datasets, tables, views and rows are there again after a stop and a start."""
    with BigQuerySandbox(storage=tmp_path) as first:
        client = first.client()
        client.create_dataset("d")
        client.create_table(bigquery.Table(NAME, schema=[KEY, DAY]))
        client.load_table_from_json([{"k": "a", "d": "2026-10-01"}], NAME).result()
        client.query("CREATE VIEW d.w AS SELECT k FROM d.t").result()
        client.query("UPDATE d.t SET k = 'b' WHERE TRUE").result()
    with BigQuerySandbox(storage=tmp_path) as second:
        assert second.tables("d") == ["t", "w"]
        assert second.rows("d", "t") == [{"k": "b", "d": dt.date(2026, 10, 1)}]
        assert [row.k for row in second.client().query("SELECT k FROM d.w").result()] == ["b"]
