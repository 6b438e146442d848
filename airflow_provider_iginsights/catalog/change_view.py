"""The view of what changed since yesterday, as data: each number whose newest reading differs from the one before."""

# ruff: noqa: S608 (all that goes into the text is a constant of the catalog, or was quoted where the view is made)

from __future__ import annotations

from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA, MEDIA_INSIGHTS
from airflow_provider_iginsights.catalog.view_definition import (
    Sources,
    View,
    ViewColumn,
    any_day,
    list_columns,
    select_newest,
    show_columns,
)

LOOK_BACK = 14
"""So many days are read: an account that was not read for longer has no row."""
_COUNTS = tuple(column.name for column in ACCOUNTS.columns if column.type == "INT64")
_SERIES = ("account_id", "media_id", "metric")
_COLUMNS = (
    *show_columns(MEDIA_INSIGHTS, ("account_id",)),
    ViewColumn("media_id", "STRING", "The post; NULL = the account itself, whose profile's counts are compared."),
    *show_columns(MEDIA_INSIGHTS, ("media_product_type", "published_at")),
    *show_columns(MEDIA, ("permalink",)),
    ViewColumn("metric", "STRING", f"Metric of the post, or {', '.join(_COUNTS)} of the profile."),
    ViewColumn("snapshot_date", "DATE", "The last day on which the account's posts, or its profile, were read."),
    ViewColumn("value", "NUMERIC", "The number then."),
    ViewColumn("previous_snapshot_date", "DATE", "The day on which the number was read before."),
    ViewColumn("previous_value", "NUMERIC", f"The number before; NULL = none in {LOOK_BACK} days, as of a new post."),
    ViewColumn("days", "INT64", "Days between the two.", "DATE_DIFF(`snapshot_date`, `previous_snapshot_date`, DAY)"),
    ViewColumn("change", "NUMERIC", "value - previous_value.", "`value` - `previous_value`"),
)


def _select_changes(sources: Sources) -> str:
    inside = f"`snapshot_date` >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL {LOOK_BACK} DAY)"
    order = ("{0}`fetched_at`",)
    numbers = select_newest(
        MEDIA_INSIGHTS,
        sources[MEDIA_INSIGHTS.name],
        of=MEDIA_INSIGHTS.key,
        order=order,
        inside=f"{inside} AND `breakdown` = ''",
    )
    profiles = select_newest(ACCOUNTS, sources[ACCOUNTS.name], of=ACCOUNTS.key, order=order, inside=inside)
    counts = ", ".join(
        f"STRUCT('{name}' AS `metric`, CAST(P.`{name}` AS NUMERIC) AS `value`)"
        if not at
        else f"('{name}', CAST(P.`{name}` AS NUMERIC))"
        for at, name in enumerate(_COUNTS)
    )
    before = f"OVER (PARTITION BY {list_columns(_SERIES)} ORDER BY `snapshot_date`)"
    selected = ",\n  ".join(column.selected for column in _COLUMNS)
    return f"""\
WITH numbers AS (
{numbers}
), profiles AS (
{profiles}
), media AS (
SELECT `account_id`, `media_id`, `permalink`
FROM {sources[MEDIA.name]}
WHERE {any_day(MEDIA)}
QUALIFY ROW_NUMBER() OVER (PARTITION BY `account_id`, `media_id` ORDER BY `fetched_at` DESC) = 1
), readings AS (
  SELECT `account_id`, `media_id`, `media_product_type`, `published_at`, `metric`, `snapshot_date`, `value`
  FROM numbers
  UNION ALL
  SELECT P.`account_id`, '' AS `media_id`, CAST(NULL AS STRING) AS `media_product_type`,
    CAST(NULL AS TIMESTAMP) AS `published_at`, C.`metric`, P.`snapshot_date`, C.`value`
  FROM profiles P CROSS JOIN UNNEST([{counts}]) C
  WHERE C.`value` IS NOT NULL
), compared AS (
  SELECT *,
    LAG(`snapshot_date`) {before} AS `previous_snapshot_date`,
    LAG(`value`) {before} AS `previous_value`,
    MAX(`snapshot_date`) OVER (PARTITION BY `account_id`, `media_id` = '') AS `newest_date`
  FROM readings
), changed AS (
  SELECT C.`account_id`, NULLIF(C.`media_id`, '') AS `media_id`, C.`media_product_type`, C.`published_at`,
    M.`permalink`, C.`metric`, C.`snapshot_date`, C.`value`, C.`previous_snapshot_date`, C.`previous_value`
  FROM compared C LEFT JOIN media M ON M.`account_id` = C.`account_id` AND M.`media_id` = C.`media_id`
  WHERE C.`snapshot_date` = C.`newest_date`
    AND (C.`previous_value` IS NULL OR C.`value` <> C.`previous_value`)
)
SELECT
  {selected}
FROM changed"""


CHANGES = View(
    name="changes",
    table=MEDIA_INSIGHTS,
    suffix="_changes",
    replaces=("_media_insights", "_insights"),
    tables=(MEDIA, ACCOUNTS),
    description="What changed since yesterday: one row per account, post and metric, and per count of the profile, "
    f"whose number on the last day differs from the one before. It reads the last {LOOK_BACK} days.",
    example="""\
SELECT account_id, media_id, permalink, metric, value, change, days
FROM {view}
ORDER BY account_id, media_id IS NOT NULL, ABS(change) DESC LIMIT 20""",
    select=_select_changes,
    columns=_COLUMNS,
    key=_SERIES,
    can_be_null=("media_id",),
)
