"""What Meta's messages become: one row per story and metric, whatever is repeated, unknown or broken in them."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.catalog.tables import STORY_INSIGHTS
from airflow_provider_iginsights.stories.webhook_rows import REASONS, StoryNumbers, read_story_insights
from airflow_provider_iginsights.webhooks.payload import find_notifications, read_json, select_story_insights
from tests.support.webhooks.messages import ACCOUNT, COUNTS, DASHBOARD_TEST, RECEIVED, SENT, STORY, change, message


def read(*values: Any) -> StoryNumbers:
    """Read what each value holds, as received at RECEIVED."""
    found = [(notification, RECEIVED) for value in values for notification in find_notifications(value)]
    return read_story_insights(found, run_id="run")


def numbers(found: StoryNumbers) -> dict[tuple[str, str], Any]:
    """Return the values by story and metric; a pair that comes twice is an error."""
    values = {(row["media_id"], row["metric"]): row["value"] for row in found.rows}
    assert len(values) == len(found.rows)
    return values


def test_the_documentations_sample() -> None:
    """Six numbers become six rows, complete in every column that the message knows."""
    found = read(message())
    assert numbers(found) == {(STORY, metric): value for metric, value in COUNTS.items()}
    assert found.left_out == {}
    assert (found.stories, found.accounts) == (1, 1)
    row = next(row for row in found.rows if row["metric"] == "reach")
    assert row == {
        "media_id": STORY,
        "metric": "reach",
        "breakdown": "",
        "breakdown_value": "",
        "snapshot_at": "9999-12-31T00:00:00Z",
        "source": "webhook",
        "account_id": ACCOUNT,
        "snapshot_date": "2019-01-16",
        "value": 17,
        "is_final": True,
        "fetched_at": "2019-01-17T01:04:03Z",
        "run_id": "run",
    }


def test_rows_fit_the_table() -> None:
    """Each row has only columns of the table, and all that it requires."""
    required = {column.name for column in STORY_INSIGHTS.columns if column.required}
    for row in read(message()).rows:
        assert required <= row.keys() <= set(STORY_INSIGHTS.column_names)


@pytest.mark.parametrize(
    "wrapped",
    [
        message(),
        [message()],
        json.dumps(message()),
        json.dumps([message()]),
        {"payload": [message()]},
        {"payload": {"status": "success", "message_batch": [{"MessageId": "1", "Body": json.dumps(message())}]}},
        {
            "payload": {
                "status": "success",
                "message": [{"message": {"data": base64.b64encode(json.dumps(message()).encode()).decode()}}],
            }
        },
        {"payload": json.dumps(message()), "from_trigger": True},
        {"payload": {"type": "message", "channel": "stories", "data": json.dumps(message())}},
    ],
    ids=["object", "array", "text", "text of an array", "receiver", "SQS", "Pub/Sub", "Kafka", "Redis"],
)
def test_any_envelope(wrapped: Any) -> None:
    """The message is found in the documentation's array, in text, and in what message queues wrap around it."""
    assert read(wrapped).rows == read(message()).rows


def test_a_duplicate_has_the_same_keys() -> None:
    """A repetition, sent 36 hours later, has the keys of the first message, so that no table holds it twice."""
    later = message(time=int((SENT + timedelta(hours=36)).timestamp()))
    keys = [{tuple(row[name] for name in STORY_INSIGHTS.key) for row in read(each).rows} for each in (message(), later)]
    assert keys[0] == keys[1]
    assert len(keys[0]) == len(COUNTS)


def test_the_number_that_was_sent_last_counts() -> None:
    """Of two messages about a story the later one wins, in whatever order they are read; the other is counted."""
    earlier = message(change(reach=17))
    later = message(change(reach=18), time=int(SENT.timestamp()) + 60)
    for order in ((earlier, later), (later, earlier)):
        found = read(*order)
        assert numbers(found) == {(STORY, "reach"): 18}
        assert found.left_out == {"repeated": 1}


def test_a_thousand_changes_of_many_accounts() -> None:
    """A thousand changes in one message, shuffled and with each repeated, are a thousand stories."""
    stories = {str(18_000_000_000_000_000 + number): number for number in range(1000)}
    entries = []
    for part in range(10):
        mine = [change(media_id, reach=number) for media_id, number in stories.items() if number % 10 == part] * 2
        random.Random(part).shuffle(mine)
        entries.append({"id": f"1784{part}", "time": 1547687043, "changes": mine})
    found = read(message() | {"entry": entries})
    assert numbers(found) == {(media_id, "reach"): number for media_id, number in stories.items()}
    assert (found.stories, found.left_out) == (1000, {"repeated": 1000})


def test_one_story_of_two_accounts() -> None:
    """A collaboration that two accounts are told of is each account's, with the number that each was told."""
    told = {"1": 5, "2": 9}
    entries = [{"id": name, "time": 1547687043, "changes": [change(reach=reach)]} for name, reach in told.items()]
    found = read(message() | {"entry": entries})
    assert {row["account_id"]: row["value"] for row in found.rows if row["media_id"] == STORY} == told
    assert (found.stories, found.accounts, found.left_out) == (2, 2, {})


@pytest.mark.parametrize(
    ("metric", "value"),
    [("views", 31), ("navigation", 13), ("total_interactions", 2), ("reach", -3), ("replies", 0), ("a_new_rate", 12.5)],
)
def test_any_numeric_key_is_a_row_under_its_own_name(metric: str, value: float) -> None:
    """New names, names of tomorrow, zero and fractions are stored as sent."""
    assert numbers(read(message(change(**{metric: value})))) == {(STORY, metric): value}


@pytest.mark.parametrize("value", [-1, -1.0, "-1"])
def test_minus_one_is_no_count(value: Any) -> None:
    """A -1 means that fewer than five people are behind a number: it is named, not stored, and costs no other."""
    found = read(message(change(reach=value, replies=0)))
    assert numbers(found) == {(STORY, "replies"): 0}
    assert found.left_out == {"fewer_than_five": 1}
    assert "fewer_than_five" in REASONS


@pytest.mark.parametrize(
    ("value", "stored"),
    [("17", 17), ("0", 0), ("12.5", Decimal("12.5")), (17.0, 17), ("123456789012345678901", 123456789012345678901)],
)
def test_numbers_as_text_are_read(value: Any, stored: Any) -> None:
    """What is plainly a number is stored as that number, however it was written."""
    assert numbers(read(message(change(reach=value)))) == {(STORY, "reach"): stored}


@pytest.mark.parametrize(
    "value", [True, None, "1 7", "17%", "", "NaN", "1e3", [17], {"value": 17}, 10**40, 1e300, float("nan"), "9" * 30]
)
def test_what_is_no_number_is_left_out(value: Any) -> None:
    """Booleans, texts, objects and numbers beyond a NUMERIC are counted, not stored; the rest of the change is."""
    found = read(message(change(reach=17, odd=value)))
    assert numbers(found) == {(STORY, "reach"): 17}
    assert found.left_out == {"not_a_number": 1}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (DASHBOARD_TEST, "test"),
        ({**message(), "object": "page"}, "foreign_object"),
        ({**message(), "object": ["instagram"]}, "foreign_object"),
        (message({"field": "comments", "value": {"id": "1", "text": "hi"}}), "foreign_field"),
        (message({"field": ["story_insights"], "value": {"media_id": STORY}}), "foreign_field"),
        (message(account_id=None), "malformed"),
        (message(account_id=True), "malformed"),
        (message(account_id="brand"), "malformed"),
        (message(account_id=10**5000), "malformed"),
        (message(change(None, reach=1)), "malformed"),
        (message(change("18023345989012587; DROP", reach=1)), "malformed"),
        (message({"field": "story_insights", "value": 17}), "malformed"),
        (message({"field": "story_insights"}), "malformed"),
        (message("story_insights"), "malformed"),
        ({"object": "instagram", "entry": ["x"]}, "malformed"),
    ],
)
def test_what_is_no_story_is_counted(payload: Any, reason: str) -> None:
    """Other objects and fields, the dashboard's test message and broken parts give no row, and say so by a reason."""
    found = read(payload)
    assert found.rows == ()
    assert found.left_out == {reason: 1}
    assert reason in REASONS


def test_a_broken_part_does_not_take_the_others_along() -> None:
    """What stands beside a broken change or entry is read."""
    payload = message(change(None, reach=1), change(reach=17), {"field": "comments", "value": {}})
    payload["entry"].append(None)
    found = read(payload, "no payload at all")
    assert numbers(found) == {(STORY, "reach"): 17}
    assert found.left_out == {"malformed": 2, "foreign_field": 1}


def test_ids_may_be_numbers() -> None:
    """Ids that arrive as JSON numbers are stored as the strings of digits that they are."""
    found = read(message(change(int(STORY), reach=17), account_id=int(ACCOUNT)))
    assert [(row["account_id"], row["media_id"]) for row in found.rows] == [(ACCOUNT, STORY)]


@pytest.mark.parametrize(
    ("time", "sent_at"),
    [
        (1547687043, datetime(2019, 1, 17, 1, 4, 3, tzinfo=UTC)),
        (1547687043123, datetime(2019, 1, 17, 1, 4, 3, tzinfo=UTC)),
        ("1547687043", datetime(2019, 1, 17, 1, 4, 3, tzinfo=UTC)),
        *((broken, RECEIVED) for broken in (None, "today", True, 0, -5, 12.5, 4_000_000_000, 10**30)),
    ],
)
def test_the_moment_of_sending(time: Any, sent_at: datetime) -> None:
    """Seconds and milliseconds are read; where a message gives no possible moment, that of receipt counts."""
    row = read(message(change(reach=17), time=time)).rows[0]
    assert datetime.fromisoformat(row["fetched_at"]) == sent_at
    assert date.fromisoformat(row["snapshot_date"]) == (sent_at - timedelta(hours=8)).date()


def test_other_subscriptions_are_not_kept() -> None:
    """Before a message is stored, what is about people's words and not about stories is taken out of it."""
    comment = {"field": "comments", "value": {"text": "private words"}}
    payload = message(comment, change(reach=17))
    payload["entry"].append({"id": ACCOUNT, "time": 1, "messaging": [{"message": {"text": "private words"}}]})
    assert select_story_insights(payload) == (message(change(reach=17)),)
    assert select_story_insights(message(comment)) == ()
    assert select_story_insights({**message(), "object": "page"}) == ()
    assert select_story_insights([message(), {"a": 1}, message()]) == (message(), message())


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe", '{"a": NaN}', "[Infinity]", "[" * 100_000])
def test_strict_json(text: str | bytes) -> None:
    """What is not JSON, or so deep that it is an attack, is one kind of error."""
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_no_message_breaks_the_reader(entry: Any, changes: Any, value: Any) -> None:
    """Whatever stands in the place of an entry, of changes or of a value: rows or counts, never an error."""
    payload = [
        {"object": "instagram", "entry": entry},
        message(account_id=ACCOUNT) | {"entry": [{"id": ACCOUNT, "time": value, "changes": changes}]},
        message({"field": "story_insights", "value": value}, change(reach=value)),
    ]
    for row in read(payload).rows:
        assert isinstance(row["value"], int | float | Decimal)
        assert not isinstance(row["value"], bool)
    select_story_insights(payload)
