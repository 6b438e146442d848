"""The sender of webhooks behaves as Meta's does: when it sends, what it sends, how long it goes on trying."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, Media, WebhookSender, World
from airflow_provider_iginsights.sandbox.graph.numbers import media_total
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from airflow_provider_iginsights.sandbox.graph.webhooks import NEW_NAMES, OLD_NAMES, RETRY_AGES
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Callback:
    """The other side: remembers what came, answers with a status (None = an endless silence is not played)."""

    status: int = 200
    came: list[tuple[bytes, str]] = field(default_factory=list)

    def post(self, _url: str, body: bytes, headers: dict[str, str]) -> int:
        """Take a body."""
        self.came.append((body, headers["X-Hub-Signature-256"]))
        return self.status

    def changes(self) -> list[tuple[str, dict[str, Any]]]:
        """Return account and value of every change that came."""
        return [
            (entry["id"], change["value"])
            for body, _ in self.came
            for entry in json.loads(body)["entry"]
            for change in entry["changes"]
        ]


@pytest.fixture
def callback() -> Callback:
    """Answer 200."""
    return Callback()


def place(world: World, number: int, published: datetime, **options: Any) -> Media:
    """Publish a story in the world's first account."""
    story = Media(f"1790000000000{number:04d}", next(iter(world.accounts)), "IMAGE", "STORY", published, **options)
    world.put(story)
    return story


def make_sender(callback: Callback, *, stories: int = 0, accounts: int = 1, **options: Any) -> WebhookSender:
    """Return a sender that hands its bodies to the callback, over a new world."""
    world = World.build(now=NOW, accounts=accounts, stories_per_account=stories)
    return WebhookSender(world=world, callback_url="http://x/", since=NOW, post=callback.post, **options)


def test_sends_one_hour_after_expiry(callback: Callback) -> None:
    """A story is sent 25 hours after its publication, not a second earlier, and only once."""
    sender = make_sender(callback)
    story = place(sender.world, 1, NOW)
    assert sender.deliver_due(NOW + 25 * HOUR - timedelta(seconds=1)) == []
    (attempt,) = sender.deliver_due(NOW + 25 * HOUR)
    assert (attempt.media_ids, attempt.status, attempt.number) == ((story.id,), 200, 1)
    assert sender.deliver_due(NOW + 99 * HOUR) == []


def test_the_body_is_that_of_the_documentation(callback: Callback) -> None:
    """Object, account, sending time in seconds, field, the story's numbers at 24 hours; the raw bytes are signed."""
    sender = make_sender(callback)
    story = place(sender.world, 1, NOW)
    sender.deliver_due(NOW + 30 * HOUR)
    ((body, signature),) = callback.came
    truth = {name: media_total(sender.world.seed, story.id, name, 24 * HOUR) for name in OLD_NAMES}
    assert json.loads(body) == {
        "object": "instagram",
        "entry": [
            {
                "id": story.account_id,
                "time": int((NOW + 30 * HOUR).timestamp()),
                "changes": [{"field": "story_insights", "value": {"media_id": story.id, **truth}}],
            }
        ],
    }
    assert signature == "sha256=" + hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_every_story_of_a_week_is_sent_once(callback: Callback) -> None:
    """Three accounts, four stories a day, asked every five hours for a week: each story that ended is sent once."""
    sender = make_sender(callback, stories=4, accounts=3)
    alive = set()
    for step in range(0, 7 * 24, 5):
        now = NOW + step * HOUR
        for account_id in sender.world.accounts:
            alive |= {(account_id, story.id) for story in sender.world.stories_of(account_id, now)}
        sender.deliver_due(now)
    sender.deliver_due(NOW + (7 * 24 + 25) * HOUR)
    sent = [(account_id, value["media_id"]) for account_id, value in callback.changes()]
    assert len(sent) == len(set(sent))
    assert alive <= set(sent)
    assert len(alive) >= 3 * 4 * 7


def test_a_message_holds_a_thousand_changes_at_most(callback: Callback) -> None:
    """2,500 stories that end at once are three messages of 1,000, 1,000 and 500."""
    sender = make_sender(callback)
    for number in range(2500):
        place(sender.world, number, NOW)
    attempts = sender.deliver_due(NOW + 25 * HOUR)
    assert [len(attempt.media_ids) for attempt in attempts] == [1000, 1000, 500]
    assert len({value["media_id"] for _, value in callback.changes()}) == 2500


def test_repeats_ever_more_rarely_for_36_hours_then_drops(callback: Callback) -> None:
    """A refused message comes again at once, then at growing distances, last after 36 hours; then it is gone."""
    callback.status = 500
    sender = make_sender(callback)
    story = place(sender.world, 1, NOW)
    start = NOW + 25 * HOUR
    for minute in range(48 * 60):
        sender.deliver_due(start + minute * MINUTE)
    times = [attempt.at - start for attempt in sender.attempts]
    assert times == [timedelta(0), timedelta(0), *RETRY_AGES]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert times[-1] == 36 * HOUR
    assert (sender.dropped, sender.pending) == ([story.id], ())


def test_nothing_is_tried_after_36_hours(callback: Callback) -> None:
    """A sender that stood still meanwhile drops the message without another try."""
    callback.status = 500
    sender = make_sender(callback)
    story = place(sender.world, 1, NOW)
    start = NOW + 25 * HOUR
    assert len(sender.deliver_due(start)) == 2
    callback.status = 200
    assert list(sender.deliver_due(start + 36 * HOUR + MINUTE)) == []
    assert (sender.dropped, sender.pending) == ([story.id], ())


def test_an_outage_shorter_than_36_hours_loses_nothing(callback: Callback) -> None:
    """After 30 hours of 503 the message is taken at a later try; each try has its own time and signature."""
    callback.status = 503
    sender = make_sender(callback)
    story = place(sender.world, 1, NOW)
    for hour in range(60):
        callback.status = 503 if hour < 30 else 200
        sender.deliver_due(NOW + 25 * HOUR + hour * HOUR)
    assert [attempt.status for attempt in sender.attempts][-1] == 200
    assert (sender.dropped, sender.pending) == ([], ())
    times = {json.loads(body)["entry"][0]["time"] for body, _ in callback.came}
    assert len(times) == len({attempt.at for attempt in sender.attempts}) == len({sign for _, sign in callback.came})
    assert {value["media_id"] for _, value in callback.changes()} == {story.id}


def test_only_200_counts(callback: Callback) -> None:
    """Any other status, 204 and 302 among them, is a refusal."""
    for status in (204, 302, 401, 429, 500):
        callback.status = status
        sender = make_sender(callback)
        place(sender.world, 1, NOW)
        assert [attempt.status for attempt in sender.deliver_due(NOW + 25 * HOUR)] == [status] * 2
        assert sender.pending


def test_duplicates(callback: Callback) -> None:
    """With duplicate_one_in=1 each message that was taken comes again an hour later, with another time, and no more."""
    sender = make_sender(callback, duplicate_one_in=1)
    place(sender.world, 1, NOW)
    for hour in range(25, 40):
        sender.deliver_due(NOW + hour * HOUR)
    assert [attempt.at for attempt in sender.attempts] == [NOW + 25 * HOUR, NOW + 26 * HOUR]
    first, second = (json.loads(body)["entry"][0] for body, _ in callback.came)
    assert first["changes"] == second["changes"]
    assert second["time"] - first["time"] == 3600


@pytest.mark.parametrize(
    ("options", "prepare", "expected"),
    [
        ({"names": NEW_NAMES}, lambda world, story: None, set(NEW_NAMES)),
        (
            {"names": ("views",), "few_as": -1},
            lambda world, story: world.overrides.update({(story.id, "views"): 4}),
            -1,
        ),
        ({"names": ("views",), "few_as": -1}, lambda world, story: world.overrides.update({(story.id, "views"): 5}), 5),
        ({"names": ("views",)}, lambda world, story: world.overrides.update({(story.id, "views"): 4}), 4),
    ],
)
def test_names_and_small_counts(
    callback: Callback, options: dict[str, Any], prepare: Callable[[World, Media], None], expected: Any
) -> None:
    """New names can be sent, and -1 for counts below five, as one reader of Meta's webhook saw."""
    sender = make_sender(callback, **options)
    prepare(sender.world, place(sender.world, 1, NOW))
    sender.deliver_due(NOW + 25 * HOUR)
    ((_, value),) = callback.changes()
    found = {name for name in value if name != "media_id"}
    assert (found if isinstance(expected, set) else value["views"]) == expected


def test_deleted_stories_and_posts_are_not_sent(callback: Callback) -> None:
    """A story that its owner deleted sends nothing, nor does a post."""
    sender = make_sender(callback)
    sender.world.deleted.add(place(sender.world, 1, NOW).id)
    sender.world.put(Media("17800000000000001", next(iter(sender.world.accounts)), "IMAGE", "FEED", NOW))
    assert sender.deliver_due(NOW + 25 * HOUR) == []


def test_replies_from_europe_are_zero(callback: Callback) -> None:
    """An account in Europe has no replies in its messages either."""
    from dataclasses import replace

    sender = make_sender(callback)
    account = next(iter(sender.world.accounts.values()))
    sender.world.put(replace(account, europe=True))
    for number in range(5):
        place(sender.world, number, NOW)
    sender.deliver_due(NOW + 25 * HOUR)
    assert {value["replies"] for _, value in callback.changes()} == {0}


@pytest.fixture
def echo() -> Iterator[str]:
    """Serve an application that confirms any handshake whose token is ``right`` and takes every POST."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        query = dict(part.split("=") for part in scope["query_string"].decode().split("&") if part)
        while (await receive()).get("more_body"):
            pass
        body = query.get("hub.challenge", "") if query.get("hub.verify_token") == "right" else ""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    with Server(answer) as server:
        yield server.url


def test_over_http(echo: str) -> None:
    """Handshake, test message and stories travel over a real socket; a dead address is a refusal without status."""
    world = World.build(now=NOW, accounts=1, stories_per_account=0)
    place(world, 1, NOW)
    with GraphSandbox(world) as sandbox:
        sender = WebhookSender(world=sandbox.world, callback_url=echo, since=NOW)
        assert sender.subscribe("right")
        assert not sender.subscribe("wrong")
        assert sender.send_test(NOW) == 200
        sandbox.clock.advance(25 * HOUR)
        assert [attempt.status for attempt in sender.deliver_due(sandbox.now())] == [200]
    dead = WebhookSender(world=world, callback_url="http://127.0.0.1:9/", since=NOW)
    assert [attempt.status for attempt in dead.deliver_due(NOW + 25 * HOUR)] == [None, None]


def test_the_secret_does_not_show() -> None:
    """The app secret is not in the sender's text."""
    assert APP_SECRET not in repr(WebhookSender(world=World.build(now=NOW), callback_url="http://x/", since=NOW))
