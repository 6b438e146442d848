"""The world behind the local Graph API and its numbers: the same for the same seed, and cheap however large."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import requests
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.sandbox.graph import Clock, GraphError, GraphSandbox, World, numbers
from airflow_provider_iginsights.sandbox.graph.fields import RequestedField, read_fields

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)


def test_a_world_is_a_function_of_its_seed() -> None:
    """Two worlds of one seed are equal in accounts, posts and stories; another seed gives other ones."""
    one, same, other = World.build(now=NOW), World.build(now=NOW), World.build(now=NOW, seed=8)
    account_id = next(iter(one.accounts))
    assert one.accounts == same.accounts != other.accounts
    assert one.media_of(account_id, NOW) == same.media_of(account_id, NOW)
    assert one.stories_of(account_id, NOW) == same.stories_of(account_id, NOW)
    assert one.media_of(account_id, NOW) != other.media_of(account_id, NOW)


def test_a_large_world_finds_any_post_by_its_id() -> None:
    """A thousand accounts with a hundred posts each: ids are unique, and each leads back to its own object."""
    world = World.build(accounts=1000, media_per_account=100, now=NOW)
    last = list(world.accounts)[-1]
    posts, stories = world.media_of(last, NOW), world.stories_of(last, NOW)
    assert (len(world.accounts), len(posts), len(stories)) == (1000, 100, 3)
    assert [world.media(media.id) for media in (*posts, *stories)] == [*posts, *stories]
    assert {media.account_id for media in posts} == {last}
    assert len({account.page_id for account in world.accounts.values()} | set(world.pages)) == 1001


@pytest.mark.parametrize("media_id", ["1", "17800000010000030", "17899999990000000", "17900000010251607", "x" * 17])
def test_ids_of_nothing_lead_nowhere(media_id) -> None:
    """An id that no account, post or story has is None."""
    assert World.build(now=NOW).media(media_id) is None


def test_an_account_has_two_ids() -> None:
    """Instagram Login names it by the app-scoped one; an id that only looks like one leads nowhere."""
    world = World.build(now=NOW)
    account = next(iter(world.accounts.values()))
    assert world.account(account.id) is world.account(account.app_scoped_id) is account
    assert world.account("25841499999999999") is None


def test_what_is_put_replaces_what_is_generated() -> None:
    """A changed post stands in the place of the generated one, a deleted one is gone."""
    world = World.build(now=NOW)
    account_id = next(iter(world.accounts))
    first, second = world.media_of(account_id, NOW)[:2]
    world.put(replace(first, caption="changed"))
    world.deleted.add(second.id)
    posts = world.media_of(account_id, NOW)
    assert (posts[0].caption, len(posts)) == ("changed", 29)
    assert world.media(second.id) is None


@given(st.integers(0, 2**31), st.integers(0, 10**6), st.sampled_from(["age", "country", "follow_type", "action_type"]))
def test_split_adds_up(seed, total, dimension) -> None:
    """The parts of a total add up to it and none is negative."""
    parts = numbers.split(seed, total, [dimension], "object", "metric")
    assert sum(parts.values()) == total
    assert min(parts.values()) >= 0


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30))
def test_reach_of_days_lies_between_the_best_day_and_the_sum(days) -> None:
    """Unique people over days: one day is itself, more are less than their sum."""
    assert max(days) <= numbers.reach_of_days(days) <= sum(days)
    assert numbers.reach_of_days(days[:1]) == days[0]


@given(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.integers(0, 200), st.integers(0, 10**6))
def test_a_days_value_never_shrinks(day, hours, value) -> None:
    """A later read sees at least as much, and never more than the complete value, in days of 23 and 25 hours, too."""
    at = numbers.midnight(day) + timedelta(hours=hours)
    seen = numbers.seen_of_day(value, day, at)
    assert seen <= numbers.seen_of_day(value, day, at + timedelta(hours=1)) <= value


def test_numbers_differ_between_objects_metrics_and_days() -> None:
    """Neighbouring days, metrics and accounts do not share their numbers."""
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(300)]
    rows = [
        [numbers.account_day(7, account, metric, day) for day in days]
        for account in "ab"
        for metric in ("reach", "views")
    ]
    assert all(len(set(row)) > 200 for row in rows)
    assert len({tuple(row) for row in rows}) == 4


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("id", (RequestedField("id"),)),
        ("id, caption", (RequestedField("id"), RequestedField("caption"))),
        ("insights.metric(a,b).period(day)", (RequestedField("insights", (("metric", "a,b"), ("period", "day"))),)),
        (
            "media.limit(5){id,owner{id}},x",
            (RequestedField("media", (("limit", "5"),), "id,owner{id}"), RequestedField("x")),
        ),
    ],
)
def test_fields_are_read(text, fields) -> None:
    """Names, modifiers and subfields of a fields parameter."""
    assert read_fields(text) == fields


@pytest.mark.parametrize("text", [",id", "id,,x", "insights.metric", "insights.metric(a", "media{id", "a b", "id}x"])
def test_broken_fields_are_syntax_errors(text) -> None:
    """A fields parameter that cannot be read is refused with code 2500."""
    with pytest.raises(GraphError) as caught:
        read_fields(text)
    assert caught.value.kind.code == 2500


def test_the_clock_stands_moves_and_follows() -> None:
    """A clock stands at its instant and moves on command, or follows the real time; a naive instant is refused."""
    clock = Clock(NOW)
    clock.advance(timedelta(hours=1))
    assert clock.now() == NOW + timedelta(hours=1)
    clock.set(datetime.fromisoformat("2026-01-01T00:00:00-08:00"))
    assert clock.now() == datetime(2026, 1, 1, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001
    with time_machine.travel(NOW, tick=False):
        assert Clock().now() == NOW


def test_latency_does_not_hold_up_other_requests() -> None:
    """Slow answers are waited for side by side, which the statistics of requests under way show."""
    world = World.build(now=NOW)
    barrier = threading.Barrier(4)
    with GraphSandbox(world, latency=0.1) as sandbox, ThreadPoolExecutor(4) as threads:

        def ask(_: int) -> bool:
            barrier.wait()
            headers = {"Authorization": f"Bearer {world.user_token}"}
            return requests.get(f"{sandbox.url}/me", headers=headers, timeout=5).ok

        assert all(threads.map(ask, range(4)))
        assert sandbox.in_flight_peak() == 4
        assert 1 < sandbox.in_flight_average() <= 4


def test_the_fixture_is_for_users_tests(request) -> None:
    """The package's own fixture serves a world at the real time, and stops."""
    request.config.pluginmanager.import_plugin("airflow_provider_iginsights.sandbox.fixtures")
    graph_sandbox = request.getfixturevalue("graph_sandbox")
    assert requests.get(f"{graph_sandbox.url}/v25.0/me", timeout=5).json()["error"]["code"] == 2500
    assert abs(graph_sandbox.now() - datetime.now(UTC)) < timedelta(minutes=1)
