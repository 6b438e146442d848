"""Plays the sender of Meta's webhooks: the last numbers of stories that are over, signed, repeated until answered.

Nothing happens by itself: a test says what time it is by calling :meth:`WebhookSender.deliver_due`, so that days of
retries pass in an instant.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from airflow_provider_iginsights.sandbox.graph.generate import EPOCH, make_story
from airflow_provider_iginsights.sandbox.graph.media_insights import value_at_age
from airflow_provider_iginsights.sandbox.graph.numbers import mix
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET, STORY_LIFE, Media
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = ["NEW_NAMES", "OLD_NAMES", "RETRY_AGES", "TEST_MESSAGE", "Attempt", "WebhookSender", "sign"]

Post = Callable[[str, bytes, dict[str, str]], int | None]
"""Sends a body with headers to an address; returns the HTTP status, None where no answer came."""

# As connectors report; Meta's page says only "when stories expire".
AFTER_EXPIRY = timedelta(hours=1)
# "Webhooks": up to 1,000 updates in one POST.
MOST_CHANGES = 1000
RETRY_AGES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240, 480, 960, 1440, 2160))
"""When a message that was refused twice at once is sent again, counted from the first time: ever more rarely, 36 h."""

# The names of Meta's sample. Nothing says that today's messages have others, nor that they do not: both are played.
OLD_NAMES = ("exits", "replies", "reach", "taps_forward", "taps_back", "impressions")
NEW_NAMES = ("views", "reach", "replies", "navigation", "shares", "total_interactions", "profile_visits", "follows")
TEST_MESSAGE: dict[str, str | int] = {
    "media_id": "17887498072083520",
    "impressions": 444,
    "reach": 44,
    "taps_forward": 4,
    "taps_back": 3,
    "exits": 3,
    "replies": 0,
}
"""What the App Dashboard's test button sends, for account ``0``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST: when it was sent, about which stories, its number among the tries of that message, the answer."""

    at: datetime
    media_ids: tuple[str, ...]
    number: int
    status: int | None


@dataclass(slots=True, kw_only=True)
class _Message:
    changes: list[tuple[str, dict[str, Any]]]
    first_sent: datetime | None = None
    due: datetime
    tries: int = 0

    @property
    def media_ids(self) -> tuple[str, ...]:
        return tuple(value["media_id"] for _, value in self.changes)


@dataclass(slots=True, kw_only=True)
class WebhookSender:
    """Sends the numbers of every story of a world to ``callback_url``, one hour after the story expired.

    Stories that were over by ``since`` are not sent. ``names`` are the metrics of a message, ``few_as`` is what counts
    below five are sent as (None = as they are), and of ``duplicate_one_in`` messages that were taken one is sent again
    an hour later (0 = none).
    """

    world: World = field(repr=False)
    callback_url: str
    since: datetime
    app_secret: str = field(default=APP_SECRET, repr=False)
    names: Sequence[str] = OLD_NAMES
    few_as: int | None = None
    changes_per_post: int = MOST_CHANGES
    duplicate_one_in: int = 0
    post: Post | None = None
    attempts: list[Attempt] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    """Stories whose message was given up after 36 hours."""
    _waiting: list[_Message] = field(default_factory=list)

    @property
    def pending(self) -> tuple[str, ...]:
        """The stories whose message waits for another try."""
        return tuple(media_id for message in self._waiting for media_id in message.media_ids)

    def subscribe(self, verify_token: str, *, challenge: str = "1158201444") -> bool:
        """Do the handshake of a subscription; say whether the address confirmed it."""
        import requests

        query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
        answer = requests.get(self.callback_url, params=query, timeout=10)
        return answer.status_code == 200 and answer.text == challenge

    def send_test(self, now: datetime) -> int | None:
        """Send the App Dashboard's test message once; return the answer's status."""
        return self._post(_body([("0", dict(TEST_MESSAGE))], now))

    def deliver_due(self, now: datetime) -> list[Attempt]:
        """Send what is due at ``now`` (aware), new and repeated; return the attempts. Time must not run backwards."""
        expired = sorted(self._expired(self.since, now), key=lambda story: (story.account_id, story.timestamp))
        self.since = max(self.since, now)
        changes = [(story.account_id, self._value(story)) for story in expired]
        for at in range(0, len(changes), self.changes_per_post):
            self._waiting.append(_Message(changes=changes[at : at + self.changes_per_post], due=now))
        before = len(self.attempts)
        for message in [message for message in self._waiting if message.due <= now]:
            self._send(message, now)
        return self.attempts[before:]

    def _send(self, message: _Message, now: datetime) -> None:
        self._waiting.remove(message)
        is_first, age = message.first_sent is None, now - (message.first_sent or now)
        if age > RETRY_AGES[-1]:
            self.dropped.extend(message.media_ids)
            return
        # META-35: at once, then ever more rarely for 36 hours.
        taken = self._try(message, now) or (is_first and self._try(message, now))
        later = next((step for step in RETRY_AGES if step > age), None)
        if taken:
            if is_first and self._is_doubled(message):
                again = _Message(changes=message.changes, due=now + timedelta(hours=1), first_sent=now)
                self._waiting.append(again)
        elif later is None:
            self.dropped.extend(message.media_ids)
        else:
            message.due = (message.first_sent or now) + later
            self._waiting.append(message)

    def _try(self, message: _Message, now: datetime) -> bool:
        message.first_sent = message.first_sent or now
        message.tries += 1
        status = self._post(_body(message.changes, now))
        self.attempts.append(Attempt(at=now, media_ids=message.media_ids, number=message.tries, status=status))
        return status == 200

    def _post(self, body: bytes) -> int | None:
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": sign(body, self.app_secret)}
        return (self.post or _post_over_http)(self.callback_url, body, headers)

    def _is_doubled(self, message: _Message) -> bool:
        roll = mix(self.world.seed, "webhook", *message.media_ids[:1])
        return bool(self.duplicate_one_in) and roll % self.duplicate_one_in == 0

    def _expired(self, since: datetime, until: datetime) -> Iterator[Media]:
        """Yield the stories whose hour after expiry lies in (since, until]."""
        reach = STORY_LIFE + AFTER_EXPIRY
        days = range((since - reach - EPOCH).days, (until - reach - EPOCH).days + 1)
        for account in self.world.accounts.values():
            ids = {
                make_story(self.world.seed, account, day, place).id
                for day in days
                for place in range(account.stories_per_day)
            }
            ids |= {one.id for one in self.world.placed.values() if one.account_id == account.id}
            for story in filter(None, map(self.world.media, ids)):
                if story.media_product_type == "STORY" and since < story.timestamp + reach <= until:
                    yield story

    def _value(self, story: Media) -> dict[str, Any]:
        counts = {name: value_at_age(self.world, story, name, STORY_LIFE) for name in self.names}
        if self.few_as is not None:
            # META-36
            counts = {name: self.few_as if count < 5 else count for name, count in counts.items()}
        return {"media_id": story.id, **counts}


def sign(body: bytes, app_secret: str) -> str:
    """Return Meta's signature under a body."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def _body(changes: Sequence[tuple[str, dict[str, Any]]], sent_at: datetime) -> bytes:
    entries = [
        {
            "id": account_id,
            "time": int(sent_at.timestamp()),
            "changes": [{"field": "story_insights", "value": value} for _, value in group],
        }
        for account_id, group in groupby(changes, key=lambda change: change[0])
    ]
    return json.dumps({"object": "instagram", "entry": entries}).encode()


def _post_over_http(url: str, body: bytes, headers: dict[str, str]) -> int | None:
    import requests

    try:
        return requests.post(url, data=body, headers=headers, timeout=20).status_code
    except requests.RequestException:
        return None
