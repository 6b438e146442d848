"""Signed JSON of any shape: what it is told of is stored by any database, and what is no number is named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_iginsights.stories.webhook_rows import read_story_insights
from airflow_provider_iginsights.webhooks.payload import read_json, select_story_insights

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "-" + "1" * 41], ids=lambda text: text[:8])
def test_a_number_beyond_everything_costs_itself_alone(number: str) -> None:
    """The other numbers of its story are kept, in JSON that a database takes, and it is named."""
    value = f'{{"media_id": "17800000000000001", "reach": {number}, "exits": 3}}'
    change = f'{{"field": "story_insights", "value": {value}}}'
    body = f'{{"object": "instagram", "entry": [{{"id": "17841", "time": 1795219200, "changes": [{change}]}}]}}'
    kept = json.loads(json.dumps(select_story_insights(read_json(body)), allow_nan=False))
    found = read_story_insights((notification, NOW) for notification in kept)
    assert [(row["metric"], row["value"]) for row in found.rows] == [("exits", 3)]
    assert found.left_out == {"not_a_number": 1}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": NaN}', "Infinity", b"\xff", ""], ids=lambda text: str(text)[:8])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    """Anything else than strict JSON is one kind of error."""
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


STORY = {"media_id": "17800000000000001", "reach": 3}


@pytest.mark.parametrize(
    ("body", "metrics"),
    [
        ({"field": "story_insights", "value": STORY}, ["reach"]),
        ({"field": "story_insights", "value": STORY, "changes": []}, ["reach"]),
        ({"field": "comments", "value": {"id": "1", "text": "hello"}}, []),
        ({"field": "story_insights"}, []),
    ],
    ids=lambda value: str(value)[:60],
)
@pytest.mark.parametrize("is_selected", [True, False])
def test_a_change_in_the_entry_itself(body: dict[str, Any], metrics: list[str], is_selected: bool) -> None:
    """It is read as one of the list ``changes`` is, by the receiver and from a queue; another field is not."""
    sent = {"object": "instagram", "entry": [{"id": "17841", "time": 1795219200, **body}]}
    notifications = select_story_insights(sent) if is_selected else (sent,)
    found = read_story_insights((notification, NOW) for notification in notifications)
    assert [row["metric"] for row in found.rows] == metrics


@pytest.mark.parametrize("wraps", [1, 50])
def test_a_notification_in_wrappings(wraps: int) -> None:
    """It is found in lists, objects and base64 of a few levels; what is deeper is not looked for, and is no error."""
    change = {"field": "story_insights", "value": {"media_id": "1", "reach": 3}}
    notification = {"object": "instagram", "entry": [{"id": "17841", "time": 1, "changes": [change]}]}
    value: Any = base64.b64encode(json.dumps(notification).encode()).decode()
    for _ in range(wraps):
        value = [{"body": value}]
    assert select_story_insights(value) == ((notification,) if wraps == 1 else ())


SENT = {"object": "instagram", "entry": [{"id": "17841", "time": 1, "changes": [{"field": "story_insights"}]}]}
SELECTED = {**SENT, "entry": [{"id": "17841", "time": 1, "changes": [{"field": "story_insights", "value": None}]}]}
BODY = json.dumps({**SENT, "of": "ÿþ>>??~~"}, ensure_ascii=False)  # Its base64 needs the digits 62 and 63.


@pytest.mark.parametrize(
    "wrap",
    [
        str.encode,
        json.dumps,
        lambda body: json.dumps(json.dumps(body)),
        lambda body: f"\ufeff{body}",
        lambda body: body.encode("utf-8-sig"),
        lambda body: base64.b64encode(body.encode()),
        lambda body: base64.b64encode(body.encode()).decode().rstrip("="),
        lambda body: base64.urlsafe_b64encode(body.encode()).decode(),
        lambda body: base64.urlsafe_b64encode(body.encode()).rstrip(b"="),
        lambda body: base64.encodebytes(body.encode()).decode(),
        lambda body: base64.b64encode(json.dumps(body).encode()).decode(),
    ],
    ids=["bytes", "twice", "thrice", "bom", "bom in bytes", "base64", "unpadded", "url", "bare url", "lines", "both"],
)
@pytest.mark.parametrize("envelope", [lambda text: text, lambda text: [{"Body": "no JSON, no base64"}, {"Body": text}]])
def test_a_body_as_a_queue_may_hold_it(wrap: Callable[[str], Any], envelope: Callable[[Any], Any]) -> None:
    """As text or bytes, as JSON that was made JSON once more, in base64 of either alphabet."""
    assert "-" in base64.urlsafe_b64encode(BODY.encode()).decode()
    assert len(base64.b64encode(BODY.encode())) != len(base64.b64encode(BODY.encode()).rstrip(b"="))
    assert select_story_insights(envelope(wrap(BODY))) == (SELECTED,)


@pytest.mark.parametrize(
    "text", [f'"{"x" * 30}"', "-_" * 20, "a text of many words that is no JSON", "=" * 30, "\ufeff"]
)
def test_a_text_without_a_notification(text: str) -> None:
    """Whatever else stands in an envelope is no error."""
    assert select_story_insights({"Body": text}) == ()
