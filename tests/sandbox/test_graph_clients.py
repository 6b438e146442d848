"""What public clients ask: every request of theirs is answered, in their own spelling."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

Ask = Callable[..., requests.Response]

# The requests of Airbyte's source-instagram 4.1.0, stream by stream, as its manifest words them.
AIRBYTE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "accounts": ("me/accounts", {"fields": "id,instagram_business_account", "limit": "100"}),
    "users": (
        "{account}",
        {
            "fields": "id,biography,ig_id,followers_count,follows_count,media_count,name,profile_picture_url,username,"
            "website"
        },
    ),
    "media": (
        "{account}/media",
        {
            "fields": "caption,comments_count,id,ig_id,is_comment_enabled,like_count,media_type,media_product_type,"
            "media_url,owner,permalink,shortcode,thumbnail_url,timestamp,username,children",
            "limit": "100",
        },
    ),
    "children": (
        "{child}",
        {"fields": "id,ig_id,media_type,media_url,owner,permalink,shortcode,thumbnail_url,timestamp,username"},
    ),
    "media_insights of a reel": (
        "{REELS}/insights",
        {"metric": "comments,ig_reels_avg_watch_time,ig_reels_video_view_total_time,likes,reach,saved,shares"},
    ),
    "media_insights of a picture": (
        "{IMAGE}/insights",
        {"metric": "reach,saved,likes,comments,shares,follows,profile_visits"},
    ),
    "media_insights of an album": (
        "{CAROUSEL_ALBUM}/insights",
        {"metric": "reach,saved,shares,follows,profile_visits"},
    ),
    "stories": (
        "{account}/stories",
        {
            "fields": "caption,id,ig_id,like_count,media_type,media_product_type,media_url,owner,permalink,shortcode,"
            "thumbnail_url,timestamp,username",
            "limit": "100",
        },
    ),
    "story_insights": (
        "{story}/insights",
        {"metric": "reach,replies,follows,profile_visits,shares,total_interactions"},
    ),
    **{
        f"user_lifetime_insights by {breakdown}": (
            "{account}/insights",
            {
                "limit": "100",
                "metric": "follower_demographics",
                "period": "lifetime",
                "breakdown": breakdown,
                "metric_type": "total_value",
            },
        )
        for breakdown in ("city", "country", "age,gender")
    },
    **{
        f"user_insights by {period}": (
            "{account}/insights",
            {
                "period": period,
                "metric": metrics,
                "since": "2026-11-18T20:00:00+00:00",
                "until": "2026-11-19T20:00:00+00:00",
            },
        )
        for period, metrics in (
            ("day", "follower_count,reach"),
            ("week", "reach"),
            ("days_28", "reach"),
            ("lifetime", "online_followers"),
        )
    },
}


def ids_of(world: World) -> dict[str, str]:
    """Return the ids that the requests name."""
    account = next(iter(world.accounts))
    posts = world.media_of(account, world.now)
    kinds = {post.media_product_type: post.id for post in posts} | {post.media_type: post.id for post in posts}
    album = next(post for post in posts if post.media_type == "CAROUSEL_ALBUM")
    return kinds | {
        "account": account,
        "child": world.children_of(album)[0].id,
        "story": world.stories_of(account, world.now)[0].id,
    }


@pytest.mark.parametrize("stream", AIRBYTE)
def test_airbyte_reads_every_stream(world: World, ask: Ask, stream: str) -> None:
    """Each request is answered with data, with every field that these objects have."""
    path, params = AIRBYTE[stream]
    answer = ask(f"/v21.0/{path.format(**ids_of(world))}", **params)
    body = answer.json()
    assert answer.status_code == 200, body
    found = body.get("data", [body])
    assert found
    missing = set(params.get("fields", "").split(",")) - {name for each in found for name in each} - {"", "caption"}
    optional = {"children", "thumbnail_url", "like_count", "instagram_business_account"}
    assert missing <= optional, missing


def test_airbyte_walks_to_an_empty_page(world: World, ask: Ask, account_id: str) -> None:
    """It asks once more behind the last page, whose cursor names no next one, and gets an empty list."""
    last = ask(f"/v21.0/{account_id}/media", fields="id", limit=100).json()["paging"]
    assert "next" not in last
    assert ask(f"/v21.0/{account_id}/media", limit=100, after=last["cursors"]["after"]).json() == {"data": []}


def test_an_album_shows_its_parts(world: World, ask: Ask) -> None:
    """Parts are nodes of their own, without insights; other media have no such field."""
    ids = ids_of(world)
    album = ask(f"/v25.0/{ids['CAROUSEL_ALBUM']}", fields="children{id,media_type}").json()
    assert [part["media_type"] for part in album["children"]["data"]] == ["IMAGE", "VIDEO"]
    part = ask(f"/v25.0/{ids['child']}", fields="owner,media_url,permalink").json()
    assert part["owner"] == {"id": ids["account"]}
    assert ask(f"/v25.0/{ids['child']}/insights", metric="reach").json()["error"]["error_subcode"] == 33
    assert "children" not in ask(f"/v25.0/{ids['IMAGE']}", fields="children").json()


@pytest.mark.parametrize(
    ("path", "lists", "others"),
    [
        ("{account}/insights", {"metric": ["reach"]}, {"period": "day"}),
        ("{account}/insights", {"metric": ["reach", "follower_count"]}, {"period": "day"}),
        (
            "{account}/insights",
            {"metric": ["follower_demographics"], "breakdown": ["age", "gender"]},
            {"period": "lifetime", "metric_type": "total_value"},
        ),
        ("{IMAGE}/insights", {"metric": ["reach", "likes"]}, {}),
        ("{IMAGE}/insights", {"metric": ["profile_activity"], "breakdown": ["action_type"]}, {}),
        ("{account}/media", {"fields": ["id", "caption", "insights.metric(reach)"]}, {"limit": "5"}),
        ("{account}", {"fields": ["id", "username"]}, {}),
    ],
)
def test_lists_are_json_or_comma_text(
    world: World, ask: Ask, path: str, lists: Mapping[str, list[str]], others: Mapping[str, str]
) -> None:
    """Meta's own SDKs send JSON arrays; both spellings get the same answer, paging addresses included."""
    at = f"/v25.0/{path.format(**ids_of(world))}"
    plain = ask(at, **{name: ",".join(names) for name, names in lists.items()}, **others)
    as_json = ask(at, **{name: json.dumps(names) for name, names in lists.items()}, **others)
    assert plain.status_code == 200, plain.text
    assert as_json.json() == plain.json()


@pytest.mark.parametrize("metric", ['["reech"]', '["reach"', "[]", '[["reach"]]', "[1]"])
def test_a_list_that_is_none_is_refused(ask: Ask, account_id: str, metric: str) -> None:
    """What is no list of metrics gets Meta's error for the parameter."""
    assert ask(f"/v25.0/{account_id}/insights", metric=metric, period="day").json()["error"]["code"] == 100


def test_every_answer_is_dated_by_the_sandboxs_clock(sandbox: GraphSandbox, ask: Ask, account_id: str) -> None:
    """One Date header, from the clock that a test may set."""
    answer = ask(f"/v25.0/{account_id}")
    assert answer.headers["Date"] == "Sat, 21 Nov 2026 20:00:00 GMT"
    sandbox.clock.set(sandbox.now().replace(year=2027))
    assert ask(f"/v25.0/{account_id}").headers["Date"] == "Sun, 21 Nov 2027 20:00:00 GMT"


class TestPages:
    """What a Page answers, to its own token and to those who take its id for an account's."""

    @pytest.mark.parametrize("edge", ["accounts", "businesses"])
    def test_a_page_has_no_pages(self, world: World, ask: Ask, account_id: str, edge: str) -> None:
        """me/accounts is a field that the node type Page does not have."""
        error = ask(f"/v25.0/me/{edge}", token=world.page_token(account_id)).json()["error"]
        assert error["code"] == 100
        assert error["message"] == f"(#100) Tried accessing nonexisting field ({edge}) on node type (Page)"

    def test_a_page_token_sees_its_account(self, world: World, ask: Ask, account_id: str) -> None:
        """Its own node names the Instagram account."""
        token = world.page_token(account_id)
        body = ask("/v25.0/me", token=token, fields="instagram_business_account{id,username}").json()
        assert body["instagram_business_account"]["id"] == account_id
        assert body["id"] == world.accounts[account_id].page_id

    @pytest.mark.parametrize(
        ("edge", "params"),
        [
            ("", {"fields": "biography"}),
            ("", {"fields": "id,followers_count_of_instagram"}),
            ("/insights", {"metric": "reach", "period": "day"}),
            ("/media", {}),
            ("/stories", {}),
        ],
    )
    @pytest.mark.parametrize("page", ["with an account", "without"])
    def test_the_id_of_a_page_is_no_account(
        self, world: World, ask: Ask, account_id: str, edge: str, params: Mapping[str, Any], page: str
    ) -> None:
        """Fields and edges of an account do not exist on the node type Page."""
        page_id = world.accounts[account_id].page_id if page == "with an account" else next(iter(world.pages))
        error = ask(f"/v25.0/{page_id}{edge}", **params).json()["error"]
        assert error["code"] == 100
        assert "on node type (Page)" in error["message"]
