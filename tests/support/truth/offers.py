"""Which metrics and breakdowns the named sets hold, typed in by hand: the default set, "all", and those of 2021.

A breakdown is written as its dimensions, ``""`` for the number without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Breakdowns = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOffer:
    """``series``: (metric, period); ``totals`` and ``audiences``: metric -> breakdowns, one row per value of each."""

    series: tuple[tuple[str, str], ...] = ()
    totals: Mapping[str, Breakdowns] = field(default_factory=dict)
    audiences: Mapping[str, Breakdowns] = field(default_factory=dict)
    timeframe: str = "THIS_MONTH"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOffer:
    """``metrics``: product type -> metric -> breakdowns; ``facebook``: those that only media shared there have."""

    metrics: Mapping[str, Mapping[str, Breakdowns]]
    facebook: frozenset[str] = frozenset()


_PEOPLE = ("age", "city", "country", "gender", "age,gender")
_BY_PRODUCT = ("", "media_product_type")

NO_ACCOUNT_METRICS = AccountOffer()
DEFAULT_ACCOUNT = AccountOffer(
    series=(("reach", "day"), ("follower_count", "day"), ("online_followers", "lifetime")),
    totals={
        "reach": ("media_product_type", "follow_type"),
        "views": ("", "media_product_type", "follow_type"),
        "accounts_engaged": ("",),
        "total_interactions": _BY_PRODUCT,
        "likes": _BY_PRODUCT,
        "comments": _BY_PRODUCT,
        "shares": _BY_PRODUCT,
        "saves": _BY_PRODUCT,
        "replies": ("",),
        "reposts": ("",),
        "follows_and_unfollows": ("follow_type",),
        "profile_links_taps": ("", "contact_button_type"),
        "profile_views": ("",),
        "website_clicks": ("",),
    },
    audiences={"follower_demographics": _PEOPLE, "engaged_audience_demographics": _PEOPLE},
)
ALL_ACCOUNT = replace(
    DEFAULT_ACCOUNT,
    series=(*DEFAULT_ACCOUNT.series, ("reach", "week"), ("reach", "days_28")),
    audiences={**DEFAULT_ACCOUNT.audiences, "reached_audience_demographics": _PEOPLE},
)
LEGACY_ACCOUNT = AccountOffer(
    series=(
        ("impressions", "day"),
        ("reach", "day"),
        ("profile_views", "day"),
        ("website_clicks", "day"),
        ("email_contacts", "day"),
        ("phone_call_clicks", "day"),
        ("text_message_clicks", "day"),
        ("get_directions_clicks", "day"),
        ("follower_count", "day"),
        ("online_followers", "lifetime"),
    ),
    audiences={
        "audience_gender_age": ("gender,age",),
        "audience_locale": ("locale",),
        "audience_country": ("country",),
        "audience_city": ("city",),
    },
)


def _plain(names: str) -> dict[str, Breakdowns]:
    return dict.fromkeys(names.split(), ("",))


_BOTH = _plain("reach views likes comments shares saved total_interactions reposts")
_FEED = {**_BOTH, **_plain("follows profile_visits")}
_REELS = {**_BOTH, **_plain("ig_reels_avg_watch_time ig_reels_video_view_total_time reels_skip_rate")}
_STORY = {
    **_plain("reach views shares total_interactions reposts follows profile_visits replies link_clicks"),
    "navigation": ("", "story_navigation_action_type"),
    "profile_activity": ("", "action_type"),
}
_FACEBOOK_LOGIN_ONLY = ("total_likes", "total_comments", "total_views", "link_clicks")
_TOTALS = _plain("total_likes total_comments total_views")


def _less(metrics: Mapping[str, Breakdowns]) -> dict[str, Breakdowns]:
    return {name: breakdowns for name, breakdowns in metrics.items() if name not in _FACEBOOK_LOGIN_ONLY}


DEFAULT_POSTS = MediaOffer(metrics={"FEED": _FEED, "REELS": _REELS})
ALL_POSTS = MediaOffer(
    metrics={
        "FEED": {**_FEED, **_TOTALS, **_plain("facebook_views"), "profile_activity": ("", "action_type")},
        "REELS": {**_REELS, **_TOTALS, **_plain("facebook_views crossposted_views")},
    },
    facebook=frozenset({"facebook_views", "crossposted_views"}),
)
DEFAULT_STORIES = MediaOffer(metrics={"STORY": _STORY})
INSTAGRAM_POSTS = MediaOffer(metrics={"FEED": _less(_FEED), "REELS": _less(_REELS)})
INSTAGRAM_STORIES = MediaOffer(metrics={"STORY": _less(_STORY)})
ALL_STORIES = MediaOffer(
    metrics={"STORY": {**_STORY, **_plain("total_views facebook_views")}}, facebook=frozenset({"facebook_views"})
)
LEGACY_POSTS = MediaOffer(metrics={"FEED": _plain("engagement impressions reach saved")})
LEGACY_STORIES = MediaOffer(metrics={"STORY": _plain("impressions reach replies exits taps_back taps_forward")})
