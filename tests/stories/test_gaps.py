"""What polls missed, worked out by hand: pauses, stories seen late, and last numbers that nobody read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.stories.gaps import Gap, KnownStory, explain_gap, find_gap
from airflow_provider_iginsights.stories.life import Finality, LiveStory, Poll

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FINALITY = Finality()  # the last hour, 70 minutes at most


def poll(*stories: LiveStory) -> Poll:
    """Return a poll of now that listed these stories."""
    made = Poll("1", Provenance(run_id="run", clock=lambda: NOW).read_now())
    made.stories = {story.media_id: story for story in stories}
    return made


def live(media_id: str, age: timedelta | None) -> LiveStory:
    """Return a story that was published so long ago."""
    published = None if age is None else NOW - age
    return LiveStory(media_id, published, published and published + 24 * HOUR)


def known(media_id: str, *, expired: timedelta, read: timedelta, by_webhook: bool = False) -> KnownStory:
    """Return a stored story that expired, and was read last, so long ago."""
    read_at = NOW - read
    hour = read_at.replace(minute=0, second=0)
    return KnownStory(
        media_id=media_id,
        account_id="1",
        expires_at=NOW - expired,
        read_at=read_at,
        hour=hour,
        by_webhook=by_webhook,
    )


def test_a_first_poll_misses_nothing() -> None:
    """There was nothing to keep before it."""
    stored = [known("a", expired=HOUR, read=5 * HOUR)]
    gap = find_gap(poll(live("b", 20 * HOUR)), previous=None, known=stored, finality=FINALITY)
    assert gap == Gap(until=NOW)
    assert not gap


@pytest.mark.parametrize(("pause", "is_told"), [(24 * HOUR, False), (24 * HOUR + SECOND, True)])
def test_a_pause_of_more_than_a_day_hides_stories(pause: timedelta, is_told: bool) -> None:
    """What is published and expires within it was in no listing (META-34)."""
    gap = find_gap(poll(), previous=NOW - pause, known=[], finality=FINALITY)
    assert gap.since == (NOW - pause if is_told else None)
    assert bool(gap) is is_told


@pytest.mark.parametrize(
    ("age", "previous", "is_late"),
    [
        (12 * HOUR, 20 * HOUR, False),
        (12 * HOUR + SECOND, 20 * HOUR, True),
        (20 * HOUR, 20 * HOUR, False),  # the poll before listed it
        (21 * HOUR, 20 * HOUR, False),
        (20 * HOUR - SECOND, 20 * HOUR, True),
        (HOUR, 20 * HOUR, False),
        (None, 20 * HOUR, False),
    ],
)
def test_a_story_that_no_poll_saw_in_its_first_half(age: timedelta | None, previous: timedelta, is_late: bool) -> None:
    """Published after the previous poll, and listed for the first time when more than 12 hours were over."""
    story = live("a", age)
    gap = find_gap(poll(story), previous=NOW - previous, known=[], finality=FINALITY)
    assert gap.seen_late == ((story,) if is_late else ())
    assert bool(gap) is is_late


@pytest.mark.parametrize(
    ("expired", "read", "previous", "by_webhook", "is_missed"),
    [
        (HOUR, 3 * HOUR, 3 * HOUR, False, True),
        (timedelta(0), 3 * HOUR, 3 * HOUR, False, True),
        (-SECOND, 3 * HOUR, 3 * HOUR, False, False),  # it lives
        (HOUR, HOUR + 70 * MINUTE, HOUR + 70 * MINUTE, False, False),  # read late enough
        (HOUR, HOUR + 70 * MINUTE + SECOND, HOUR + 70 * MINUTE + SECOND, False, True),
        (HOUR, 5 * HOUR, 3 * HOUR, False, False),  # the last poll in its life did not show it: taken down
        (HOUR, 3 * HOUR, 3 * HOUR, True, False),  # Meta sent its last numbers
    ],
)
def test_a_story_whose_last_numbers_nobody_read(
    expired: timedelta, read: timedelta, previous: timedelta, by_webhook: bool, is_missed: bool
) -> None:
    """It was there in the poll before, more than 70 minutes ere it expired, and has expired since."""
    story = known("a", expired=expired, read=read, by_webhook=by_webhook)
    gap = find_gap(poll(), previous=NOW - previous, known=[story], finality=FINALITY)
    assert gap.finals_missed == ((story,) if is_missed else ())
    assert bool(gap) is is_missed


def test_a_gap_is_described_and_explained() -> None:
    """The oldest first; stories are named, pauses have their hours, and the log has whole sentences."""
    late = live("late", 20 * HOUR), live("later", 14 * HOUR)
    lost = known("lost", expired=3 * HOUR, read=30 * HOUR), known("sooner", expired=5 * HOUR, read=30 * HOUR)
    gap = find_gap(poll(*reversed(late)), previous=NOW - 30 * HOUR, known=lost, finality=FINALITY)
    described = gap.describe()
    assert described == {
        "pauses": [
            {
                "since": "2026-11-19T06:00:00Z",
                "until": "2026-11-20T12:00:00Z",
                "hours": 30.0,
                "unseen_published_after": "2026-11-19T06:00:00Z",
                "unseen_published_before": "2026-11-19T12:00:00Z",
            }
        ],
        "seen_late": 2,
        "finals_missed": 2,
        "stories": [
            {
                "media_id": "sooner",
                "what": "finals_missed",
                "expired_at": "2026-11-20T07:00:00Z",
                "last_read_at": "2026-11-19T06:00:00Z",
            },
            {
                "media_id": "lost",
                "what": "finals_missed",
                "expired_at": "2026-11-20T09:00:00Z",
                "last_read_at": "2026-11-19T06:00:00Z",
            },
            {"media_id": "late", "what": "seen_late", "published_at": "2026-11-19T16:00:00Z"},
            {"media_id": "later", "what": "seen_late", "published_at": "2026-11-19T22:00:00Z"},
        ],
    }
    assert explain_gap("1", described) == (
        "Stories of account 1: no poll succeeded for 30.0 hours, from 2026-11-19T06:00:00Z to 2026-11-20T12:00:00Z: "
        "stories published between 2026-11-19T06:00:00Z and 2026-11-19T12:00:00Z were never seen; 2 stories were first "
        "seen after half of their 24 hours; 2 stories expired before their last numbers were read. Poll at least "
        "hourly, or use capture='before_expiry'."
    )


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"seen_late": 3}, "Stories of account 1: 3 stories were first seen after half of their 24 hours. Poll"),
        ({"finals_missed": 4}, "Stories of account 1: 4 stories expired before their last numbers were read. Poll"),
    ],
)
def test_only_what_was_missed_is_explained(part: dict[str, int], words: str) -> None:
    """A part that is empty is no sentence."""
    assert explain_gap("1", Gap(until=NOW).describe() | part).startswith(words)


def test_of_many_stories_twenty_are_named_and_all_are_counted() -> None:
    """A summary stays small."""
    late = tuple(live(str(number), 20 * HOUR) for number in range(30))
    described = Gap(until=NOW, seen_late=late).describe()
    assert (described["pauses"], described["seen_late"], len(described["stories"])) == ([], 30, 20)
