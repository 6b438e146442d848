"""Stories: one row per live story, and a snapshot of its numbers per hour until it expires after 24 hours."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media import NO_NUMBER, media_rows, number_rows, read_with_fetch_time
from airflow_provider_iginsights.extract.media_answer import MediaAnswer
from airflow_provider_iginsights.extract.provenance import FetchTime, Provenance
from airflow_provider_iginsights.extract.rows import Row, TableRow
from airflow_provider_iginsights.extract.unanswered import IncompleteAccount
from airflow_provider_iginsights.pacific import format_instant
from airflow_provider_iginsights.stories.life import Finality, LiveStory, Poll, PollLog


def read_stories(
    listing: Listing, provenance: Provenance, *, poll_log: PollLog | None = None, finality: Finality | None = None
) -> Iterator[TableRow]:
    """Yield ``(table, row)`` of the tables ``media`` and ``story_insights`` for the live stories of one account.

    All rows of one poll carry the hour in which it began. A story with at most ``finality.at_once`` (an hour) left is
    ``is_final`` in all of them. ``poll_log`` gets the poll, also of an account without a live story.

    :raises InsightsError: see :meth:`Listing.read`.
    """
    finality = finality or Finality()
    poll_log = poll_log or PollLog()
    earlier = poll_log.of([listing.account_id]) if listing.unanswered is not None else []
    poll = earlier[0] if earlier else poll_log.open(listing.account_id, provenance.read_now())
    for media_answer, fetch_time in _read_to_the_end(listing, provenance, poll):
        media = media_answer.media
        story = poll.stories.get(media["id"]) or LiveStory.of(media)
        poll.stories[story.media_id] = story
        if media_answer.is_listed:
            yield from media_rows(listing, media_answer, provenance, fetch_time)
        common = _describe(story, poll, media_answer, provenance, fetch_time, is_final=finality.ends(story, poll))
        for row in number_rows(listing, media_answer, common):
            if row["is_final"]:
                poll.finals[story.media_id] = poll.began.snapshot_at
            yield "story_insights", row


def describe_poll(poll: Poll, *, run_id: str) -> Row:
    """Return the row of the table ``story_polls``, without the columns that need the polls before it."""
    return {
        "account_id": poll.account_id,
        "snapshot_at": poll.began.snapshot_at,
        "snapshot_date": poll.began.snapshot_date,
        "live_stories": len(poll.stories),
        "fetched_at": poll.began.fetched_at,
        "run_id": run_id,
    }


def _read_to_the_end(listing: Listing, provenance: Provenance, poll: Poll) -> Iterator[tuple[MediaAnswer, FetchTime]]:
    """Yield what the listing brings; the poll is whole if it was read to its end."""
    try:
        yield from read_with_fetch_time(listing, provenance)
    except IncompleteAccount as incomplete:
        poll.is_whole = not any("after" in request.repeat for request in incomplete.unanswered)
        raise
    poll.is_whole = True


def _describe(
    story: LiveStory,
    poll: Poll,
    media_answer: MediaAnswer,
    provenance: Provenance,
    fetch_time: FetchTime,
    *,
    is_final: bool,
) -> Row:
    """Return what all numbers of one answer about a story share."""
    return {
        **NO_NUMBER,
        "media_id": story.media_id,
        "account_id": poll.account_id,
        "snapshot_at": poll.began.snapshot_at,
        "source": "poll",
        "published_at": story.published_at and format_instant(story.published_at),
        "expires_at": story.expires_at and format_instant(story.expires_at),
        "snapshot_date": poll.began.snapshot_date,
        "is_final": is_final,
        "api_version": media_answer.answer.api_version,
        "fetched_at": fetch_time.fetched_at,
        "run_id": provenance.run_id,
    }
