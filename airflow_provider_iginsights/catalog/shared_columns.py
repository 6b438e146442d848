"""The columns that several of our tables have."""

from __future__ import annotations

from airflow_provider_iginsights.catalog.columns import Column

ACCOUNT_ID = Column(
    "account_id",
    "STRING",
    "Instagram professional account id (IG User id), a string of digits.",
    required=True,
    identifies="account",
)
MEDIA_ID = Column("media_id", "STRING", "IG Media id, a string of digits.", required=True, identifies="media")
METRIC = Column(
    "metric", "STRING", "Metric name as Meta spells it, such as reach or total_interactions.", required=True
)
BREAKDOWN = Column(
    "breakdown",
    "STRING",
    "Dimensions of the breakdown joined with |, in the order of the answer; '' for the total.",
    required=True,
)
BREAKDOWN_VALUE = Column(
    "breakdown_value",
    "STRING",
    "Values of the dimensions as Meta sent them; several are joined with |, and a backslash escapes | and itself.",
    required=True,
)
VALUE = Column(
    "value",
    "NUMERIC",
    "The number. Counts, milliseconds or percent, as the metric says. Never 0 for a missing answer.",
    required=True,
)
API_VERSION = Column(
    "api_version",
    "STRING",
    "Graph API version that answered, which can be newer than the one asked for.",
    volatile=True,
)
FETCHED_AT = Column(
    "fetched_at",
    "TIMESTAMP",
    "When the number was read from Meta (UTC). The latest wins.",
    required=True,
    volatile=True,
)
RUN_ID = Column("run_id", "STRING", "Airflow run that wrote the row.", volatile=True)
PUBLISHED_AT = Column("published_at", "TIMESTAMP", "When the media was published (UTC).", role="kept")
SNAPSHOT_DATE = Column(
    "snapshot_date",
    "DATE",
    "Pacific date on which the number was read: lifetime totals have no other date.",
    required=True,
)
PROVENANCE = (API_VERSION, FETCHED_AT, RUN_ID)
