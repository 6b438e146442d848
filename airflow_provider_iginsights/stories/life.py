"""What is known of a story's 24 hours: when it expires, what one poll saw, and which snapshot counts as final."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.json_values import read_instant

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.provenance import FetchTime

LIFETIME = timedelta(hours=24)  # META-34
HOURLY = timedelta(hours=1)
LATENESS = timedelta(minutes=10)  # how late a scheduled poll may come without being a missed one


@dataclass(frozen=True, slots=True)
class LiveStory:
    """A story that a listing showed. ``expires_at`` (UTC) is 24 hours after publication; None = not known."""

    media_id: str
    published_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, media: Mapping[str, Any]) -> LiveStory:
        """Return the story behind an IG Media of the ``stories`` edge."""
        published = read_instant(media.get("timestamp"))
        return cls(media["id"], published, published and published + LIFETIME)


@dataclass(slots=True)
class Poll:
    """One reading of an account's stories. ``began``: before the listing was asked for.

    ``finals``: hours (UTC, as in ``snapshot_at``) of the snapshots that were marked final, by media id. ``is_whole``:
    the listing was read to its end; of others nobody knows how many stories were live.
    """

    account_id: str
    began: FetchTime
    stories: dict[str, LiveStory] = field(default_factory=dict)
    finals: dict[str, str] = field(default_factory=dict)
    is_whole: bool = False

    @property
    def at(self) -> datetime:
        """Return when the poll began (UTC)."""
        return datetime.fromisoformat(self.began.fetched_at)


@dataclass(frozen=True, slots=True)
class Finality:
    """When a snapshot is the final one.

    ``at_once``: read no longer than this before the expiry, a snapshot is marked when it is taken. ``at_most``: the
    last snapshot of an expired story is marked afterwards if it was read no longer than this before the expiry.
    """

    at_once: timedelta = HOURLY
    at_most: timedelta = HOURLY + LATENESS

    def ends(self, story: LiveStory, poll: Poll) -> bool:
        """Return whether the poll's numbers are the story's last, as far as can be said while it lives.

        Of a story whose expiry nobody knows, no numbers are.
        """
        return story.expires_at is not None and poll.at >= story.expires_at - self.at_once


class PollLog:
    """The polls of one pass over the accounts, by account; several threads write."""

    def __init__(self) -> None:
        self._polls: dict[str, Poll] = {}
        self._lock = threading.Lock()

    def open(self, account_id: str, began: FetchTime) -> Poll:
        """Return the account's new poll."""
        poll = Poll(account_id, began)
        with self._lock:
            self._polls[account_id] = poll
        return poll

    def of(self, account_ids: Iterable[str]) -> list[Poll]:
        """Return the polls of the accounts that were read to the end."""
        return [self._polls[account_id] for account_id in account_ids if account_id in self._polls]
