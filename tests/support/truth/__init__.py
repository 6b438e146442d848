"""What the tables must hold, computed from the sandbox's world and its number functions alone.

Nothing in here asks a server, reads the catalog or the planner, or knows how the rows are extracted: the tables of
metrics are typed in a second time, and every row is built from the definition of its table.
"""

from __future__ import annotations

from tests.support.truth.account import account_rows, legacy_account_rows, profile_rows
from tests.support.truth.media import child_rows, listed_rows, poll_row, post_rows, story_rows
from tests.support.truth.offers import (
    ALL_ACCOUNT,
    ALL_POSTS,
    DEFAULT_ACCOUNT,
    DEFAULT_POSTS,
    DEFAULT_STORIES,
    INSTAGRAM_POSTS,
    INSTAGRAM_STORIES,
    LEGACY_ACCOUNT,
    LEGACY_POSTS,
    LEGACY_STORIES,
    NO_ACCOUNT_METRICS,
)

__all__ = [
    "ALL_ACCOUNT",
    "ALL_POSTS",
    "DEFAULT_ACCOUNT",
    "DEFAULT_POSTS",
    "DEFAULT_STORIES",
    "INSTAGRAM_POSTS",
    "INSTAGRAM_STORIES",
    "LEGACY_ACCOUNT",
    "LEGACY_POSTS",
    "LEGACY_STORIES",
    "NO_ACCOUNT_METRICS",
    "account_rows",
    "child_rows",
    "legacy_account_rows",
    "listed_rows",
    "poll_row",
    "post_rows",
    "profile_rows",
    "story_rows",
]
