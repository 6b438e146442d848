"""The view of the audience, as data: the newest demographics, their shares, and those of 28 days before."""

# ruff: noqa: S608 (all that goes into the text is a constant of the catalog, or was quoted where the view is made)

from __future__ import annotations

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS
from airflow_provider_iginsights.catalog.view_definition import (
    Sources,
    View,
    ViewColumn,
    list_columns,
    select_newest,
    show_columns,
)

BEFORE, TOLERANCE = 28, 3
LOOK_BACK = 66
"""So many days are read: the newest snapshot may be 35 days old, and then the one of 28 days before is looked for."""
_ANSWER = ("account_id", "metric", "timeframe", "breakdown")
_VALUE = (*_ANSWER, "breakdown_value")
_METRICS = tuple(
    dict.fromkeys(metric.name for metric in ACCOUNT_METRICS if metric.timeframes and metric.selection != "never")
)
_COLUMNS = (
    *show_columns(ACCOUNT_INSIGHTS, (*_VALUE, "metric_date", "value")),
    ViewColumn("share", "NUMERIC", "value / the sum of the values of this breakdown that Meta sent."),
    ViewColumn("previous_metric_date", "DATE", f"Day of the snapshot nearest to {BEFORE} days before; NULL = none."),
    ViewColumn("previous_value", "NUMERIC", "The value then; NULL where Meta did not send it."),
    ViewColumn("previous_share", "NUMERIC", "Its share then."),
    ViewColumn("value_change", "NUMERIC", "value - previous_value.", "`value` - `previous_value`"),
    ViewColumn("share_change", "NUMERIC", "share - previous_share.", "`share` - `previous_share`"),
    *show_columns(ACCOUNT_INSIGHTS, ("fetched_at",)),
)


def _select_audience(sources: Sources) -> str:
    inside = (
        f"`metric_date` >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL {LOOK_BACK} DAY)\n"
        f"  AND `metric` IN ({', '.join(repr(name) for name in _METRICS)}) AND `breakdown` <> ''"
    )
    shown = (*_VALUE, "metric_date", "value", "fetched_at")
    order = ("{0}`fetched_at`",)
    snapshots = select_newest(
        ACCOUNT_INSIGHTS,
        sources[ACCOUNT_INSIGHTS.name],
        of=ACCOUNT_INSIGHTS.key,
        order=order,
        inside=inside,
        shown=shown,
    )
    answer = list_columns(_ANSWER)
    off = f"ABS(DATE_DIFF(`newest_date`, `metric_date`, DAY) - {BEFORE})"
    same = " AND ".join(f"N.`{name}` = P.`{name}`" for name in _VALUE)
    then = " AND ".join(f"N.`{name}` = B.`{name}`" for name in _ANSWER)
    selected = ",\n  ".join(column.selected for column in _COLUMNS)
    return f"""\
WITH snapshots AS (
{snapshots}
), shares AS (
  SELECT *, SAFE_DIVIDE(`value`, SUM(`value`) OVER (PARTITION BY {answer}, `metric_date`)) AS `share`,
    MAX(`metric_date`) OVER (PARTITION BY {answer}) AS `newest_date`
  FROM snapshots
), earlier AS (
  SELECT {answer}, `metric_date`
  FROM (SELECT DISTINCT {answer}, `metric_date`, `newest_date` FROM shares)
  WHERE {off} <= {TOLERANCE}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {answer} ORDER BY {off}, `metric_date`) = 1
), compared AS (
  SELECT {list_columns(shown, of="N.")}, N.`share`,
    B.`metric_date` AS `previous_metric_date`, P.`value` AS `previous_value`, P.`share` AS `previous_share`
  FROM shares N
  LEFT JOIN earlier B ON {then}
  LEFT JOIN shares P ON {same} AND P.`metric_date` = B.`metric_date`
  WHERE N.`metric_date` = N.`newest_date`
)
SELECT
  {selected}
FROM compared"""


AUDIENCE = View(
    name="audience",
    table=ACCOUNT_INSIGHTS,
    suffix="_audience",
    replaces=("_account_insights", "_insights"),
    description="The newest demographics of each account, one row per metric, timeframe and breakdown value: the share "
    f"among the values that Meta sent, and both as they were {BEFORE} days before. It reads the last {LOOK_BACK} days.",
    example="""\
SELECT account_id, breakdown_value AS country, value, share, share_change
FROM {view}
WHERE metric = 'follower_demographics' AND breakdown = 'country'
ORDER BY share DESC LIMIT 10""",
    select=_select_audience,
    columns=_COLUMNS,
    key=_VALUE,
)
