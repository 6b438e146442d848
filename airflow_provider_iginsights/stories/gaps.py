"""What polls missed: by when the previous one was, which stories live now, and what is stored of those that expired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from airflow_provider_iginsights.pacific import format_instant
from airflow_provider_iginsights.stories.life import LIFETIME, Finality, LiveStory, Poll
from airflow_provider_iginsights.stories.summary import NAMED

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStory:
    """What the table holds of one story: when it was last polled, the hour (UTC) of that and of its final snapshots.

    ``first_final`` and ``last_final`` differ where two snapshots are marked; ``by_webhook``: Meta sent its numbers.
    """

    media_id: str
    account_id: str
    expires_at: datetime
    read_at: datetime | None
    hour: datetime | None
    first_final: datetime | None = None
    last_final: datetime | None = None
    by_webhook: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What one poll found missing. Nothing is missing where all three are empty.

    ``since``: the previous poll, where that was more than 24 hours before (or None): stories that were published after
    it and more than 24 hours before ``until`` were never seen. ``seen_late``: stories of which no poll saw the first
    half of their 24 hours. ``finals_missed``: stories whose last numbers before they expired were not read.
    """

    until: datetime
    since: datetime | None = None
    seen_late: tuple[LiveStory, ...] = ()
    finals_missed: tuple[KnownStory, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.since or self.seen_late or self.finals_missed)

    def describe(self) -> dict[str, Any]:
        """Return the gap as JSON-able values; of many stories, twenty are named and all are counted."""
        return {
            "pauses": [describe_pause(self.since, self.until)] if self.since else [],
            "seen_late": len(self.seen_late),
            "finals_missed": len(self.finals_missed),
            "stories": [*_name_missed(self.finals_missed), *_name_late(self.seen_late)][:NAMED],
        }


def find_gap(poll: Poll, *, previous: datetime | None, known: Sequence[KnownStory], finality: Finality) -> Gap:
    """Return what was missed between the previous successful poll of the account and this one.

    The first poll of an account (``previous`` None) misses nothing: there was nothing to keep.

    :param known: stories of this account that the table holds.
    """
    if previous is None:
        return Gap(until=poll.at)
    # A story is listed for 24 hours (META-34): seen later than half of them, its first numbers are lost.
    late = (
        (story.published_at, story)
        for story in poll.stories.values()
        if story.published_at and story.published_at > previous and poll.at - story.published_at > LIFETIME / 2
    )
    missed = (
        story
        for story in known
        # A story that the last poll in its life did not show was taken down by its owner: that is no loss.
        if previous < story.expires_at - finality.at_most
        and story.expires_at <= poll.at
        and story.hour == previous.replace(minute=0, second=0, microsecond=0)
        and not story.by_webhook
    )
    return Gap(
        until=poll.at,
        # META-34: what was published and expired within a longer pause was in no listing.
        since=previous if poll.at - previous > LIFETIME else None,
        seen_late=tuple(story for _, story in sorted(late, key=itemgetter(0))),
        finals_missed=tuple(sorted(missed, key=lambda story: story.expires_at)),
    )


def describe_pause(since: datetime, until: datetime) -> dict[str, Any]:
    """Return the time in which no poll succeeded, and when the stories that nobody saw were published."""
    return {
        "since": format_instant(since),
        "until": format_instant(until),
        "hours": round((until - since) / _HOUR, 2),
        "unseen_published_after": format_instant(since),
        "unseen_published_before": format_instant(until - LIFETIME),
    }


def explain_gap(account_id: str, gap: Mapping[str, Any]) -> str:
    """Return a described gap in sentences, for the log."""
    said = [
        f"no poll succeeded for {pause['hours']} hours, from {pause['since']} to {pause['until']}: stories published "
        f"between {pause['unseen_published_after']} and {pause['unseen_published_before']} were never seen"
        for pause in gap["pauses"]
    ]
    if gap["seen_late"]:
        said.append(f"{gap['seen_late']} stories were first seen after half of their 24 hours")
    if gap["finals_missed"]:
        said.append(f"{gap['finals_missed']} stories expired before their last numbers were read")
    return f"Stories of account {account_id}: {'; '.join(said)}. Poll at least hourly, or use capture='before_expiry'."


def _name_late(stories: Sequence[LiveStory]) -> Iterator[dict[str, str]]:
    for story in stories:
        published_at = format_instant(story.published_at) if story.published_at else ""
        yield {"media_id": story.media_id, "what": "seen_late", "published_at": published_at}


def _name_missed(stories: Sequence[KnownStory]) -> Iterator[dict[str, str]]:
    for story in stories:
        read_at = format_instant(story.read_at) if story.read_at else ""
        expired_at = format_instant(story.expires_at)
        yield {"media_id": story.media_id, "what": "finals_missed", "expired_at": expired_at, "last_read_at": read_at}
