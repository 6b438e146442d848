"""The table function of posts at given ages, as data: their numbers 1, 2, 7 and 28 days after they were published.

It reads the snapshots of the posts of some days, and no others: a post's readings lie in the days after its own. A
table of its own for them would be cheaper to read, and would have to be kept right through late rows, corrections and
deletions.
"""

# ruff: noqa: S608 (all that goes into the text is a constant of the catalog, or was quoted where the view is made)

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_iginsights.catalog.media_metrics import FEED, REELS
from airflow_provider_iginsights.catalog.tables import MEDIA_INSIGHTS
from airflow_provider_iginsights.catalog.view_definition import (
    Sources,
    View,
    ViewColumn,
    list_columns,
    select_newest,
    show_columns,
)
from airflow_provider_iginsights.catalog.wide_numbers import (
    FROM_NUMBERS,
    POST,
    gather_numbers,
    list_numbers,
    name_metrics,
    take_largest,
)

AGES = {1: 12, 2: 12, 7: 24, 28: 48}
"""Days of age -> so many hours a reading may be off."""
LAST_DAY = 31
"""So many days after the day of a post its last reading can be: 28 and 2, and the hour at which it was published."""
COMPARED = ("reach", "views", "total_interactions")
_METRICS = name_metrics(FEED, REELS)
_HOURS = "TIMESTAMP_DIFF(R.`fetched_at`, R.`published_at`, SECOND)"


def _list_columns() -> Iterator[ViewColumn]:
    yield from show_columns(MEDIA_INSIGHTS, (*POST, *FROM_NUMBERS))
    yield ViewColumn("published_date", "DATE", "Pacific date of publication.")
    yield ViewColumn("age_days", "INT64", f"Age that is asked for: {', '.join(map(str, AGES))} days.")
    yield ViewColumn("read_age_days", "NUMERIC", "Age in days at which the numbers were really read.")
    yield ViewColumn("snapshot_date", "DATE", "Pacific date of that reading.")
    yield ViewColumn("fetched_at", "TIMESTAMP", "When the newest of its numbers was read from Meta (UTC).")
    for column in list_numbers(FEED, REELS):
        yield ViewColumn(column.name, column.type, column.description.replace("Newest", "At this age,"))
    for below in ("reach", "views"):
        sql = f"SAFE_DIVIDE(`total_interactions`, `{below}`)"
        yield ViewColumn(f"engagement_rate_by_{below}", "NUMERIC", f"total_interactions / {below}, at this age.", sql)
    for name in COMPARED:
        text = f"{name} / the median of the account's posts of the same product type and of these days, at this age."
        yield ViewColumn(f"{name}_by_median", "NUMERIC", text, f"SAFE_DIVIDE(`{name}`, `{name}_median`)")
    yield ViewColumn("posts_in_median", "INT64", "Posts of this account, product type and age, of these days.")


def _select_ages(sources: Sources) -> str:
    inside = f"`snapshot_date` >= since AND `snapshot_date` <= DATE_ADD(until, INTERVAL {LAST_DAY} DAY)"
    order = ("{0}`fetched_at`",)
    rows = select_newest(
        MEDIA_INSIGHTS, sources[MEDIA_INSIGHTS.name], of=MEDIA_INSIGHTS.key, order=order, inside=inside
    )
    others = take_largest(*FROM_NUMBERS, "fetched_at")
    readings = gather_numbers(f"(\n{rows}\n)", of=(*POST, "snapshot_date"), names=_METRICS, others=others)
    ages = ", ".join(
        f"STRUCT({age} AS `age_days`, {age * 86400} AS `seconds`, {hours * 3600} AS `tolerance`)"
        for age, hours in AGES.items()
    )
    alike = "OVER (PARTITION BY `account_id`, `media_product_type`, `age_days`)"
    medians = ",\n  ".join(
        f"CAST(PERCENTILE_CONT(`{name}`, 0.5) {alike} AS NUMERIC) AS `{name}_median`" for name in COMPARED
    )
    kept = (*POST, *FROM_NUMBERS, "snapshot_date", "fetched_at", *_METRICS)
    shown = ",\n  ".join(column.selected for column in AGE_COLUMNS)
    # A function whose query begins with WITH is refused by emulators.
    return f"""\
SELECT
  {shown}
FROM (
WITH readings AS (
{readings}
), aged AS (
  SELECT {list_columns(kept, of="R.")},
    DATE(R.`published_at`, 'America/Los_Angeles') AS `published_date`, A.`age_days`,
    ROUND(CAST({_HOURS} AS NUMERIC) / 86400, 3) AS `read_age_days`
  FROM readings R CROSS JOIN UNNEST([{ages}]) A
  WHERE DATE(R.`published_at`, 'America/Los_Angeles') >= since
    AND DATE(R.`published_at`, 'America/Los_Angeles') <= until
    AND {_HOURS} >= A.`seconds` - A.`tolerance` AND {_HOURS} < A.`seconds` + A.`tolerance`
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY R.`account_id`, R.`media_id`, A.`age_days`
    ORDER BY ABS({_HOURS} - A.`seconds`), R.`snapshot_date`) = 1
), compared AS (
  SELECT *,
  {medians},
  COUNT(*) {alike} AS `posts_in_median`
  FROM aged
)
SELECT * FROM compared
)"""


AGE_COLUMNS: tuple[ViewColumn, ...] = tuple(_list_columns())
POST_AGES = View(
    name="post_ages",
    table=MEDIA_INSIGHTS,
    suffix="_post_ages",
    replaces=("_media_insights", "_insights"),
    parameters=("since", "until"),
    description="The posts that were published from one day to another, both included, one row for each age at which "
    f"they were read ({', '.join(map(str, AGES))} days): their numbers then, one column per metric.",
    example="""\
SELECT age_days, media_product_type, COUNT(*) AS posts, AVG(read_age_days) AS read_at, SUM(views) AS views
FROM {view}(
  DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 60 DAY), CURRENT_DATE('America/Los_Angeles'))
GROUP BY age_days, media_product_type ORDER BY media_product_type, age_days""",
    select=_select_ages,
    columns=AGE_COLUMNS,
    key=(*POST, "age_days"),
)
