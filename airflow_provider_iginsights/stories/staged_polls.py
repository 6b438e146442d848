"""Polls that one task hands to another: through a staging table, since an XCom should stay small.

A row is a poll with all that :class:`Poll` holds; the table never becomes a target.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_iginsights.catalog.tables import STORY_POLLS, Column, Table
from airflow_provider_iginsights.extract.provenance import FetchTime
from airflow_provider_iginsights.stories.life import LiveStory, Poll

STAGED_POLLS: Table = replace(
    STORY_POLLS,
    description="Polls for stories on their way to the task that writes them.",
    key=("account_id", "fetched_at"),
    columns=(
        *(column for column in STORY_POLLS.columns if column.name in ("account_id", "snapshot_date")),
        Column("fetched_at", "STRING", "When the poll began.", required=True),
        Column("snapshot_at", "STRING", "Hour (UTC) of the poll.", required=True),
        Column("is_whole", "BOOL", "Whether the listing was read to its end.", required=True),
        Column("stories", "STRING", "JSON: media id -> when it was published and when it expires.", required=True),
        Column("finals", "STRING", "JSON: media id -> hour of the snapshot that was marked final.", required=True),
    ),
)


def pack_poll(poll: Poll) -> dict[str, Any]:
    """Return the row of a poll."""
    stories = {
        story.media_id: [instant and instant.isoformat() for instant in (story.published_at, story.expires_at)]
        for story in poll.stories.values()
    }
    return {
        "account_id": poll.account_id,
        **poll.began._asdict(),
        "is_whole": poll.is_whole,
        "stories": json.dumps(stories),
        "finals": json.dumps(poll.finals),
    }


def unpack_poll(row: Mapping[str, Any]) -> Poll:
    """Return the poll that :func:`pack_poll` was called on."""
    stories = {
        media_id: LiveStory(media_id, *(instant and datetime.fromisoformat(instant) for instant in instants))
        for media_id, instants in json.loads(row["stories"]).items()
    }
    began = FetchTime(row["fetched_at"], row["snapshot_date"], row["snapshot_at"])
    return Poll(row["account_id"], began, stories, json.loads(row["finals"]), is_whole=row["is_whole"])
