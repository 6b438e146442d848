"""The views for analysts, as data: what each is called, shows and selects, given the path of the table it is made of.

The tables are long and keep every snapshot; the views are what people ask for first. They also read right from a table
of raw history (``append``): of one key, the row that was fetched last counts. Each names its partition column with a
constant, so that a table may require a filter on it. A reader's own filter on the day spares reading the other days in
``account_daily`` only: what is newest, or came before, is not known without looking. A view of what is newest therefore
has a *current table*, which keeps the newest numbers of all days but the last few.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_iginsights.catalog.account_period_views import ACCOUNT_MONTHLY, ACCOUNT_WEEKLY
from airflow_provider_iginsights.catalog.audience_view import AUDIENCE
from airflow_provider_iginsights.catalog.change_view import CHANGES
from airflow_provider_iginsights.catalog.current_tables import (
    MEDIA_INSIGHTS_CURRENT,
    SERIES,
    STORY_INSIGHTS_CURRENT,
)
from airflow_provider_iginsights.catalog.daily_columns import name_daily_columns, select_days
from airflow_provider_iginsights.catalog.post_age_view import POST_AGES
from airflow_provider_iginsights.catalog.post_views import POSTS
from airflow_provider_iginsights.catalog.story_views import STORIES
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA_INSIGHTS, STORY_INSIGHTS, Table
from airflow_provider_iginsights.catalog.view_definition import (
    Sources,
    View,
    ViewColumn,
    ViewName,
    any_day,
    list_columns,
    select_newest,
    show_columns,
)

__all__ = ["VIEWS", "View", "ViewName", "find_views", "name_daily_columns"]

INSIGHTS = "_insights"
GROWTH_DAYS = 31
"""So many days before the first one a previous snapshot is looked for."""
_GROWTH_COLUMNS = (*SERIES, "media_product_type", "published_at", "snapshot_date", "value")
_MEDIA_ORDER = ("{0}`snapshot_date`", "{0}`fetched_at`")
_STORY_ORDER = (
    "{0}`source` = 'webhook'",
    "IFNULL({0}`is_final`, FALSE)",
    "{0}`snapshot_at`",
    "{0}`fetched_at`",
)


def find_views(table: Table) -> tuple[View, ...]:
    """Return the views of a table."""
    return tuple(view for view in VIEWS if view.table == table)


def _list_daily_columns() -> Iterator[ViewColumn]:
    yield from show_columns(ACCOUNT_INSIGHTS, ("account_id", "metric_date"))
    for name, (metric, breakdown, value) in name_daily_columns().items():
        part = f", {breakdown} {value}" if breakdown else ""
        yield ViewColumn(name, "NUMERIC", f"{metric}{part}, of the day.")
    yield from show_columns(ACCOUNT_INSIGHTS, ("fetched_at",))


def _select_account_daily(sources: Sources) -> str:
    return select_days(sources[ACCOUNT_INSIGHTS.name], names=name_daily_columns(), inside=any_day(ACCOUNT_INSIGHTS))


def _select_media_latest(sources: Sources) -> str:
    return select_newest(MEDIA_INSIGHTS, sources[MEDIA_INSIGHTS.name], of=SERIES, order=_MEDIA_ORDER)


def _select_story_latest(sources: Sources) -> str:
    return select_newest(STORY_INSIGHTS, sources[STORY_INSIGHTS.name], of=SERIES, order=_STORY_ORDER)


def _select_media_growth(sources: Sources) -> str:
    inside = f"`snapshot_date` >= DATE_SUB(since, INTERVAL {GROWTH_DAYS} DAY) AND `snapshot_date` <= until"
    days = select_newest(
        MEDIA_INSIGHTS, sources[MEDIA_INSIGHTS.name], of=MEDIA_INSIGHTS.key, order=("{0}`fetched_at`",), inside=inside
    )
    before = f"OVER (PARTITION BY {list_columns(SERIES)} ORDER BY `snapshot_date`)"
    return (
        f"SELECT\n  {list_columns(_GROWTH_COLUMNS)},\n"
        f"  LAG(`snapshot_date`) {before} AS `previous_snapshot_date`,\n"
        f"  DATE_DIFF(`snapshot_date`, LAG(`snapshot_date`) {before}, DAY) AS `days`,\n"
        f"  `value` - LAG(`value`) {before} AS `growth`\n"
        f"FROM (\n{days}\n)\nWHERE TRUE QUALIFY `snapshot_date` >= since"
    )


VIEWS: tuple[View, ...] = (
    View(
        name="account_daily",
        table=ACCOUNT_INSIGHTS,
        suffix="_daily",
        replaces=(INSIGHTS,),
        description="One row per account and Pacific day, one column per daily metric. NULL where there is no number.",
        example="""\
SELECT metric_date, SUM(views) AS views, SUM(total_interactions) AS interactions,
  SUM(follows_and_unfollows_follower - follows_and_unfollows_non_follower) AS net_followers
FROM {view}
WHERE metric_date >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 28 DAY)
GROUP BY metric_date ORDER BY metric_date""",
        select=_select_account_daily,
        columns=tuple(_list_daily_columns()),
        key=("account_id", "metric_date"),
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
        columns=show_columns(MEDIA_INSIGHTS),
        key=SERIES,
        order=_MEDIA_ORDER,
        current=MEDIA_INSIGHTS_CURRENT,
    ),
    View(
        name="media_growth",
        table=MEDIA_INSIGHTS,
        suffix="_growth",
        replaces=(INSIGHTS,),
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
        key=(*SERIES, "snapshot_date"),
        columns=(
            *show_columns(MEDIA_INSIGHTS, _GROWTH_COLUMNS),
            ViewColumn("previous_snapshot_date", "DATE", "Day of the snapshot before; NULL = there is none."),
            ViewColumn("days", "INT64", "Days between the two."),
            ViewColumn("growth", "NUMERIC", "Difference of the two numbers."),
        ),
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
        columns=show_columns(STORY_INSIGHTS),
        key=SERIES,
        order=_STORY_ORDER,
        current=STORY_INSIGHTS_CURRENT,
    ),
    POSTS,
    POST_AGES,
    CHANGES,
    STORIES,
    AUDIENCE,
    ACCOUNT_WEEKLY,
    ACCOUNT_MONTHLY,
)
