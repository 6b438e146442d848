"""The tables of posts, reels and stories as such, and of the insights of posts and reels."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_iginsights.catalog.columns import Column, Table
from airflow_provider_iginsights.catalog.shared_columns import (
    ACCOUNT_ID,
    BREAKDOWN,
    BREAKDOWN_VALUE,
    FETCHED_AT,
    MEDIA_ID,
    METRIC,
    PROVENANCE,
    PUBLISHED_AT,
    RUN_ID,
    SNAPSHOT_DATE,
    VALUE,
)

SEEN_DAYS = 7
"""So many days a stored ``last_seen_at`` may be behind, since a post's row is not written again each night."""

_EXPIRES = "It is signed and expires after some days."
ALT_TEXT = Column("alt_text", "STRING", "Alternative text.", role="text", field="alt_text", field_since="v21.0")

MEDIA = Table(
    name="media",
    default_id="instagram_media",
    description="Instagram media (posts, reels, albums and stories), one row per account and media, as last read.",
    key=("account_id", "media_id"),
    # A collaboration is listed by both accounts, each with its own numbers: the account belongs to the key.
    former_keys=(("media_id",),),
    # The date of publication can change (a post that was scheduled), and with it the partition of the key.
    moves=True,
    partition_by="published_date",
    cluster_by=("account_id",),
    columns=(
        ACCOUNT_ID,
        replace(MEDIA_ID, field="id"),
        Column("published_date", "DATE", "Pacific date of publication; the partition.", required=True),
        Column("media_type", "STRING", "IMAGE, VIDEO or CAROUSEL_ALBUM.", role="kept", field="media_type"),
        Column("media_product_type", "STRING", "FEED, REELS, STORY or AD.", role="kept", field="media_product_type"),
        Column("caption", "STRING", "Caption.", role="text", field="caption"),
        Column("permalink", "STRING", "Public address.", role="kept", field="permalink"),
        Column("shortcode", "STRING", "Short code of the public address.", role="kept", field="shortcode"),
        Column("username", "STRING", "Username of the owner.", role="kept", field="username"),
        replace(PUBLISHED_AT, field="timestamp"),
        Column(
            "like_count",
            "INT64",
            "Likes when Meta last told them: where the owner hides them, they stay as they were, or NULL.",
            role="kept",
            field="like_count",
        ),
        Column("comments_count", "INT64", "Comments at the time of the fetch.", role="kept", field="comments_count"),
        ALT_TEXT,
        Column(
            "media_url",
            "STRING",
            f"Address of the picture or film. {_EXPIRES} NULL where Meta does not give it, as for licensed music.",
            role="kept",
            field="media_url",
            volatile=True,
        ),
        Column(
            "thumbnail_url",
            "STRING",
            f"Address of a film's still picture. {_EXPIRES}",
            role="kept",
            field="thumbnail_url",
            volatile=True,
        ),
        Column(
            "is_comment_enabled",
            "BOOL",
            "Whether people may comment.",
            role="kept",
            field="is_comment_enabled",
        ),
        Column(
            "is_shared_to_feed",
            "BOOL",
            "Of a reel: whether it may appear in the feed, too.",
            role="kept",
            field="is_shared_to_feed",
        ),
        Column("ig_id", "STRING", "Id of the media in Meta's former interfaces.", role="kept", field="ig_id"),
        Column(
            "owner_id",
            "STRING",
            "IG User id of the account that published it; NULL where it is another than the token's.",
            role="kept",
            field="owner.id",
        ),
        Column(
            "last_seen_at",
            "TIMESTAMP",
            f"When Meta listed it last (UTC): the time is moved on with another change, or after {SEEN_DAYS} days.",
            role="kept",
            volatile=True,
            moves_after_days=SEEN_DAYS,
        ),
        Column(
            "is_listed",
            "BOOL",
            "False for a post that Meta no longer lists, true for one that it listed last; NULL for stories.",
            role="kept",
        ),
        FETCHED_AT,
        RUN_ID,
    ),
)

MEDIA_CHILDREN = Table(
    name="media_children",
    default_id="instagram_media_children",
    description="The pictures and films of Instagram albums (carousels), one row per account, album and child, as now.",
    key=("account_id", "media_id", "child_id"),
    group=("account_id", "media_id"),
    is_state=True,
    moves=True,
    partition_by="published_date",
    cluster_by=("account_id",),
    columns=(
        ACCOUNT_ID,
        replace(MEDIA_ID, description="IG Media id of the album."),
        replace(MEDIA_ID, name="child_id", description="IG Media id of the picture or film.", field="children.id"),
        Column("published_date", "DATE", "Pacific date of the album's publication; the partition.", required=True),
        Column("position", "INT64", "Place in the album, from 1 on.", required=True),
        Column("media_type", "STRING", "IMAGE or VIDEO.", role="kept", field="children.media_type"),
        Column(
            "media_url",
            "STRING",
            f"Address of the picture or film. {_EXPIRES}",
            role="kept",
            field="children.media_url",
            volatile=True,
        ),
        Column(
            "thumbnail_url",
            "STRING",
            f"Address of a film's still picture. {_EXPIRES}",
            role="kept",
            field="children.thumbnail_url",
            volatile=True,
        ),
        Column("permalink", "STRING", "Public address.", role="kept", field="children.permalink"),
        Column("shortcode", "STRING", "Short code of the public address.", role="kept", field="children.shortcode"),
        replace(ALT_TEXT, field="children.alt_text"),
        FETCHED_AT,
        RUN_ID,
    ),
)

MEDIA_INSIGHTS = Table(
    name="media_insights",
    default_id="instagram_media_insights",
    description="Lifetime insights of posts and reels, one per account, media, metric, breakdown value and day.",
    key=("account_id", "media_id", "metric", "breakdown", "breakdown_value", "snapshot_date"),
    former_keys=(("media_id", "metric", "breakdown", "breakdown_value", "snapshot_date"),),
    group=("account_id", "media_id", "metric", "breakdown", "snapshot_date"),
    partition_by="snapshot_date",
    cluster_by=("account_id", "metric"),
    columns=(
        ACCOUNT_ID,
        MEDIA_ID,
        METRIC,
        BREAKDOWN,
        BREAKDOWN_VALUE,
        SNAPSHOT_DATE,
        Column("media_product_type", "STRING", "FEED or REELS.", role="kept"),
        PUBLISHED_AT,
        VALUE,
        *PROVENANCE,
    ),
)
