"""What is written to Cloud Storage arrives there, by the Google provider's own hook (``make test-google``)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest

from airflow_provider_iginsights.hooks.cloud_storage import write_object
from tests.hooks.test_bigquery_hook import with_provider

CONTENT = "<p>Grüße</p>".encode()


@contextmanager
def serve_bucket(uploads: list[tuple[str, bytes]]) -> Iterator[str]:
    """Take uploads as Cloud Storage does, of one request each; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            uploads.append((urlsplit(self.path).path, body))
            answer = json.dumps({"name": "reports/1.html", "bucket": "brand", "generation": "1"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@with_provider
@pytest.mark.usefixtures("airflow_db")
def test_an_object_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its name in its bucket, whole, and as the type that a browser shows."""
    connection = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "p-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_BRAND_GOOGLE", json.dumps(connection))
    uploads: list[tuple[str, bytes]] = []
    with serve_bucket(uploads) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        write_object(
            "gs://brand/reports/1.html",
            CONTENT,
            mime_type="text/html; charset=utf-8",
            gcp_conn_id="brand_google",
            impersonation_chain=None,
        )
    [(path, body)] = uploads
    assert path == "/upload/storage/v1/b/brand/o"
    assert CONTENT in body
    assert b'"name": "reports/1.html"' in body
    assert b"text/html; charset=utf-8" in body
