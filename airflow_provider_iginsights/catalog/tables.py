"""The tables we write, as data: columns, keys, partitions and descriptions.

Rows are tidy ("long"): Meta's next metric is a new row, never a new column. Key columns are REQUIRED and hold ``''``
where there is nothing, since keys compare with ``=`` and NULL equals nothing.
"""

from __future__ import annotations

from airflow_provider_iginsights.catalog.account_tables import ACCOUNT_INSIGHTS, ACCOUNT_STATUS, ACCOUNTS
from airflow_provider_iginsights.catalog.columns import Column, Table, TableName
from airflow_provider_iginsights.catalog.media_tables import MEDIA, MEDIA_CHILDREN, MEDIA_INSIGHTS
from airflow_provider_iginsights.catalog.story_tables import STORY_INSIGHTS, STORY_POLLS

__all__ = [
    "ACCOUNTS",
    "ACCOUNT_INSIGHTS",
    "ACCOUNT_STATUS",
    "MEDIA",
    "MEDIA_CHILDREN",
    "MEDIA_INSIGHTS",
    "STORY_INSIGHTS",
    "STORY_POLLS",
    "TABLES",
    "Column",
    "Table",
    "TableName",
]

TABLES: tuple[Table, ...] = (
    ACCOUNT_INSIGHTS,
    ACCOUNTS,
    MEDIA,
    MEDIA_CHILDREN,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
    ACCOUNT_STATUS,
)
