"""A story's 24 hours: when they end, which poll reads its last numbers, and whose polls count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_iginsights.extract.provenance import FetchTime, Provenance
from airflow_provider_iginsights.stories.life import Finality, LiveStory, Poll, PollLog

EXPIRY = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def began(at: datetime) -> FetchTime:
    """Return how rows of a poll at this instant are dated."""
    return Provenance(run_id="run", clock=lambda: at).read_now()


def test_a_story_expires_a_day_after_its_publication() -> None:
    """Meta says when it was published; 24 hours later it is gone (META-34)."""
    story = LiveStory.of({"id": "7", "timestamp": "2026-11-20T10:30:00+0000"})
    assert story == LiveStory("7", datetime(2026, 11, 20, 10, 30, tzinfo=UTC), EXPIRY)


@pytest.mark.parametrize("media", [{"id": "7"}, {"id": "7", "timestamp": None}, {"id": "7", "timestamp": "soon"}])
def test_without_a_publication_there_is_no_expiry(media: dict[str, object]) -> None:
    """What Meta does not say, or says unreadably, is unknown."""
    assert LiveStory.of(media) == LiveStory("7", None, None)


@pytest.mark.parametrize(
    ("finality", "before", "is_final"),
    [
        (Finality(), HOUR + SECOND, False),
        (Finality(), HOUR, True),
        (Finality(), SECOND, True),
        (Finality(at_once=10 * MINUTE), HOUR, False),
        (Finality(at_once=10 * MINUTE), 10 * MINUTE, True),
    ],
)
def test_the_last_hour_is_final(finality: Finality, before: timedelta, is_final: bool) -> None:
    """A poll in the last hour of a story, or in as much as was chosen, reads what counts as its last numbers."""
    story = LiveStory("7", EXPIRY - 24 * HOUR, EXPIRY)
    assert finality.ends(story, Poll("1", began(EXPIRY - before))) is is_final


def test_nothing_is_final_of_a_story_whose_expiry_nobody_knows() -> None:
    """A mark would stay for ever, since nothing could prove it wrong."""
    assert not Finality().ends(LiveStory("7", None, None), Poll("1", began(EXPIRY)))


def test_an_hourly_poll_may_be_ten_minutes_late() -> None:
    """A snapshot of 70 minutes before the expiry can still become the final one."""
    assert Finality().at_most == 70 * MINUTE


def test_only_accounts_that_were_read_to_the_end_count() -> None:
    """The log has every poll that began; it returns those of the accounts named, in their order, as they are."""
    log = PollLog()
    first, second = (log.open(account_id, began(EXPIRY)) for account_id in ("1", "2"))
    log.open("3", began(EXPIRY))
    assert log.of(["2", "1", "4"]) == [second, first]
    assert (first.account_id, first.at, first.stories, first.is_whole) == ("1", EXPIRY, {}, False)
