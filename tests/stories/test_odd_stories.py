"""Odd stories over the socket: negative counts, no replies, too few viewers, highlights; what a poll takes down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.plan import plan_story
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.sandbox.graph import Account, Media, World
from airflow_provider_iginsights.stories.life import PollLog
from airflow_provider_iginsights.stories.reader import read_stories
from tests.support.readers import Readers, open_readers

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HOUR, LIFE = timedelta(hours=1), timedelta(hours=24)
ACCOUNT = "17841400000000101"


@dataclass(slots=True)
class Stories:
    """A Graph API with one account; ``read`` polls its stories and keeps the poll in ``poll_log``."""

    readers: Readers
    poll_log: PollLog = field(default_factory=PollLog)

    def publish(self, age: timedelta, name: int = 1, **given: Any) -> Media:
        """Put a story of that age into the world."""
        story = Media(f"1800000000000000{name}", ACCOUNT, "IMAGE", "STORY", NOW - age, **given)
        self.readers.world.put(story)
        return story

    def read(self, *metrics: str) -> list[dict[str, Any]]:
        """Return the insights rows of one poll."""
        settings = self.readers.client.settings
        listing = Listing(
            client=self.readers.client,
            account_id=ACCOUNT,
            edge="stories",
            plan=plan_story(metrics or None, None, version=settings.api_version, login=settings.login),
            left_out_log=self.readers.left_out_log,
            refused_metrics=self.readers.refused_metrics,
        )
        provenance = Provenance(run_id="run", clock=self.readers.sandbox.now)
        return [
            row for table, row in read_stories(listing, provenance, poll_log=self.poll_log) if table == "story_insights"
        ]


@pytest.fixture
def stories() -> Iterator[Stories]:
    """Open a Graph API at NOW with one account that publishes nothing by itself."""
    world = World.build(now=NOW, accounts=0)
    world.put(Account(id=ACCOUNT, username="one", page_id="91"))
    with open_readers(world) as readers:
        yield Stories(readers)


@pytest.mark.parametrize("number", [-1, -7, 0])
def test_a_number_is_stored_as_meta_sent_it(stories: Stories, number: int) -> None:
    """Negative counts, which Meta has sent for stories, and 0 are numbers like any other."""
    story = stories.publish(HOUR)
    stories.readers.world.overrides[story.id, "shares"] = number
    assert [row["value"] for row in stories.read("shares")] == [number]


@pytest.mark.parametrize("region", ["europe", "japan"])
def test_no_replies_are_shown_in_europe_and_japan(stories: Stories, region: str) -> None:
    """There Meta answers replies with 0; it is stored as the answer that it is, beside the other numbers."""
    stories.readers.world.put(replace(stories.readers.world.accounts[ACCOUNT], **{region: True}))
    stories.publish(20 * HOUR)
    rows = {row["metric"]: row["value"] for row in stories.read("replies", "reach")}
    assert rows["replies"] == 0
    assert rows["reach"] > 0


def test_a_story_with_too_few_viewers_is_named_and_left_out(stories: Stories) -> None:
    """Code 10 "not enough viewers" costs one story its numbers, not the account; it counts as live all the same."""
    seen, unseen = stories.publish(HOUR, 1), stories.publish(HOUR, 2, viewers=4)
    assert {row["media_id"] for row in stories.read()} == {seen.id}
    assert [kind for _, kind in stories.readers.left_out] == ["TooFewViewers"]
    (poll,) = stories.poll_log.of([ACCOUNT])
    assert set(poll.stories) == {seen.id, unseen.id}


def test_a_highlight_is_read_while_it_lives_and_not_after(stories: Stories) -> None:
    """A highlighted story is a story until its 24 hours are over; then it is listed no more, and not asked for."""
    story = stories.publish(LIFE - timedelta(minutes=1), highlighted=True)
    (row,) = stories.read("reach")
    assert (row["media_id"], row["is_final"], row["expires_at"]) == (story.id, True, "2026-11-21T20:01:00Z")
    stories.readers.sandbox.clock.advance(timedelta(minutes=2))
    asked = len(stories.readers.sandbox.log)
    assert stories.read("reach") == []
    assert [received.path.rpartition("/")[2] for received in stories.readers.sandbox.log[asked:]] == ["stories"]


@pytest.mark.parametrize(
    ("left", "is_final"),
    [(timedelta(hours=1), True), (timedelta(hours=1, seconds=1), False), (timedelta(seconds=1), True)],
    ids=["an hour", "more", "a second"],
)
def test_the_last_hour_is_final(stories: Stories, left: timedelta, is_final: bool) -> None:
    """A snapshot with an hour or less to live is final, all its rows alike."""
    stories.publish(LIFE - left)
    assert {row["is_final"] for row in stories.read()} == {is_final}


def test_all_rows_of_a_poll_carry_the_hour_in_which_it_began(stories: Stories) -> None:
    """A poll that goes on beyond the full hour leaves one snapshot, not two halves; an empty one is taken down, too."""
    stories.publish(LIFE - 30 * timedelta(minutes=1))
    moments = iter([NOW - timedelta(seconds=2), *(NOW + timedelta(seconds=second) for second in range(20))])
    settings = stories.readers.client.settings
    listing = Listing(
        client=stories.readers.client,
        account_id=ACCOUNT,
        edge="stories",
        plan=plan_story(None, None, version=settings.api_version, login=settings.login),
        left_out_log=stories.readers.left_out_log,
        refused_metrics=stories.readers.refused_metrics,
    )
    provenance = Provenance(run_id="run", clock=lambda: next(moments))
    rows = [
        row for table, row in read_stories(listing, provenance, poll_log=stories.poll_log) if table == "story_insights"
    ]
    assert {row["snapshot_at"] for row in rows} == {"2026-11-21T19:00:00Z"}
    assert min(row["fetched_at"] for row in rows) >= "2026-11-21T20:00:00Z"
    stories.readers.world.deleted.add(rows[0]["media_id"])
    assert stories.read() == []
    (poll,) = stories.poll_log.of([ACCOUNT])
    assert poll.stories == {}
