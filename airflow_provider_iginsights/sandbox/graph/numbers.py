"""Every number that the local Graph API gives, as a pure function of seed, object, metric and day or age.

A test calls the same functions, or writes them again, to know the truth without asking the server. Days are Pacific
dates; a day's value is complete 48 hours after the day closed and grows with each hour until then. Lifetime totals of
media grow with each full hour of age and never shrink.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import product
from zoneinfo import ZoneInfo

from airflow_provider_iginsights.sandbox.graph.dimensions import DIMENSION_VALUES

__all__ = [
    "PACIFIC",
    "account_day",
    "demographics",
    "is_left_out",
    "media_breakdown",
    "media_total",
    "midnight",
    "mix",
    "online_hours",
    "reach_of_days",
    "seen_of_day",
    "split",
]

PACIFIC = ZoneInfo("America/Los_Angeles")
# "Instagram User Insights": demographics are the top 45 performers.
TOP_KEYS = 45

_HOUR = timedelta(hours=1)

ACCOUNT_SCALE: Mapping[str, int] = {
    "reach": 2400,
    "impressions": 5200,
    "views": 5000,
    "follower_count": 40,
    "unfollows": 25,
    "accounts_engaged": 300,
    "likes": 260,
    "comments": 36,
    "saves": 30,
    "shares": 28,
    "replies": 6,
    "reposts": 8,
    "profile_views": 120,
    "website_clicks": 9,
    "profile_links_taps": 14,
    "email_contacts": 5,
    "get_directions_clicks": 4,
    "phone_call_clicks": 4,
    "text_message_clicks": 3,
}
MEDIA_SCALE: Mapping[str, int] = {
    "reach": 1800,
    "views": 4200,
    "impressions": 4200,
    "video_views": 3600,
    "facebook_views": 900,
    "crossposted_views": 700,
    "likes": 190,
    "facebook_likes": 40,
    "comments": 24,
    "facebook_comments": 6,
    "shares": 18,
    "saved": 21,
    "reposts": 7,
    "follows": 6,
    "profile_visits": 30,
    "profile_activity": 16,
    "navigation": 900,
    "exits": 60,
    "taps_back": 90,
    "taps_forward": 700,
    "replies": 5,
    "link_clicks": 12,
}
ACCOUNT_SUMS: Mapping[str, tuple[str, ...]] = {"total_interactions": ("likes", "comments", "saves", "shares")}
MEDIA_SUMS: Mapping[str, tuple[str, ...]] = {
    "total_interactions": ("likes", "comments", "saved", "shares"),
    "engagement": ("likes", "comments", "saved"),
    "total_views": ("views", "facebook_views"),
    "total_likes": ("likes", "facebook_likes"),
    "total_comments": ("comments", "facebook_comments"),
}


def mix(seed: int, *parts: object) -> int:
    """Return a number in [0, 2**24) that is the same for the same arguments and looks random between them."""
    return _spread(zlib.crc32("|".join(map(str, (seed, *parts))).encode()))


def _spread(key: int) -> int:
    # Knuth's multiplicative hash: neighbours in CRC-32 are far apart. No hash() of Python, which differs by process.
    return (key * 2654435761 >> 7) & 0xFFFFFF


@lru_cache(maxsize=4096)
def midnight(day: date) -> datetime:
    """Return the instant, in UTC, at which the Pacific day ``day`` begins (07:00 or 08:00 UTC)."""
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def account_day(seed: int, account_id: str, metric: str, day: date) -> int:
    """Return the complete value of an account metric on one Pacific day."""
    if metric in ACCOUNT_SUMS:
        return sum(account_day(seed, account_id, part, day) for part in ACCOUNT_SUMS[metric])
    return _draw(ACCOUNT_SCALE.get(metric, 50), mix(seed, account_id, metric, day), _size(seed, account_id))


def seen_of_day(value: int, day: date, read_at: datetime) -> int:
    """Return what of a day's ``value`` is known at ``read_at``: 80 % when the day closes, all of it 48 hours later."""
    start, end = midnight(day), midnight(day + timedelta(days=1))
    if read_at >= end + 48 * _HOUR:
        return value
    hours, day_hours = max(0, (read_at - start) // _HOUR), (end - start) // _HOUR
    # META-07: a number goes on growing for 48 hours after its day.
    permille = 800 * hours // day_hours if hours < day_hours else 800 + 200 * (hours - day_hours) // 48
    return value * permille // 1000


def is_left_out(seed: int, account_id: str, metric: str, day: date) -> bool:
    """Say whether a zero of this metric and day is left out of the answer (two of three are) instead of sent as 0."""
    # META-09: the API hardly ever sends 0.
    return mix(seed, account_id, metric, day, "zero") % 3 != 0


def split(seed: int, total: int, dimensions: Sequence[str], *of: object) -> dict[tuple[str, ...], int]:
    """Split ``total`` over the values of the dimensions, so that the parts, zeros included, add up to it."""
    keys, ends = _list_keys(tuple(dimensions))
    start = zlib.crc32("|".join(map(str, (seed, *of, ""))).encode())
    weights = [_spread(zlib.crc32(end, start)) % 9 for end in ends]  # mix() of what is split and the key
    # So the weights are never all zero.
    weights[0] += 1
    whole, parts = sum(weights), {}
    used = carried = 0
    for key, weight in zip(keys, weights, strict=True):
        used += weight
        upto = total * used // whole
        parts[key] = upto - carried
        carried = upto
    return parts


@lru_cache(maxsize=64)
def _list_keys(dimensions: tuple[str, ...]) -> tuple[list[tuple[str, ...]], list[bytes]]:
    """Return all combinations of the dimensions' values, and each as the end of what :func:`mix` hashes."""
    keys = list(product(*(DIMENSION_VALUES[dimension] for dimension in dimensions)))
    return keys, ["|".join(key).encode() for key in keys]


def reach_of_days(days: Sequence[int]) -> int:
    """Return the unique accounts over several days from each day's: at least the best day, less than the sum."""
    best = max(days, default=0)
    # Somebody who was reached on two days is one person, so days of people do not add up.
    return best + (sum(days) - best) * 3 // 5


def online_hours(seed: int, account_id: str, day: date) -> dict[str, int]:
    """Return followers online per hour "0" to "23" of a day; one day in twelve has none."""
    if mix(seed, account_id, "online_followers", day) % 12 == 0:
        return {}
    return {str(hour): 20 + mix(seed, account_id, "online_followers", day, hour) % 180 for hour in range(24)}


@lru_cache(maxsize=512)
def demographics(
    seed: int, account_id: str, metric: str, dimensions: tuple[str, ...], total: int
) -> dict[tuple[str, ...], int]:
    """Return the audience of ``total`` people by dimension values: the 45 largest groups, largest first, no zeros."""
    groups = split(seed, total, dimensions, account_id, metric)
    ranked = sorted(((key, count) for key, count in groups.items() if count), key=lambda group: (-group[1], group[0]))
    return dict(ranked[:TOP_KEYS])


def media_total(seed: int, media_id: str, metric: str, age: timedelta) -> int | float:
    """Return the lifetime total of a media metric at ``age``. Times in milliseconds, rates in percent (0 to 100)."""
    if metric in MEDIA_SUMS:
        return sum(int(media_total(seed, media_id, part, age)) for part in MEDIA_SUMS[metric])
    if metric == "reels_skip_rate":
        return mix(seed, media_id, metric) % 1000 / 10
    if metric == "ig_reels_avg_watch_time":
        return 2500 + mix(seed, media_id, metric) % 9000
    if metric == "ig_reels_video_view_total_time":
        watched = media_total(seed, media_id, "ig_reels_avg_watch_time", age)
        return int(watched * media_total(seed, media_id, "views", age))
    final = _media_final(seed, media_id, metric)
    hours = max(0, age // _HOUR)
    return final * (hours + 1) // (hours + 13)


def media_breakdown(
    seed: int, media_id: str, metric: str, dimensions: Sequence[str], total: int
) -> dict[tuple[str, ...], int]:
    """Return a media total by dimension values; the parts, zeros included, add up to ``total``."""
    return split(seed, total, dimensions, media_id, metric)


@lru_cache(maxsize=16_384)
def _media_final(seed: int, media_id: str, metric: str) -> int:
    return _draw(MEDIA_SCALE.get(metric, 20), mix(seed, media_id, metric), _size(seed, media_id))


@lru_cache(maxsize=4096)
def _size(seed: int, object_id: str) -> int:
    return mix(seed, object_id)


def _draw(scale: int, roll: int, size: int) -> int:
    """Return a value around ``scale`` times the object's size of 1 to 3; small scales reach down to 0."""
    if scale < 20:
        return roll % scale
    return (scale // 2 + roll % scale) * (1 + size % 3)
