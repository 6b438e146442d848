"""What users may ask for: a wrong name, period, timeframe or breakdown is refused before a call, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.plan import AccountPlan, MediaPlan, plan_account, plan_media, plan_story
from airflow_provider_iginsights.errors import ConfigurationError

PLANS: dict[str, Callable[..., AccountPlan | MediaPlan]] = {
    "account": plan_account,
    "media": plan_media,
    "story": plan_story,
}


def plan(
    kind: str,
    metrics: object,
    breakdowns: object = None,
    *,
    version: str = "v25.0",
    login: str = "facebook",
) -> Any:
    """Plan a kind of insights."""
    return PLANS[kind](metrics, breakdowns, version=version, login=login)


def queries_of(found: Any) -> list[Any]:
    """Return all queries of a plan."""
    if isinstance(found, AccountPlan):
        return [*found.series, *found.totals, *found.snapshots]
    core = [found.core] if found.core else []
    return [*core, *(query for extras in found.extras.values() for query in extras)]


@pytest.mark.parametrize(
    ("kind", "metrics", "said"),
    [
        ("account", ["quantum"], "no metric named 'quantum'"),
        ("account", ["reech"], "Did you mean reach"),
        ("account", ["follower_counts"], "follower_count"),
        ("account", ["saved"], "Did you mean saves"),
        ("media", ["saves"], "Did you mean saved"),
        ("media", ["total_interaction"], "Did you mean total_interactions"),
        ("account", ["REACH"], "no metric named 'REACH'"),
        ("account", [""], "no metric named ''"),
        ("account", [], "metrics asks for nothing"),
        ("account", ["impressions"], "Ask for views instead"),
        ("account", ["audience_gender_age"], "follower_demographics with breakdown age,gender"),
        ("account", ["audience_locale"], "It has no successor"),
        ("account", ["email_contacts"], "profile_links_taps with breakdown contact_button_type"),
        ("media", ["engagement"], "Ask for total_interactions instead"),
        ("media", ["impressions"], "Ask for views instead"),
        ("media", ["plays"], "Ask for views instead"),
        ("media", ["video_views"], "Ask for views instead"),
        ("media", ["carousel_album_saved"], "Ask for saved instead"),
        ("story", ["taps_forward"], "navigation with breakdown story_navigation_action_type"),
        ("story", ["exits"], "tap_exit"),
        ("media", ["navigation"], "exists for STORY media only"),
        ("media", ["replies"], "exists for STORY media only"),
        ("story", ["likes"], "exists for FEED, REELS media only"),
        ("story", ["reels_skip_rate"], "exists for REELS media only"),
        ("account", ["threads_likes"], "belongs to Threads"),
        ("account", ["threads_views"], "belongs to Threads"),
        ("account", ["reach", "quantum"], "no metric named 'quantum'"),
        ("account", ["views/week"], "Choose one of day"),
        ("account", ["reach/month"], "Choose one of day, days_28, week"),
        ("account", ["engaged_audience_demographics/last_90_days"], "Choose one of lifetime, this_month, this_week"),
        ("media", ["reach/day"], "Choose one of lifetime"),
    ],
)
def test_refusals_of_metrics(kind: str, metrics: list[str], said: str) -> None:
    """A name that cannot be asked is refused as a configuration error that names what to ask instead."""
    with pytest.raises(ConfigurationError) as refused:
        plan(kind, metrics)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("media", "total_likes"), ("media", "total_views"), ("story", "link_clicks"), ("story", "total_views")],
)
def test_facebook_login_only(kind: str, metric: str) -> None:
    """What only Facebook Login offers is refused by name with Instagram Login, and absent from its sets."""
    with pytest.raises(ConfigurationError, match=r"Facebook Login \(graph.facebook.com\) only"):
        plan(kind, [metric], login="instagram")
    for metrics in (None, "all"):
        assert all(metric not in query.names for query in queries_of(plan(kind, metrics, login="instagram")))
    assert any(metric in query.names for query in queries_of(plan(kind, [metric])))


@pytest.mark.parametrize(
    ("kind", "metric", "version"),
    [
        ("account", "views", "v14.0"),
        ("account", "follows_and_unfollows", "v14.0"),
        ("media", "total_interactions", "v13.0"),
        ("media", "ig_reels_avg_watch_time", "v17.0"),
        ("media", "reels_skip_rate", "v17.0"),
    ],
)
def test_a_version_too_old(kind: str, metric: str, version: str) -> None:
    """A metric younger than the pinned version is refused, and the version is named."""
    with pytest.raises(ConfigurationError, match=version):
        plan(kind, [metric], version=version)


@pytest.mark.parametrize("kind", ["media", "story"])
def test_of_two_forms_the_one_of_this_kind_is_refused(kind: str) -> None:
    """profile_activity exists for posts and for stories: it is too young for both, and on the right operator."""
    with pytest.raises(ConfigurationError, match=r"came with v15\.0"):
        plan(kind, ["profile_activity"], version="v14.0")


@pytest.mark.parametrize(
    ("kind", "metric", "version"),
    [("account", "views", "v20.0"), ("media", "reels_skip_rate", "v18.0"), ("story", "link_clicks", "v20.0")],
)
def test_what_came_to_all_versions(kind: str, metric: str, version: str) -> None:
    """A metric that came on a day is answered by the older versions that were served then."""
    assert queries_of(plan(kind, [metric], version=version))


@pytest.mark.parametrize(
    ("kind", "breakdowns", "said"),
    [
        ("account", {"views": ["follower_type"]}, "It offers media_product_type, follow_type"),
        ("account", {"accounts_engaged": ["country"]}, "It offers none"),
        ("account", {"follower_demographics": ["age,shoe_size"]}, "cannot be broken down by 'age,shoe_size'"),
        ("account", {"follower_demographics": [""]}, "cannot be broken down by ''"),
        ("account", {"navigation": ["story_navigation_action_type"]}, "not among the metrics asked for"),
        ("media", {"reach": ["surface_type"]}, "It offers none"),
        ("story", {"navigation": ["action_type"]}, "It offers story_navigation_action_type"),
    ],
)
def test_refusals_of_breakdowns(kind: str, breakdowns: dict[str, list[str]], said: str) -> None:
    """A breakdown that a metric does not have, or of a metric not asked for, is refused with what there is."""
    with pytest.raises(ConfigurationError) as refused:
        plan(kind, None, breakdowns)
    assert said in str(refused.value)


def test_breakdowns_narrow_and_widen() -> None:
    """The given breakdowns replace the default ones; an empty list leaves the total; blanks do not matter."""
    found = plan("account", ["views", "likes"], {"views": ["follow_type"], "likes": []})
    assert [(query.names, query.breakdown, set(query.totals)) for query in found.totals] == [
        (("views",), "follow_type", {"views"}),
        (("likes",), "", {"likes"}),
    ]
    combined = plan("account", ["follower_demographics"], {"follower_demographics": ["age, gender"]})
    assert [query.breakdown for query in combined.snapshots] == ["age,gender"]


def test_what_needs_its_breakdown_keeps_it() -> None:
    """A metric without any number but its breakdown's is asked with it, even if none is wanted."""
    found = plan("account", ["follows_and_unfollows"], {"follows_and_unfollows": []})
    assert [(query.breakdown, set(query.totals)) for query in found.totals] == [("follow_type", set())]


def test_two_breakdowns_of_a_media_metric() -> None:
    """A post's profile_activity is asked by name with its breakdown and keeps its total."""
    found = plan("media", ["profile_activity"])
    (query,) = found.extras["FEED"]
    assert (query.breakdown, set(query.totals)) == ("action_type", {"profile_activity"})
    assert found.extras["REELS"] == ()


@pytest.mark.parametrize(
    ("metrics", "asked"),
    [
        ("reach", {("reach", "day", "")}),
        (["reach/days_28"], {("reach", "days_28", "")}),
        (["reach", "reach/week"], {("reach", "day", ""), ("reach", "week", "")}),
        (["follower_demographics/this_week"], {("follower_demographics", "lifetime", "this_week")}),
        (["follower_demographics/last_90_days"], {("follower_demographics", "lifetime", "last_90_days")}),
        (["follower_demographics"], {("follower_demographics", "lifetime", "this_month")}),
        (["likes", "likes", " likes "], {("likes", "day", "")}),
    ],
)
def test_periods_and_timeframes(metrics: object, asked: set[tuple[str, str, str]]) -> None:
    """``metric/period`` and ``metric/timeframe`` choose; a metric that is named twice is asked once."""
    queries = queries_of(plan("account", metrics))
    found = {(name, query.period, query.timeframe) for query in queries for name in query.names}
    assert {(name, period, frame) for name, period, frame in found} == asked


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("version", ["v10.0", "v13.0", "v21.0", "v22.0", "v25.0", "v26.0"])
@pytest.mark.parametrize("login", ["facebook", "instagram"])
@pytest.mark.parametrize("metrics", [None, "all"])
def test_sets_are_live(kind: str, version: str, login: str, metrics: object) -> None:
    """The default set and "all" hold only what the version and login answer, whatever the version; each metric once."""
    queries = queries_of(plan(kind, metrics, version=version, login=login))
    assert queries
    for query in queries:
        assert all(metric.lives_in(version) and login in metric.logins for metric in query.metrics)
        assert len(set(query.names)) == len(query.names)


@pytest.mark.parametrize(
    ("kind", "name"), [("account", "content_views"), ("account", "quotes"), ("media", "content_views")]
)
def test_undocumented_metrics_are_asked_by_name_only(kind: str, name: str) -> None:
    """What Meta accepts without saying what it counts is in no set, and can be asked for by its name."""
    asked = {
        metrics: {each for query in queries_of(plan(kind, metrics)) for each in query.names}
        for metrics in (name, None, "all")
    }
    assert [name in names for names in asked.values()] == [True, False, False]


def names_of(kind: str, metrics: object, breakdowns: object = None) -> set[str]:
    """Return the names that a plan asks for."""
    return {name for query in queries_of(plan(kind, metrics, breakdowns)) for name in query.names}


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("base", ["default", "all"])
def test_sets_can_be_named_widened_and_narrowed(kind: str, base: str) -> None:
    """A set is named like a metric; what has a plus comes to it, what has a minus goes, and the rest stays."""
    whole = names_of(kind, None if base == "default" else "all")
    assert names_of(kind, [base]) == names_of(kind, [base, "reach"]) == whole
    assert names_of(kind, [base, "+profile_shares"]) == whole | {"profile_shares"}
    assert names_of(kind, ["-reach", base, "+profile_shares"]) == whole - {"reach"} | {"profile_shares"}


def test_one_period_can_be_left_out() -> None:
    """A minus with a period takes that period alone."""
    queries = queries_of(plan("account", ["all", "-reach/days_28"]))
    assert {query.period for query in queries if "reach" in query.names} == {"day", "week"}


@pytest.mark.parametrize("kind", PLANS)
def test_a_new_metric_is_asked_alone(kind: str) -> None:
    """What Meta may not know shares no request, so that its refusal costs nothing else."""
    queries = [
        query for query in queries_of(plan(kind, ["default", "+profile_shares"])) if "profile_shares" in query.names
    ]
    assert queries
    for query in queries:
        assert query.names == ("profile_shares",)
        assert (query.period, query.breakdown) == ("day" if kind == "account" else "lifetime", "")
        assert query.metric_type == ("total_value" if kind == "account" else None)


def test_a_plus_before_a_known_metric_changes_nothing() -> None:
    """A Dag that asked for a new metric goes on when a release knows it; what is not offered is asked for anyway."""
    assert plan("account", ["+views"]) == plan("account", ["views"])
    assert plan("account", ["+reach/week"]) == plan("account", ["reach/week"])
    assert names_of("story", ["+likes"]) == {"likes"}
    assert names_of("account", ["+impressions"]) == {"impressions"}


@pytest.mark.parametrize("name", ["profile_shares", "+profile_shares"])
def test_a_new_metric_can_be_broken_down(name: str) -> None:
    """A breakdown may be asked for under its name, with or without the plus; nobody knows which dimensions it has."""
    (query,) = queries_of(plan("account", ["+profile_shares"], {name: ["gender, follow_type"]}))
    assert (query.breakdown, set(query.totals)) == ("gender,follow_type", {"profile_shares"})


@pytest.mark.parametrize(
    ("metrics", "breakdowns", "said"),
    [
        (["default", "+"], None, "cannot be the name of a new metric"),
        (["+Views"], None, "cannot be the name of a new metric"),
        (["+views){id}"], None, "cannot be the name of a new metric"),
        (["+profile_shares/week"], None, "without a period or timeframe"),
        (["default", "-quantum"], None, "leaves out 'quantum', which is not among the metrics asked for"),
        (["default", "-reech"], None, "Did you mean reach"),
        (["reach", "-views"], None, "leaves out 'views'"),
        (["-reach"], None, 'such as ["default", "-reach"]'),
        (["reach", "-reach"], None, "leaves out all that it asks for"),
        (["quantum"], None, "asked for with a + before its name"),
        (["+profile_shares"], {"profile_shares": ["a)b"]}, "cannot be broken down by 'a)b'"),
        (["reach"], {"+profile_shares": ["gender"]}, "not among the metrics asked for"),
    ],
)
def test_refusals_of_signs(metrics: list[str], breakdowns: object, said: str) -> None:
    """A sign before what cannot be, and a minus before what is not asked for, is refused with the way out."""
    with pytest.raises(ConfigurationError) as refused:
        plan("account", metrics, breakdowns)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "level", "metric_type", "period", "has_history"),
    [("account", "account", "total_value", "day", True), ("media", "media", "default", "lifetime", False)],
)
def test_what_a_new_metric_is_taken_for(
    kind: str, level: str, metric_type: str, period: str, has_history: bool
) -> None:
    """Of an account, a total of each day that Meta keeps; of a media, a lifetime total. No page of ours lists it."""
    (metric,) = {metric for query in queries_of(plan(kind, ["+profile_shares"])) for metric in query.metrics}
    assert (metric.level, metric.metric_type, metric.periods) == (level, metric_type, (period,))
    assert (metric.history_days is not None, metric.documented, metric.declared) == (has_history, False, False)


def test_a_slip_of_the_pen_is_answered_by_three_names_at_most() -> None:
    """More would be a list to read."""
    for metrics, base in ((["profile"], "There is no metric"), (["default", "-profile_link"], "metrics leaves out")):
        with pytest.raises(ConfigurationError, match=base) as refused:
            plan("account", metrics)
        assert refused.value.message.count(",") <= 3


@pytest.mark.parametrize("metrics", [["reach/week"], ["+reach/week"], ["all"]])
def test_a_period_that_is_asked_for_is_asked(metrics: list[str]) -> None:
    """The first period of a metric stands for the others only where none is named."""
    periods = {query.period for query in queries_of(plan("account", metrics)) if "reach" in query.names}
    assert "week" in periods
    assert {query.period for query in queries_of(plan("account", ["reach"]))} == {"day"}
