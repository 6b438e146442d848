"""The table functions of an account's weeks and months, as data: sums of days, where days may be added."""

# ruff: noqa: S608 (all that goes into the text is a constant of the catalog, or was quoted where the view is made)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.daily_columns import name_daily_columns, name_summed_columns, select_days
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS
from airflow_provider_iginsights.catalog.view_definition import Sources, View, ViewColumn, select_newest

# BigQuery's calendar ends the query with an error where the week before a day, or after it, lies outside of it.
_SINCE, _UNTIL = "GREATEST(since, DATE '1900-01-01')", "LEAST(until, DATE '9000-12-31')"
_FOLLOWS, _UNFOLLOWS = "follows_and_unfollows_follower", "follows_and_unfollows_non_follower"


@dataclass(frozen=True, slots=True)
class CalendarPeriod:
    """A week or a month. ``part``: as GoogleSQL calls it; ``unique``: the period in which Meta counts people once."""

    name: Literal["account_weekly", "account_monthly"]
    word: Literal["week", "month"]
    part: Literal["ISOWEEK", "MONTH"]
    unit: Literal["WEEK", "MONTH"]
    unique: Literal["week", "days_28"]

    def begin(self, day: str) -> str:
        """Return the expression for the first day of the period of a day."""
        return f"DATE_TRUNC({day}, {self.part})"

    def move(self, day: str, by: int) -> str:
        """Return the expression for the same day so many periods later."""
        step = "ADD" if by > 0 else "SUB"
        return f"DATE_{step}({day}, INTERVAL {abs(by)} {self.unit})"

    @property
    def inside(self) -> str:
        """Return the condition of the days of all periods that have a day from ``since`` to ``until``."""
        last = f"DATE_SUB({self.move(self.begin(_UNTIL), 1)}, INTERVAL 1 DAY)"
        # Of two days of one week, the later may be the first: from one to the other there is no day.
        return f"since <= until AND {{0}} >= {self.begin(_SINCE)} AND {{0}} <= {last}"

    @property
    def uniques(self) -> dict[str, str]:
        """Return the columns of what Meta counts for such a period, and whose days are not added: name -> metric."""
        found = [each.name for each in ACCOUNT_METRICS if self.unique in each.periods and not each.sums_over_days]
        return {f"{name}_{self.unique}": name for name in found}

    def list_columns(self) -> Iterator[ViewColumn]:
        """Yield the columns of the table function."""
        first = "Monday" if self.word == "week" else "first day"
        yield ViewColumn("account_id", "STRING", "Instagram professional account id (IG User id), a string of digits.")
        yield ViewColumn(f"{self.word}_start", "DATE", f"The {first} of the {self.word}; its days are Pacific.")
        days = f"Days of the {self.word} that have numbers: the sums are over those."
        yield ViewColumn("days", "INT64", days)
        yield ViewColumn("days_missing", "INT64", f"Days of the {self.word} that have none, or are yet to come.")
        for name in name_summed_columns():
            yield ViewColumn(name, "NUMERIC", f"Sum of {name} over the days that have it.")
        yield ViewColumn("net_follows", "NUMERIC", f"{_FOLLOWS} - {_UNFOLLOWS}.", f"`{_FOLLOWS}` - `{_UNFOLLOWS}`")
        for name, metric in self.uniques.items():
            over = "the week" if self.unique == "week" else "the last 28 days of the month"
            text = f"{metric} of {over} as Meta counts it (period {self.unique}); NULL where it is not stored."
            yield ViewColumn(name, "NUMERIC", text)
        yield ViewColumn("followers_count", "INT64", f"Followers in the last profile that was read in the {self.word}.")
        yield ViewColumn("followers_read_on", "DATE", "Day of that profile.")
        text = f"followers_count - that of the {self.word} before; removed accounts count here, not in net_follows."
        yield ViewColumn("followers_change", "INT64", text)


def _select_periods(sources: Sources, *, period: CalendarPeriod) -> str:
    day = period.begin("`metric_date`")
    names = name_summed_columns()
    summed = ",\n    ".join(f"SUM(`{name}`) AS `{name}`" for name in names)
    inside = period.inside.format("`metric_date`")
    # Any number of a day shows that it is there: the sums alone may be about none.
    days = select_days(sources[ACCOUNT_INSIGHTS.name], names=name_daily_columns(), inside=inside)
    uniques = ",\n    ".join(
        f"MAX(IF(`metric` = '{metric}', `value`, NULL)) AS `{name}`" for name, metric in period.uniques.items()
    )
    order = ("{0}`fetched_at`",)
    stored = select_newest(
        ACCOUNT_INSIGHTS,
        sources[ACCOUNT_INSIGHTS.name],
        of=ACCOUNT_INSIGHTS.key,
        order=order,
        inside=f"{inside} AND `period` = '{period.unique}' AND `breakdown` = ''",
        shown=("account_id", "metric", "metric_date", "value"),
    )
    before = period.inside.format("`snapshot_date`").replace(
        period.begin(_SINCE), period.move(period.begin(_SINCE), -1), 1
    )
    profiles = select_newest(
        ACCOUNTS,
        sources[ACCOUNTS.name],
        of=ACCOUNTS.key,
        order=order,
        inside=before,
        shown=("account_id", "snapshot_date", "followers_count"),
    )
    start = period.begin("`snapshot_date`")
    last_day = f"DATE_SUB({period.move(day, 1)}, INTERVAL 1 DAY)"
    next_start = period.move("N.`start`", 1)
    selected = ",\n  ".join(column.selected for column in period.list_columns())
    # A function whose query begins with WITH is refused by emulators.
    return f"""\
SELECT
  {selected}
FROM (
WITH days AS (
{days}
), sums AS (
  SELECT `account_id`, {day} AS `start`, COUNT(*) AS `days`,
    {summed}
  FROM days
  GROUP BY `account_id`, `start`
), uniques AS (
  SELECT `account_id`, {day} AS `start`,
    {uniques}
  FROM (
{stored}
  )
  WHERE `metric_date` = {last_day}
  GROUP BY `account_id`, `start`
), profiles AS (
{profiles}
), followers AS (
  SELECT `account_id`, {start} AS `start`, `followers_count`, `snapshot_date`
  FROM profiles
  WHERE `followers_count` IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY `account_id`, {start} ORDER BY `snapshot_date` DESC) = 1
), periods AS (
  SELECT `account_id`, `start` FROM sums
  UNION DISTINCT SELECT `account_id`, `start` FROM uniques
  UNION DISTINCT SELECT `account_id`, `start` FROM followers WHERE `start` >= {period.begin(_SINCE)}
), joined AS (
  SELECT N.`account_id`, N.`start` AS `{period.word}_start`,
    IFNULL(S.`days`, 0) AS `days`,
    DATE_DIFF({next_start}, N.`start`, DAY) - IFNULL(S.`days`, 0) AS `days_missing`,
    {", ".join(f"S.`{name}`" for name in names)},
    {", ".join(f"U.`{name}`" for name in period.uniques)},
    F.`followers_count`, F.`snapshot_date` AS `followers_read_on`,
    F.`followers_count` - B.`followers_count` AS `followers_change`
  FROM periods N
  LEFT JOIN sums S ON S.`account_id` = N.`account_id` AND S.`start` = N.`start`
  LEFT JOIN uniques U ON U.`account_id` = N.`account_id` AND U.`start` = N.`start`
  LEFT JOIN followers F ON F.`account_id` = N.`account_id` AND F.`start` = N.`start`
  LEFT JOIN followers B ON B.`account_id` = N.`account_id` AND B.`start` = {period.move("N.`start`", -1)}
)
SELECT * FROM joined
)"""


def _make_view(period: CalendarPeriod) -> View:
    adverb = period.name.removeprefix("account_")
    return View(
        name=period.name,
        table=ACCOUNT_INSIGHTS,
        suffix=f"_{adverb}",
        replaces=("_insights",),
        parameters=("since", "until"),
        tables=(ACCOUNTS,),
        description=f"One row per account and {period.word} that has a day from one day to another, both included: "
        "sums of what may be added over days, and the followers at its end. Reach is not added: Meta's own is shown.",
        example=f"""\
SELECT account_id, {period.word}_start, days, days_missing, views, total_interactions, net_follows, followers_change,
  {next(iter(period.uniques))}
FROM {{view}}(
  DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 90 DAY), CURRENT_DATE('America/Los_Angeles'))
ORDER BY account_id, {period.word}_start""",
        select=partial(_select_periods, period=period),
        columns=tuple(period.list_columns()),
        key=("account_id", f"{period.word}_start"),
    )


ACCOUNT_WEEKLY = _make_view(CalendarPeriod("account_weekly", "week", "ISOWEEK", "WEEK", "week"))
ACCOUNT_MONTHLY = _make_view(CalendarPeriod("account_monthly", "month", "MONTH", "MONTH", "days_28"))
