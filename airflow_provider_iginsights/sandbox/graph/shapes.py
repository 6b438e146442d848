"""Named faults: the odd answers that public reports tell of, to be played with ``sandbox.faults.play(name)``.

Each is applied once unless ``times`` says otherwise (None = for ever), wherever ``path``, ``object_id``, ``metric`` and
``product_type`` allow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_iginsights.sandbox.graph.edits import REMOVE, Edit
from airflow_provider_iginsights.sandbox.graph.effects import EmptyPage, ErrorEffect, ReduceData, RefuseField, SamePage
from airflow_provider_iginsights.sandbox.graph.faults import GraphFault

__all__ = ["SHAPES"]

_POSTS = r"/(media|stories)$"
_INSIGHTS = r"/insights$"


def _cut_an_emoji(text: Any) -> str:
    return f"{text}\ud83d"


def _bare(total: Any) -> Any:
    return total.get("value", 0) if isinstance(total, Mapping) else total


def _seconds(end_time: str) -> int:
    return int(datetime.fromisoformat(end_time).timestamp())


def _utc_midnight(end_time: str) -> str:
    return f"{end_time[:10]}T00:00:00+0000"


SHAPES: Mapping[str, GraphFault] = {
    # Listings
    "empty_page": GraphFault(effect=EmptyPage()),
    "same_page_again": GraphFault(effect=SamePage()),
    "no_listing": GraphFault(effect=Edit("", lambda _: {}), path=_POSTS),
    "too_much_data": GraphFault(effect=ReduceData(25), times=None),
    "too_much_data_in_other_words": GraphFault(
        effect=ReduceData(25, ErrorEffect(1, 99, 500, "An unknown error occurred")), times=None
    ),
    # Fields of posts and profiles
    "half_an_emoji": GraphFault(effect=Edit("caption|biography", _cut_an_emoji)),
    "no_timestamp": GraphFault(effect=Edit("timestamp", lambda _: REMOVE)),
    "counts_as_text": GraphFault(effect=Edit(".*_count", str)),
    "likes_hidden": GraphFault(effect=Edit("like_count", lambda _: REMOVE)),
    "fields_missing": GraphFault(
        effect=Edit("caption|permalink|shortcode|like_count|comments_count|media_product_type", lambda _: REMOVE)
    ),
    "null_caption": GraphFault(effect=Edit("caption", lambda _: None)),
    "website_refused": GraphFault(effect=RefuseField("website"), times=None),
    "alt_text_refused": GraphFault(effect=RefuseField("alt_text"), times=None),
    "like_count_not_permitted": GraphFault(effect=RefuseField("like_count", 10), times=None),
    # Numbers
    "empty_data": GraphFault(effect=Edit("/data", lambda _: []), path=_INSIGHTS),
    "numbers_as_text": GraphFault(effect=Edit("value", lambda value: value if isinstance(value, dict) else str(value))),
    "whole_floats": GraphFault(effect=Edit("value", lambda value: value if isinstance(value, dict) else float(value))),
    "bare_total": GraphFault(effect=Edit("total_value", _bare)),
    "no_end_time": GraphFault(effect=Edit("end_time", lambda _: REMOVE)),
    "end_time_in_seconds": GraphFault(effect=Edit("end_time", _seconds)),
    "end_time_at_utc_midnight": GraphFault(effect=Edit("end_time", _utc_midnight)),
    "pipe_in_a_value": GraphFault(effect=Edit("dimension_values/*", lambda value: f"{value}|x")),
    "same_group_twice": GraphFault(effect=Edit("results", lambda results: [*results, *results[:1]])),
    # Errors, as a rule of one object: give its object_id
    "media_not_found": GraphFault(effect=ErrorEffect(24, 2207006, 400, "The requested resource does not exist")),
    "try_again": GraphFault(effect=ErrorEffect(-1, 2207001, 500, "An unexpected error occurred. Please try again.")),
    "account_restricted": GraphFault(effect=ErrorEffect(25, 2207050, 400, "The Instagram account is restricted.")),
    "metric_deprecated": GraphFault(effect=ErrorEffect(12, None, 400, "(#12) This metric is deprecated.")),
    "object_gone": GraphFault(effect=ErrorEffect(33, None, 400, "This object does not exist.")),
    "code_of_no_table": GraphFault(effect=ErrorEffect(21009, None, 400, "Something that no page of Meta names.")),
    "server_error": GraphFault(effect=ErrorEffect(1, None, 500, "An unknown error has occurred.", is_transient=True)),
}
