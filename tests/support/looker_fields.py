"""How Looker Studio should take the fields of the views: their types, and what may be added up.

A sum of unique people counts the same person on each day and for each post; a sum of rates means nothing; a sum of
what an account has (followers) counts it once a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_provider_iginsights.catalog.columns import ColumnType
from airflow_provider_iginsights.catalog.reference import make_table
from airflow_provider_iginsights.catalog.view_definition import View, ViewColumn
from airflow_provider_iginsights.catalog.views import VIEWS

FIELD_TYPES: dict[ColumnType, str] = {
    "STRING": "Text",
    "INT64": "Number",
    "NUMERIC": "Number",
    "BOOL": "Boolean",
    "DATE": "Date",
    "TIMESTAMP": "Date & Time",
}
"""Looker Studio's word for each type of BigQuery."""

# The first pattern that a name matches says how it is aggregated, and why not by a sum.
AGGREGATIONS: tuple[tuple[str, str, str], ...] = (
    (r"(\w+_)?(days|age|position)(_\w+)?|posts_in_\w+", "Max", "no amount"),
    (r".*_rate(_by_\w+)?|.*_by_\w+|.*_per_\w+|.*_(share|retention|completion)(_\w+)?", "Median", "a ratio"),
    (r".*_median|.*_avg_\w+|avg_.*", "Median", "an average already"),
    (r"(\w+_)?(reach|accounts_engaged|accounts_reached)(_\w+)?", "Median", "counts people"),
    (r"(\w+_)?(followers|follows_count|media_count)(_\w+)?", "Max", "what the account has, not what it gained"),
)
FILTERS_BY_DAY = frozenset({"account_daily"})
"""Views into whose table a reader's filter on the day is handed down."""


def name_sources() -> Iterator[str]:
    """Yield the Markdown lines that tell the date range dimension of each data source."""
    head = ("view", "date range dimension", "do its dates save bytes?")
    yield from make_table(head, (tuple(_source(view)) for view in VIEWS if not view.parameters))


def describe_fields() -> Iterator[str]:
    """Yield the Markdown lines of the fields of each data source."""
    for view in VIEWS:
        if view.parameters:
            continue
        yield from (f"### Fields of `{_name(view)}`", "")
        fields = ((f"`{column.name}`", FIELD_TYPES[column.type], *aggregate(view, column)) for column in view.columns)
        yield from make_table(("field", "type", "default aggregation", "not *Sum*, since it is"), fields)
        yield ""


def find_day(view: View) -> str:
    """Return the column that a date range is about: the first date of the view."""
    return next(column.name for column in view.columns if column.type == "DATE")


def aggregate(view: View, column: ViewColumn) -> tuple[str, str]:
    """Return the default aggregation of a field, and why it is no sum."""
    if FIELD_TYPES[column.type] != "Number":
        return "None", ""
    if "metric" in {each.name for each in view.columns}:
        return "None", "of another metric in each row: filter on one `metric` and, where there is one, one `breakdown`"
    found = ((how, why) for pattern, how, why in AGGREGATIONS if re.fullmatch(pattern, column.name))
    return next(found, ("Sum", ""))


def _source(view: View) -> Iterator[str]:
    yield f"`{_name(view)}`"
    yield f"`{find_day(view)}`"
    yield "yes: only the partitions of these days are read" if view.name in FILTERS_BY_DAY else "no"


def _name(view: View) -> str:
    return view.view_id(view.table.default_id)
