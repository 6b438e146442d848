"""The tables of the insights of stories, and of the polls that read them."""

from __future__ import annotations

from airflow_provider_iginsights.catalog.columns import Column, Table
from airflow_provider_iginsights.catalog.shared_columns import (
    ACCOUNT_ID,
    BREAKDOWN,
    BREAKDOWN_VALUE,
    MEDIA_ID,
    METRIC,
    PROVENANCE,
    PUBLISHED_AT,
    RUN_ID,
    SNAPSHOT_DATE,
    VALUE,
)

STORY_INSIGHTS = Table(
    name="story_insights",
    default_id="instagram_story_insights",
    description="Insights of stories, one per account, story, metric, breakdown value and hour; also the webhook's.",
    key=("account_id", "media_id", "metric", "breakdown", "breakdown_value", "snapshot_at", "source"),
    former_keys=(("media_id", "metric", "breakdown", "breakdown_value", "snapshot_at", "source"),),
    group=("account_id", "media_id", "metric", "breakdown", "snapshot_at", "source"),
    partition_by="snapshot_date",
    cluster_by=("account_id", "metric"),
    columns=(
        ACCOUNT_ID,
        MEDIA_ID,
        METRIC,
        BREAKDOWN,
        BREAKDOWN_VALUE,
        Column(
            "snapshot_at",
            "TIMESTAMP",
            "Hour (UTC) in which the number was read; 9999-12-31 00:00 for the webhook's, which come after every poll.",
            required=True,
        ),
        Column("source", "STRING", "poll or webhook.", required=True),
        PUBLISHED_AT,
        Column(
            "expires_at", "TIMESTAMP", "When the story leaves the profile: 24 hours after publication.", role="kept"
        ),
        SNAPSHOT_DATE,
        VALUE,
        Column("is_final", "BOOL", "True for the last numbers before the story expired, and for the webhook's."),
        *PROVENANCE,
    ),
)

STORY_POLLS = Table(
    name="story_polls",
    default_id="instagram_story_polls",
    description="Polls for stories that succeeded, one per account and hour, also where no story was live.",
    key=("account_id", "snapshot_at"),
    partition_by="snapshot_date",
    cluster_by=("account_id",),
    columns=(
        ACCOUNT_ID,
        Column("snapshot_at", "TIMESTAMP", "Hour (UTC) of the poll.", required=True),
        Column("snapshot_date", "DATE", "Pacific date of the poll.", required=True),
        Column("live_stories", "INT64", "Stories that were live."),
        Column(
            "previous_poll_at",
            "TIMESTAMP",
            "Last successful poll in an earlier hour; NULL for the first in 35 days. More than 24 hours lose stories.",
        ),
        Column("seen_late", "INT64", "Live stories of which no poll had seen the first half of their 24 hours."),
        Column("finals_missed", "INT64", "Known stories that expired since the previous poll without final numbers."),
        Column("fetched_at", "TIMESTAMP", "When the poll began (UTC).", required=True, volatile=True),
        RUN_ID,
    ),
)
