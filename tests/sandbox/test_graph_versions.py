"""Versions of the local Graph API: which one answers, and how version 10.0 answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import requests

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, Media, World, numbers
from airflow_provider_iginsights.sandbox.graph.versions import VERSIONS, serve_version


@pytest.mark.parametrize(
    ("asked", "today", "served"),
    [
        ("v10.0", "2026-11-21", "v21.0"),
        ("v20.0", "2026-11-21", "v21.0"),
        ("v18.0", "2026-09-21", "v20.0"),
        ("v21.0", "2026-11-21", "v21.0"),
        ("v21.0", "2027-01-21", "v22.0"),
        ("v26.0", "2026-11-21", "v26.0"),
        ("v27.0", "2026-10-01", "v21.0"),
        ("v26.0", "2026-07-28", "v20.0"),
        (None, "2026-11-21", "v21.0"),
        ("v99.0", "2026-11-21", None),
        ("v0.0", "2026-11-21", None),
    ],
)
def test_which_version_answers(asked, today, served) -> None:
    """An expired or coming version is served as the oldest usable one; a version out of range is none."""
    assert serve_version(asked, date.fromisoformat(today)) == served


def test_versions_are_released_in_order() -> None:
    """Each version comes out after, and ends no earlier than, the one before it."""
    versions = list(VERSIONS.values())
    assert [each.released for each in versions] == sorted(each.released for each in versions)
    ends = [each.ends for each in versions if each.ends]
    assert ends == sorted(ends)


def test_the_header_names_the_version_that_answered(ask, account_id) -> None:
    """A call pinned to v10.0 does not fail; only the header tells what answered, and so do paging addresses."""
    answer = ask(f"/v10.0/{account_id}/media", limit=1)
    assert answer.headers["facebook-api-version"] == "v21.0"
    assert "/v21.0/" in answer.json()["paging"]["next"]


NOW = datetime(2017, 5, 5, 20, tzinfo=UTC)


@pytest.fixture
def old() -> Iterator[GraphSandbox]:
    """Run a sandbox that plays version 10.0."""
    with GraphSandbox(World.build(now=NOW), pin="v10.0") as sandbox:
        yield sandbox


@pytest.fixture
def ask_old(old):
    """Ask the old API."""
    headers = {"Authorization": f"Bearer {old.world.user_token}"}
    return lambda path, **params: requests.get(f"{old.url}/v10.0{path}", params=params, headers=headers, timeout=5)


def test_v10_account_insights_have_the_documented_shape(old, ask_old) -> None:
    """The documentation's own request: three metrics, yesterday and today, in the sample answer's shape."""
    account_id = next(iter(old.world.accounts))
    answer = ask_old(f"/{account_id}/insights", metric="impressions,reach,profile_views", period="day")
    assert answer.headers["facebook-api-version"] == "v10.0"
    body = answer.json()
    assert [entry["name"] for entry in body["data"]] == ["impressions", "reach", "profile_views"]
    for entry in body["data"]:
        assert list(entry) == ["name", "period", "values", "title", "description", "id"]
        assert [value["end_time"] for value in entry["values"]] == [
            "2017-05-04T07:00:00+0000",
            "2017-05-05T07:00:00+0000",
        ]
        assert all(list(value) == ["value", "end_time"] for value in entry["values"])
        assert entry["id"] == f"{account_id}/insights/{entry['name']}/day"
    assert body["data"][0]["title"] == "Impressions"
    assert body["data"][0]["description"] == "Total number of times this profile has been seen"
    yesterday = numbers.account_day(old.world.seed, account_id, "impressions", date(2017, 5, 4))
    assert body["data"][0]["values"][0]["value"] == numbers.seen_of_day(yesterday, date(2017, 5, 4), NOW)
    assert set(body["paging"]) == {"previous", "next"}


@pytest.mark.parametrize(
    ("metric", "period"),
    [
        ("impressions,reach", "week"),
        ("impressions,reach", "days_28"),
        ("email_contacts,phone_call_clicks,text_message_clicks,get_directions_clicks,website_clicks", "day"),
        ("follower_count", "day"),
        ("online_followers", "lifetime"),
        ("audience_city,audience_country,audience_gender_age,audience_locale", "lifetime"),
    ],
)
def test_v10_metrics_are_dated_values(old, ask_old, metric, period) -> None:
    """Every metric of 2021 answers in its period with values that carry an end_time."""
    account_id = next(iter(old.world.accounts))
    body = ask_old(f"/{account_id}/insights", metric=metric, period=period).json()
    assert [entry["name"] for entry in body["data"]] == metric.split(",")
    for entry in body["data"]:
        assert entry["values"][-1]["end_time"] == "2017-05-05T07:00:00+0000"
    if metric.startswith("audience"):
        assert {key.partition(".")[0] for key in body["data"][2]["values"][0]["value"]} == {"F", "M", "U"}


@pytest.mark.parametrize(
    ("metric", "period", "text"),
    [
        ("views", "day", "(#100) metric[0] must be one of the following values: impressions, reach, profile_views"),
        ("reach", "lifetime", "(#100) The following periods (lifetime) are incompatible with the metric (reach)"),
        ("audience_city", "day", "(#100) The following periods (day) are incompatible with the metric (audience_city)"),
    ],
)
def test_v10_refusals(old, ask_old, metric, period, text) -> None:
    """Names of today and wrong periods are refused."""
    account_id = next(iter(old.world.accounts))
    answer = ask_old(f"/{account_id}/insights", metric=metric, period=period)
    assert answer.json()["error"]["message"].startswith(text)


@pytest.mark.parametrize(
    ("path", "params", "text"),
    [
        ("{account}", {"period": "day"}, "(#100) The parameter metric is required"),
        ("{account}", {"metric": "reach"}, "(#100) The parameter period is required"),
        ("18000000000000009", {}, "(#100) The parameter metric is required"),
    ],
)
def test_v10_names_what_is_missing(old, ask_old, path, params, text) -> None:
    """Without metric, or for an account without period, the parameter is named."""
    account_id = next(iter(old.world.accounts))
    old.world.put(Media("18000000000000009", account_id, "IMAGE", "FEED", timestamp=NOW))
    answer = ask_old(f"/{path.format(account=account_id)}/insights", **params)
    assert answer.json()["error"]["message"] == text


@pytest.mark.parametrize(
    ("product_type", "changes", "code", "subcode"),
    [("FEED", {"before_business": True}, 100, 2108006), ("STORY", {"viewers": 4}, 10, None)],
)
def test_v10_media_without_insights(old, ask_old, product_type, changes, code, subcode) -> None:
    """A post from before the business account, and a story of few viewers, are refused as today."""
    media = Media("18000000000000009", next(iter(old.world.accounts)), "IMAGE", product_type, timestamp=NOW, **changes)
    old.world.put(media)
    error = ask_old(f"/{media.id}/insights", metric="reach").json()["error"]
    assert (error["code"], error.get("error_subcode")) == (code, subcode)


def test_v10_knows_no_types_and_no_breakdowns(old, ask_old) -> None:
    """metric_type and breakdown are unknown parameters, and change nothing."""
    path = f"/{next(iter(old.world.accounts))}/insights"
    plain = ask_old(path, metric="reach", period="day").json()["data"]
    assert ask_old(path, metric="reach", period="day", metric_type="total_value", breakdown="x").json()["data"] == plain


@pytest.mark.parametrize(
    ("media_type", "product_type", "metrics", "refused"),
    [
        ("IMAGE", "FEED", "engagement,impressions,reach,saved", "video_views"),
        ("VIDEO", "REELS", "engagement,impressions,reach,saved,video_views", "exits"),
        ("CAROUSEL_ALBUM", "FEED", "engagement,carousel_album_engagement,carousel_album_video_views", "video_views"),
        ("IMAGE", "STORY", "exits,impressions,reach,replies,taps_back,taps_forward", "engagement"),
    ],
)
def test_v10_media_insights(old, ask_old, media_type, product_type, metrics, refused) -> None:
    """The metrics of 2021 by kind of media, as one undated lifetime value each."""
    account_id = next(iter(old.world.accounts))
    old.world.put(Media("18000000000000009", account_id, media_type, product_type, timestamp=NOW))
    body = ask_old("/18000000000000009/insights", metric=metrics).json()
    assert [entry["name"] for entry in body["data"]] == metrics.split(",")
    for entry in body["data"]:
        assert list(entry) == ["name", "period", "values", "title", "description", "id"]
        assert [list(value) for value in entry["values"]] == [["value"]]
    assert "product type" in ask_old("/18000000000000009/insights", metric=refused).json()["error"]["message"]
    shown = ask_old("/18000000000000009", fields="media_product_type").json()["media_product_type"]
    assert shown == product_type.replace("REELS", "FEED")


def test_v10_media_list_knows_no_dates(old, ask_old) -> None:
    """/media has no since and until before v11.0."""
    account_id = next(iter(old.world.accounts))
    body = ask_old(f"/{account_id}/media", limit=100, since="2001-01-01", until="2001-01-02").json()
    assert len(body["data"]) == 30


def test_v10_small_accounts(old, ask_old) -> None:
    """Below 100 followers the followers' metrics have no data."""
    account = next(iter(old.world.accounts.values()))
    old.world.put(replace(account, followers_count=50))
    body = ask_old(f"/{account.id}/insights", metric="online_followers,audience_city", period="lifetime").json()
    assert body["data"] == []
