"""Reads what a summary says of what was left out: which rows, and which of their columns, it names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.sandboxes import Row

METRIC = re.compile(r"[a-z]_[a-z]|reach|views|likes|saves|shares|comments|replies|reposts|follows")
POST = re.compile(r"\b(?:media|story) (\d+)")
INSIGHTS = "insights"
"""What an entry says that is about all numbers of a post or account, and about nothing else."""
# Fields of an account or a media that may be absent, null or empty: their column is then empty, and nothing is amiss.
OPTIONAL = frozenset(
    [
        "username",
        "name",
        "biography",
        "website",
        "followers_count",
        "follows_count",
        "media_count",
        "media_type",
        "media_product_type",
        "caption",
        "permalink",
        "shortcode",
        "like_count",
        "comments_count",
        "alt_text",
        "media_url",
        "thumbnail_url",
        "profile_picture_url",
        "is_comment_enabled",
        "is_shared_to_feed",
        "ig_id",
        "owner",
        "owner_id",
    ]
)


def is_told(summary: Mapping[str, Any], account_id: str, row: Row, *, column: str | None = None) -> bool:
    """Say whether a summary names a row as left out: its post or account, and its metric or what it is besides.

    :param column: the column that is missing in it; None = the row is missing as a whole.
    """
    return any(
        _is_about(entry["whom"], account_id, row) and _is_of_kind(str(entry["what"]), row, column)
        for entry in summary.get("left_out") or ()
    )


def _is_about(whom: Sequence[str], account_id: str, row: Row) -> bool:
    """Say whether an entry is about the row's post; or about its account, and about no post."""
    said = " ".join(whom)
    posts = set(POST.findall(said))
    return row.get("media_id") in posts if posts else bool(re.search(rf"\b({account_id}|run)\b", said))


def _is_of_kind(what: str, row: Row, column: str | None) -> bool:
    """Say whether an entry names the row's metric or none; of a row without a metric, the column or none."""
    if (metric := row.get("metric")) is not None:
        return bool(re.search(rf"\b{metric}\b", what)) or not METRIC.search(what)
    field = what.rpartition(".")[2]
    if field in OPTIONAL:
        return column is not None and column.startswith(field)
    return what != INSIGHTS and not METRIC.search(what)
