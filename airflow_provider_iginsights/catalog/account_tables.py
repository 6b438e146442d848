"""The tables of accounts: their insights, their profiles, and which of them were unavailable."""

from __future__ import annotations

from airflow_provider_iginsights.catalog.columns import Column, Table
from airflow_provider_iginsights.catalog.shared_columns import (
    ACCOUNT_ID,
    BREAKDOWN,
    BREAKDOWN_VALUE,
    FETCHED_AT,
    METRIC,
    PROVENANCE,
    RUN_ID,
    VALUE,
)

ACCOUNT_INSIGHTS = Table(
    name="account_insights",
    default_id="instagram_account_insights",
    description="Instagram account insights, one row per account, metric, breakdown value and Pacific day.",
    key=("account_id", "metric", "period", "timeframe", "breakdown", "breakdown_value", "metric_date"),
    group=("account_id", "metric", "period", "timeframe", "breakdown", "metric_date"),
    partition_by="metric_date",
    cluster_by=("account_id", "metric"),
    columns=(
        ACCOUNT_ID,
        METRIC,
        Column(
            "period", "STRING", "Aggregation period as Meta names it: day, week, days_28 or lifetime.", required=True
        ),
        Column(
            "timeframe", "STRING", "Look-back of demographics, such as THIS_MONTH; '' for other metrics.", required=True
        ),
        BREAKDOWN,
        BREAKDOWN_VALUE,
        Column(
            "metric_date",
            "DATE",
            "Pacific day the number describes; for demographics that of the fetch.",
            required=True,
        ),
        VALUE,
        Column(
            "end_time",
            "TIMESTAMP",
            "Meta's end_time of a series point (a Pacific midnight), untouched; NULL for totals.",
        ),
        Column(
            "window_start",
            "TIMESTAMP",
            "First second of the Pacific day that the number describes (UTC); NULL for snapshots.",
        ),
        Column("window_end", "TIMESTAMP", "Last second of that day (UTC); NULL for snapshots."),
        *PROVENANCE,
    ),
)

ACCOUNTS = Table(
    name="accounts",
    default_id="instagram_accounts",
    description="Instagram account profiles, one row per account and Pacific day of the snapshot.",
    key=("account_id", "snapshot_date"),
    partition_by="snapshot_date",
    cluster_by=("account_id",),
    columns=(
        ACCOUNT_ID,
        Column("snapshot_date", "DATE", "Pacific date on which the profile was read.", required=True),
        Column("username", "STRING", "Username without @.", role="kept", field="username"),
        Column("name", "STRING", "Display name.", role="kept", field="name"),
        Column("biography", "STRING", "Biography.", role="text", field="biography"),
        Column("website", "STRING", "Website address of the profile.", role="text", field="website"),
        Column(
            "followers_count", "INT64", "Followers at the time of the snapshot.", role="kept", field="followers_count"
        ),
        Column(
            "follows_count",
            "INT64",
            "Accounts followed at the time of the snapshot.",
            role="kept",
            field="follows_count",
        ),
        Column(
            "media_count",
            "INT64",
            "Media count as the profile states it; it can differ from the media that are listed.",
            role="kept",
            field="media_count",
        ),
        Column(
            "profile_picture_url",
            "STRING",
            "Address of the profile's picture. It is signed and expires after some days.",
            role="kept",
            field="profile_picture_url",
            volatile=True,
        ),
        Column(
            "page_id",
            "STRING",
            "Facebook Page through which the account was found; NULL with Instagram Login, or if only its id is known.",
            role="kept",
        ),
        Column("connection_id", "STRING", "Airflow connection that asked Meta.", volatile=True),
        FETCHED_AT,
        RUN_ID,
    ),
)

ACCOUNT_STATUS = Table(
    name="account_status",
    default_id="instagram_account_status",
    description="Accounts that were unavailable, one row per account, transfer, status and day; no row of others.",
    key=("account_id", "transfer", "status", "snapshot_date"),
    is_optional=True,
    partition_by="snapshot_date",
    cluster_by=("account_id",),
    columns=(
        ACCOUNT_ID,
        Column("transfer", "STRING", "account_insights, media_insights or story_insights: who asked.", required=True),
        Column("status", "STRING", "unavailable, or answered where it was unavailable before.", required=True),
        Column("snapshot_date", "DATE", "Pacific date on which the account was asked.", required=True),
        Column("asked_at", "TIMESTAMP", "When it was last asked on that day (UTC)."),
        Column("reason", "STRING", "Error of an unavailable account."),
        FETCHED_AT,
        RUN_ID,
    ),
)
