"""Every account metric Meta has had since v10.0, one row each.

Sources: Meta's Instagram User Insights reference and changelog, and what the live API was seen to answer in 2026 where
the two disagree (``follow_type``, not ``follower_type``; week and days_28 of reach; profile_views and website_clicks as
totals).
"""

from __future__ import annotations

from datetime import date
from functools import partial

from airflow_provider_iginsights.catalog.metrics import Continuation, Metric

HISTORY_DAYS = 729  # META-05: Meta answers since = 729 days back and refuses 730.
RECENT_DAYS = 30  # META-06: follower_count and online_followers, the current day excluded.

_DIMENSIONS = ("age", "city", "country", "gender")
_ALL_TIMEFRAMES = ("this_month", "this_week", "last_14_days", "last_30_days", "last_90_days", "prev_month")
_V21_SERIES_END = date(2025, 1, 8)
# On these days every version that was still served lost the metrics (Meta's changelog).
_AUDIENCE_END = date(2023, 12, 11)

_Series = partial(Metric, level="account", metric_type="time_series", periods=("day",), history_days=HISTORY_DAYS)
# Of a window, views, saves, profile_views and website_clicks are the sum of its days, as was measured; reach and
# accounts_engaged are less ("estimated" uniques by Meta's "Instagram User Insights").
_Total = partial(
    Metric,
    level="account",
    metric_type="total_value",
    periods=("day",),
    introduced="v15.0",
    history_days=HISTORY_DAYS,
    sums_over_days=True,
)
_ByProduct = partial(_Total, breakdowns=("media_product_type",), default_breakdowns=("media_product_type",))
_Demographics = partial(
    Metric,
    level="account",
    metric_type="total_value",
    periods=("lifetime",),
    introduced="v15.0",
    breakdowns=_DIMENSIONS,
    default_breakdowns=(*_DIMENSIONS, "age,gender"),
    # Without a breakdown Meta answers the metric's name and no number.
    needs_breakdown=True,
    timeframes=("this_month", "this_week"),
    # META-15: below 100 followers Meta sends no number, and no error either.
    min_followers=100,
)
_Clicks = partial(_Series, retired="v21.0", removed_on=_V21_SERIES_END, sums_over_days=True)
# Of the reasons why a metric and its successor make no series, these follow from the forms of their answers ("Instagram
# User Insights" of v10.0 and today): a dated series there, a total by a breakdown here.
_ContactClicks = partial(
    _Clicks,
    continued_by=Continuation(
        "profile_links_taps with breakdown contact_button_type",
        "v15.0",
        "it was a series, and its button is one part of a total now",
    ),
)
_Audience = partial(
    Metric,
    level="account",
    metric_type="time_series",
    periods=("lifetime",),
    retired="v18.0",
    removed_on=_AUDIENCE_END,
    min_followers=100,
)
_Undocumented = partial(_Total, documented=False, selection="named", sums_over_days=False)
# Never asked: they are here so that a comparison with the names that Meta accepts does not report them.
_Threads = partial(Metric, level="account", metric_type="total_value", periods=(), selection="never")


def _continue_audience(breakdown: str) -> Continuation:
    # "Instagram User Insights" of v10.0: audience metrics use the previous day's data; today they take a timeframe.
    because = "the audience was that of a day, and it is that of a timeframe now"
    return Continuation(f"follower_demographics with breakdown {breakdown}", "v15.0", because)


# META-14: where the reference and the API disagree about a name, the API's stands here.
ACCOUNT_METRICS: tuple[Metric, ...] = (
    # series
    _Series(name="reach", periods=("day", "week", "days_28")),
    _Series(name="follower_count", history_days=RECENT_DAYS, min_followers=100, sums_over_days=True),
    _Series(
        name="online_followers",
        periods=("lifetime",),
        history_days=RECENT_DAYS,
        min_followers=100,
        map_dimension="hour",
    ),
    # totals of a window
    _Total(
        name="reach",
        breakdowns=("media_product_type", "follow_type"),
        default_breakdowns=("media_product_type", "follow_type"),
        sums_over_days=False,
    ),
    _Total(
        name="views",
        introduced="2025-01-21",
        breakdowns=("media_product_type", "follow_type"),
        default_breakdowns=("media_product_type", "follow_type"),
    ),
    _Total(name="accounts_engaged", sums_over_days=False),
    _ByProduct(name="total_interactions"),
    _ByProduct(name="likes"),
    _ByProduct(name="comments"),
    _ByProduct(name="shares"),
    _ByProduct(name="saves"),
    _Total(name="replies"),
    _Total(name="reposts", introduced="2025-12-03"),
    _Total(
        name="follows_and_unfollows",
        breakdowns=("follow_type",),
        default_breakdowns=("follow_type",),
        needs_breakdown=True,
        min_followers=100,
    ),
    _Total(name="profile_links_taps", breakdowns=("contact_button_type",), default_breakdowns=("contact_button_type",)),
    _Total(name="profile_views"),
    _Total(name="website_clicks"),
    # demographics
    _Demographics(name="follower_demographics", timeframes=_ALL_TIMEFRAMES),
    _Demographics(name="engaged_audience_demographics", min_followers=None),
    _Demographics(name="reached_audience_demographics", selection="all"),
    # retired
    _Series(
        name="impressions",
        periods=("day", "week", "days_28"),
        sums_over_days=True,
        retired="v22.0",
        removed_on=date(2025, 4, 21),
        continued_by=Continuation(
            "views", "2025-01-21", "impressions counted displays in a series, views counts plays and displays in totals"
        ),
    ),
    _Clicks(name="profile_views"),
    _Clicks(name="website_clicks"),
    _ContactClicks(name="email_contacts"),
    _ContactClicks(name="phone_call_clicks"),
    _ContactClicks(name="text_message_clicks"),
    _ContactClicks(name="get_directions_clicks"),
    _Audience(name="audience_city", map_dimension="city", continued_by=_continue_audience("city")),
    _Audience(name="audience_country", map_dimension="country", continued_by=_continue_audience("country")),
    _Audience(
        name="audience_gender_age",
        map_dimension="gender_age",
        continued_by=_continue_audience("age,gender"),
    ),
    _Audience(name="audience_locale", map_dimension="locale"),
    # accepted by name, without a word in Meta's reference about what they count
    _Undocumented(name="content_views"),
    _Undocumented(name="quotes"),
    # Threads' metrics, which the API lists among the names it accepts here
    *(
        _Threads(name=name)
        for name in (
            "threads_clicks",
            "threads_follower_demographics",
            "threads_followers",
            "threads_likes",
            "threads_replies",
            "threads_reposts",
            "threads_views",
        )
    ),
)
