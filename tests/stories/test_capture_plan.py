"""Daily runs that wait hand over to each other: whenever stories are published, each is read shortly before its end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.errors import PermissionMissing, ServerTrouble, Throttled
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.stories.capture_plan import CapturePlan
from airflow_provider_iginsights.stories.life import LiveStory, Poll

START = datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEAD, FOR = 10 * MINUTE, 25 * HOUR


def look(at: datetime, stories: list[LiveStory], account_id: str = "1") -> Poll:
    """Return what a poll at this instant sees."""
    poll = Poll(account_id, Provenance(run_id="run", clock=lambda: at).read_now())
    poll.stories = {story.media_id: story for story in stories if story.published_at <= at < story.expires_at}
    return poll


def story(published_at: datetime) -> LiveStory:
    """Return a story published at this instant."""
    return LiveStory(published_at.isoformat(), published_at, published_at + DAY)


def run(scheduled: datetime, begins: datetime, stories: list[LiveStory], slow: timedelta) -> list[Poll]:
    """Return the looks of one run; each wait ends late by ``slow``, and the plan has been text in between."""
    plan, now, looks = CapturePlan(ends=scheduled + FOR, lead=LEAD), begins, []
    plan.start(["1"], now=now)
    while plan.next_capture_at:
        now = max(now, plan.next_capture_at + slow)
        for account_id in plan.find_due(now):
            looks.append(look(now, stories, account_id))
            plan.plan_after_poll(looks[-1])
        plan = CapturePlan.unpack(json.loads(json.dumps(plan.pack())), lead=LEAD)
    return looks


@pytest.mark.parametrize("one_at_a_time", [False, True], ids=["overlapping", "max_active_runs=1"])
@given(
    published=st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=25, unique=True),
    delays=st.lists(st.integers(0, 50), min_size=4, max_size=4),
    slow=st.integers(0, 8),
)
def test_daily_runs_leave_no_story_out(one_at_a_time: bool, published: list[int], delays: list[int], slow: int) -> None:
    """Runs that begin up to 50 minutes late read every story in the last twenty minutes of its life, and end."""
    stories = [story(START + at * MINUTE) for at in published]
    looks: list[datetime] = []
    ended = START
    for day, delay in enumerate(delays):
        scheduled = START + day * DAY
        begins = max(scheduled + delay * MINUTE, ended if one_at_a_time else scheduled)
        own = run(scheduled, begins, stories, slow * MINUTE)
        ended = own[-1].at
        assert ended <= max(begins, scheduled + FOR)
        assert len(own) <= 3 + len(stories)
        looks += [poll.at for poll in own]
    for each in stories:
        assert any(each.expires_at - 2 * LEAD <= at < each.expires_at for at in looks)


def test_an_account_without_stories_is_looked_at_again_after_half_a_life() -> None:
    """What is published after the start may expire before the end: one look at noon finds it, then the run is over."""
    plan = CapturePlan(ends=START + FOR, lead=LEAD)
    plan.plan_after_poll(look(START, []))
    assert plan.next_capture_at == START + 12 * HOUR
    plan.plan_after_poll(look(START + 12 * HOUR, []))
    assert plan.next_capture_at is None


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Throttled("limit", retry_after=3000), 50 * MINUTE),
        (Throttled("limit", retry_after=None), 5 * MINUTE),
        (ServerTrouble("trouble"), 5 * MINUTE),
        (Throttled("limit", retry_after=26 * 3600), None),
        (PermissionMissing("gone"), None),
    ],
    ids=["named wait", "no wait named", "an error", "beyond the end", "for good"],
)
def test_a_failed_look_is_repeated_as_long_as_it_helps(error: Exception, again: timedelta | None) -> None:
    """A limit is waited out as long as Meta names, an error is tried again soon; what is final is kept for the end."""
    plan = CapturePlan(ends=START + FOR, lead=LEAD)
    plan.start(["1"], now=START)
    plan.plan_after_failure("1", error, now=START)
    assert plan.next_capture_at == (again and START + again)
    plan = CapturePlan.unpack(json.loads(json.dumps(plan.pack())), lead=LEAD)
    assert {account_id: type(kept) for account_id, kept in plan.errors().items()} == {"1": type(error)}
    plan.plan_after_poll(look(START + HOUR, []))
    assert plan.errors() == {}
