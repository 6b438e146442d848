"""Which media are listed: publish window, versions that do not filter, product types, stories, broken cursors."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from airflow_provider_iginsights.catalog.plan import MediaPlan, plan_media
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, Token, World
from tests.support.readers import NOW, Readers, open_readers

NOTHING = MediaPlan(core=None)


def listed(readers: Readers, published: tuple[datetime | None, datetime | None]) -> list[str]:
    """Return the ids of the media that a listing brings."""
    listing = replace(readers.list_media(["reach"]), published=published)
    return [media_answer.media["id"] for media_answer in listing.read() if media_answer.is_listed]


@pytest.mark.parametrize(("first", "last"), [(3, 40), (0, 0), (99, 99), (None, 40), (3, None), (None, None)])
def test_published_between(first: int | None, last: int | None) -> None:
    """The window is half-open: a post at its start is in, one at its end is out; either side may be open."""
    with open_readers() as readers:
        posts = readers.posts
        until = posts[first].timestamp if first is not None else None
        since = posts[last].timestamp if last is not None else None
        wanted = [
            post.id
            for post in posts
            if (since is None or post.timestamp >= since) and (until is None or post.timestamp < until)
        ]
        assert listed(readers, (since, until)) == wanted
        query = readers.sandbox.log[0].query
        assert ("since" in query, "until" in query) == (since is not None, until is not None)


def test_a_version_that_does_not_filter() -> None:
    """Where Meta ignores the window (v10.0), we filter, and stop at the page that is older than it."""
    world = World.build(accounts=1, media_per_account=400, now=NOW)
    with GraphSandbox(world, pin="v10.0") as sandbox:
        settings = GraphSettings(token=world.system_user_token, base_url=sandbox.url, api_version="v10.0")
        with GraphClient(settings, sleep=lambda _: None) as client:
            readers = Readers(sandbox, client)
            posts = readers.posts
            since = posts[120].timestamp
            assert listed(readers, (since, None)) == [post.id for post in posts[:121]]
            lists = [received for received in sandbox.log if received.path.endswith("/media")]
            assert len(lists) == 3
            assert all("since" not in received.query for received in lists)


def test_without_metrics_only_media_are_read() -> None:
    """A plan without metrics is one request per page, without insights."""
    with open_readers() as readers:
        listing = Listing(
            client=readers.client,
            account_id=readers.accounts[0].id,
            edge="media",
            plan=NOTHING,
            left_out_log=readers.left_out_log,
            refused_metrics=readers.refused_metrics,
        )
        assert len([media_answer for media_answer in listing.read() if media_answer.is_listed]) == 100
        assert readers.http == 1
        assert "insights" not in readers.sandbox.log[0].query["fields"]


@pytest.mark.parametrize("metrics", [["reels_skip_rate"], ["follows"]])
def test_metrics_of_one_product_type(metrics: list[str]) -> None:
    """What only one product type has is asked of its media alone."""
    with open_readers() as readers:
        plan = plan_media(metrics, None, version="v25.0", login="facebook")
        assert plan.core is None
        readers.read_media(metrics)
        having = "REELS" if metrics == ["reels_skip_rate"] else "FEED"
        asked = {item.split("/")[1] for received in readers.sandbox.log for item in received.items}
        assert asked == {post.id for post in readers.posts if post.media_product_type == having}


def test_posts_that_appear_under_way() -> None:
    """A post published while the pages are read does not make another one come twice or be missed."""
    with open_readers(World.build(accounts=1, media_per_account=250, now=NOW)) as readers:
        expected = [post.id for post in readers.posts]
        seen = []
        for media_answer in readers.list_media(["reach"]).read():
            seen.append(media_answer.media["id"])
            if len(seen) == 50:
                later = readers.posts[0].timestamp + timedelta(seconds=1)
                readers.world.put(replace(readers.posts[0], id="17800000019999999", timestamp=later))
        assert seen == expected


def test_no_token_in_any_address() -> None:
    """Neither listing nor batches put the token into a URL."""
    with open_readers(World.build(accounts=1, media_per_account=150, now=NOW)) as readers:
        readers.world.put(Token("EAAGother", "system_user"))
        readers.read_media()
        assert len(readers.sandbox.log) == 5
        assert not any(received.token_in_url for received in readers.sandbox.log)


def test_an_unknown_product_type_is_named() -> None:
    """A post of a type that nobody here knows is asked for what all posts share; that this is not all is said."""
    with open_readers() as readers:
        strange = replace(readers.posts[4], media_product_type="HOLOGRAM")
        readers.world.put(strange)
        readers.read_media()
        found = [found for (what, _), found in readers.left_out.items() if what == "metrics of one product type"]
        assert [(each["kind"], each["whom"]) for each in found] == [("NoData", [f"media {strange.id}"])]
        assert "'HOLOGRAM'" in str(found[0]["why"])
