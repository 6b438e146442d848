"""The views for analysts, as data: what each is called, shows and selects, given the path of the table it is made of.

The tables are long and keep every snapshot; the views are what people ask for first. They also read right from a table
of raw history (``append``): of one key, the row that was fetched last counts. Each names its partition column with a
constant, so that a table may require a filter on it. A reader's own filter on the day spares reading the other days in
``account_daily`` only: what is newest, or came before, is not known without looking. A view of what is newest therefore
has a *current table*, which keeps the newest numbers of all days but the last few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.current_tables import (
    MEDIA_INSIGHTS_CURRENT,
    SERIES,
    STORY_INSIGHTS_CURRENT,
    CurrentTable,
)
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA_INSIGHTS, STORY_INSIGHTS, Table

ViewName = Literal["account_daily", "media_insights_latest", "media_growth", "story_insights_latest"]

INSIGHTS = "_insights"
GROWTH_DAYS = 31
"""So many days before the first one a previous snapshot is looked for."""
# Values of the breakdown that metrics without a total are shown by.
PARTS: dict[str, tuple[str, ...]] = {"follow_type": ("FOLLOWER", "NON_FOLLOWER")}
_MEDIA_ORDER = ("{0}`snapshot_date`", "{0}`fetched_at`")
_STORY_ORDER = (
    "{0}`source` = 'webhook'",
    "IFNULL({0}`is_final`, FALSE)",
    "{0}`snapshot_at`",
    "{0}`fetched_at`",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of one table.

    ``suffix`` is put to the table's id, from which ``replaces`` is first taken away. ``select`` takes the table's path,
    quoted, or a subquery of its columns, and returns GoogleSQL; ``example`` is a query of the view, ``{view}``.

    ``current``: the table that keeps the newest number of each key; None = the view needs none. ``order``: what
    makes a row the newest, each a GoogleSQL expression in which ``{0}`` stands before a column; the largest wins, and
    the first expression counts most. ``parameters``: names of DATEs that its query takes; with some, it is a table
    function.
    """

    name: ViewName
    table: Table
    suffix: str
    description: str
    example: str
    select: Callable[[str], str]
    replaces: str = ""
    order: tuple[str, ...] = ()
    current: CurrentTable | None = None
    parameters: tuple[str, ...] = ()

    def view_id(self, table_id: str) -> str:
        """Return what the view is called where its table has this id."""
        return table_id.removesuffix(self.replaces) + self.suffix


def find_views(table: Table) -> tuple[View, ...]:
    """Return the views of a table."""
    return tuple(view for view in VIEWS if view.table == table)


def name_daily_columns() -> dict[str, tuple[str, str, str]]:
    """Return the columns of ``account_daily``: name -> (metric, breakdown, breakdown value), each metric once."""
    return dict(_name_daily_columns())


def _name_daily_columns() -> Iterator[tuple[str, tuple[str, str, str]]]:
    for metric in ACCOUNT_METRICS:
        if "day" not in metric.periods:
            continue
        if not metric.needs_breakdown:
            yield metric.name, (metric.name, "", "")
            continue
        for dimension in metric.default_breakdowns:
            for value in PARTS[dimension]:
                yield f"{metric.name}_{value.lower()}", (metric.name, dimension, value)


def _select_account_daily(source: str) -> str:
    columns = ",\n".join(
        f"  ANY_VALUE(IF({_is(*row)}, `value`, NULL) HAVING MAX IF({_is(*row)}, `fetched_at`, NULL)) AS `{name}`"
        for name, row in name_daily_columns().items()
    )
    # Metrics that have no total are shown by the values of their breakdown, one column each.
    divided = sorted({metric for metric, breakdown, _ in name_daily_columns().values() if breakdown})
    return (
        f"SELECT\n  `account_id`,\n  `metric_date`,\n{columns},\n  MAX(`fetched_at`) AS `fetched_at`\n"
        f"FROM {source}\nWHERE {_any_day(ACCOUNT_INSIGHTS)} AND `period` = 'day'\n"
        f"  AND (`breakdown` = '' OR `metric` IN ({', '.join(repr(name) for name in divided)}))\n"
        "GROUP BY `account_id`, `metric_date`"
    )


def _select_media_latest(source: str) -> str:
    return _select_newest(MEDIA_INSIGHTS, source, of=SERIES, order=_MEDIA_ORDER)


def _select_story_latest(source: str) -> str:
    return _select_newest(STORY_INSIGHTS, source, of=SERIES, order=_STORY_ORDER)


def _select_media_growth(source: str) -> str:
    shown = ("account_id", "media_id", "media_product_type", "published_at", "metric", "breakdown", "breakdown_value")
    inside = f"`snapshot_date` >= DATE_SUB(since, INTERVAL {GROWTH_DAYS} DAY) AND `snapshot_date` <= until"
    days = _select_newest(MEDIA_INSIGHTS, source, of=MEDIA_INSIGHTS.key, order=("{0}`fetched_at`",), inside=inside)
    before = f"OVER (PARTITION BY {_listed(SERIES)} ORDER BY `snapshot_date`)"
    return (
        f"SELECT\n  {_listed(shown)},\n  `snapshot_date`,\n  `value`,\n"
        f"  LAG(`snapshot_date`) {before} AS `previous_snapshot_date`,\n"
        f"  DATE_DIFF(`snapshot_date`, LAG(`snapshot_date`) {before}, DAY) AS `days`,\n"
        f"  `value` - LAG(`value`) {before} AS `growth`\n"
        f"FROM (\n{days}\n)\nWHERE TRUE QUALIFY `snapshot_date` >= since"
    )


def _select_newest(table: Table, source: str, *, of: Iterable[str], order: Sequence[str], inside: str = "") -> str:
    """Return the query for one row per value of the columns ``of``: the newest in this order.

    :param inside: condition of the rows that are read; '' = all of them.
    """
    ranked = ", ".join(f"{expression.format('')} DESC" for expression in order)
    return (
        f"SELECT {_listed(table.column_names)}\nFROM {source}\nWHERE {inside or _any_day(table)}\n"
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {_listed(of)} ORDER BY {ranked}) = 1"
    )


def _is(metric: str, breakdown: str, value: str) -> str:
    return f"`metric` = '{metric}' AND `breakdown` = '{breakdown}' AND `breakdown_value` = '{value}'"


def _any_day(table: Table) -> str:
    return f"`{table.partition_by}` >= DATE '0001-01-01'"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


VIEWS: tuple[View, ...] = (
    View(
        name="account_daily",
        table=ACCOUNT_INSIGHTS,
        suffix="_daily",
        replaces=INSIGHTS,
        description="One row per account and Pacific day, one column per daily metric. NULL where there is no number.",
        example="""\
SELECT metric_date, SUM(views) AS views, SUM(total_interactions) AS interactions,
  SUM(follows_and_unfollows_follower - follows_and_unfollows_non_follower) AS net_followers
FROM {view}
WHERE metric_date >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 28 DAY)
GROUP BY metric_date ORDER BY metric_date""",
        select=_select_account_daily,
    ),
    View(
        name="media_insights_latest",
        table=MEDIA_INSIGHTS,
        suffix="_latest",
        description="The newest number of each account, media, metric and breakdown value.",
        example="""\
SELECT account_id, media_id, media_product_type, published_at, value AS reach
FROM {view}
WHERE metric = 'reach' AND breakdown = ''
ORDER BY reach DESC LIMIT 10""",
        select=_select_media_latest,
        order=_MEDIA_ORDER,
        current=MEDIA_INSIGHTS_CURRENT,
    ),
    View(
        name="media_growth",
        table=MEDIA_INSIGHTS,
        suffix="_growth",
        replaces=INSIGHTS,
        parameters=("since", "until"),
        description="How far each lifetime number of a media moved since its previous snapshot, and in how many days, "
        f"from one day to another, both included. NULL where none of the {GROWTH_DAYS} days before has a snapshot.",
        example="""\
SELECT account_id, media_id, snapshot_date, growth / days AS views_per_day
FROM {view}(
  DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 7 DAY), CURRENT_DATE('America/Los_Angeles'))
WHERE metric = 'views' AND breakdown = '' AND growth IS NOT NULL
ORDER BY views_per_day DESC LIMIT 10""",
        select=_select_media_growth,
    ),
    View(
        name="story_insights_latest",
        table=STORY_INSIGHTS,
        suffix="_latest",
        description="The last word on each story, metric and breakdown value: the webhook's number, else the final "
        "poll's, else the newest poll's.",
        example="""\
SELECT account_id, media_id, MAX(IF(metric = 'reach', value, NULL)) AS reach,
  MAX(IF(metric = 'replies', value, NULL)) AS replies
FROM {view}
WHERE breakdown = ''
GROUP BY account_id, media_id ORDER BY reach DESC LIMIT 10""",
        select=_select_story_latest,
        order=_STORY_ORDER,
        current=STORY_INSIGHTS_CURRENT,
    ),
)
