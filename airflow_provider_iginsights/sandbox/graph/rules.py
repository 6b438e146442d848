"""What today's Graph API accepts for insights: metrics, periods, types, breakdowns, product types, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

__all__ = [
    "MEDIA_BREAKDOWNS",
    "MEDIA_METRICS",
    "METRIC_TYPES",
    "PERIODS",
    "TIMEFRAMES",
    "USER_BREAKDOWNS",
    "USER_METRICS",
    "MediaMetric",
    "UserMetric",
]

Product = Literal["FEED", "REELS", "STORY"]


@dataclass(frozen=True, slots=True)
class UserMetric:
    """An account metric: where it may be asked. A metric of another product has no periods and no data."""

    series: tuple[str, ...] = ()
    """Periods of the dated series."""
    total: tuple[str, ...] = ()
    """Periods of the undated total."""
    breakdowns: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    needs_timeframe: bool = False
    is_unique: bool = False
    """Counts people, so that days do not add up."""
    only_last_30_days: bool = False
    min_followers: int = 0


@dataclass(frozen=True, slots=True)
class MediaMetric:
    """A media metric: the product types that have it."""

    products: tuple[Product, ...]
    breakdown: str | None = None
    facebook_login_only: bool = False
    needs_facebook: bool = False
    """Fatal for media that is not shared to Facebook."""
    only_media_until: date | None = None
    """Answered by v21.0 and older, for media created up to this day."""


PERIODS = ("day", "week", "days_28", "month", "lifetime", "total_over_range")
METRIC_TYPES = ("default", "time_series", "total_value")
TIMEFRAMES = ("last_14_days", "last_30_days", "last_90_days", "prev_month", "this_month", "this_week")
USER_BREAKDOWNS = ("country", "city", "age", "gender", "follow_type", "media_product_type", "contact_button_type")
MEDIA_BREAKDOWNS = ("follow_type", "surface_type", "action_type", "story_navigation_action_type")

_DAY = ("day",)
_LIFETIME = ("lifetime",)
_PEOPLE = ("age", "city", "country", "gender")
_RECENT = ("this_month", "this_week")
_BY_PRODUCT = UserMetric(total=_DAY, breakdowns=("media_product_type",))
_PLAIN = UserMetric(total=_DAY)
# Names that the error text lists, and that are of Threads or documented nowhere: accepted, without data.
_ELSEWHERE = UserMetric()

# In the order in which the error text lists the accepted names.
USER_METRICS: Mapping[str, UserMetric] = {
    "reach": UserMetric(
        series=("day", "week", "days_28"),
        total=_DAY,
        breakdowns=("media_product_type", "follow_type"),
        is_unique=True,
    ),
    "follower_count": UserMetric(series=_DAY, only_last_30_days=True, min_followers=100),
    "website_clicks": _PLAIN,
    "profile_views": _PLAIN,
    "online_followers": UserMetric(series=_LIFETIME, only_last_30_days=True, min_followers=100),
    "accounts_engaged": UserMetric(total=_DAY, is_unique=True),
    "total_interactions": _BY_PRODUCT,
    "likes": _BY_PRODUCT,
    "comments": _BY_PRODUCT,
    "shares": _BY_PRODUCT,
    "saves": _BY_PRODUCT,
    "replies": _PLAIN,
    "engaged_audience_demographics": UserMetric(
        total=_LIFETIME, breakdowns=_PEOPLE, timeframes=_RECENT, needs_timeframe=True, min_followers=100
    ),
    "reached_audience_demographics": UserMetric(
        total=_LIFETIME, breakdowns=_PEOPLE, timeframes=_RECENT, needs_timeframe=True, min_followers=100
    ),
    "follower_demographics": UserMetric(total=_LIFETIME, breakdowns=_PEOPLE, timeframes=TIMEFRAMES, min_followers=100),
    "follows_and_unfollows": UserMetric(total=_DAY, breakdowns=("follow_type",), min_followers=100),
    "profile_links_taps": UserMetric(total=_DAY, breakdowns=("contact_button_type",)),
    "views": UserMetric(total=_DAY, breakdowns=("follow_type", "media_product_type")),
    "threads_likes": _ELSEWHERE,
    "threads_replies": _ELSEWHERE,
    "reposts": _PLAIN,
    "quotes": _ELSEWHERE,
    "threads_followers": _ELSEWHERE,
    "threads_follower_demographics": _ELSEWHERE,
    "content_views": _ELSEWHERE,
    "threads_views": _ELSEWHERE,
    "threads_clicks": _ELSEWHERE,
    "threads_reposts": _ELSEWHERE,
}

_EVERY: tuple[Product, ...] = ("FEED", "REELS", "STORY")
_POSTS: tuple[Product, ...] = ("FEED", "REELS")
_STILL: tuple[Product, ...] = ("FEED", "STORY")
_REELS: tuple[Product, ...] = ("REELS",)
_STORY: tuple[Product, ...] = ("STORY",)

MEDIA_METRICS: Mapping[str, MediaMetric] = {
    "impressions": MediaMetric(_STILL, only_media_until=date(2024, 7, 1)),
    "reach": MediaMetric(_EVERY),
    "replies": MediaMetric(_STORY),
    "saved": MediaMetric(_POSTS),
    "likes": MediaMetric(_POSTS),
    "comments": MediaMetric(_POSTS),
    "shares": MediaMetric(_EVERY),
    "total_interactions": MediaMetric(_EVERY),
    "follows": MediaMetric(_STILL),
    "profile_visits": MediaMetric(_STILL),
    "profile_activity": MediaMetric(_STILL, breakdown="action_type"),
    "navigation": MediaMetric(_STORY, breakdown="story_navigation_action_type"),
    "ig_reels_video_view_total_time": MediaMetric(_REELS),
    "ig_reels_avg_watch_time": MediaMetric(_REELS),
    "views": MediaMetric(_EVERY),
    "reels_skip_rate": MediaMetric(_REELS),
    "reposts": MediaMetric(_EVERY),
    "facebook_views": MediaMetric(_EVERY, needs_facebook=True),
    "crossposted_views": MediaMetric(_REELS, needs_facebook=True),
    "total_views": MediaMetric(_EVERY, facebook_login_only=True),
    "total_likes": MediaMetric(_POSTS, facebook_login_only=True),
    "total_comments": MediaMetric(_POSTS, facebook_login_only=True),
    "link_clicks": MediaMetric(_STORY, facebook_login_only=True),
    "content_views": MediaMetric(_EVERY),
}
