"""The fingerprint of a salt on a table, where several tasks bring one at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from google.cloud.bigquery import Client

from airflow_provider_iginsights.bigquery import table_options
from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.bigquery.target import SALT_LABEL, TableOptions, TargetTable
from airflow_provider_iginsights.errors import HashSaltMismatch
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from tests.support.bigquery import rows


@pytest.fixture
def client() -> Iterator[Client]:
    """Serve a BigQuery with an empty dataset."""
    with BigQuerySandbox(project="p-1") as running, running.client() as opened:
        opened.create_dataset("p-1.d")
        yield opened


def target(fingerprint: str | None) -> TargetTable:
    """Return the target with this fingerprint."""
    return replace(rows.target(), options=TableOptions(labels=(("team", "social"),), hash_salt=fingerprint))


def ensure(client: Client, fingerprint: str | None) -> list[str]:
    """Make sure of the target as a task does, and return what it notes about the salt."""
    with BigQueryLoader(client, identity=rows.identity()) as loader:
        loader.ensure([target(fingerprint)])
        return [note for note in loader.notes if SALT_LABEL in note]


def read_labels(client: Client) -> dict[str, str]:
    """Return the labels of the table that no task has of itself."""
    labels = client.get_table(rows.target().path).labels
    return {key: text for key, text in labels.items() if key in ("team", SALT_LABEL)}


def test_the_first_salt_stays(client: Client) -> None:
    """An older table gets its label with the first hashes, a new one when it is created; both refuse another."""
    assert ensure(client, None) == []
    assert read_labels(client) == {"team": "social"}
    for _ in range(2):
        assert ensure(client, "aaaa") == []
        assert read_labels(client) == {"team": "social", SALT_LABEL: "aaaa"}
    with pytest.raises(HashSaltMismatch, match=r"aaaa.*bbbb"):
        ensure(client, "bbbb")
    [note] = ensure(client, None)
    assert "this task hashes no column of it" in note
    assert read_labels(client)[SALT_LABEL] == "aaaa"
    client.delete_table(rows.target().path)
    ensure(client, "bbbb")
    with pytest.raises(HashSaltMismatch):
        ensure(client, "aaaa")


@pytest.mark.parametrize("exists", [True, False])
def test_two_salts_at_the_same_moment(client: Client, monkeypatch: pytest.MonkeyPatch, exists: bool) -> None:
    """Both find no label; the one whose change comes second is refused, whether the table is there or new."""
    if exists:
        ensure(client, None)
    change = table_options._change
    met = []

    def meet(function: Any, *arguments: Any, **named: Any) -> Any:
        if not met:
            met.append(True)
            ensure(client, "aaaa")
        return function(*arguments, **named)

    # The other task is done between this one's look and its act: the change of labels, or the creation.
    if exists:
        monkeypatch.setattr(table_options, "_change", lambda *args, **named: meet(change, *args, **named))
    else:
        create = Client.create_table
        monkeypatch.setattr(Client, "create_table", lambda *args, **named: meet(create, *args, **named))
    with pytest.raises(HashSaltMismatch):
        ensure(client, "bbbb")
    assert met
    assert read_labels(client)[SALT_LABEL] == "aaaa"
