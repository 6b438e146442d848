"""The rows of each table, as types. Written from ``catalog/tables.py`` by ``make reference``.

A DATE is a :class:`datetime.date`, a TIMESTAMP a text in ISO 8601 in UTC (``2026-11-21T20:00:10Z``). A column that is
not REQUIRED is absent or None where Meta did not say, or where nobody knows.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NotRequired, TypedDict


class AccountInsightsRow(TypedDict):
    """Instagram account insights, one row per account, metric, breakdown value and Pacific day."""

    account_id: str
    metric: str
    period: str
    timeframe: str
    breakdown: str
    breakdown_value: str
    metric_date: date
    value: int | float | Decimal
    end_time: NotRequired[str | None]
    window_start: NotRequired[str | None]
    window_end: NotRequired[str | None]
    api_version: NotRequired[str | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class AccountsRow(TypedDict):
    """Instagram account profiles, one row per account and Pacific day of the snapshot."""

    account_id: str
    snapshot_date: date
    username: NotRequired[str | None]
    name: NotRequired[str | None]
    biography: NotRequired[str | None]
    website: NotRequired[str | None]
    followers_count: NotRequired[int | None]
    follows_count: NotRequired[int | None]
    media_count: NotRequired[int | None]
    profile_picture_url: NotRequired[str | None]
    page_id: NotRequired[str | None]
    connection_id: NotRequired[str | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class MediaRow(TypedDict):
    """Instagram media (posts, reels, albums and stories), one row per account and media, as last read."""

    account_id: str
    media_id: str
    published_date: date
    media_type: NotRequired[str | None]
    media_product_type: NotRequired[str | None]
    caption: NotRequired[str | None]
    permalink: NotRequired[str | None]
    shortcode: NotRequired[str | None]
    username: NotRequired[str | None]
    published_at: NotRequired[str | None]
    like_count: NotRequired[int | None]
    comments_count: NotRequired[int | None]
    alt_text: NotRequired[str | None]
    media_url: NotRequired[str | None]
    thumbnail_url: NotRequired[str | None]
    is_comment_enabled: NotRequired[bool | None]
    is_shared_to_feed: NotRequired[bool | None]
    ig_id: NotRequired[str | None]
    owner_id: NotRequired[str | None]
    last_seen_at: NotRequired[str | None]
    is_listed: NotRequired[bool | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class MediaChildrenRow(TypedDict):
    """The pictures and films of Instagram albums (carousels), one row per account, album and child, as now."""

    account_id: str
    media_id: str
    child_id: str
    published_date: date
    position: int
    media_type: NotRequired[str | None]
    media_url: NotRequired[str | None]
    thumbnail_url: NotRequired[str | None]
    permalink: NotRequired[str | None]
    shortcode: NotRequired[str | None]
    alt_text: NotRequired[str | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class MediaInsightsRow(TypedDict):
    """Lifetime insights of posts and reels, one per account, media, metric, breakdown value and day."""

    account_id: str
    media_id: str
    metric: str
    breakdown: str
    breakdown_value: str
    snapshot_date: date
    media_product_type: NotRequired[str | None]
    published_at: NotRequired[str | None]
    value: int | float | Decimal
    api_version: NotRequired[str | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class StoryInsightsRow(TypedDict):
    """Insights of stories, one per account, story, metric, breakdown value and hour; also the webhook's."""

    account_id: str
    media_id: str
    metric: str
    breakdown: str
    breakdown_value: str
    snapshot_at: str
    source: str
    published_at: NotRequired[str | None]
    expires_at: NotRequired[str | None]
    snapshot_date: date
    value: int | float | Decimal
    is_final: NotRequired[bool | None]
    api_version: NotRequired[str | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class StoryPollsRow(TypedDict):
    """Polls for stories that succeeded, one per account and hour, also where no story was live."""

    account_id: str
    snapshot_at: str
    snapshot_date: date
    live_stories: NotRequired[int | None]
    previous_poll_at: NotRequired[str | None]
    seen_late: NotRequired[int | None]
    finals_missed: NotRequired[int | None]
    fetched_at: str
    run_id: NotRequired[str | None]


class AccountStatusRow(TypedDict):
    """Accounts that were unavailable, one row per account, transfer, status and day; no row of others."""

    account_id: str
    transfer: str
    status: str
    snapshot_date: date
    asked_at: NotRequired[str | None]
    reason: NotRequired[str | None]
    fetched_at: str
    run_id: NotRequired[str | None]
