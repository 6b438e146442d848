"""``is_listed`` and ``last_seen_at``: what Meta no longer lists, told only by a listing that was complete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import Edit, EmptyPage, ErrorEffect, GraphFault, Media, SamePage
from tests.support.sandboxes import DAY, END, NOW, START, Row, Sandboxes

UNKNOWN = ErrorEffect(100, 33, 400, "Unsupported get request. Object with ID '1' does not exist")
COLUMNS = ("is_listed", "last_seen_at", "fetched_at")


def put_posts(sandboxes: Sandboxes) -> list[Media]:
    """Replace the account's posts by four: of three, ten, twenty and a hundred days ago."""
    account, world = sandboxes.account, sandboxes.world
    world.deleted.update(post.id for post in world.media_of(account.id, NOW))
    posts = [
        Media(f"179800000000{age:05d}", account.id, "IMAGE", "FEED", NOW - age * DAY, caption=f"{age}", like_count=7)
        for age in (3, 10, 20, 100)
    ]
    for post in posts:
        world.put(post)
    return posts


def read(sandboxes: Sandboxes, days: int = 0, **arguments: Any) -> dict[str, Row]:
    """Run the media transfer so many days later, and return the rows of posts by caption."""
    sandboxes.run("media", metrics=["reach"], interval=(START + days * DAY, END + days * DAY), **arguments)
    return {row["caption"]: row for row in sandboxes.rows("instagram_media")}


def test_a_post_that_is_gone_and_comes_back(small_sandboxes: Sandboxes) -> None:
    """It is marked, keeps all else, and is listed again; what lies outside refresh_days was not asked for."""
    sandboxes = small_sandboxes
    posts = put_posts(sandboxes)
    first = read(sandboxes, refresh_days=None)
    assert {row["is_listed"] for row in first.values()} == {True}
    assert len(first) == 4
    sandboxes.world.deleted.update({posts[1].id, posts[3].id})
    sandboxes.travel(DAY)
    second = read(sandboxes, 1)
    assert {name: row["is_listed"] for name, row in second.items()} == {"3": True, "10": False, "20": True, "100": True}
    changed = {name for name, value in second["10"].items() if value != first["10"][name]}
    assert changed == {"is_listed", "fetched_at", "run_id"}
    before = sandboxes.rows("instagram_media")
    assert read(sandboxes, 1) == second, "a second run changes nothing"
    assert sandboxes.rows("instagram_media") == before
    sandboxes.world.deleted.discard(posts[1].id)
    sandboxes.travel(timedelta(hours=1))
    back = read(sandboxes, 1)["10"]
    assert (back["is_listed"], back["last_seen_at"] > first["10"]["last_seen_at"]) == (True, True)


def test_a_quiet_post_is_written_once_a_week(small_sandboxes: Sandboxes) -> None:
    """Its last_seen_at stays for six days and moves on the seventh; its signed address comes along."""
    put_posts(small_sandboxes)
    days = []
    row = first = read(small_sandboxes)["10"]
    for day in range(1, 9):
        small_sandboxes.travel(DAY)
        found = read(small_sandboxes, day)["10"]
        if found != row:
            days.append(day)
            assert {name for name in found if found[name] != row[name]} == {
                "last_seen_at", "fetched_at", "run_id", "media_url",
            }  # fmt: skip
        row = found
    assert days == [7]
    assert row["last_seen_at"] - first["last_seen_at"] >= 7 * DAY


@pytest.mark.parametrize("effect", [EmptyPage(), SamePage(), "nothing listed"], ids=str)
@pytest.mark.parametrize("load_mode", ["merge", "replace"])
def test_an_incomplete_listing_says_nothing(small_sandboxes: Sandboxes, effect: Any, load_mode: str) -> None:
    """A listing that was ended with a note, or that was empty, marks no post."""
    posts = put_posts(small_sandboxes)
    read(small_sandboxes)
    small_sandboxes.world.deleted.update(post.id for post in (posts if effect == "nothing listed" else posts[1:2]))
    if effect != "nothing listed":
        path = f"{small_sandboxes.account.id}/media"
        small_sandboxes.graph.faults.add(GraphFault(effect=effect, path=path, times=None))
    small_sandboxes.travel(DAY)
    assert {row["is_listed"] for row in read(small_sandboxes, 1, load_mode=load_mode).values()} == {True}


def cut(posts: list[Any]) -> list[Any]:
    """Return a listing that ends after two posts, with no sign that there are more."""
    return posts[:2]


@pytest.mark.parametrize(
    ("is_cut", "deleted", "answers", "unlisted"),
    [
        (True, (), None, set()),
        (True, ("100",), None, {"100"}),
        (False, ("20", "100"), None, {"20", "100"}),
        (True, ("20", "100"), ErrorEffect(2, http=500), set()),
        (True, ("20", "100"), ErrorEffect(4, http=400, message="Application request limit reached"), set()),
        (True, (), UNKNOWN, set()),
        (False, ("20", "100"), UNKNOWN, set()),
    ],
)
def test_a_listing_that_was_cut_short_without_a_sign(
    small_sandboxes: Sandboxes,
    without_waits: None,
    is_cut: bool,
    deleted: tuple[str, ...],
    answers: Any,
    unlisted: set[str],
) -> None:
    """Of posts older than all that are listed, Meta is asked; those that it still has, or does not tell of, stay.

    Where Meta does not know one that it has just listed, it is not believed about the others.
    """
    sandboxes, graph = small_sandboxes, small_sandboxes.graph
    posts = {post.caption: post for post in put_posts(sandboxes)}
    read(sandboxes, refresh_days=200)
    sandboxes.world.deleted.update(posts[name].id for name in deleted)
    if is_cut:
        graph.faults.add(GraphFault(effect=Edit("/data", cut), path=f"{sandboxes.account.id}/media", times=None))
    if answers:
        graph.faults.add(
            GraphFault(effect=answers, path="/({})$".format("|".join(post.id for post in posts.values())), times=None)
        )
    sandboxes.travel(DAY)
    found = read(sandboxes, 1, refresh_days=200)
    assert {name for name, row in found.items() if not row["is_listed"]} == unlisted
    notes = sandboxes.instance.pushed["summary"]["notes"]
    said = [note for note in notes if "Meta's list ends before" in note]
    assert len(said) == (is_cut and not answers and "20" not in deleted)
    assert len([note for note in notes if "none is marked as unlisted" in note]) == (answers is UNKNOWN)


def test_a_raw_history_and_stories(small_sandboxes: Sandboxes) -> None:
    """``append`` adds only what Meta answered; a story, which leaves the list by itself, is neither."""
    posts = put_posts(small_sandboxes)
    small_sandboxes.run("story", metrics=["reach"])
    stories = [row["is_listed"] for row in small_sandboxes.rows("instagram_media")]
    assert stories
    assert set(stories) == {None}
    options = {"media_table_id": "history", "load_mode": "append", "children_table_id": None, "metrics": ["reach"]}
    small_sandboxes.run("media", **options)
    small_sandboxes.world.deleted.add(posts[1].id)
    small_sandboxes.run("media", **options)
    assert [row["is_listed"] for row in small_sandboxes.bigquery.rows("instagram", "history")] == [True] * 5
