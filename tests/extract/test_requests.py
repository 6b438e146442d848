"""What the readers cost, counted at the server when nothing is refused; and that they bring every number for it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.sandbox.graph import GraphFault, ReduceData, World
from tests.support.readers import ACCOUNT_KEY, CORE, MEDIA_KEY, NOW, by_key, open_readers
from tests.support.truth import (
    ALL_ACCOUNT,
    ALL_POSTS,
    DEFAULT_ACCOUNT,
    DEFAULT_POSTS,
    DEFAULT_STORIES,
    account_rows,
    post_rows,
    story_rows,
)
from tests.support.truth.offers import ALL_STORIES, INSTAGRAM_POSTS, INSTAGRAM_STORIES, MediaOffer

YESTERDAY = date(2026, 11, 20)
MONTH = tuple(YESTERDAY - timedelta(days=29 - step) for step in range(30))

_CORE_ONLY = MediaOffer(metrics=dict.fromkeys(("FEED", "REELS"), dict.fromkeys(CORE, ("",))))


@pytest.mark.parametrize(
    ("metrics", "offer", "most"),
    [(CORE, _CORE_ONLY, 1), (None, DEFAULT_POSTS, 3), ("all", ALL_POSTS, 8)],
    ids=["core", "default", "all"],
)
def test_requests_per_100_posts(metrics: object, offer: MediaOffer, most: int) -> None:
    """100 posts of mixed types cost 1 HTTP request with the shared metrics, 3 by default, 8 with all, and bring all."""
    with open_readers() as readers:
        read = readers.read_media(metrics)
        assert len({post.media_product_type for post in readers.posts}) == 2
        assert read == by_key(post_rows(readers.world, readers.posts, now=NOW, offer=offer), MEDIA_KEY)
        assert readers.http <= most
    if metrics != "all":
        assert readers.left_out == {}


@pytest.mark.parametrize("posts", [0, 1, 99, 101, 250])
def test_pages(posts: int) -> None:
    """A page costs one request whatever follows it, and no page comes twice or is missed."""
    with open_readers(World.build(accounts=1, media_per_account=posts, now=NOW)) as readers:
        read = readers.read_media(CORE)
        assert read == by_key(post_rows(readers.world, readers.posts, now=NOW, offer=_CORE_ONLY), MEDIA_KEY)
        assert readers.http == max(1, -(-posts // 100))


def test_a_halved_page_size_is_kept() -> None:
    """Where Meta finds 100 posts too much for one page, the pages after it are not tried with 100 again."""
    with open_readers(World.build(accounts=1, media_per_account=100, now=NOW)) as readers:
        readers.sandbox.faults.add(GraphFault(effect=ReduceData(max_limit=30), times=None))
        read = readers.read_media(CORE)
        assert read == by_key(post_rows(readers.world, readers.posts, now=NOW, offer=_CORE_ONLY), MEDIA_KEY)
        assert [received.query["limit"] for received in readers.sandbox.log] == [*["100"] * 2, "50", *["25"] * 4]


def test_one_day_of_an_account() -> None:
    """One day of all interaction metrics with all breakdowns takes 5 Graph calls, the demographics 5 more."""
    interactions = [*DEFAULT_ACCOUNT.totals, "follower_count"]
    with open_readers() as readers:
        read = readers.read_account([YESTERDAY], interactions, current=False)
        offer = DEFAULT_ACCOUNT
        wanted = {
            key: value
            for key, value in by_key(
                account_rows(readers.world, readers.accounts[0], [YESTERDAY], now=NOW, offer=offer), ACCOUNT_KEY
            ).items()
            if key[1] in interactions
        }
        assert read == wanted
        assert readers.calls <= 5
        readers.sandbox.clear_log()
        demographics = list(DEFAULT_ACCOUNT.audiences)
        readers.read_account([YESTERDAY], demographics, profiles=False)
        assert readers.calls <= 5


def test_thirty_days_of_an_account() -> None:
    """30 days of one account with everything there is take at most 6 HTTP requests."""
    with open_readers() as readers:
        read = readers.read_account(MONTH, "all")
        account = readers.accounts[0]
        assert read == by_key(account_rows(readers.world, account, MONTH, now=NOW, offer=ALL_ACCOUNT), ACCOUNT_KEY)
        assert readers.http <= 6
        assert readers.refused == []


@pytest.mark.parametrize(
    ("metrics", "offer", "most"), [(None, DEFAULT_STORIES, 2), ("all", ALL_STORIES, 2)], ids=["default", "all"]
)
def test_stories(metrics: object, offer: MediaOffer, most: int) -> None:
    """Live stories take one listing with their core numbers and one batch per 50 questions for the rest."""
    with open_readers(World.build(accounts=1, stories_per_account=12, now=NOW)) as readers:
        read = readers.read_stories(metrics)
        stories = readers.world.stories_of(readers.accounts[0].id, NOW)
        assert len(stories) == 12
        assert read == by_key(story_rows(readers.world, stories, now=NOW, offer=offer), MEDIA_KEY)
        assert readers.http <= most


def test_no_stories_cost_one_request() -> None:
    """An account without live stories costs the listing and nothing more."""
    with open_readers(World.build(accounts=1, stories_per_account=0, now=NOW)) as readers:
        assert readers.read_stories() == {}
        assert readers.http == 1


def test_instagram_login() -> None:
    """Graph.instagram.com, which offers no batches, gives the same numbers one call at a time."""
    with open_readers(World.build(accounts=1, media_per_account=20, now=NOW), login="instagram") as readers:
        posts = readers.posts
        stories = readers.world.stories_of(readers.accounts[0].id, NOW)
        assert readers.read_media() == by_key(
            post_rows(readers.world, posts, now=NOW, offer=INSTAGRAM_POSTS), MEDIA_KEY
        )
        assert readers.http == readers.calls == 1 + len(posts)
        assert readers.read_stories() == by_key(
            story_rows(readers.world, stories, now=NOW, offer=INSTAGRAM_STORIES), MEDIA_KEY
        )
        assert readers.read_account([YESTERDAY]) == by_key(
            account_rows(readers.world, readers.accounts[0], [YESTERDAY], now=NOW), ACCOUNT_KEY
        )
        assert {received.method for received in readers.sandbox.log} == {"GET"}


def test_rows_carry_every_column() -> None:
    """A row of insights has all columns of its table, None where it has no value, so that users may index it.

    A row about a node leaves out what Meta did not say, and has whatever its table requires.
    """
    columns = {table.name: set(table.column_names) for table in TABLES}
    required = {table.name: {column.name for column in table.columns if column.required} for table in TABLES}
    with open_readers(World.build(accounts=1, media_per_account=30, stories_per_account=3, now=NOW)) as readers:
        source = readers.open_source("all")
        account_id = readers.accounts[0].id
        readers = (
            source.read_accounts(lookback_days=3, profiles=True),
            source.read_media(refresh_days=None),
            source.read_stories(),
        )
        rows = [row for read in readers for row in read(account_id)]
        assert {table for table, _ in rows} == set(columns) - {"story_polls", "account_status"}
        for table, row in rows:
            if table.endswith("insights"):
                assert set(row) == columns[table]
            else:
                assert required[table] <= set(row) <= columns[table]
