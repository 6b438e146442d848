"""Insights as version 10.0 answered them in 2021: no types, no breakdowns, and metrics that are gone today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from airflow_provider_iginsights.sandbox.graph import auth, numbers
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.media_insights import check_readable, media_value, viewers
from airflow_provider_iginsights.sandbox.graph.objects import Account, Media
from airflow_provider_iginsights.sandbox.graph.params import names
from airflow_provider_iginsights.sandbox.graph.titles import entry
from airflow_provider_iginsights.sandbox.graph.user_insights import account_value, check_enum, paging
from airflow_provider_iginsights.sandbox.graph.windows import format_time, read_window

__all__ = ["LEGACY_MEDIA_METRICS", "LEGACY_USER_METRICS", "answer_legacy_media", "answer_legacy_user"]

_DAY = ("day",)
_LIFETIME = ("lifetime",)
_ROLLING = ("day", "week", "days_28")
_ROLLING_DAYS = {"day": 1, "week": 7, "days_28": 28}
# META-15
_FEWEST_FOLLOWERS = 100
_FEWEST_VIEWERS = 5

LEGACY_USER_METRICS: Mapping[str, tuple[str, ...]] = {
    "impressions": _ROLLING,
    "reach": _ROLLING,
    "profile_views": _DAY,
    "email_contacts": _DAY,
    "phone_call_clicks": _DAY,
    "text_message_clicks": _DAY,
    "get_directions_clicks": _DAY,
    "website_clicks": _DAY,
    "follower_count": _DAY,
    "online_followers": _LIFETIME,
    "audience_gender_age": _LIFETIME,
    "audience_locale": _LIFETIME,
    "audience_country": _LIFETIME,
    "audience_city": _LIFETIME,
}
_AUDIENCE = {
    "audience_gender_age": ("gender", "age"),
    "audience_locale": ("locale",),
    "audience_country": ("country",),
    "audience_city": ("city",),
}
_FOLLOWERS_ONLY = ("follower_count", "online_followers", *_AUDIENCE)


@dataclass(frozen=True, slots=True)
class LegacyMetric:
    """A media metric of 2021: the kinds of media that have it, and today's number behind it."""

    kinds: tuple[str, ...]
    number: str


_ALBUM = ("CAROUSEL_ALBUM",)
_POSTS = ("IMAGE", "VIDEO", "CAROUSEL_ALBUM")
LEGACY_MEDIA_METRICS: Mapping[str, LegacyMetric] = {
    "engagement": LegacyMetric(_POSTS, "engagement"),
    "impressions": LegacyMetric((*_POSTS, "STORY"), "impressions"),
    "reach": LegacyMetric((*_POSTS, "STORY"), "reach"),
    "saved": LegacyMetric(_POSTS, "saved"),
    "video_views": LegacyMetric(("VIDEO",), "video_views"),
    "carousel_album_engagement": LegacyMetric(_ALBUM, "engagement"),
    "carousel_album_impressions": LegacyMetric(_ALBUM, "impressions"),
    "carousel_album_reach": LegacyMetric(_ALBUM, "reach"),
    "carousel_album_saved": LegacyMetric(_ALBUM, "saved"),
    "carousel_album_video_views": LegacyMetric(_ALBUM, "video_views"),
    "exits": LegacyMetric(("STORY",), "exits"),
    "replies": LegacyMetric(("STORY",), "replies"),
    "taps_back": LegacyMetric(("STORY",), "taps_back"),
    "taps_forward": LegacyMetric(("STORY",), "taps_forward"),
}


def answer_legacy_user(call: GraphCall, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of ``/{ig-user-id}/insights``: dated series, two days by default."""
    metrics, period = names(params, "metric"), params.get("period")
    if not metrics or not period:
        raise fail("required", name="period" if metrics else "metric")
    check_enum("metric", metrics, tuple(LEGACY_USER_METRICS))
    call.apply_faults("object", object_id=account.id, metrics=metrics)
    for metric in metrics:
        if period not in LEGACY_USER_METRICS[metric]:
            raise fail("not_that_period", period=period, metric=metric)
    window = read_window(params, call.now, default_days=2)
    window.check(call.now, tuple(metric for metric in metrics if metric in ("follower_count", "online_followers")))
    days = window.days(call.now)
    data = [_series(call, account, metric, period, days) for metric in metrics if _is_known(account, metric)]
    return {"data": [each for each in data if each["values"]], "paging": paging(call, account, params, window)}


def answer_legacy_media(call: GraphCall, media: Media, params: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of ``/{ig-media-id}/insights``."""
    call.require(auth.INSIGHTS)
    metrics = names(params, "metric")
    call.apply_faults("object", object_id=media.id, metrics=metrics, product_type=media.media_product_type)
    check_readable(call, media)
    if not metrics:
        raise fail("required", name="metric")
    check_enum("metric", metrics, tuple(LEGACY_MEDIA_METRICS))
    kind = "STORY" if media.media_product_type == "STORY" else media.media_type
    for metric in metrics:
        if kind not in LEGACY_MEDIA_METRICS[metric].kinds:
            raise fail("not_this_product", metric=metric)
    if media.before_business:
        raise fail("before_business")
    if kind == "STORY" and viewers(call, media) < _FEWEST_VIEWERS:
        raise fail("few_viewers")
    return {
        "data": [
            entry(
                media.id,
                metric,
                "lifetime",
                values=[{"value": media_value(call, media, LEGACY_MEDIA_METRICS[metric].number)}],
            )
            for metric in metrics
        ]
    }


def _is_known(account: Account, metric: str) -> bool:
    return metric not in _FOLLOWERS_ONLY or account.followers_count >= _FEWEST_FOLLOWERS


def _series(call: GraphCall, account: Account, metric: str, period: str, days: list[date]) -> dict[str, Any]:
    # The audience does not include the running day's data: there is one value, of the last day asked for.
    wanted = days[-1:] if metric in _AUDIENCE else days
    values = [
        {"value": _value(call, account, metric, period, day), "end_time": format_time(numbers.midnight(day))}
        for day in wanted
    ]
    return entry(account.id, metric, period, values=values)


def _value(call: GraphCall, account: Account, metric: str, period: str, day: date) -> int | dict[str, int]:
    if metric == "online_followers":
        return numbers.online_hours(call.world.seed, account.id, day)
    if metric in _AUDIENCE:
        people = numbers.demographics(call.world.seed, account.id, metric, _AUDIENCE[metric], account.followers_count)
        # Keys such as "F.25-34": one metric for two dimensions, in the documentation of v10.0.
        return {".".join(key): count for key, count in people.items()}
    days = [date.fromordinal(day.toordinal() - back) for back in range(_ROLLING_DAYS[period])]
    values = [account_value(call, account, metric, each) for each in days]
    return numbers.reach_of_days(values) if metric == "reach" else sum(values)
