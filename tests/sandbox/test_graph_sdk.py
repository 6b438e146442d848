"""Meta's own SDK, as it is published, reads what people read with it: how it spells a call is how Meta reads one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, GraphSandbox, World

pytest.importorskip("facebook_business")
# It warns of every parameter whose type its own tables know otherwise, and then sends it all the same.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:facebook_business")

from facebook_business.adobjects.igmedia import IGMedia  # noqa: E402
from facebook_business.adobjects.iguser import IGUser  # noqa: E402
from facebook_business.adobjects.page import Page  # noqa: E402
from facebook_business.adobjects.user import User  # noqa: E402
from facebook_business.api import FacebookAdsApi, FacebookSession  # noqa: E402
from facebook_business.exceptions import FacebookRequestError  # noqa: E402

NOW = dt.datetime(2026, 11, 21, 20, 0, 10, tzinfo=dt.UTC)
MIDNIGHT = int(dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC).timestamp())
DAY = 24 * 3600
TOTAL = {"period": "day", "metric_type": "total_value"}
AUDIENCE = {"metric": ["follower_demographics"], "period": "lifetime", "metric_type": "total_value"}


@pytest.fixture(scope="module")
def graph() -> Iterator[GraphSandbox]:
    """Serve two accounts with twelve posts and two stories a day."""
    world = World.build(now=NOW, accounts=2, media_per_account=12, stories_per_account=2)
    with GraphSandbox(world, clock=Clock(NOW)) as sandbox:
        yield sandbox


@pytest.fixture
def api(graph: GraphSandbox, monkeypatch: pytest.MonkeyPatch) -> FacebookAdsApi:
    """Return the SDK's API object, which signs its calls with the app's secret."""
    monkeypatch.setattr(FacebookSession, "GRAPH", graph.url)
    token = graph.world.tokens[graph.world.system_user_token]
    return FacebookAdsApi.init(
        app_id=token.app_id, app_secret=token.app_secret, access_token=token.value, api_version="v25.0"
    )


@pytest.fixture
def user(graph: GraphSandbox, api: FacebookAdsApi) -> IGUser:
    """Return the first account."""
    return IGUser(next(iter(graph.world.accounts)), api=api)


@pytest.mark.parametrize("period", ["day", ["day"]])
@pytest.mark.parametrize("metrics", [["reach"], ["reach", "follower_count"], "reach"])
def test_series_of_an_account(user: IGUser, metrics: Any, period: Any) -> None:
    """Metrics, and the period that the SDK's tables call a list, are read as lists; each metric has its three days."""
    params = {"metric": metrics, "period": period, "since": MIDNIGHT - 3 * DAY, "until": MIDNIGHT - 1}
    found = {each["name"]: len(each["values"]) for each in user.get_insights(params=params)}
    assert found == dict.fromkeys(metrics if isinstance(metrics, list) else [metrics], 3)


def test_totals_of_an_account(user: IGUser) -> None:
    """Several totals, with the breakdown that one of them has."""
    found = [each["name"] for each in user.get_insights(params={"metric": ["views", "likes"], **TOTAL})]
    assert found == ["views", "likes"]
    (views,) = user.get_insights(params={"metric": ["views"], "breakdown": ["follow_type"], **TOTAL})
    assert views["total_value"]["breakdowns"][0]["dimension_keys"] == ["follow_type"]


@pytest.mark.parametrize("breakdown", [["age", "gender"], ["country"], "city"])
def test_the_audience(user: IGUser, breakdown: Any) -> None:
    """Dimensions are read as a list, in their order."""
    (found,) = user.get_insights(params={**AUDIENCE, "breakdown": breakdown, "timeframe": "this_week"})
    keys = found["total_value"]["breakdowns"][0]["dimension_keys"]
    assert [key for key in keys if key != "timeframe"] == ([breakdown] if isinstance(breakdown, str) else breakdown)


def test_profile_and_listings(graph: GraphSandbox, user: IGUser) -> None:
    """The profile, every post page by page, and the stories that live."""
    profile = user.api_get(fields=["username", "followers_count", "media_count", "biography", "profile_picture_url"])
    assert profile["username"] == graph.world.accounts[user["id"]].username
    posts = list(user.get_media(fields=["id", "caption", "timestamp", "owner"], params={"limit": 5}))
    assert [post["id"] for post in posts] == [post.id for post in graph.world.media_of(user["id"], NOW)]
    assert {story["id"] for story in user.get_stories(fields=["id"])} == {
        story.id for story in graph.world.stories_of(user["id"], NOW)
    }


def test_insights_of_posts(user: IGUser) -> None:
    """Of a post, alone and with a breakdown; and the children of an album."""
    posts = list(user.get_media(fields=["id", "media_type", "media_product_type"]))
    feed = next(post for post in posts if post["media_product_type"] == "FEED")
    assert [each["name"] for each in feed.get_insights(params={"metric": ["reach", "likes"]})] == ["reach", "likes"]
    params = {"metric": ["profile_activity"], "breakdown": ["action_type"]}
    assert [each["name"] for each in feed.get_insights(params=params)] == ["profile_activity"]
    album = next(post for post in posts if post["media_type"] == "CAROUSEL_ALBUM")
    nested = album.api_get(fields=["children"])["children"]["data"]
    assert [child["id"] for child in album.get_children(fields=["id"])] == [child["id"] for child in nested] != []


def test_a_batch(graph: GraphSandbox, api: FacebookAdsApi, user: IGUser) -> None:
    """Questions about posts and the account in one call; the one about a post that is gone fails alone."""
    posts = [post.id for post in graph.world.media_of(user["id"], NOW)[:5]]
    answered: list[Any] = []
    failed: list[Any] = []
    batch = api.new_batch()
    for media_id in (*posts, "17800000000000000"):
        IGMedia(media_id, api=api).get_insights(
            params={"metric": ["reach"]}, batch=batch, success=answered.append, failure=failed.append
        )
    user.api_get(fields=["username"], batch=batch, success=answered.append)
    batch.execute()
    assert len(answered) == len(posts) + 1
    assert answered[-1].json()["username"] == graph.world.accounts[user["id"]].username
    assert [each.error().api_error_code() for each in failed] == [100]


def test_the_token(graph: GraphSandbox, api: FacebookAdsApi) -> None:
    """Pages with their accounts, the account of one Page, permissions."""
    pages = User("me", api=api).get_accounts(fields=["id", "instagram_business_account"])
    linked = {
        page["id"]: page["instagram_business_account"]["id"] for page in pages if "instagram_business_account" in page
    }
    assert list(linked.values()) == list(graph.world.accounts)
    page = Page(next(iter(linked)), api=api).api_get(fields=["instagram_business_account"])
    assert page["instagram_business_account"]["id"] == linked[page["id"]]
    granted = {each["permission"] for each in User("me", api=api).get_permissions()}
    assert "instagram_manage_insights" in granted


@pytest.mark.parametrize("effect", [ErrorEffect(10), ErrorEffect(100, 2108006), ErrorEffect(2, is_transient=True)])
def test_errors_are_the_sdks(graph: GraphSandbox, user: IGUser, effect: ErrorEffect) -> None:
    """The SDK reads code, subcode and transience out of a refusal."""
    graph.faults.add(GraphFault(effect=effect))
    with pytest.raises(FacebookRequestError) as caught:
        list(user.get_insights(params={"metric": ["reach"], "period": "day"}))
    assert (caught.value.api_error_code(), caught.value.api_error_subcode()) == (effect.code, effect.subcode)
    assert bool(caught.value.api_transient_error()) is bool(effect.is_transient)
