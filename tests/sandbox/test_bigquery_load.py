"""Loads into the local BigQuery: what NDJSON becomes, what is refused, and that it is all or nothing."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import secrets
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox

SCHEMA = [
    bigquery.SchemaField("k", "STRING", "REQUIRED"),
    bigquery.SchemaField("s", "STRING"),
    bigquery.SchemaField("n", "INT64"),
    bigquery.SchemaField("f", "FLOAT64"),
    bigquery.SchemaField("v", "NUMERIC"),
    bigquery.SchemaField("b", "BOOL"),
    bigquery.SchemaField("d", "DATE"),
    bigquery.SchemaField("at", "TIMESTAMP"),
    bigquery.SchemaField("j", "JSON"),
]
Disposition = bigquery.WriteDisposition
TRUNCATE_DATA = "WRITE_TRUNCATE_DATA"  # older clients have no name for it
OCTOBER = dt.datetime(2026, 10, 1, 7, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BigQuerySandbox]:
    """Run one BigQuery for the module; each test has a dataset of its own."""
    with BigQuerySandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> bigquery.Client:
    """Connect."""
    return sandbox.client()


@pytest.fixture
def table(client: bigquery.Client) -> bigquery.Table:
    """Create a table with a column of each type, in a new dataset."""
    dataset = client.create_dataset(f"d_{secrets.token_hex(4)}")
    return client.create_table(bigquery.Table(dataset.table("t"), schema=SCHEMA))


def load(client: bigquery.Client, table: bigquery.Table, body: bytes, **options: Any) -> bigquery.LoadJob:
    """Load the bytes as a file, with the table's schema unless another is given."""
    config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", **{"schema": SCHEMA, **options})
    return client.load_table_from_file(io.BytesIO(body), table, job_config=config).result()


def lines(*rows: dict[str, Any]) -> bytes:
    """Write rows as NDJSON."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


ACCEPTED: list[tuple[str, str, Any]] = [
    ("s", '"nul \\u0000, \\ud83d\\ude00, \\"q\\", \\n"', 'nul \0, \U0001f600, "q", \n'),
    ("s", '""', ""),
    ("s", "5", "5"),
    ("s", "1.5", "1.5"),
    ("s", "true", "true"),
    ("s", "null", None),
    ("n", "-9007199254740991", -9007199254740991),
    ("n", '"9223372036854775807"', 2**63 - 1),
    ("f", "1e3", 1000.0),
    ("f", '"-Infinity"', float("-inf")),
    ("v", '"99999999999999999999999999999.999999999"', Decimal("99999999999999999999999999999.999999999")),
    ("v", '"1.0000000005"', Decimal("1.000000001")),
    ("v", '"-1.0000000005"', Decimal("-1.000000001")),
    ("v", '"1.00000000049"', Decimal("1")),
    ("v", "1.5", Decimal("1.5")),
    ("v", "18014398509481985", Decimal("18014398509481985")),
    ("v", '"1e3"', Decimal("1000")),
    ("b", "false", False),
    ("b", '"TRUE"', True),
    ("d", '"2026-1-5"', dt.date(2026, 1, 5)),
    ("at", '"2026-10-01T07:00:00Z"', OCTOBER),
    ("at", '"2026-10-01 07:00:00 UTC"', OCTOBER),
    ("at", '"2026-10-01T07:00:00+00:00"', OCTOBER),
    ("at", '"2026-10-01 00:00:00-07:00"', OCTOBER),
    ("at", '"2026-10-01T07:00:00"', OCTOBER),
    ("at", '"2026-10-01T07:00:00.000001Z"', OCTOBER + dt.timedelta(microseconds=1)),
    ("at", '"2026-10-01"', OCTOBER - dt.timedelta(hours=7)),
    ("j", '{"a": [1, null]}', {"a": [1, None]}),
    ("j", '"text"', "text"),
]


@pytest.mark.parametrize(("column", "value", "stored"), ACCEPTED, ids=[f"{c}-{v}" for c, v, _ in ACCEPTED])
def test_values_are_read_as_bigquery_reads_them(
    sandbox: BigQuerySandbox, client: bigquery.Client, table: bigquery.Table, column: str, value: str, stored: Any
) -> None:
    """A JSON value becomes the column's value, the same through the client and past it."""
    assert load(client, table, f'{{"k": "x", "{column}": {value}}}'.encode()).output_rows == 1
    (row,) = client.list_rows(table)
    assert (row["k"], row[column]) == ("x", stored)
    assert sandbox.rows(table.dataset_id, "t")[0][column] == stored


REFUSED: list[tuple[bytes, str]] = [
    (b'{"s": "x"}', "Missing required field: k."),
    (b'{"k": null}', "Missing required field: k."),
    (b'{"k": "x", "z": 1}', "No such field: z."),
    (b'{"k": ["x"]}', "Array specified for non-repeated field: k."),
    (b'{"k": {}}', "Could not convert value to string"),
    (b'{"k": "x", "n": 1.5}', "Could not convert value to int64. Field: n; Value: 1.5"),
    (b'{"k": "x", "n": "9223372036854775808"}', "Could not convert value to int64"),
    (b'{"k": "x", "n": 9007199254740993}', "Could not convert value to int64"),
    (b'{"k": "x", "n": true}', "Could not convert value to int64"),
    (b'{"k": "x", "f": "abc"}', "Could not convert value to float64"),
    (b'{"k": "x", "v": "100000000000000000000000000000"}', "Could not convert value to numeric"),
    (b'{"k": "x", "v": "NaN"}', "Could not convert value to numeric"),
    (b'{"k": "x", "v": 12345678.123456789}', "Could not convert value to numeric"),
    (b'{"k": "x", "b": 1}', "Could not convert value to bool"),
    (b'{"k": "x", "d": "2026-02-30"}', "Could not convert value to date"),
    (b'{"k": "x", "d": "20260105"}', "Could not convert value to date"),
    (b'{"k": "x", "at": "2026-10-01T07:00:00+0000"}', "Could not convert value to timestamp"),
    (b'{"k": "x", "at": "2026-10-01T24:00:00Z"}', "Could not convert value to timestamp"),
    (b'{"k": "x", "at": 1790838000}', "Could not convert value to timestamp"),
    (b'{"k": "x"', "not a JSON object"),
    (b'["k"]', "not a JSON object"),
    (b'{"k": "\xff"}', "Invalid UTF-8"),
    (b'{"k": "\\ud83d"}', "not a JSON object"),
    (b"5", "not a JSON object"),
    (b'{"k": "\x01"}', "JSON"),
]


@pytest.mark.parametrize(("line", "reason"), REFUSED, ids=[repr(line) for line, _ in REFUSED])
def test_a_bad_row_fails_the_job_and_is_named(
    client: bigquery.Client, table: bigquery.Table, line: bytes, reason: str
) -> None:
    """One bad row in the third line fails the load, the message says row 3 and why, and no row is written."""
    with pytest.raises(BadRequest, match=r"Error while reading data, error message: JSON table encountered") as refused:
        load(client, table, lines({"k": "good"}) + b"\n" + line + b"\n" + lines({"k": "good"}))
    assert "row 3" in str(refused.value)
    assert reason in str(refused.value.errors) + str(refused.value)
    assert list(client.list_rows(table)) == []


def test_unknown_fields_and_bad_rows_can_be_let_pass(client: bigquery.Client, table: bigquery.Table) -> None:
    """IgnoreUnknownValues drops what has no column; maxBadRecords leaves out so many rows, and not one more."""
    load(client, table, lines({"k": "a", "z": 1}), ignore_unknown_values=True)
    body = lines({"k": "b"}, {"n": 1}, {"k": "c"}, {"n": 2})
    with pytest.raises(BadRequest, match="errors: 2"):
        load(client, table, body, max_bad_records=1)
    load(client, table, body, max_bad_records=2)
    assert [row["k"] for row in client.list_rows(table)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("disposition", "keys"),
    [
        (Disposition.WRITE_APPEND, ["old", "new"]),
        (Disposition.WRITE_TRUNCATE, ["new"]),
        (TRUNCATE_DATA, ["new"]),
    ],
)
def test_write_dispositions(client: bigquery.Client, table: bigquery.Table, disposition: str, keys: list[str]) -> None:
    """APPEND keeps, TRUNCATE and TRUNCATE_DATA replace; a failed load leaves what was there."""
    load(client, table, lines({"k": "old"}))
    with pytest.raises(BadRequest):
        load(client, table, lines({"k": "new"}, {"n": 1}), write_disposition=disposition)
    assert [row["k"] for row in client.list_rows(table)] == ["old"]
    load(client, table, lines({"k": "new"}), write_disposition=disposition)
    assert [row["k"] for row in client.list_rows(table)] == keys


def test_write_empty_refuses_a_table_with_rows(client: bigquery.Client, table: bigquery.Table) -> None:
    """WRITE_EMPTY loads into an empty table and fails with duplicate on any other."""
    load(client, table, lines({"k": "a"}), write_disposition=Disposition.WRITE_EMPTY)
    with pytest.raises(Conflict, match="Already Exists"):
        load(client, table, lines({"k": "b"}), write_disposition=Disposition.WRITE_EMPTY)


def test_truncate_takes_the_jobs_schema_and_truncate_data_keeps_the_tables(
    client: bigquery.Client, table: bigquery.Table
) -> None:
    """WRITE_TRUNCATE may reshape the table; WRITE_TRUNCATE_DATA and APPEND may not."""
    other = [bigquery.SchemaField("k", "STRING", "REQUIRED"), bigquery.SchemaField("z", "STRING")]
    for disposition in (Disposition.WRITE_APPEND, TRUNCATE_DATA):
        with pytest.raises(BadRequest, match="Cannot add fields"):
            load(client, table, lines({"k": "a", "z": "b"}), schema=other, write_disposition=disposition)
    load(client, table, lines({"k": "a", "z": "b"}), schema=other, write_disposition=Disposition.WRITE_TRUNCATE)
    assert [dict(row) for row in client.list_rows(table.reference)] == [{"k": "a", "z": "b"}]


@pytest.mark.parametrize("disposition", [Disposition.WRITE_APPEND, TRUNCATE_DATA])
@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (SCHEMA[1:], "Field k is missing in new schema"),
        ([bigquery.SchemaField("k", "STRING"), *SCHEMA[1:]], "Field k has changed type or mode"),
        ([*SCHEMA[:2], bigquery.SchemaField("n", "FLOAT64"), *SCHEMA[3:]], "Field n has changed type or mode"),
    ],
    ids=["no key", "NULLABLE key", "other type"],
)
def test_a_schema_that_differs_is_refused(
    client: bigquery.Client,
    table: bigquery.Table,
    schema: list[bigquery.SchemaField],
    reason: str,
    disposition: str,
) -> None:
    """A load that keeps its table's schema may leave out NULLABLE columns, and has the others as they are."""
    load(client, table, lines({"k": "a"}), schema=SCHEMA[:1])
    with pytest.raises(BadRequest, match=rf"Provided Schema does not match Table .* {reason}"):
        load(client, table, lines({"k": "b"}), schema=schema, write_disposition=disposition)
    assert [row["k"] for row in client.list_rows(table)] == ["a"]


def test_a_load_into_a_view_is_refused(client: bigquery.Client, table: bigquery.Table) -> None:
    """A view has no rows of its own, and stays a view: for a load, and for rows that are listed or inserted."""
    view = bigquery.Table(f"{table.project}.{table.dataset_id}.v")
    view.view_query = f"SELECT k FROM {table.dataset_id}.t"
    made = client.create_table(view)
    for disposition in (Disposition.WRITE_APPEND, Disposition.WRITE_TRUNCATE):
        with pytest.raises(BadRequest, match=r"Cannot load into the view .*\.v\."):
            load(client, view, lines({"k": "a"}), write_disposition=disposition)
    for ask in (lambda: list(client.list_rows(made)), lambda: client.insert_rows_json(made, [{"k": "a"}])):
        with pytest.raises(BadRequest, match=r"Cannot list or insert rows of .*: it is a view"):
            ask()
    assert client.get_table(made).table_type == "VIEW"


def test_field_addition_adds_columns_with_the_rows(client: bigquery.Client, table: bigquery.Table) -> None:
    """ALLOW_FIELD_ADDITION widens the table, and only when the load succeeds."""
    wider = [*SCHEMA, bigquery.SchemaField("z", "STRING", description="new")]
    options = {"schema": wider, "schema_update_options": ["ALLOW_FIELD_ADDITION"]}
    with pytest.raises(BadRequest):
        load(client, table, lines({"k": "a", "z": []}), **options)
    assert len(client.get_table(table).schema) == len(SCHEMA)
    load(client, table, lines({"k": "a", "z": "b"}), **options)
    assert client.get_table(table).schema[-1].description == "new"
    assert [row["z"] for row in client.list_rows(table.reference)] == ["b"]


def test_create_disposition(sandbox: BigQuerySandbox, client: bigquery.Client, table: bigquery.Table) -> None:
    """CREATE_NEVER wants the table; CREATE_IF_NEEDED makes it, REQUIRED and all, and a failed load leaves none."""
    missing = bigquery.Table(f"{table.project}.{table.dataset_id}.u")
    with pytest.raises(NotFound, match="Not found: Table"):
        load(client, missing, lines({"k": "a"}), create_disposition="CREATE_NEVER")
    with pytest.raises(BadRequest):
        load(client, missing, lines({"n": 1}))
    assert sandbox.tables(table.dataset_id) == ["t"]
    load(client, missing, lines({"k": "a"}))
    assert client.get_table(missing).schema[0].mode == "REQUIRED"


@pytest.mark.parametrize(
    "options",
    [
        {"source_format": "CSV"},
        {"source_format": None},
        {"schema_update_options": ["ALLOW_FIELD_RELAXATION"]},
        {"null_marker": "x"},
        {"autodetect": True},
    ],
    ids=str,
)
def test_options_outside_the_sandbox_are_refused(
    client: bigquery.Client, table: bigquery.Table, options: dict[str, Any]
) -> None:
    """Formats and options the sandbox does not do fail the job in words."""
    config = bigquery.LoadJobConfig(**{"schema": SCHEMA, "source_format": "NEWLINE_DELIMITED_JSON", **options})
    with pytest.raises(GoogleAPICallError, match="not supported by this sandbox"):
        client.load_table_from_file(io.BytesIO(lines({"k": "a"})), table, job_config=config).result()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(b'{"k": "a"}'), "A gzip-compressed load is not supported by this sandbox"),
        (b'{"k": "a"}\n{"k": "\xe2\x82', "row 2: Invalid UTF-8 character found at the end"),
    ],
    ids=["gzip", "cut in a character"],
)
def test_a_file_that_is_no_text_is_refused(
    client: bigquery.Client, table: bigquery.Table, body: bytes, words: str
) -> None:
    """A compressed file, and one that ends within a character, fail in words, and no row is written."""
    with pytest.raises(BadRequest, match=words):
        load(client, table, body)
    assert list(client.list_rows(table)) == []


def test_a_new_table_needs_a_schema(sandbox: BigQuerySandbox, client: bigquery.Client, table: bigquery.Table) -> None:
    """Without a schema in the job a load makes no table, since the sandbox does not guess columns."""
    with pytest.raises(BadRequest, match="A load into a new table without a schema is not supported"):
        load(client, bigquery.Table(f"{table.project}.{table.dataset_id}.u"), lines({"k": "a"}), schema=None)
    load(client, table, lines({"k": "a"}), schema=None)
    assert sandbox.tables(table.dataset_id) == ["t"]
    assert [row["k"] for row in client.list_rows(table)] == ["a"]


def test_the_key_of_a_load_is_the_tables(client: bigquery.Client, table: bigquery.Table) -> None:
    """A load that makes or truncates a table encrypts it with the key of its job; one that appends does not."""
    keys = [f"projects/p/locations/us/keyRings/r/cryptoKeys/{name}" for name in "ab"]
    target = bigquery.Table(f"{table.project}.{table.dataset_id}.u")
    for key, disposition, kept in (
        (keys[0], Disposition.WRITE_APPEND, keys[0]),
        (keys[1], Disposition.WRITE_APPEND, keys[0]),
        (keys[1], Disposition.WRITE_TRUNCATE, keys[1]),
    ):
        encryption = bigquery.EncryptionConfiguration(kms_key_name=key)
        options = {"destination_encryption_configuration": encryption, "write_disposition": disposition}
        load(client, target, lines({"k": "a"}), **options)
        assert client.get_table(target).encryption_configuration.kms_key_name == kept


def test_streaming_inserts_are_as_strict(client: bigquery.Client, table: bigquery.Table) -> None:
    """InsertAll writes all rows, or none and says which was bad and which were only stopped."""
    assert client.insert_rows_json(table, [{"k": "a", "v": "1.5"}, {"k": "b"}]) == []
    errors = client.insert_rows_json(table, [{"k": "c"}, {"n": 1}])
    assert [(entry["index"], entry["errors"][0]["reason"]) for entry in errors] == [(0, "stopped"), (1, "invalid")]
    assert [row["k"] for row in client.list_rows(table)] == ["a", "b"]


def test_rows_are_listed_by_page_start_and_column(client: bigquery.Client, table: bigquery.Table) -> None:
    """list_rows pages, starts in the middle, stops early, and reads only the columns that are asked for."""
    load(client, table, lines(*({"k": str(number), "n": number} for number in range(10))))
    assert [row["n"] for row in client.list_rows(table, page_size=3)] == list(range(10))
    some = client.list_rows(table, selected_fields=[SCHEMA[2]], start_index=4, max_results=3)
    assert [dict(row) for row in some] == [{"n": 4}, {"n": 5}, {"n": 6}]
