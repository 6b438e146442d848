"""A story's last numbers are read and marked: by hourly polls, late or early, and by a run that waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights._compat import TaskDeferred
from airflow_provider_iginsights.errors import ConfigurationError, TokenExpired
from airflow_provider_iginsights.sandbox.graph import Account, ErrorEffect, GraphFault
from tests.support import truth
from tests.support.sandboxes import KEYS, Sandboxes, facts, open_sandboxes
from tests.support.transfers.story_runs import (
    DAY,
    HOUR,
    MINUTE,
    POLLS,
    START,
    TABLE,
    context,
    final_hours,
    follow,
    hour_of,
    make_operator,
    poll,
    publish,
    quiet_world,
)

ONE, TWO = "17841400000000101", "17841400000000102"
BOUND = HOUR + 10 * MINUTE
# Minutes after START at which the polls of an hourly schedule really ran: on time, one between, late, one not at all.
MOMENTS = (0.2, 60.3, 95, 121, 241, 300.2)


def expected_final(expires: datetime, polls: list[datetime], bound: timedelta = BOUND) -> set[datetime]:
    """Return the hour of the last poll before an expiry, if that was near enough."""
    last = max((at for at in polls if at < expires), default=None)
    return {hour_of(last)} if last and expires - last <= bound else set()


def test_exactly_one_snapshot_is_final_however_the_polls_come() -> None:
    """Of stories that expire every 13 minutes, the last snapshot within an hour of the end is final, and no other."""
    world = quiet_world(ONE, TWO)
    ends = {}
    for at in range(22):
        expires = START + timedelta(minutes=5 + 13 * at, seconds=7)
        ends[publish(world, (ONE, TWO)[at % 2], expires - DAY, at).id] = expires
    polls = [START + timedelta(minutes=minutes) for minutes in MOMENTS]
    with open_sandboxes(world) as sandboxes:
        for at in polls:
            poll(sandboxes, at)
        expected = {media_id: expected_final(expires, polls) for media_id, expires in ends.items()}
        assert final_hours(sandboxes) == {media_id: hours for media_id, hours in expected.items() if hours}
        assert {len(hours) for hours in expected.values()} == {0, 1}
        everything = sandboxes.rows(TABLE)
        keys = [tuple(row[name] for name in KEYS[TABLE]) for row in everything]
        assert len(keys) == len(set(keys))
        values = {
            (media.id, hour_of(at)): truth.media.total_of(world, media, "reach", at)
            for at in polls
            for account in (ONE, TWO)
            for media in world.stories_of(account, at)
        }
        assert {(row["media_id"], row["snapshot_at"]): row["value"] for row in everything} == values


def test_a_two_hour_schedule_says_so_and_has_its_finals() -> None:
    """With final_within=2 hours, polls every two hours leave one final snapshot of each story, and miss none."""
    world = quiet_world(ONE)
    ends = [START + timedelta(minutes=minutes) for minutes in (70, 115, 150, 230)]
    for at, expires in enumerate(ends):
        publish(world, ONE, expires - DAY, at)
    with open_sandboxes(world) as sandboxes:
        polls = [START + timedelta(hours=hours, seconds=9) for hours in (0, 2, 4)]
        summaries = [poll(sandboxes, at, final_within=2 * HOUR) for at in polls]
        assert [len(hours) for hours in final_hours(sandboxes).values()] == [1, 1, 1, 1]
        assert [summary["gaps"] for summary in summaries] == [{}, {}, {}]


def test_append_keeps_history_and_moves_no_mark() -> None:
    """With load_mode="append" nothing that was written is written again: the mark stays where each poll put it."""
    world = quiet_world(ONE)
    publish(world, ONE, START + 70 * MINUTE - DAY, 1)
    with open_sandboxes(world) as sandboxes:
        for minutes in (20, 65, 90):
            poll(sandboxes, START + minutes * MINUTE, load_mode="append")
        marks = [(row["snapshot_at"], row["is_final"]) for row in sandboxes.rows(TABLE)]
        assert marks == [(START, True), (START + HOUR, True)]


@pytest.fixture
def waiting_world() -> Any:
    """Return a world of two accounts: stories that live at the start, are published later, and outlive the run."""
    world = quiet_world(ONE, TWO)
    ours = [
        publish(world, ONE, START + 2 * HOUR - DAY, 1),
        publish(world, ONE, START + 2 * HOUR + 15 * MINUTE - DAY, 2),
        publish(world, TWO, START + 20 * HOUR - DAY, 3),
        publish(world, ONE, START + 40 * MINUTE, 4),
    ]
    next_runs = publish(world, TWO, START + 3 * HOUR, 5)
    return world, ours, next_runs


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "rescheduled"])
def test_one_daily_run_reads_each_story_shortly_before_it_dies(waiting_world: Any, deferrable: bool) -> None:
    """A run that waits takes the last numbers of all stories up to an hour after the next run's start, then ends."""
    world, ours, next_runs = waiting_world
    with open_sandboxes(world) as sandboxes:
        sandboxes.travel(timedelta(seconds=30))
        summary, moments = follow(sandboxes, run="daily", scheduled=START, deferrable=deferrable)
        finals = {row["media_id"]: row for row in sandboxes.rows(TABLE) if row["is_final"]}
        assert set(finals) == {story.id for story in ours}
        assert all(len(hours) == 1 for hours in final_hours(sandboxes).values())
        for row in finals.values():
            assert timedelta(0) < row["expires_at"] - row["fetched_at"] <= 20 * MINUTE
            media = world.media(row["media_id"])
            assert row["value"] == truth.media.total_of(world, media, "reach", row["fetched_at"])
        assert sandboxes.now < START + 25 * HOUR
        assert next_runs.id not in finals
        assert next_runs.id in {row["media_id"] for row in sandboxes.rows(TABLE)}
        assert sandboxes.staging() == []
        facts(TABLE, sandboxes.rows(TABLE))
        assert summary["gaps"] == {}
        assert len(moments) <= 6
        if deferrable:
            assert summary["captures"] == len(moments) + 1
            assert summary["accounts_done"] == [ONE, TWO]
            assert len(summary["bigquery_jobs"]) == len(set(summary["bigquery_jobs"])) >= 2 * summary["captures"]


def test_a_limit_in_between_does_not_lose_the_capture(waiting_world: Any) -> None:
    """An account that Meta refuses when its story is about to die is asked again, in time, and the others are read."""
    world, ours, _ = waiting_world
    with open_sandboxes(world) as sandboxes:
        ctx, _ = context(sandboxes, run="daily", scheduled=START)
        with pytest.raises(TaskDeferred) as first:
            make_operator(capture="before_expiry", deferrable=True).execute(ctx)
        assert first.value.trigger.moment == ours[0].timestamp + DAY - 10 * MINUTE
        sandboxes.travel(ours[0].timestamp + DAY - 10 * MINUTE - sandboxes.now)
        sandboxes.graph.usage.set(ONE, 100.0)
        with pytest.raises(TaskDeferred) as second:
            make_operator(capture="before_expiry", deferrable=True).resume(ctx, None, **first.value.kwargs)
        again = second.value.trigger.moment
        assert ours[0].timestamp + DAY - 5 * MINUTE <= again < ours[0].timestamp + DAY
        sandboxes.travel(again - sandboxes.now + timedelta(seconds=5))
        with pytest.raises(TaskDeferred) as third:
            make_operator(capture="before_expiry", deferrable=True).resume(ctx, None, **second.value.kwargs)
        assert ours[0].id in final_hours(sandboxes)
        assert third.value.kwargs["progress"]["plan"]["failed"] == {}


def test_a_retry_goes_on_where_the_dead_try_was(waiting_world: Any) -> None:
    """A worker that dies between two captures costs nothing: the second try starts anew, with the same finals."""
    world, ours, _ = waiting_world
    with open_sandboxes(world) as sandboxes:
        ctx, _ = context(sandboxes, run="daily", scheduled=START)
        with pytest.raises(TaskDeferred):
            make_operator(capture="before_expiry", capture_for=3 * HOUR, deferrable=True).execute(ctx)
        sandboxes.travel(70 * MINUTE)
        follow(sandboxes, run="daily", scheduled=START, capture_for=3 * HOUR)
        assert {key: len(hours) for key, hours in final_hours(sandboxes).items()} == {story.id: 1 for story in ours[:2]}


def test_a_run_of_the_past_does_not_wait() -> None:
    """A clear or a backfill of an old run reads what lives now and ends at once."""
    world = quiet_world(ONE)
    publish(world, ONE, START - HOUR, 1)
    with open_sandboxes(world) as sandboxes:
        ctx, _ = context(sandboxes, run="old", scheduled=START - 2 * DAY)
        summary = make_operator(capture="before_expiry", deferrable=True).execute(ctx)
        assert summary["rows"] == 2
        assert len(sandboxes.rows(POLLS)) == 1


def test_one_account_that_fails_for_good_does_not_stop_the_captures(waiting_world: Any) -> None:
    """An account whose permission is gone is named at the end; the stories of the other are captured until then."""
    world, ours, _ = waiting_world
    world.put(Account(id="17841400000000103", username="gone", page_id="91"))
    with open_sandboxes(world) as sandboxes:
        denied = ErrorEffect(10, message="(#10) Application does not have permission for this action")
        sandboxes.graph.faults.add(GraphFault(effect=denied, path="17841400000000103", times=None))
        with pytest.raises(Exception, match="17841400000000103"):
            follow(sandboxes, run="daily", scheduled=START, capture_for=3 * HOUR)
        assert set(final_hours(sandboxes)) == {story.id for story in ours[:2]}


def test_a_dead_token_fails_at_once(waiting_world: Any) -> None:
    """Where nothing can be read there is nothing to wait for."""
    world, _, _ = waiting_world
    with open_sandboxes(world) as sandboxes:
        sandboxes.connect(password="EAAGexpired")
        ctx, _ = context(sandboxes, run="daily", scheduled=START)
        with pytest.raises(TokenExpired):
            make_operator(capture="before_expiry", deferrable=True, account_ids=[ONE]).execute(ctx)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"capture": "later"}, "capture"),
        ({"capture": "before_expiry", "capture_lead": timedelta(seconds=5)}, "capture_lead"),
        ({"capture": "before_expiry", "capture_lead": 10}, "capture_lead"),
        ({"capture": "before_expiry", "capture_for": timedelta(0)}, "capture_for"),
        ({"final_within": timedelta(0)}, "final_within"),
    ],
    ids=["capture", "short", "number", "for", "within"],
)
def test_arguments_that_cannot_be_are_refused_before_any_call(
    small_sandboxes: Sandboxes, arguments: dict[str, Any], named: str
) -> None:
    """A wrong argument fails for good, by name, and Meta is not asked."""
    ctx, _ = context(small_sandboxes, run="daily", scheduled=small_sandboxes.now)
    with pytest.raises(ConfigurationError, match=named):
        make_operator(**arguments).execute(ctx)
    assert not small_sandboxes.graph.log
