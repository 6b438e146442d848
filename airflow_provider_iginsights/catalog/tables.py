"""The tables we write, as data: columns, keys, partitions and descriptions.

Rows are tidy ("long"): Meta's next metric is a new row, never a new column. Key columns are REQUIRED and hold ``''``
where there is nothing, since keys compare with ``=`` and NULL equals nothing.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_iginsights.catalog.columns import Column, Table, TableName

__all__ = [
    "ACCOUNTS",
    "ACCOUNT_INSIGHTS",
    "ACCOUNT_STATUS",
    "MEDIA",
    "MEDIA_INSIGHTS",
    "STORY_INSIGHTS",
    "STORY_POLLS",
    "TABLES",
    "Column",
    "Table",
    "TableName",
]

_ACCOUNT_ID = Column(
    "account_id",
    "STRING",
    "Instagram professional account id (IG User id), a string of digits.",
    required=True,
    identifies="account",
)
_MEDIA_ID = Column("media_id", "STRING", "IG Media id, a string of digits.", required=True, identifies="media")
_METRIC = Column(
    "metric", "STRING", "Metric name as Meta spells it, such as reach or total_interactions.", required=True
)
_BREAKDOWN = Column(
    "breakdown",
    "STRING",
    "Dimensions of the breakdown joined with |, in the order of the answer; '' for the total.",
    required=True,
)
_BREAKDOWN_VALUE = Column(
    "breakdown_value",
    "STRING",
    "Values of the dimensions as Meta sent them; several are joined with |, and a backslash escapes | and itself.",
    required=True,
)
_VALUE = Column(
    "value",
    "NUMERIC",
    "The number. Counts, milliseconds or percent, as the metric says. Never 0 for a missing answer.",
    required=True,
)
_API_VERSION = Column(
    "api_version",
    "STRING",
    "Graph API version that answered, which can be newer than the one asked for.",
    volatile=True,
)
_FETCHED_AT = Column(
    "fetched_at",
    "TIMESTAMP",
    "When the number was read from Meta (UTC). The latest wins.",
    required=True,
    volatile=True,
)
_RUN_ID = Column("run_id", "STRING", "Airflow run that wrote the row.", volatile=True)
_PUBLISHED_AT = Column("published_at", "TIMESTAMP", "When the media was published (UTC).", role="kept")
_SNAPSHOT_DATE = Column(
    "snapshot_date",
    "DATE",
    "Pacific date on which the number was read: lifetime totals have no other date.",
    required=True,
)
_PROVENANCE = (_API_VERSION, _FETCHED_AT, _RUN_ID)

ACCOUNT_INSIGHTS = Table(
    name="account_insights",
    default_id="instagram_account_insights",
    description="Instagram account insights, one row per account, metric, breakdown value and Pacific day.",
    key=("account_id", "metric", "period", "timeframe", "breakdown", "breakdown_value", "metric_date"),
    group=("account_id", "metric", "period", "timeframe", "breakdown", "metric_date"),
    partition_by="metric_date",
    cluster_by=("account_id", "metric"),
    columns=(
        _ACCOUNT_ID,
        _METRIC,
        Column(
            "period", "STRING", "Aggregation period as Meta names it: day, week, days_28 or lifetime.", required=True
        ),
        Column(
            "timeframe", "STRING", "Look-back of demographics, such as THIS_MONTH; '' for other metrics.", required=True
        ),
        _BREAKDOWN,
        _BREAKDOWN_VALUE,
        Column(
            "metric_date",
            "DATE",
            "Pacific day the number describes; for demographics that of the fetch.",
            required=True,
        ),
        _VALUE,
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
        *_PROVENANCE,
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
        _ACCOUNT_ID,
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
        _FETCHED_AT,
        _RUN_ID,
    ),
)

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
        _ACCOUNT_ID,
        replace(_MEDIA_ID, field="id"),
        Column("published_date", "DATE", "Pacific date of publication; the partition.", required=True),
        Column("media_type", "STRING", "IMAGE, VIDEO or CAROUSEL_ALBUM.", role="kept", field="media_type"),
        Column("media_product_type", "STRING", "FEED, REELS, STORY or AD.", role="kept", field="media_product_type"),
        Column("caption", "STRING", "Caption.", role="text", field="caption"),
        Column("permalink", "STRING", "Public address.", role="kept", field="permalink"),
        Column("shortcode", "STRING", "Short code of the public address.", role="kept", field="shortcode"),
        Column("username", "STRING", "Username of the owner.", role="kept", field="username"),
        replace(_PUBLISHED_AT, field="timestamp"),
        Column(
            "like_count",
            "INT64",
            "Likes when Meta last told them: where the owner hides them, they stay as they were, or NULL.",
            role="kept",
            field="like_count",
        ),
        Column("comments_count", "INT64", "Comments at the time of the fetch.", role="kept", field="comments_count"),
        Column("alt_text", "STRING", "Alternative text.", role="text", field="alt_text", field_since="v21.0"),
        _FETCHED_AT,
        _RUN_ID,
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
        _ACCOUNT_ID,
        _MEDIA_ID,
        _METRIC,
        _BREAKDOWN,
        _BREAKDOWN_VALUE,
        _SNAPSHOT_DATE,
        Column("media_product_type", "STRING", "FEED or REELS.", role="kept"),
        _PUBLISHED_AT,
        _VALUE,
        *_PROVENANCE,
    ),
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
        _ACCOUNT_ID,
        _MEDIA_ID,
        _METRIC,
        _BREAKDOWN,
        _BREAKDOWN_VALUE,
        Column(
            "snapshot_at",
            "TIMESTAMP",
            "Hour (UTC) in which the number was read; 9999-12-31 00:00 for the webhook's, which come after every poll.",
            required=True,
        ),
        Column("source", "STRING", "poll or webhook.", required=True),
        _PUBLISHED_AT,
        Column(
            "expires_at", "TIMESTAMP", "When the story leaves the profile: 24 hours after publication.", role="kept"
        ),
        _SNAPSHOT_DATE,
        _VALUE,
        Column("is_final", "BOOL", "True for the last numbers before the story expired, and for the webhook's."),
        *_PROVENANCE,
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
        _ACCOUNT_ID,
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
        _RUN_ID,
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
        _ACCOUNT_ID,
        Column("transfer", "STRING", "account_insights, media_insights or story_insights: who asked.", required=True),
        Column("status", "STRING", "unavailable, or answered where it was unavailable before.", required=True),
        Column("snapshot_date", "DATE", "Pacific date on which the account was asked.", required=True),
        Column("asked_at", "TIMESTAMP", "When it was last asked on that day (UTC)."),
        Column("reason", "STRING", "Error of an unavailable account."),
        _FETCHED_AT,
        _RUN_ID,
    ),
)

TABLES: tuple[Table, ...] = (
    ACCOUNT_INSIGHTS,
    ACCOUNTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
    ACCOUNT_STATUS,
)
