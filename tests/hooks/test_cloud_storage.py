"""What is written to Cloud Storage arrives there, by the Google provider's own hook (``make test-google``)."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.hooks.cloud_storage import write_object
from tests.hooks.test_bigquery_hook import with_provider
from tests.support.google_keys import open_google_connection
from tests.support.json_server import Post, serve_json

CONTENT = "<p>Grüße</p>".encode()


ANSWER = {"name": "reports/1.html", "bucket": "brand", "generation": "1"}


@with_provider
@pytest.mark.usefixtures("airflow_db")
def test_an_object_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its name in its bucket, whole, and as the type that a browser shows."""
    uploads: list[Post] = []
    with serve_json(ANSWER, posts=uploads) as address, open_google_connection(project="p-1") as connection:
        monkeypatch.setenv("AIRFLOW_CONN_BRAND_GOOGLE", connection)
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
