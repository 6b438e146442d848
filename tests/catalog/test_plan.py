"""Metrics grouped into requests: as few as Meta accepts, none of a kind that Meta refuses, each total kept once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from airflow_provider_iginsights.catalog.plan import InsightsQuery, MediaPlan, plan_account, plan_media, plan_story
from airflow_provider_iginsights.sandbox.graph import rules

AT = {"version": "v25.0", "login": "facebook"}


def test_the_daily_requests_of_an_account() -> None:
    """By default: one series request per period, one total per breakdown, one snapshot per audience dimension."""
    plan = plan_account(None, None, **AT)  # type: ignore[arg-type]
    assert [query.names for query in plan.series] == [("reach", "follower_count"), ("online_followers",)]
    assert Counter(query.breakdown for query in plan.totals) == Counter(
        ["media_product_type", "follow_type", "contact_button_type", ""]
    )
    assert [query.breakdown for query in plan.snapshots] == ["age", "city", "country", "gender", "age,gender"]
    assert {query.timeframe for query in plan.snapshots} == {"this_month"}


def test_all_of_an_account() -> None:
    """With "all", reach comes in its other periods too, and the demographics that Meta no longer documents."""
    plan = plan_account("all", None, **AT)  # type: ignore[arg-type]
    assert [query.period for query in plan.series if "reach" in query.names] == ["day", "week", "days_28"]
    assert all("reached_audience_demographics" in query.names for query in plan.snapshots)


@pytest.mark.parametrize("metrics", [None, "all"])
def test_account_requests_are_acceptable(metrics: object) -> None:
    """No request mixes what the API refuses together, measured against the sandbox's own rules."""
    plan = plan_account(metrics, None, **AT)  # type: ignore[arg-type]
    for query in (*plan.series, *plan.totals, *plan.snapshots):
        for name in query.names:
            rule = rules.USER_METRICS[name]
            assert query.period in (rule.total if query.metric_type == "total_value" else rule.series)
            assert not query.breakdown or set(query.breakdown.split(",")) <= set(rule.breakdowns)
            assert not query.timeframe or query.timeframe in rule.timeframes


@pytest.mark.parametrize("metrics", [None, "all"])
def test_media_requests_are_acceptable(metrics: object) -> None:
    """What stands inside a listing exists for all its media, what follows for its own product type."""
    for plan in (plan_media(metrics, None, **AT), plan_story(metrics, None, **AT)):  # type: ignore[arg-type]
        assert plan.core
        assert plan.core.breakdown == ""
        for product_type, extras in plan.extras.items():
            for query in (plan.core, *extras):
                for name in query.names:
                    rule = rules.MEDIA_METRICS[name]
                    assert product_type in rule.products
                    assert query.breakdown in ("", rule.breakdown)
                    assert len(query.metrics) == 1 or not rule.needs_facebook


@pytest.mark.parametrize("metrics", [None, "all"])
def test_each_total_is_kept_once(metrics: object) -> None:
    """A metric's number without breakdown comes from exactly one request of those that carry it."""
    plan = plan_account(metrics, None, **AT)  # type: ignore[arg-type]
    kept = Counter((name, query.period) for query in (*plan.series, *plan.totals) for name in query.totals)
    assert set(kept.values()) == {1}
    asked = {(name, query.period) for query in (*plan.series, *plan.totals) for name in query.names}
    assert asked - set(kept) == {("follows_and_unfollows", "day")}


def test_before_v15_there_are_only_series() -> None:
    """Versions before v15.0 know neither metric_type nor breakdown: nothing is asked with them."""
    plan = plan_account(None, None, version="v10.0", login="facebook")
    assert plan.totals == ()
    assert all(query.metric_type is None and not query.breakdown for query in (*plan.series, *plan.snapshots))
    assert {name for query in plan.snapshots for name in query.names} == {
        "audience_city",
        "audience_country",
        "audience_gender_age",
        "audience_locale",
    }


@pytest.mark.parametrize(("version", "is_typed"), [("v14.0", False), ("v15.0", True), ("v15.1", True)])
def test_metric_type_came_with_v15(version: str, is_typed: bool) -> None:
    """A series says that it is one where Meta knows the word, and where it does not, nothing is said."""
    plan = plan_account(["reach"], None, version=version, login="facebook")
    assert [query.metric_type for query in plan.series] == ["time_series" if is_typed else None]


def test_a_listing_asks_for_what_all_its_media_have() -> None:
    """Stories are of one product type, so that all they share stands in their listing."""
    plan = plan_story(["views", "replies"], None, **AT)  # type: ignore[arg-type]
    assert plan.core is not None
    assert (plan.core.names, plan.extras) == (("views", "replies"), {"STORY": ()})


def test_one_product_type_alone() -> None:
    """A metric of reels is asked of reels; where no metric is shared the listing stands alone."""
    plan = plan_media(["reels_skip_rate"], None, **AT)  # type: ignore[arg-type]
    assert plan == MediaPlan(core=None, extras={"FEED": (), "REELS": plan.extras["REELS"]})
    assert [query.names for query in plan.extras["REELS"]] == [("reels_skip_rate",)]


def views_by_product() -> InsightsQuery:
    """Return a planned query with a breakdown that carries totals."""
    return plan_account(["views", "likes"], None, **AT).totals[0]  # type: ignore[arg-type]


def test_parts_of_a_query() -> None:
    """A query gives up metrics, hands out the totals that it was to bring, and joins another."""
    query = views_by_product()
    assert query.breakdown == "media_product_type"
    rest = query.without(["likes"])
    assert rest is not None
    assert rest.names == ("views",)
    assert query.without(["likes", "views"]) is None
    totals = query.of_totals(["likes", "reach"])
    assert totals is not None
    assert (totals.names, totals.breakdown, totals.period, totals.metric_type) == (("likes",), "", "day", "total_value")
    assert totals.of_totals(["likes"]) is None
    both = rest.join(totals)
    assert (both.names, both.breakdown, both.totals) == (("views", "likes"), "media_product_type", {"views", "likes"})
    assert [(each.names, each.breakdown) for each in query.split()] == [
        (("views",), "media_product_type"),
        (("likes",), "media_product_type"),
    ]
    alone = next(rest.split())
    assert alone.join(replace(alone, totals=frozenset({"likes"}))).totals == {"views", "likes"}
