"""The webhook's numbers in BigQuery: beside the polled ones, once for each story and metric, whatever is repeated."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.errors import ConfigurationError, IncompatibleTable
from airflow_provider_iginsights.sandbox.graph.webhooks import NEW_NAMES, OLD_NAMES, WebhookSender
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from tests.support.sandboxes import DATASET, KEYS, NOW, RecordingTaskInstance, Row, Sandboxes, facts

TABLE = "instagram_story_insights"
ACCOUNT, STORY = "17841405309211844", "18023345989012587"


@dataclass(frozen=True)
class Event:
    """What the operator reads of an asset event."""

    extra: dict[str, Any]
    timestamp: datetime


def message(sent_at: datetime = NOW, media_id: str = STORY, **counts: int) -> dict[str, Any]:
    """Return a notification about one story."""
    value = {"media_id": media_id, **(counts or {"reach": 17, "exits": 1})}
    changes = [{"field": "story_insights", "value": value}]
    entry = {"id": ACCOUNT, "time": int(sent_at.timestamp()), "changes": changes}
    return {"object": "instagram", "entry": [entry]}


def land(sandboxes: Sandboxes, *payloads: Any, run_id: str = "asset_triggered__1", **arguments: Any) -> dict[str, Any]:
    """Run the operator for asset events with these payloads, or for the argument ``payload``; return the summary."""
    options = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True} | arguments
    operator = InstagramStoryWebhookToBigQueryOperator(task_id="story_webhook", **options)
    sandboxes.instance = RecordingTaskInstance(task_id="story_webhook", run_id=run_id)
    context: dict[str, Any] = {"ti": sandboxes.instance}
    if payloads:
        context["triggering_asset_events"] = {"asset": [Event({"payload": each}, sandboxes.now) for each in payloads]}
    return operator.execute(context)


def values(rows: list[Row]) -> dict[tuple[str, str], int]:
    """Return the webhook's values by story and metric; a pair that stands there twice is an error."""
    found = [((row["media_id"], row["metric"]), int(row["value"])) for row in rows if row["source"] == "webhook"]
    assert len(found) == len(dict(found))
    return dict(found)


def test_an_event_becomes_rows(small_sandboxes: Sandboxes) -> None:
    """The rows hold what the message says in every column, and nothing that it does not say."""
    summary = land(small_sandboxes, message())
    assert {row["metric"]: row for row in small_sandboxes.rows(TABLE)} == {
        metric: {
            "media_id": STORY,
            "metric": metric,
            "breakdown": "",
            "breakdown_value": "",
            "snapshot_at": datetime(9999, 12, 31, tzinfo=UTC),
            "source": "webhook",
            "account_id": ACCOUNT,
            "published_at": None,
            "expires_at": None,
            "snapshot_date": datetime(2026, 11, 21, tzinfo=UTC).date(),
            "value": value,
            "is_final": True,
            "api_version": None,
            "fetched_at": NOW,
            "run_id": "asset_triggered__1",
        }
        for metric, value in {"reach": 17, "exits": 1}.items()
    }
    jobs = summary.pop("bigquery_jobs")
    assert len(jobs) == 2
    assert summary.pop("bigquery_bytes").keys() == {f"sandbox-project.{DATASET}.{TABLE}"}
    assert summary == {
        "tables": {f"sandbox-project.{DATASET}.{TABLE}": 2},
        "rows": 2,
        "rows_changed": 2,
        "stories": 1,
        "accounts": 1,
        "left_out": {},
        "notes": [],
    }
    assert small_sandboxes.instance.pushed["summary"]["rows"] == 2
    assert TABLE in small_sandboxes.instance.pushed["bigquery_table_link"]
    assert small_sandboxes.staging() == []


def test_a_run_again_changes_nothing(small_sandboxes: Sandboxes) -> None:
    """The same events in the same run again, or in another one, leave the table as it is, to the byte."""
    land(small_sandboxes, message())
    first = small_sandboxes.rows(TABLE)
    for run_id in ("asset_triggered__1", "asset_triggered__2"):
        assert land(small_sandboxes, message(), run_id=run_id)["rows_changed"] == 0
        assert small_sandboxes.rows(TABLE) == first


@pytest.mark.parametrize("hours", [1, 12, 36, 24 * 7, 24 * 9, 24 * 60, 24 * 800])
def test_a_repetition_is_no_second_row(small_sandboxes: Sandboxes, hours: int) -> None:
    """A message that is sent again later, on another Pacific day too, is the same rows; the last sending is theirs."""
    land(small_sandboxes, message())
    later = NOW + timedelta(hours=hours)
    small_sandboxes.travel(timedelta(hours=hours))
    land(small_sandboxes, message(later), run_id="asset_triggered__2")
    assert values(small_sandboxes.rows(TABLE)) == {(STORY, "reach"): 17, (STORY, "exits"): 1}
    # The first message once more, late: it is older than what is stored.
    assert land(small_sandboxes, message(), run_id="asset_triggered__3")["rows_changed"] == 0
    assert len(small_sandboxes.rows(TABLE)) == 2


@pytest.mark.parametrize("time", [None, "soon", 0, 2**70])
def test_a_message_that_does_not_say_when_it_was_sent_is_one_row(small_sandboxes: Sandboxes, time: Any) -> None:
    """It is dated by its receipt; read again months later, it moves to that day and is no second row."""
    undated = message()
    undated["entry"][0]["time"] = time
    land(small_sandboxes, payload=undated)
    small_sandboxes.travel(timedelta(days=60))
    land(small_sandboxes, payload=undated, run_id="manual__2")
    assert values(small_sandboxes.rows(TABLE)) == {(STORY, "reach"): 17, (STORY, "exits"): 1}


def test_several_events_are_one_load(small_sandboxes: Sandboxes) -> None:
    """All events of a run are merged: one load job and one MERGE, each story and metric once, the last sending's."""
    events = [message(NOW + timedelta(minutes=minute), reach=minute) for minute in range(5)]
    events += [message(media_id="18023345989012588", reach=9)]
    random.Random(3).shuffle(events)
    summary = land(small_sandboxes, *events)
    assert values(small_sandboxes.rows(TABLE)) == {(STORY, "reach"): 4, ("18023345989012588", "reach"): 9}
    assert (summary["rows"], summary["stories"], summary["left_out"]) == (2, 2, {"repeated": 4})
    assert len(summary["bigquery_jobs"]) == 2


def test_it_stands_beside_the_polled_rows(small_sandboxes: Sandboxes) -> None:
    """A story that was polled keeps its snapshots untouched; the webhook's rows are added beside them."""
    small_sandboxes.run("story")
    polled = small_sandboxes.rows(TABLE)
    assert polled
    sender = send_into(small_sandboxes, names=(*OLD_NAMES, *NEW_NAMES))
    small_sandboxes.travel(timedelta(hours=26))
    sent = sender.deliver_due(small_sandboxes.now)
    land(small_sandboxes, *sender.taken)
    stories = {media_id for attempt in sent for media_id in attempt.media_ids}
    rows = small_sandboxes.rows(TABLE)
    assert {row["media_id"] for row in polled} & stories
    assert [row for row in rows if row["source"] == "poll"] == polled
    truth = {
        (change["value"]["media_id"], name): count
        for payload in sender.taken
        for entry in payload["entry"]
        for change in entry["changes"]
        for name, count in change["value"].items()
        if name != "media_id"
    }
    assert values(rows) == truth
    assert len(facts(TABLE, rows)) == len(rows) == len(polled) + len(truth)


class TakingSender(WebhookSender):
    """A sender whose messages are all taken, and remembered."""

    __slots__ = ("taken",)


def send_into(sandboxes: Sandboxes, **options: Any) -> Any:
    """Return a sender whose messages are collected in ``taken`` instead of being sent to a server."""
    sender = TakingSender(world=sandboxes.world, callback_url="", since=sandboxes.now, **options)
    sender.taken = []

    def take(_url: str, body: bytes, _headers: dict[str, str]) -> int:
        sender.taken.append(json.loads(body))
        return 200

    sender.post = take
    return sender


@pytest.mark.parametrize("payload", [message(), [message()], json.dumps(message()), json.dumps([message()])])
def test_the_payload_may_be_given(small_sandboxes: Sandboxes, payload: Any) -> None:
    """A mapping, a list, and the JSON text of both (what a template renders) are read."""
    land(small_sandboxes, payload=payload)
    assert values(small_sandboxes.rows(TABLE)) == {(STORY, "reach"): 17, (STORY, "exits"): 1}


def test_the_payload_is_a_template(small_sandboxes: Sandboxes) -> None:
    """The argument is rendered: what a run's configuration holds can be landed."""
    operator = InstagramStoryWebhookToBigQueryOperator(
        task_id="story_webhook",
        payload="{{ conf['message'] | tojson }}",
        dataset_id="{{ conf['dataset'] }}",
        gcp_conn_id=None,
        create_dataset=True,
    )
    conf = {"message": message(), "dataset": DATASET}
    operator.render_template_fields({"conf": conf})
    operator.execute({"ti": RecordingTaskInstance()})
    assert values(small_sandboxes.rows(TABLE)) == {(STORY, "reach"): 17, (STORY, "exits"): 1}


def test_what_is_left_out_is_said(small_sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture) -> None:
    """Foreign and broken parts are counted by reason in the summary; the table exists, and is empty."""
    broken = message(flag=True)
    foreign = {"object": "page", "entry": []}
    test = {**message(), "entry": [{**message()["entry"][0], "id": "0"}]}
    summary = land(small_sandboxes, broken, foreign, test)
    assert summary["left_out"] == {"not_a_number": 1, "foreign_object": 1, "test": 1}
    assert (summary["rows"], summary["bigquery_jobs"], small_sandboxes.rows(TABLE)) == (0, [], [])
    assert small_sandboxes.bigquery.tables(DATASET) == [TABLE]


@pytest.mark.parametrize("nothing", [{"Body": "\x1f\x8b of another form"}, [[], "[]"], {"entry": []}])
def test_a_message_without_a_notification_is_said(small_sandboxes: Sandboxes, nothing: Any) -> None:
    """The queue has deleted it, so it is counted: alone and between others, as an event and as the payload."""
    alone = land(small_sandboxes, payload=json.dumps(nothing))
    assert (alone["rows"], alone["left_out"]) == (0, {"no_notification": 1})
    among = land(small_sandboxes, nothing, message(), nothing)
    assert (among["rows"], among["left_out"]) == (2, {"no_notification": 2})


@pytest.mark.parametrize("payload", [[], {}, "[]", "{}"])
def test_no_message_is_nothing_to_say(small_sandboxes: Sandboxes, payload: Any) -> None:
    """An empty list of messages leaves nothing out."""
    summary = land(small_sandboxes, payload=payload)
    assert (summary["rows"], summary["left_out"]) == (0, {})


@pytest.mark.parametrize("payload", [None, "", "None"])
def test_without_anything_to_read_the_task_fails_at_once(small_sandboxes: Sandboxes, payload: Any) -> None:
    """No event and no payload: an error that is not retried and says what to do."""
    from airflow_provider_iginsights._compat import AirflowFailException

    with pytest.raises(AirflowFailException, match="Schedule the Dag on the asset") as caught:
        land(small_sandboxes, payload=payload)
    assert isinstance(caught.value, ConfigurationError)


def test_a_payload_that_is_no_json_fails_at_once(small_sandboxes: Sandboxes) -> None:
    """Text that is not JSON, such as Python's own spelling of a dict, is refused with the remedy."""
    with pytest.raises(ConfigurationError, match="tojson"):
        land(small_sandboxes, payload=str(message()))


def test_a_foreign_table_is_refused_before_anything_is_written(small_sandboxes: Sandboxes) -> None:
    """A table of the same name with other columns stays as it is."""
    client = small_sandboxes.bigquery.client()
    client.create_dataset(DATASET)
    client.query(f"CREATE TABLE {DATASET}.{TABLE} (media_id INT64)").result()
    with pytest.raises(IncompatibleTable):
        land(small_sandboxes, message())
    assert small_sandboxes.bigquery.rows(DATASET, TABLE) == []


def test_thirty_six_hours_of_repetitions(small_sandboxes: Sandboxes) -> None:
    """Meta repeats for 36 hours, ever more rarely, and sends duplicates: each number is one row all the same."""
    sender = send_into(small_sandboxes, duplicate_one_in=1)
    take, tries = sender.post, 0

    def take_twice_and_answer_late(url: str, body: bytes, headers: dict[str, str]) -> int | None:
        nonlocal tries
        tries += 1
        status = take(url, body, headers)
        # Everything arrives, but only some answers get back: Meta repeats what we have already.
        return status if tries % 4 == 0 else None

    sender.post = take_twice_and_answer_late
    for hour in range(0, 24 + 40, 2):
        sender.deliver_due(small_sandboxes.now)
        if sender.taken:
            land(small_sandboxes, *sender.taken, run_id=f"asset_triggered__{hour}")
        sender.taken.clear()
        small_sandboxes.travel(timedelta(hours=2))
    attempts = [attempt for attempt in sender.attempts if attempt.media_ids]
    stories = {media_id for attempt in attempts for media_id in attempt.media_ids}
    assert len(stories) >= 2
    assert len(attempts) >= 3 * len(stories)
    rows = small_sandboxes.rows(TABLE)
    assert set(values(rows)) == {(story, name) for story in stories for name in OLD_NAMES}
    assert len(facts(TABLE, rows)) == len(rows)
    assert set(KEYS[TABLE]) <= rows[0].keys()


def test_the_same_on_the_referee(small_sandboxes: Sandboxes, referee: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An independent emulator of BigQuery holds each number once, too, after a repetition on the next day."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery import Client

    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", referee)
    land(small_sandboxes, message(), dataset_id="webhook")
    land(small_sandboxes, message(NOW + timedelta(hours=13)), dataset_id="webhook", run_id="asset_triggered__2")
    client = Client(
        project=small_sandboxes.bigquery.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": referee},
    )
    rows = list(client.query(f"SELECT metric, value, snapshot_at FROM `webhook.{TABLE}`").result())
    client.close()
    assert sorted((row["metric"], int(row["value"])) for row in rows) == [("exits", 1), ("reach", 17)]
    assert {row["snapshot_at"] for row in rows} == {datetime(9999, 12, 31, tzinfo=UTC)}
