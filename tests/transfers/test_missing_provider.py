"""Without the Google provider a task that names a Google Cloud connection fails before it asks anybody anything."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import GoogleProviderMissing
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from tests.support.sandboxes import DATASET, RecordingTaskInstance, Sandboxes


@pytest.fixture
def alone(small_sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> Sandboxes:
    """Return the sandboxes on a machine whose Google provider cannot be imported, whether it is installed or not."""
    monkeypatch.setitem(sys.modules, "airflow.providers.google.cloud.hooks.bigquery", None)
    return small_sandboxes


@pytest.mark.parametrize("kind", ["account", "media", "story"])
@pytest.mark.parametrize("conn_id", ["google_cloud_default", "of_the_agency"])
def test_a_transfer_fails_at_once(alone: Sandboxes, kind: str, conn_id: str) -> None:
    """Nothing is asked of Meta or BigQuery, nothing is tried again, and the message says what to do."""
    with pytest.raises(GoogleProviderMissing) as caught:
        alone.run(kind, gcp_conn_id=conn_id)
    assert isinstance(caught.value, AirflowFailException)
    assert f"{conn_id!r} (gcp_conn_id) needs Airflow's Google provider" in str(caught.value)
    assert "gcp_conn_id=None" in str(caught.value)
    assert (len(alone.graph.log), len(alone.bigquery.log)) == (0, 0)


@pytest.mark.parametrize(
    "arguments", [{"capture": "before_expiry"}, {"since": "2026-11-20"}, {"account_ids": ["@brand"]}]
)
def test_whatever_else_is_given(alone: Sandboxes, arguments: dict[str, Any]) -> None:
    """Neither a wait for stories nor the search for a username comes before it."""
    with pytest.raises(GoogleProviderMissing):
        alone.run("story", gcp_conn_id="google_cloud_default", **arguments)
    assert len(alone.graph.log) == 0


def test_the_default_needs_the_provider(alone: Sandboxes) -> None:
    """So it is where gcp_conn_id is left out."""
    operator = InstagramStoryWebhookToBigQueryOperator(task_id="hook", dataset_id=DATASET, payload=[])
    with pytest.raises(GoogleProviderMissing):
        operator.execute({"ti": RecordingTaskInstance()})
    assert len(alone.bigquery.log) == 0
