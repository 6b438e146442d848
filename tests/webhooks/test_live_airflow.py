"""A running Airflow with the receiver on: signed POST -> asset event -> Dag run -> row in BigQuery, whatever dies."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.sandbox.bigquery import BigQueryError, BigQuerySandbox
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET, Media
from airflow_provider_iginsights.sandbox.graph.webhooks import OLD_NAMES, WebhookSender, sign
from tests.support.webhooks.airflow_deployment import Deployment, deployed

pytestmark = pytest.mark.live_airflow

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "instagram_story_webhook.py"
VERIFY_TOKEN = "verify-token-of-the-live-test"
CONNECTION = {
    "conn_type": "instagram",
    "extra": {"app_secret": APP_SECRET, "webhook_verify_token": VERIFY_TOKEN},
}
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
COUNTS = {"exits": 1, "replies": 0, "reach": 17, "taps_forward": 12, "taps_back": 0, "impressions": 28}


@dataclass(slots=True)
class Scene:
    """A running Airflow, the BigQuery it writes to, and a sender whose stories a test places."""

    airflow: Deployment
    bigquery: BigQuerySandbox
    world: World
    sender: WebhookSender
    now: datetime = START

    def expire(self, media_id: str) -> None:
        """Publish a story and let 25 hours pass."""
        account_id = next(iter(self.world.accounts))
        story = Media(media_id, account_id, "IMAGE", "STORY", self.now)
        self.world.put(story)
        self.world.overrides.update({(media_id, name): count for name, count in COUNTS.items()})
        self.now += timedelta(hours=25)

    def rows(self, media_id: str) -> list[dict[str, Any]]:
        """Return the rows of a story."""
        try:
            found = self.bigquery.rows("instagram", "instagram_story_insights")
        except BigQueryError:
            return []
        return [row for row in found if row["media_id"] == media_id]

    def events(self) -> int:
        """Return how many asset events Airflow keeps."""
        return int(self.airflow.query("SELECT COUNT(*) FROM asset_event")[0][0])

    def wait_for_quiet(self) -> None:
        """Wait until every event is consumed and every run has succeeded."""

        def is_quiet() -> bool:
            consumed = self.airflow.query("SELECT COUNT(DISTINCT event_id) FROM dagrun_asset_event")[0][0]
            states = {state for (state,) in self.airflow.query("SELECT state FROM dag_run")}
            assert "failed" not in states, self.airflow.logs()
            return consumed == self.events() and states == {"success"}

        self.airflow.wait_for(is_quiet, "all events to be consumed and all runs to succeed", 150)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Start Airflow with the example Dag and the receiver, and a BigQuery."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "dags").mkdir()
    # A task that starts while the API server is dead fails, and is tried again: here soon.
    example = EXAMPLE.read_text().replace('retry_delay": timedelta(minutes=5)', 'retry_delay": timedelta(seconds=3)')
    assert "seconds=3" in example
    (folder / "dags" / EXAMPLE.name).write_text(example)
    with BigQuerySandbox() as bigquery:
        environment = {
            "AIRFLOW__INSTAGRAM__WEBHOOK_CONN_ID": "instagram_webhook",
            "AIRFLOW_CONN_INSTAGRAM_WEBHOOK": json.dumps(CONNECTION),
            "BIGQUERY_EMULATOR_HOST": bigquery.url,
            "GOOGLE_CLOUD_PROJECT": bigquery.project,
        }
        with deployed(folder / "home", folder / "dags", environment) as airflow:
            world = World.build(now=START, accounts=1, stories_per_account=0)
            sender = WebhookSender(world=world, callback_url=f"{airflow.url}/instagram/webhook", since=START)
            airflow.wait_for(lambda: sender.send_test(START) == 200, "the Dag's asset to be known")
            scene = Scene(airflow, bigquery, world, sender)
            scene.wait_for_quiet()
            yield scene


def assert_final(rows: list[dict[str, Any]]) -> None:
    """Compare a story's rows with what was sent: each metric once."""
    assert sorted((row["metric"], int(row["value"])) for row in rows) == sorted(COUNTS.items())
    assert {(row["source"], row["is_final"], row["breakdown"]) for row in rows} == {("webhook", True, "")}


def test_a_signed_post_becomes_a_row(scene: Scene) -> None:
    """Meta's handshake is confirmed; a story's last numbers are in BigQuery once, and once still after a duplicate."""
    assert set(COUNTS) == set(OLD_NAMES)
    assert scene.sender.subscribe(VERIFY_TOKEN)
    assert not scene.sender.subscribe("another")
    scene.expire("17900000000000001")
    assert [attempt.status for attempt in scene.sender.deliver_due(scene.now)] == [200]
    scene.wait_for_quiet()
    assert_final(scene.rows("17900000000000001"))
    scene.sender.since = START
    before = scene.events()
    assert [attempt.status for attempt in scene.sender.deliver_due(scene.now + timedelta(hours=20))] == [200]
    assert scene.events() == before + 1
    scene.wait_for_quiet()
    assert_final(scene.rows("17900000000000001"))


def test_what_is_not_metas_is_not_kept(scene: Scene) -> None:
    """No signature or a wrong one is 401, a long body is 413; no event comes of them, nothing of them is logged."""
    before = scene.events()
    body = json.dumps({"object": "instagram", "entry": [], "text": "SMUGGLED-INTO-THE-LOG"}).encode()
    url = scene.sender.callback_url
    assert requests.post(url, data=body, timeout=10).status_code == 401
    signed = {"X-Hub-Signature-256": sign(body, "another secret")}
    assert requests.post(url, data=body, headers=signed, timeout=10).status_code == 401
    assert requests.post(url, data=b" " * 2**21, headers=signed, timeout=10).status_code == 413
    assert scene.events() == before
    logs = scene.airflow.logs(10**9)
    for secret in ("SMUGGLED", APP_SECRET, VERIFY_TOKEN):
        assert secret not in logs


@pytest.mark.parametrize("moment", ["before_commit", "after_commit"])
def test_a_killed_api_server_loses_nothing(scene: Scene, moment: str) -> None:
    """The API server dies of SIGKILL between receipt and answer; Meta's retry makes it exactly one final row."""
    media_id = {"before_commit": "17900000000000002", "after_commit": "17900000000000003"}[moment]
    before = scene.events()
    scene.expire(media_id)
    scene.airflow.kill_at(moment)
    attempts = scene.sender.deliver_due(scene.now)
    assert [attempt.status for attempt in attempts] == [None, None]
    assert scene.airflow.restart_api_server() == -signal.SIGKILL
    assert scene.events() == before + (moment == "after_commit")
    scene.now += timedelta(minutes=1)
    assert [attempt.status for attempt in scene.sender.deliver_due(scene.now)] == [200]
    scene.wait_for_quiet()
    assert_final(scene.rows(media_id))
    assert scene.events() == before + 1 + (moment == "after_commit")


def test_a_burst_is_consumed_to_the_last(scene: Scene) -> None:
    """Twenty messages at once, in several runs or few: every one reaches BigQuery, none waits for the next."""
    if scene.airflow.database.startswith("sqlite"):
        pytest.skip("SQLite has no row locks: Airflow's scheduler may pass over an event until the next one")
    ids = [f"179000000000001{number:02d}" for number in range(20)]
    start = scene.now
    for media_id in ids:
        scene.now = start
        scene.expire(media_id)
    scene.sender.changes_per_post = 1
    attempts = scene.sender.deliver_due(scene.now)
    assert [attempt.status for attempt in attempts] == [200] * len(ids)
    scene.wait_for_quiet()
    for media_id in ids:
        assert_final(scene.rows(media_id))
