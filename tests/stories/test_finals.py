"""Whatever the times of the polls: one final snapshot per story, the last; and every loss is found once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.pacific import format_instant
from airflow_provider_iginsights.stories.finals import Correction, find_corrections
from airflow_provider_iginsights.stories.gaps import KnownStory, find_gap
from airflow_provider_iginsights.stories.life import Finality, LiveStory, Poll

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
MINUTE, LIFE = timedelta(minutes=1), timedelta(hours=24)
BOUND = 70 * MINUTE
FINALITY = Finality()


@dataclass(slots=True)
class StoredStories:
    """What a table would hold: per story and hour, when it was read and whether it is marked."""

    snapshots: dict[str, dict[datetime, tuple[datetime, bool]]] = field(default_factory=dict)
    previous: datetime | None = None
    lost: set[str] = field(default_factory=set)
    missed: list[str] = field(default_factory=list)

    def poll(self, at: datetime, stories: list[LiveStory]) -> None:
        """Poll at an instant, with the package's own judgement."""
        poll = Poll("1", Provenance(run_id="run", clock=lambda: at).read_now())
        hour = at.replace(minute=0, second=0)
        for story in stories:
            if story.published_at <= at < story.expires_at:
                poll.stories[story.media_id] = story
                if FINALITY.ends(story, poll):
                    poll.finals[story.media_id] = format_instant(hour)
        known = [self._know(story) for story in stories if story.media_id in self.snapshots]
        corrections = list(find_corrections([poll], {"1": known}, finality=FINALITY))
        gap = find_gap(poll, previous=self.previous, known=known, finality=FINALITY)
        self.missed += [story.media_id for story in gap.finals_missed]
        if gap.since:
            self.lost |= {s.media_id for s in stories if gap.since < s.published_at < gap.until - LIFE}
        for media_id in poll.stories:
            self.snapshots.setdefault(media_id, {})[hour] = (at, media_id in poll.finals)
        for each in corrections:
            read_at, _ = self.snapshots[each.media_id][each.hour]
            self.snapshots[each.media_id][each.hour] = (read_at, each.is_final)
        self.previous = at

    def _know(self, story: LiveStory) -> KnownStory:
        held = self.snapshots[story.media_id]
        marked = [hour for hour, (_, is_final) in held.items() if is_final]
        return KnownStory(
            media_id=story.media_id,
            account_id="1",
            expires_at=story.expires_at,
            read_at=max(read_at for read_at, _ in held.values()),
            hour=max(held),
            first_final=min(marked, default=None),
            last_final=max(marked, default=None),
        )


@given(
    polls=st.lists(st.integers(1, 5000), min_size=2, max_size=60, unique=True).map(sorted),
    published=st.lists(st.integers(2, 3400), min_size=1, max_size=8, unique=True),
)
def test_one_final_snapshot_each_and_every_loss_found_once(polls: list[int], published: list[int]) -> None:
    """Any times: the last poll within 70 minutes of the end is final, alone; else the loss is told, once."""
    stories = [
        LiveStory(
            str(at), START + at * MINUTE + timedelta(seconds=30), START + at * MINUTE + timedelta(seconds=30) + LIFE
        )
        for at in published
    ]
    stored, moments = StoredStories(), [START + at * MINUTE for at in (0, *polls, 5001)]
    for at in moments:
        stored.poll(at, stories)
    for story in stories:
        seen = [at for at in moments if story.published_at <= at < story.expires_at]
        held = stored.snapshots.get(story.media_id, {})
        marked = [hour for hour, (_, is_final) in held.items() if is_final]
        if seen and story.expires_at - seen[-1] <= BOUND:
            assert marked == [seen[-1].replace(minute=0)]
            assert held[marked[0]][0] == seen[-1]
            assert story.media_id not in stored.missed
        else:
            assert marked == []
            assert stored.missed.count(story.media_id) == bool(seen)
            assert (story.media_id in stored.lost) == (not seen)


EXPIRY = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
EIGHT, NINE, TEN = (EXPIRY.replace(hour=hour, minute=0) for hour in (8, 9, 10))


def stored(
    read: timedelta | None, hour: datetime | None, first: datetime | None = None, last: datetime | None = None
) -> KnownStory:
    """Return a story that was read so long before its expiry, last in this hour, with these hours marked."""
    return KnownStory(
        media_id="7",
        account_id="1",
        expires_at=EXPIRY,
        read_at=None if read is None else EXPIRY - read,
        hour=hour,
        first_final=first,
        last_final=last,
    )


@pytest.mark.parametrize(
    ("story", "at", "corrected"),
    [
        (stored(BOUND, NINE), EXPIRY, {NINE: True}),
        (stored(BOUND, NINE), EXPIRY - timedelta(seconds=1), {}),  # it lives, and a later poll may read it
        (stored(BOUND + timedelta(seconds=1), NINE), EXPIRY, {}),  # too long before the end
        (stored(BOUND, NINE, NINE, NINE), EXPIRY, {}),
        (stored(BOUND, NINE, EIGHT, EIGHT), EXPIRY, {NINE: True, EIGHT: False}),
        (stored(BOUND, TEN, EIGHT, NINE), EXPIRY, {TEN: True, EIGHT: False, NINE: False}),
        (stored(BOUND, NINE, EIGHT, NINE), EXPIRY, {EIGHT: False}),
        (stored(3 * BOUND, NINE, EIGHT, EIGHT), EXPIRY, {}),
        (stored(3 * BOUND, TEN, EIGHT, NINE), EXPIRY, {EIGHT: False}),
        (stored(None, NINE), EXPIRY, {}),  # never polled: only Meta's message is there
        (stored(BOUND, None), EXPIRY, {}),
        (stored(None, None, EIGHT, NINE), EXPIRY, {}),
    ],
)
def test_after_the_expiry_one_snapshot_is_final(
    story: KnownStory, at: datetime, corrected: dict[datetime, bool]
) -> None:
    """The last, if it is young enough, and no other; what is right already is not touched."""
    assert _correct(story, Poll("1", Provenance(run_id="run", clock=lambda: at).read_now())) == corrected


@pytest.mark.parametrize(
    ("story", "corrected"),
    [
        (stored(2 * BOUND, EIGHT), {}),
        (stored(2 * BOUND, EIGHT, EIGHT, EIGHT), {EIGHT: False}),
        (stored(BOUND, NINE, EIGHT, NINE), {EIGHT: False, NINE: False}),
        (stored(timedelta(minutes=20), TEN, TEN, TEN), {}),
        (stored(timedelta(minutes=20), TEN, NINE, TEN), {NINE: False}),
    ],
)
def test_a_poll_with_the_final_numbers_takes_the_mark_from_earlier_ones(
    story: KnownStory, corrected: dict[datetime, bool]
) -> None:
    """Its own snapshot is marked as it is written; whatever was marked in another hour no longer is."""
    poll = Poll("1", Provenance(run_id="run", clock=lambda: EXPIRY - timedelta(minutes=10)).read_now())
    poll.finals["7"] = format_instant(TEN)
    assert _correct(story, poll) == corrected


def _correct(story: KnownStory, poll: Poll) -> dict[datetime, bool]:
    """Return the hours to correct, after having seen that all of them are of this story."""
    found = list(find_corrections([poll], {"1": [story]}, finality=FINALITY))
    assert found == [Correction("1", "7", each.hour, each.is_final) for each in found]
    assert len({each.hour for each in found}) == len(found)
    return {each.hour: each.is_final for each in found}
