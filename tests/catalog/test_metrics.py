"""The metric tables: every name in Meta's lists is a row, rows say when they live, retired ones what continues them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS
from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.views import name_daily_columns

# As Meta's error texts list them (v22.0 to v25.0, 2026).
ACCOUNT_NAMES = """
reach, follower_count, website_clicks, profile_views, online_followers, accounts_engaged, total_interactions, likes,
comments, shares, saves, replies, engaged_audience_demographics, reached_audience_demographics, follower_demographics,
follows_and_unfollows, profile_links_taps, views, threads_likes, threads_replies, reposts, quotes, threads_followers,
threads_follower_demographics, content_views, threads_views, threads_clicks, threads_reposts
"""
MEDIA_NAMES = """
impressions, reach, replies, saved, likes, comments, shares, total_interactions, follows, profile_visits,
profile_activity, navigation, ig_reels_video_view_total_time, ig_reels_avg_watch_time, views, reels_skip_rate, reposts,
facebook_views, crossposted_views, total_views, total_likes, total_comments, link_clicks
"""
# As Meta's SDKs of v10.0 to v25.0 had them and the API no longer has.
FORMER_MEDIA_NAMES = """
engagement, video_views, exits, taps_back, taps_forward, carousel_album_engagement, carousel_album_impressions,
carousel_album_reach, carousel_album_saved, carousel_album_video_views, plays, clips_replays_count,
ig_reels_aggregated_all_plays_count
"""
FORMER_ACCOUNT_NAMES = """
impressions, email_contacts, phone_call_clicks, text_message_clicks, get_directions_clicks, audience_city,
audience_country, audience_gender_age, audience_locale
"""


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (ACCOUNT_METRICS, ACCOUNT_NAMES),
        (MEDIA_METRICS, MEDIA_NAMES),
        (ACCOUNT_METRICS, FORMER_ACCOUNT_NAMES),
        (MEDIA_METRICS, FORMER_MEDIA_NAMES),
    ],
)
def test_every_name_of_meta_is_a_row(table: tuple[Metric, ...], names: str) -> None:
    """No name that Meta lists or listed is unknown to the catalog."""
    assert set(re.findall(r"\w+", names)) <= {metric.name for metric in table}


@pytest.mark.parametrize(
    "metric", [*ACCOUNT_METRICS, *MEDIA_METRICS], ids=lambda metric: f"{metric.level} {metric.name}"
)
def test_rows_are_consistent(metric: Metric) -> None:
    """A row has a period unless it is another product's, media have product types, defaults are among what there is."""
    assert bool(metric.periods) != (metric.selection == "never")
    assert bool(metric.product_types) == (metric.level == "media")
    assert {part for name in metric.default_breakdowns for part in name.split(",")} <= set(metric.breakdowns)
    assert not metric.needs_breakdown or metric.default_breakdowns
    assert metric.logins


def test_rows_do_not_overlap() -> None:
    """No two rows of a name ask for the same thing of the same media in the same version."""
    for version in ("v10.0", "v14.0", "v21.0", "v25.0"):
        for table in (ACCOUNT_METRICS, MEDIA_METRICS):
            asked = [
                (metric.name, metric.metric_type, period, product_type)
                for metric in table
                if metric.lives_in(version)
                for period in metric.periods
                for product_type in metric.product_types or ("",)
            ]
            assert len(asked) == len(set(asked)), version


@pytest.mark.parametrize(
    ("changes", "lives"),
    [
        ({}, {"v10.0", "v15.0", "v21.0", "v22.0", "v25.0"}),
        ({"introduced": "v15.0"}, {"v15.0", "v21.0", "v22.0", "v25.0"}),
        ({"introduced": "2025-12-03"}, {"v21.0", "v22.0", "v25.0"}),
        ({"retired": "v22.0"}, {"v10.0", "v15.0", "v21.0"}),
        ({"retired": "v22.0", "removed_on": date(2025, 4, 21)}, {"v10.0", "v15.0"}),
        ({"introduced": "v15.0", "retired": "v22.0"}, {"v15.0", "v21.0"}),
    ],
)
def test_when_a_metric_lives(changes: dict[str, object], lives: set[str]) -> None:
    """A version answers from the introduction on, by number or by day, until the retirement, by number or by day."""
    metric = replace(Metric(name="x", level="account", metric_type="time_series", periods=("day",)), **changes)  # type: ignore[arg-type]
    assert {version for version in ("v10.0", "v15.0", "v21.0", "v22.0", "v25.0") if metric.lives_in(version)} == lives


@pytest.mark.parametrize("table", [ACCOUNT_METRICS, MEDIA_METRICS], ids=["account", "media"])
def test_continuations_lead_somewhere(table: tuple[Metric, ...]) -> None:
    """What continues a retired metric is alive, since when its own row says, and there is a reason not to join them."""
    continued = [metric for metric in table if metric.continued_by]
    assert len(continued) >= 8
    for metric in continued:
        after = metric.continued_by
        assert after is not None
        assert metric.retired
        living = [row for row in table if row.name == after.by.split()[0] and row.lives_in("v25.0")]
        assert after.since in {row.introduced for row in living}, metric.name
        assert after.because
        assert after.because[-1] != "."


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (ACCOUNT_METRICS, "impressions"),
        (MEDIA_METRICS, "impressions"),
        (MEDIA_METRICS, "plays"),
        (MEDIA_METRICS, "video_views"),
    ],
)
def test_renamed_metrics_say_that_they_are_not_joined(table: tuple[Metric, ...], name: str) -> None:
    """Each row of a metric that views continues says so; no view of ours maps one name to the other."""
    rows = [metric for metric in table if metric.name == name]
    assert rows
    assert all(metric.continued_by and metric.continued_by.by == "views" for metric in rows)
    assert "impressions" not in name_daily_columns() or name_daily_columns()["impressions"][0] == "impressions"
