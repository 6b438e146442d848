"""Files on their way to the local BigQuery: in chunks, interrupted, taken up again, malformed."""

from __future__ import annotations

import io
import json
import secrets
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox

SCHEMA = [bigquery.SchemaField("k", "STRING", "REQUIRED"), bigquery.SchemaField("s", "STRING")]


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
    """Create a table in a new dataset."""
    dataset = client.create_dataset(f"d_{secrets.token_hex(4)}")
    return client.create_table(bigquery.Table(dataset.table("t"), schema=SCHEMA))


def lines(*rows: dict[str, Any]) -> bytes:
    """Write rows as NDJSON."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_a_large_file_arrives_in_chunks(
    client: bigquery.Client, table: bigquery.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file above the multipart limit goes up in resumable chunks and is loaded once, complete and in order."""
    monkeypatch.setattr("google.cloud.bigquery.client._DEFAULT_CHUNKSIZE", 1 << 20)
    text = "x" * 200
    body = lines(*({"k": f"{number:06}", "s": text} for number in range(30_000)))
    assert len(body) > 6 << 20
    config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON", schema=SCHEMA)
    job = client.load_table_from_file(io.BytesIO(body), table, job_config=config)
    assert job.result().output_rows == 30_000
    keys = [row["k"] for row in client.list_rows(table, page_size=7_000)]
    assert keys == [f"{number:06}" for number in range(30_000)]


@pytest.fixture
def address(sandbox: BigQuerySandbox, client: bigquery.Client, table: bigquery.Table) -> str:
    """Begin a resumable upload into the table, and return where its bytes go."""
    job = {"configuration": {"load": bigquery.LoadJobConfig(schema=SCHEMA).to_api_repr()["load"]}}
    job["configuration"]["load"] |= {
        "destinationTable": table.reference.to_api_repr(),
        "sourceFormat": "NEWLINE_DELIMITED_JSON",
    }
    start = f"{sandbox.url}/upload/bigquery/v2/projects/{table.project}/jobs?uploadType=resumable"
    return str(client._http.post(start, json=job).headers["Location"])


def test_an_interrupted_upload_is_taken_up_where_it_stopped(
    client: bigquery.Client, table: bigquery.Table, address: str
) -> None:
    """The server says which bytes it has; the rest completes the file; the last answer may be asked for again."""
    body, session = lines({"k": "a"}, {"k": "b"}), client._http
    first = session.put(address, data=body[:5], headers={"Content-Range": "bytes 0-4/*"})
    assert (first.status_code, first.headers["Range"]) == (308, "bytes=0-4")
    asked = session.put(address, headers={"Content-Range": "bytes */*"})
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-4")
    ranges = {"Content-Range": f"bytes 5-{len(body) - 1}/{len(body)}"}
    answers = [session.put(address, data=body[5:], headers=ranges).json()["jobReference"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert client.get_job(answers[0]["jobId"]).result().output_rows == 2
    assert [row["k"] for row in client.list_rows(table)] == ["a", "b"]


def test_a_connection_that_breaks_within_a_chunk(client: bigquery.Client, table: bigquery.Table, address: str) -> None:
    """What arrived before the cut is kept, and no job begins, although the chunk was to be the last one."""
    body = lines({"k": "a"}, {"k": "b"})
    place = urlsplit(address)
    head = (
        f"PUT {place.path}?{place.query} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Range: bytes 0-{len(body) - 1}/{len(body)}\r\n\r\n"
    )
    with socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=10) as connection:
        connection.sendall(head.encode() + body[:7])
    deadline = time.monotonic() + 10
    while (asked := client._http.put(address, headers={"Content-Range": "bytes */*"})).headers.get("Range") is None:
        assert time.monotonic() < deadline
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-6")
    assert list(client.list_rows(table)) == []
    ranges = {"Content-Range": f"bytes 7-{len(body) - 1}/{len(body)}"}
    done = client._http.put(address, data=body[7:], headers=ranges).json()["jobReference"]["jobId"]
    assert client.get_job(done).result().output_rows == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("bytes 5-9/10", "The chunk starts at 5, but only 0 bytes have arrived"),
        ("bytes 0-9", 'Invalid Content-Range header \\"bytes 0-9\\"'),
    ],
)
def test_a_chunk_that_fits_nowhere_is_refused(client: bigquery.Client, address: str, given: str, said: str) -> None:
    """A chunk that leaves a gap, or does not say where it belongs, is refused, and the upload goes on after it."""
    answer = client._http.put(address, data=b"xxxxx", headers={"Content-Range": given})
    assert answer.status_code == 400
    assert said in answer.text
    assert client._http.put(address, headers={"Content-Range": "bytes */*"}).status_code == 308


def test_uploads_that_are_malformed_are_refused(
    sandbox: BigQuerySandbox, client: bigquery.Client, table: bigquery.Table, address: str
) -> None:
    """An upload that nobody began is 404; a multipart upload without a boundary, or without its end, is 400."""
    jobs, session = len(sandbox.jobs), client._http
    missing = session.put(f"{address}0", headers={"Content-Range": "bytes */*"})
    assert (missing.status_code, "Not found: Upload" in missing.text) == (404, True)
    start = f"{sandbox.url}/upload/bigquery/v2/projects/{table.project}/jobs?uploadType=multipart"
    whole = b"--b\r\n\r\n{}\r\n--b\r\n\r\n{}"
    for kind, said in (("multipart/related", "needs a boundary"), ("multipart/related; boundary=b", "Invalid request")):
        refused = session.post(start, data=whole, headers={"Content-Type": kind})
        assert (refused.status_code, said in refused.text) == (400, True)
    assert len(sandbox.jobs) == jobs
