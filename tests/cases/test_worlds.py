"""Whole transfers for many objects: passing errors, refused posts among good ones, small accounts, lost history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQueryError
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.testing import set_testing
from tests.support.sandboxes import KEYS, NOW, Row, Sandboxes, describe, open_sandboxes

Facts = dict[tuple[Any, ...], Row]


@pytest.fixture
def opened() -> Iterator[Callable[[World], Sandboxes]]:
    """Give what serves a world, where whoever sleeps moves the one clock."""
    contexts = []

    def begin(world: World) -> Sandboxes:
        contexts.append(open_sandboxes(world))
        sandboxes = contexts[-1].__enter__()

        def travel(seconds: float) -> None:
            sandboxes.travel(timedelta(seconds=seconds))

        contexts.append(set_testing(sleep=travel, clock=lambda: sandboxes.now.timestamp()))
        contexts[-1].__enter__()
        return sandboxes

    yield begin
    for context in reversed(contexts):
        context.__exit__(None, None, None)


def facts(sandboxes: Sandboxes, table_id: str, dataset: str = "instagram") -> Facts:
    """Return the rows of a dataset's table by key, without how and when they came to be."""
    try:
        rows = sandboxes.bigquery.rows(dataset, table_id)
    except BigQueryError:
        rows = []
    found = {}
    for row in rows:
        key = tuple(row[name] for name in KEYS[table_id])
        assert key not in found
        found[key] = describe(row)
    return found


def is_named(summary: Mapping[str, Any], whom: str) -> bool:
    """Say whether something of this object was left out by name."""
    return any(whom in str(entry["whom"]) for entry in summary["left_out"])


@cache
def clean_facts(kind: str, **sizes: int) -> dict[str, Facts]:
    """Return what a run without faults leaves in each table, for a world of these sizes; each world is run once."""
    with open_sandboxes(World.build(now=NOW, **sizes)) as sandboxes:
        sandboxes.run(kind)
        return {table_id: facts(sandboxes, table_id) for table_id in KEYS}


def run_clean(sandboxes: Sandboxes, kind: str, **arguments: Any) -> None:
    """Run the same transfer without faults into the dataset ``clean``."""
    sandboxes.graph.faults.clear()
    sandboxes.run(kind, dataset_id="clean", **arguments)


def test_half_a_minute_of_server_errors_costs_no_account_its_audience(opened: Callable[[World], Sandboxes]) -> None:
    """Code 1 on every request with a breakdown, while the first accounts are read: no number is lost for any of ten."""
    sandboxes = opened(World.build(now=NOW, accounts=10, media_per_account=1, stories_per_account=0))
    sandboxes.connect(extra={"max_workers": 1})
    error = ErrorEffect(1, http=500, message="An unknown error has occurred.", is_transient=True)
    broken = [GraphFault(effect=error, metric=name, times=None) for name in ("follower_demographics", "views")]
    sandboxes.graph.faults.add(*broken)
    begun = sandboxes.now

    def sleep(seconds: float) -> None:
        sandboxes.travel(timedelta(seconds=seconds))
        if sandboxes.now - begun >= timedelta(seconds=30):
            sandboxes.graph.faults.clear()

    arguments = {"metrics": ["follower_demographics", "views", "reach"]}
    with set_testing(sleep=sleep, clock=lambda: sandboxes.now.timestamp()):
        summary = sandboxes.run("account", **arguments)
    assert len(summary["accounts_done"]) == 10
    run_clean(sandboxes, "account", **arguments)
    table = "instagram_account_insights"
    keys = {key for key in facts(sandboxes, table, "clean") if key[1] == "follower_demographics"}
    assert len({key[0] for key in keys}) == 10
    assert facts(sandboxes, table).keys() == facts(sandboxes, table, "clean").keys()


# Without -1/2207001, which is waited for: hours pass, and the numbers of this world grow by the hour.
CODES = ((24, 2207006), (12, None), (25, 2207050), (33, None), (9, None), (21009, None), (-2, None))


def test_odd_posts_among_many_cost_themselves(opened: Callable[[World], Sandboxes]) -> None:
    """Whatever code a post answers, all other posts have all their numbers; it is named, and its media row is there."""
    sandboxes = opened(World.build(now=NOW, accounts=1, media_per_account=162, stories_per_account=0))
    posts = sandboxes.world.media_of(sandboxes.account.id, sandboxes.now)
    odd = {posts[20 + 15 * place].id: code for place, code in enumerate(CODES)}
    for media_id, (code, subcode) in odd.items():
        sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(code, subcode), object_id=media_id, times=None))
    summary = sandboxes.run("media", refresh_days=None)
    run_clean(sandboxes, "media", refresh_days=None)
    table = "instagram_media_insights"
    others = {key: row for key, row in facts(sandboxes, table, "clean").items() if row["media_id"] not in odd}
    assert len({row["media_id"] for row in others.values()}) > 140
    assert {key: row for key, row in facts(sandboxes, table).items() if row["media_id"] not in odd} == others
    assert [media_id for media_id in odd if not is_named(summary, media_id)] == []
    assert facts(sandboxes, "instagram_media") == facts(sandboxes, "instagram_media", "clean")


@pytest.mark.parametrize("times", [1, 2])
def test_a_media_that_says_try_again_is_tried_again(opened: Callable[[World], Sandboxes], times: int) -> None:
    """-1/2207001 is no refusal: after it has passed nothing is missing."""
    sandboxes = opened(World.build(now=NOW, accounts=1, media_per_account=60, stories_per_account=0))
    odd = sandboxes.world.media_of(sandboxes.account.id, sandboxes.now)[7].id
    sandboxes.graph.faults.play("try_again", object_id=odd, times=times)
    summary = sandboxes.run("media", refresh_days=None)
    run_clean(sandboxes, "media", refresh_days=None)
    assert facts(sandboxes, "instagram_media_insights") == facts(sandboxes, "instagram_media_insights", "clean")
    assert not is_named(summary, odd)


def test_what_a_small_account_does_not_get_is_named(opened: Callable[[World], Sandboxes]) -> None:
    """Under 100 followers Meta leaves three metrics unanswered: all three are named."""
    world = World.build(now=NOW, accounts=1, media_per_account=1, stories_per_account=0)
    small = next(iter(world.accounts.values()))
    world.put(replace(small, followers_count=50))
    summary = opened(world).run("account")
    named = {entry["what"] for entry in summary["left_out"] if small.id in str(entry["whom"])}
    for metric in ("follower_count", "online_followers", "follows_and_unfollows"):
        assert any(metric in what for what in named), named


def test_days_beyond_the_history_are_named_once(opened: Callable[[World], Sandboxes]) -> None:
    """One entry names the span that Meta no longer has."""
    sandboxes = opened(World.build(now=NOW, accounts=1, media_per_account=1, stories_per_account=0))
    summary = sandboxes.run("account", since="2023-01-01", until="2023-01-10")
    beyond = [entry for entry in summary["left_out"] if entry["kind"] == "BeyondHistory"]
    assert len(beyond) == 1
    text = str(beyond[0])
    assert "2022-12" in text or "2023-01-01" in text
    assert "2023-01-09" in text or "2023-01-10" in text


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("account", name) for name in ("numbers_as_text", "whole_floats", "counts_as_text", "server_error")),
        *(("media", name) for name in ("numbers_as_text", "whole_floats", "counts_as_text", "server_error")),
        *(("media", name) for name in ("empty_page", "too_much_data", "too_much_data_in_other_words")),
        *(("story", name) for name in ("numbers_as_text", "empty_page", "server_error")),
    ],
)
def test_what_has_one_plain_reading_changes_no_table(
    opened: Callable[[World], Sandboxes], kind: str, name: str
) -> None:
    """Played again and again (a server error: twice), these end in the same tables as a clean run."""
    sizes = {"accounts": 2, "media_per_account": 30, "stories_per_account": 2}
    clean = clean_facts(kind, **sizes)
    sandboxes = opened(World.build(now=NOW, **sizes))
    sandboxes.graph.faults.play(name, times={"server_error": 2, "empty_page": 3}.get(name))
    sandboxes.run(kind)
    assert any(clean.values())
    for table, rows in clean.items():
        assert facts(sandboxes, table) == rows, table


@pytest.mark.parametrize("name", ["website_refused", "alt_text_refused", "like_count_not_permitted"])
@pytest.mark.parametrize("kind", ["account", "media", "story"])
def test_a_refused_field_costs_no_number(opened: Callable[[World], Sandboxes], kind: str, name: str) -> None:
    """Numbers are those of a clean run, whatever field of a node may not be read."""
    sizes = {"accounts": 2, "media_per_account": 10, "stories_per_account": 3}
    clean = clean_facts(kind, **sizes)
    sandboxes = opened(World.build(now=NOW, **sizes))
    sandboxes.graph.faults.play(name)
    summary = sandboxes.run(kind)
    assert len(summary["accounts_done"]) == 2
    for table in ("instagram_account_insights", "instagram_media_insights", "instagram_story_insights"):
        assert facts(sandboxes, table) == clean[table], table


@pytest.mark.parametrize("kind", ["account", "media", "story"])
def test_a_page_token_needs_no_account_ids(opened: Callable[[World], Sandboxes], kind: str) -> None:
    """It reads the account of its Page, and no other."""
    sandboxes = opened(World.build(now=NOW, accounts=2, media_per_account=3, stories_per_account=1))
    sandboxes.connect(password=sandboxes.world.page_token(sandboxes.account.id))
    assert sandboxes.run(kind)["accounts_done"] == [sandboxes.account.id]


def test_a_post_of_two_accounts_is_stored_twice(opened: Callable[[World], Sandboxes]) -> None:
    """A collaboration post is each account's."""
    world = World.build(now=NOW, accounts=2, media_per_account=3, stories_per_account=0)
    first, second = world.accounts
    shared = replace(world.media_of(first, NOW)[0], collaborators=(second,))
    world.put(shared)
    sandboxes = opened(world)
    sandboxes.run("media", metrics=["reach"])
    assert sorted(key[0] for key in facts(sandboxes, "instagram_media") if shared.id in key) == [first, second]
    assert sorted(key[0] for key in facts(sandboxes, "instagram_media_insights") if shared.id in key) == [first, second]
