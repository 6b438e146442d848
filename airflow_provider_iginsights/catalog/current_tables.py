"""The current tables of the views of the latest numbers, as data: a row a post, and in it a column a number.

The tables of all snapshots are long: a new metric needs no column. A current table is read whole by each query of its
view, and there ids, dates and the names of metrics would be most of the bytes. So one row holds all numbers of a post
that came to be alike: on the same day, from the same version, by the same run. A number that was not read when the
first one of its row was, says so in a column beside it. What has no column of its own (a metric or a breakdown's value
that the catalog does not know, a number that does not fit the column's type) has a row of its own, as in a long table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from airflow_provider_iginsights.catalog.media_metrics import FEED, MEDIA_METRICS, REELS, STORY
from airflow_provider_iginsights.catalog.tables import MEDIA_INSIGHTS, STORY_INSIGHTS, Column, Table, TableName

SERIES = ("account_id", "media_id", "metric", "breakdown", "breakdown_value")
OWN = ("metric", "breakdown", "breakdown_value", "value")
"""Columns of a number that has a row of its own; NULL in the rows that hold numbers in columns of their own."""
VALUES: dict[str, tuple[str, ...]] = {
    "action_type": ("bio_link_clicked", "call", "direction", "email", "other", "text"),
    "story_navigation_action_type": ("tap_forward", "tap_back", "tap_exit", "swipe_forward"),
}
"""What Meta documents of each breakdown, as it spells it in its answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberColumn:
    """A column of a current table, and the number that it holds."""

    name: str
    type: Literal["INT64", "NUMERIC"]
    metric: str
    breakdown: str = ""
    breakdown_value: str = ""

    @property
    def fetched_at(self) -> str:
        """Return the name of the column that says when it was read; NULL = when the first one of the row was."""
        return f"{self.name}_fetched_at"

    @property
    def columns(self) -> tuple[Column, Column]:
        """Return it and the column beside it."""
        divided = f", {self.breakdown} {self.breakdown_value}" if self.breakdown else ""
        text = f"{self.metric}{divided}; NULL where there is none, or where it has a row of its own."
        moment = f"When {self.name} was read from Meta (UTC); NULL where that is the row's fetched_at."
        return Column(self.name, self.type, text), Column(self.fetched_at, "TIMESTAMP", moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentTable:
    """A current table: as a table, whose newest numbers it holds, and in which columns."""

    table: Table
    of: Table
    numbers: tuple[NumberColumn, ...]

    @property
    def shared(self) -> tuple[str, ...]:
        """Return the columns whose values all numbers of a row have in common."""
        return tuple(name for name in self.of.column_names if name not in (*OWN, "fetched_at"))


def _list_numbers(*product_types: str) -> Iterator[tuple[str, NumberColumn]]:
    """Yield the columns for what Meta answers today about these media, by name."""
    for metric in MEDIA_METRICS:
        is_offered = metric.selection in ("default", "all") and not metric.retired
        if not is_offered or not {*metric.product_types} & {*product_types}:
            continue
        kind: Literal["INT64", "NUMERIC"] = "NUMERIC" if metric.unit == "percent" else "INT64"
        yield metric.name, NumberColumn(name=metric.name, type=kind, metric=metric.name)
        for dimension in metric.breakdowns:
            for value in VALUES[dimension]:
                name = f"{metric.name}_{value}"
                yield (
                    name,
                    NumberColumn(name=name, type=kind, metric=metric.name, breakdown=dimension, breakdown_value=value),
                )


def _keep_current(of: Table, name: TableName, description: str, *product_types: str) -> CurrentTable:
    numbers = tuple(dict(_list_numbers(*product_types)).values())
    text = (
        f"{description}, but for the last days; a column a number, and a row each for those without a column. "
        "Read it through the view of the latest numbers, which adds the last days."
    )
    # Its key is not claimed: what was silent for long, or what two tasks add at once, can stand there twice, and the
    # view shows the newest of it.
    columns = [replace(column, required=False) if column.name in OWN else column for column in of.columns]
    table = Table(
        name=name,
        default_id=f"{of.default_id}_current",
        description=text,
        key=(*SERIES[:2], of.partition_by),
        partition_by=of.partition_by,
        cluster_by=SERIES[:2],
        columns=(*columns, *(column for number in numbers for column in number.columns)),
        claims_key=False,
    )
    return CurrentTable(table=table, of=of, numbers=numbers)


MEDIA_INSIGHTS_CURRENT = _keep_current(
    MEDIA_INSIGHTS,
    "media_insights_current",
    "The newest numbers of each account and media",
    FEED,
    REELS,
)
STORY_INSIGHTS_CURRENT = _keep_current(
    STORY_INSIGHTS,
    "story_insights_current",
    "The last word on each story",
    STORY,
)
