"""Posts and stories of the local Graph API: lists, cursors, expansion, insights by product type, and refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_iginsights.sandbox.graph import Media, World, numbers
from airflow_provider_iginsights.sandbox.graph.listing import MOST_RECENT

MEDIA_ENUM = (
    "impressions, reach, replies, saved, likes, comments, shares, total_interactions, follows, profile_visits, "
    "profile_activity, navigation, ig_reels_video_view_total_time, ig_reels_avg_watch_time, views, reels_skip_rate, "
    "reposts, facebook_views, crossposted_views, total_views, total_likes, total_comments, link_clicks"
)
EVERY = "reach,views,shares,total_interactions,reposts"
CORE = f"{EVERY},likes,comments,saved"


def _place(world: World, product_type: str, **changes: object) -> Media:
    kinds = {"FEED": "IMAGE", "REELS": "VIDEO", "STORY": "IMAGE"}
    media = Media(
        id="18000000000000001",
        account_id=next(iter(world.accounts)),
        media_type=kinds[product_type],
        media_product_type=product_type,
        timestamp=world.now - timedelta(hours=5),
        shared_to_facebook=True,
    )
    media = replace(media, **changes)
    world.put(media)
    return media


@pytest.fixture
def insights(ask, world):
    """Place one media of a product type and ask for its insights."""

    def get(product_type: str, metric: str, breakdown: str | None = None, **changes: object):
        media = _place(world, product_type, **changes)
        return ask(f"/v25.0/{media.id}/insights", metric=metric, **({"breakdown": breakdown} if breakdown else {}))

    return get


@pytest.mark.parametrize(
    ("product_type", "metrics"),
    [
        (
            "FEED",
            f"{CORE},follows,profile_visits,profile_activity,facebook_views,total_likes,total_comments,total_views",
        ),
        (
            "REELS",
            f"{CORE},ig_reels_avg_watch_time,ig_reels_video_view_total_time,reels_skip_rate,crossposted_views,"
            "facebook_views,total_likes,total_comments,total_views",
        ),
        (
            "STORY",
            f"{EVERY},replies,follows,profile_visits,link_clicks,navigation,profile_activity,facebook_views,total_views",
        ),
    ],
)
def test_each_product_type_answers_its_metrics(insights, product_type, metrics) -> None:
    """All metrics of a product type fit in one request and come back in its order, as lifetime totals."""
    answer = insights(product_type, metrics)
    assert answer.status_code == 200, answer.text
    entries = answer.json()["data"]
    assert [entry["name"] for entry in entries] == metrics.split(",")
    assert {entry["period"] for entry in entries} == {"lifetime"}
    assert entries[0]["id"] == "18000000000000001/insights/reach/lifetime"
    values = {entry["name"]: entry["values"][0]["value"] for entry in entries}
    if product_type == "REELS":
        assert isinstance(values["reels_skip_rate"], float)
        assert values["ig_reels_video_view_total_time"] == values["ig_reels_avg_watch_time"] * values["views"]
    if product_type == "FEED":
        assert values["total_interactions"] == sum(values[name] for name in ("likes", "comments", "saved", "shares"))


@pytest.mark.parametrize(
    ("product_type", "metric", "breakdown", "changes", "code", "subcode", "text"),
    [
        (
            "FEED",
            "reach,shoes",
            None,
            {},
            100,
            None,
            f"(#100) metric[1] must be one of the following values: {MEDIA_ENUM}",
        ),
        (
            "FEED",
            "profile_activity",
            "shoe_size",
            {},
            100,
            None,
            "(#100) breakdown[0] must be one of the following values: follow_type, surface_type, action_type, "
            "story_navigation_action_type",
        ),
        (
            "FEED",
            "crossposted_views",
            None,
            {},
            100,
            None,
            "support the crossposted_views metric for this media product type.",
        ),
        (
            "FEED",
            "navigation",
            None,
            {},
            100,
            None,
            "does not support the navigation metric for this media product type.",
        ),
        (
            "REELS",
            "reach,follows",
            None,
            {},
            100,
            None,
            "does not support the follows metric for this media product type.",
        ),
        ("STORY", "likes", None, {}, 100, None, "The Media Insights API does not support the likes metric"),
        (
            "FEED",
            "reach,profile_activity",
            "action_type",
            {},
            100,
            None,
            "Incompatible breakdowns (action_type) for metric (reach)",
        ),
        (
            "FEED",
            "impressions",
            None,
            {},
            100,
            None,
            "(#100) Starting from version v22.0 and above, the impressions metric",
        ),
        ("FEED", "facebook_views", None, {"shared_to_facebook": False}, -1, 2207086, "Fatal"),
        ("REELS", "crossposted_views", None, {"shared_to_facebook": False}, -1, 2207086, "Fatal"),
        ("FEED", "reach", None, {"before_business": True}, 100, 2108006, "Invalid parameter"),
        (
            "FEED",
            "reach",
            None,
            {"hidden": True},
            100,
            33,
            "Unsupported get request. Object with ID '18000000000000001'",
        ),
        ("STORY", "reach", None, {"viewers": 4}, 10, None, "(#10) Not enough viewers for the media to show insights"),
    ],
)
def test_refusals(insights, product_type, metric, breakdown, changes, code, subcode, text) -> None:
    """A metric or media that has no insights is refused with Meta's code, subcode and text."""
    answer = insights(product_type, metric, breakdown, **changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("error_subcode")) == (400, code, subcode)
    assert text in error["message"]


@pytest.mark.parametrize(
    ("product_type", "metric", "breakdown"),
    [("FEED", "profile_activity", "action_type"), ("STORY", "navigation", "story_navigation_action_type")],
)
def test_breakdowns_carry_the_total_too(insights, product_type, metric, breakdown) -> None:
    """With its breakdown a metric has values and a total_value, in lower case, adding up."""
    (entry,) = insights(product_type, metric, breakdown).json()["data"]
    (group,) = entry["total_value"]["breakdowns"]
    assert group["dimension_keys"] == [breakdown]
    assert all(result["dimension_values"][0].islower() for result in group["results"])
    total = sum(result["value"] for result in group["results"])
    assert total == entry["total_value"]["value"] == entry["values"][0]["value"] > 0


def test_totals_grow_with_age_and_equal_the_documented_function(sandbox, ask, world) -> None:
    """A total at an age is numbers.media_total of that age, and never shrinks."""
    media, seen = _place(world, "FEED"), []
    for hours in (0, 1, 30, 2000):
        sandbox.clock.set(world.now + timedelta(hours=hours))
        value = ask(f"/{media.id}/insights", metric="reach").json()["data"][0]["values"][0]["value"]
        assert value == numbers.media_total(world.seed, media.id, "reach", timedelta(hours=5 + hours))
        seen.append(value)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("region", ["europe", "japan"])
def test_replies_are_zero_for_owners_in_europe_and_japan(insights, world, account_id, region) -> None:
    """A story's replies are 0 where the owner's region hides them."""
    world.overrides.clear()
    world.put(replace(world.accounts[account_id], **{region: True}))
    assert insights("STORY", "replies").json()["data"][0]["values"] == [{"value": 0}]


def test_overrides_win_and_may_be_negative(insights, world) -> None:
    """A test can set a media's number, a negative one, too, or the values by breakdown value."""
    world.overrides["18000000000000001", "navigation"] = {"tap_forward": 5, "tap_back": -2}
    (entry,) = insights("STORY", "navigation", "story_navigation_action_type").json()["data"]
    assert entry["values"] == [{"value": 3}]
    assert {"dimension_values": ["tap_back"], "value": -2} in entry["total_value"]["breakdowns"][0]["results"]


def test_v21_still_knows_impressions_of_old_media(ask, world) -> None:
    """v21.0 answers impressions for media created up to 2024-07-01, and newer versions do not."""
    media = _place(world, "FEED", timestamp=world.now - timedelta(days=900))
    assert ask(f"/v21.0/{media.id}/insights", metric="impressions").status_code == 200
    assert ask(f"/v22.0/{media.id}/insights", metric="impressions").status_code == 400


def test_stories_live_for_24_hours(sandbox, ask, world, account_id) -> None:
    """A story is listed and readable for 24 hours; after that only a highlighted one is readable, and none listed."""
    plain = _place(world, "STORY")
    kept = _place(world, "STORY", id="18000000000000002", highlighted=True)

    def listed() -> set[str]:
        return {story["id"] for story in ask(f"/{account_id}/stories", limit=100).json()["data"]}

    assert {plain.id, kept.id} <= listed()
    assert len(listed()) == 2 + world.accounts[account_id].stories_per_day
    assert not {plain.id, kept.id} & {post["id"] for post in ask(f"/{account_id}/media", limit=100).json()["data"]}
    sandbox.clock.advance(timedelta(hours=19))
    assert not {plain.id, kept.id} & listed()
    assert ask(f"/{plain.id}/insights", metric="reach").json()["error"]["error_subcode"] == 33
    assert ask(f"/{kept.id}/insights", metric="reach").status_code == 200


def test_new_stories_come_as_the_clock_moves(sandbox, ask, world, account_id) -> None:
    """Every day has its own stories, as many at any time as the account publishes a day."""
    seen = []
    for _ in range(3):
        seen.append({story["id"] for story in ask(f"/{account_id}/stories").json()["data"]})
        sandbox.clock.advance(timedelta(hours=24))
    assert [len(ids) for ids in seen] == [3, 3, 3]
    assert not seen[0] & seen[1]


def _walk(ask, path: str, **params: object) -> list[list[dict]]:
    pages, after = [], {}
    while True:
        body = ask(path, **params, **after).json()
        pages.append(body["data"])
        if "next" not in body.get("paging", {}):
            return pages
        after = {"after": body["paging"]["cursors"]["after"]}


@pytest.mark.parametrize(("limit", "sizes"), [(None, [25, 5]), (10, [10, 10, 10]), (100, [30]), (1000, [30])])
def test_media_pages(ask, world, account_id, limit, sizes) -> None:
    """Posts come newest first, in pages of the limit (25 by default, 100 at most), each exactly once."""
    pages = _walk(ask, f"/{account_id}/media", fields="id,timestamp", **({"limit": limit} if limit else {}))
    assert [len(page) for page in pages] == sizes
    posts = [post for page in pages for post in page]
    assert len({post["id"] for post in posts}) == 30
    assert [post["timestamp"] for post in posts] == sorted((post["timestamp"] for post in posts), reverse=True)


def test_a_page_holds_a_hundred_posts_at_most(ask, world, account_id) -> None:
    """A larger limit is served as 100."""
    world.put(replace(world.accounts[account_id], posts=130))
    assert [len(page) for page in _walk(ask, f"/{account_id}/media", limit=500)] == [100, 30]


def test_the_last_page_has_cursors_without_next(sandbox, ask, world, account_id) -> None:
    """Paging addresses carry the token; the last page ends with cursors only, an empty one without paging."""
    first = ask(f"/v25.0/{account_id}/media", limit=20).json()["paging"]
    assert f"access_token={world.system_user_token}" in first["next"]
    last = ask(first["next"].removeprefix(sandbox.url), token=None).json()
    assert set(last["paging"]) == {"cursors", "previous"}
    assert len(last["data"]) == 10
    again = ask(last["paging"]["previous"].removeprefix(sandbox.url), token=None).json()
    assert len(again["data"]) == 20
    assert ask(f"/{account_id}/media", after=last["paging"]["cursors"]["after"]).json() == {"data": []}
    assert ask(f"/{account_id}/media", after="nonsense").json()["error"]["code"] == 100


def test_a_cursor_outlives_its_post(ask, world, account_id) -> None:
    """When the post behind a cursor is gone, paging goes on where it stood."""
    posts = world.media_of(account_id, world.now)
    page = ask(f"/{account_id}/media", limit=10).json()
    world.deleted.add(posts[9].id)
    after = ask(f"/{account_id}/media", limit=3, after=page["paging"]["cursors"]["after"]).json()
    assert [post["id"] for post in after["data"]] == [post.id for post in posts[10:13]]


def test_insights_of_a_post_need_a_metric(ask, world, account_id) -> None:
    """Without one the parameter is named."""
    post = world.media_of(account_id, world.now)[0]
    assert ask(f"/{post.id}/insights").json()["error"]["message"] == "(#100) The parameter metric is required"


def test_a_bad_limit_is_refused(ask, account_id) -> None:
    """A limit that is no number is an error of its own."""
    assert ask(f"/{account_id}/media", limit="many").json()["error"]["code"] == 100


def test_since_and_until_choose_posts_by_publish_time(ask, world, account_id) -> None:
    """The dates cut the list by timestamp, both ends included; more than one post in four is younger than 28 days."""
    since = world.now - timedelta(days=100)
    until = world.now - timedelta(days=10)
    found = _walk(ask, f"/{account_id}/media", limit=100, since=int(since.timestamp()), until=int(until.timestamp()))[0]
    expected = [post.id for post in world.media_of(account_id, world.now) if since <= post.timestamp <= until]
    assert [post["id"] for post in found] == expected
    ages = [world.now - post.timestamp for post in world.media_of(account_id, world.now)]
    assert sum(age < timedelta(days=28) for age in ages) >= 5
    assert max(ages) > timedelta(days=600)


def test_media_fields(ask, world, account_id) -> None:
    """The listed fields of a post; absent ones are left out; like_count is the likes metric."""
    body = ask(
        f"/{account_id}/media",
        limit=100,
        fields="id,caption,permalink,shortcode,timestamp,username,alt_text,like_count,media_type,media_product_type,thumbnail_url,insights.metric(likes)",
    ).json()
    kinds = {(post["media_type"], post["media_product_type"]) for post in body["data"]}
    assert kinds == {("IMAGE", "FEED"), ("VIDEO", "REELS"), ("CAROUSEL_ALBUM", "FEED")}
    for post in body["data"]:
        assert post["like_count"] == post["insights"]["data"][0]["values"][0]["value"]
        assert ("thumbnail_url" in post) == (post["media_type"] == "VIDEO")
        assert post["timestamp"].endswith("+0000")
    assert {"alt_text" in post for post in body["data"]} == {True, False}
    (nested,) = [ask(f"/{account_id}", fields="username,media.limit(2){id,shortcode},stories{id}").json()]
    assert [post["id"] for post in nested["media"]["data"]] == [post["id"] for post in body["data"][:2]]
    assert len(nested["stories"]["data"]) == 3


def test_expansion_gives_each_post_its_insights(ask, account_id) -> None:
    """One request carries a page of posts with their core metrics."""
    body = ask(f"/{account_id}/media", fields=f"id,insights.metric({CORE})", limit=100).json()
    for post in body["data"]:
        assert [entry["name"] for entry in post["insights"]["data"]] == CORE.split(",")
    stories = ask(
        f"/{account_id}/stories", fields="id,insights.metric(navigation).breakdown(story_navigation_action_type)"
    )
    assert all("breakdowns" in story["insights"]["data"][0]["total_value"] for story in stories.json()["data"])


@pytest.mark.parametrize(
    ("metric", "changes", "code", "subcode"),
    [
        ("reach", {"before_business": True}, 100, 2108006),
        ("reach", {"hidden": True}, 100, 33),
        ("reach,ig_reels_avg_watch_time", {}, 100, None),
        ("reach,shoes", {}, 100, None),
    ],
)
def test_one_middle_post_rejects_the_whole_page(ask, world, account_id, metric, changes, code, subcode) -> None:
    """An expansion in which one post refuses answers with that post's error and nothing else."""
    _place(world, "FEED", **changes)
    answer = ask(f"/{account_id}/media", fields=f"id,insights.metric({metric})", limit=100)
    error = answer.json()["error"]
    assert (error["code"], error.get("error_subcode")) == (code, subcode)
    assert ask(f"/{account_id}/media", fields="id", limit=100).status_code == 200


def test_a_bad_metric_on_an_empty_page_is_no_error(ask, world, account_id) -> None:
    """Names are checked per object: with no post in the window there is nothing to refuse."""
    body = ask(f"/{account_id}/media", fields="insights.metric(shoes)", since="2020-01-01", until="2020-01-02").json()
    assert body == {"data": []}


def test_a_world_of_many_posts_is_cut_at_ten_thousand(world, account_id) -> None:
    """The list holds the most recent 10,000 posts; generating them depends on nothing but seed, account and index."""
    account = replace(world.accounts[account_id], posts=MOST_RECENT + 5)
    world.put(account)
    posts = world.media_of(account_id, world.now)
    assert len(posts) == MOST_RECENT + 5
    assert world.media(posts[-1].id) == posts[-1]


def test_a_post_comes_when_its_time_comes(sandbox, ask, world, account_id) -> None:
    """A post that is dated later than the clock is not listed until then."""
    media = _place(world, "FEED", timestamp=world.now + timedelta(hours=1))
    assert ask(f"/{account_id}/media", limit=1).json()["data"][0]["id"] != media.id
    sandbox.clock.advance(timedelta(hours=2))
    assert ask(f"/{account_id}/media", limit=1).json()["data"][0]["id"] == media.id
