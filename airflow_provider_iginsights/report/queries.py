"""The queries of a report. Each names its days and its account as constants, so that BigQuery reads no other day.

Of a key that stands in a table twice (raw history) the row counts that was fetched last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange, condition
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.pacific import DAY

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.report.period import Period

DAILY_METRICS = ("reach", "views", "accounts_engaged", "total_interactions", "profile_views", "website_clicks")
POST_METRICS = ("views", "reach", "total_interactions", "likes", "comments", "saved", "shares")
AUDIENCE = "follower_demographics"
DIMENSIONS = ("age", "gender", "country", "city")
STORY_LIFE = timedelta(days=2)
"""So long after the period the last numbers of its stories may be read: 24 hours of life, and the webhook's."""
_ALL = "SELECT * FROM"
_LATEST = {view.name: view.read for view in VIEWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """Which rows: of one account, of a period."""

    account_id: str
    period: Period

    def profiles(self, target: TargetTable) -> str:
        """Return the query for the profile of each day."""
        shown = ("snapshot_date", "username", "name", "followers_count")
        return f"{_select(shown)}\nFROM {self._rows(target, after=DAY)}\n{_newest(target.table.key)}"

    def daily(self, target: TargetTable) -> str:
        """Return the query for the account's numbers of each day, and its views by product type."""
        shown = ("metric", "breakdown", "breakdown_value", "metric_date", "value")
        return (
            f"{_select(shown)}\nFROM {self._rows(target)}\n"
            f"WHERE `period` = 'day' AND (`breakdown` = '' AND `metric` IN ({_texts(DAILY_METRICS)})\n"
            "  OR `breakdown` = 'media_product_type' AND `metric` = 'views')\n"
            f"QUALIFY {_first(target.table.key)}"
        )

    def online(self, target: TargetTable) -> str:
        """Return the query for the followers that were online in each Pacific hour."""
        shown = ("metric_date", "breakdown_value", "value")
        return (
            f"{_select(shown)}\nFROM {self._rows(target)}\n"
            f"WHERE `metric` = 'online_followers' AND `breakdown` = 'hour'\nQUALIFY {_first(target.table.key)}"
        )

    def audience(self, target: TargetTable) -> str:
        """Return the query for the newest numbers of followers by age, gender, country and city."""
        shown = ("breakdown", "breakdown_value", "timeframe", "metric_date", "value")
        wanted = f"`metric` = '{AUDIENCE}' AND `breakdown` IN ({_texts(DIMENSIONS)})"
        rows = f"{_ALL} {self._rows(target, after=DAY)} WHERE {wanted} QUALIFY {_first(target.table.key)}"
        # Of several timeframes one: the followers are the same.
        newest = "DENSE_RANK() OVER (PARTITION BY `breakdown` ORDER BY `metric_date` DESC, `timeframe`) = 1"
        return f"{_select(shown)}\nFROM ({rows})\nWHERE TRUE QUALIFY {newest}"

    def posts(self, target: TargetTable) -> str:
        """Return the query for what was published in the period, without stories."""
        shown = ("media_id", "media_product_type", "caption", "permalink", "published_at", "published_date")
        return (
            f"{_select(shown)}\nFROM {self._rows(target)}\n"
            "WHERE IFNULL(`media_product_type`, '') <> 'STORY'\n"
            f"QUALIFY {_first(target.table.key)}"
        )

    def post_numbers(self, target: TargetTable) -> str:
        """Return the query for the newest numbers of each post that was read in the period, or on the day after."""
        latest = _LATEST["media_insights_latest"](self._rows(target, after=DAY))
        return (
            f"{_select(('media_id', 'metric', 'snapshot_date', 'value'))}\nFROM (\n{latest}\n)\n"
            f"WHERE `breakdown` = '' AND `metric` IN ({_texts(POST_METRICS)})"
        )

    def post_ages(self, target: TargetTable, *, metric: str, media_ids: Iterable[str]) -> str:
        """Return the query for every reading of one metric of some posts."""
        wanted = f"`metric` = {literal(metric)} AND `breakdown` = '' AND `media_id` IN ({_texts(media_ids)})"
        return (
            f"{_select(('media_id', 'published_at', 'fetched_at', 'value'))}\nFROM {self._rows(target, after=DAY)}\n"
            f"WHERE {wanted}\nQUALIFY {_first(target.table.key)}"
        )

    def stories(self, target: TargetTable) -> str:
        """Return the query for the last numbers of each story, and when it was published."""
        shown = (
            "media_id",
            "published_at",
            "metric",
            "breakdown",
            "breakdown_value",
            "snapshot_at",
            "value",
            "is_final",
        )
        # Only polls say when a story was published, and of a number the webhook's is the last.
        known = "MAX(`published_at`) OVER (PARTITION BY `media_id`) AS `published_at`"
        rows = f"(\nSELECT * EXCEPT (`published_at`), {known}\nFROM {self._rows(target, after=STORY_LIFE)}\n)"
        latest = _LATEST["story_insights_latest"](rows)
        return f"{_select(shown)}\nFROM (\n{latest}\n)\nWHERE `published_at` IS NOT NULL"

    def unavailable(self, target: TargetTable) -> str:
        """Return the query for the days on which the account was unavailable, and why."""
        shown = ("snapshot_date", "transfer", "reason")
        rows = self._rows(target, after=DAY)
        return (
            f"{_select(shown)}\nFROM {rows}\nWHERE `status` = 'unavailable'\nQUALIFY {_first(target.table.key)}\n"
            "ORDER BY `snapshot_date`, `transfer`"
        )

    def runs(self, target: TargetTable) -> str:
        """Return the query for the runs that did not end well for the account, or left values out."""
        shown = ("run_date", "transfer", "status", "reason", "left_out")
        rows = f"{_ALL} {self._rows(target, after=DAY)} WHERE TRUE QUALIFY {_first(target.table.key)}"
        return (
            f"{_select(shown)}\nFROM ({rows})\nWHERE `status` <> 'done' OR `left_out` > 0\n"
            "ORDER BY `run_date`, `transfer`, `status`"
        )

    def left_out(self, target: TargetTable) -> str:
        """Return the query for the examples of what was left out: of which object, why, and on which days."""
        shown = ("reason", "what", "object")
        return (
            f"{_select(shown)}, MIN(`run_date`) AS `first_day`, MAX(`run_date`) AS `last_day`\n"
            f"FROM {self._rows(target, after=DAY)}\nGROUP BY {', '.join(map(quoted, shown))}\n"
            f"ORDER BY {', '.join(map(quoted, shown))}"
        )

    def coverage(self, target: TargetTable, *, counted: str, where: str = "TRUE", after: timedelta = DAY * 0) -> str:
        """Return the query for what a table holds of each day: ``counted`` is what is counted, a GoogleSQL expression.

        :param after: days after the period to look at, too.
        """
        day = quoted(target.table.partition_by)
        return (
            f"SELECT {day} AS `day`, COUNT(DISTINCT {counted}) AS `count`, MAX(`fetched_at`) AS `read_last`\n"
            f"FROM {self._rows(target, after=after)}\nWHERE {where}\nGROUP BY {day}"
        )

    def accounts(self, target: TargetTable) -> str:
        """Return the query for the accounts that a table of profiles has in the period, whatever the account is."""
        rows = self._rows(target, after=DAY, all_accounts=True)
        # An account can have had another name, which another one may have today.
        newest = "ORDER BY `username` IS NULL, `snapshot_date` DESC, `fetched_at` DESC"
        return (
            f"{_select(('account_id', 'username'))}\nFROM {rows}\n"
            f"WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY `account_id` {newest}) = 1\nORDER BY `account_id`"
        )

    def _rows(self, target: TargetTable, *, after: timedelta = DAY * 0, all_accounts: bool = False) -> str:
        accounts = () if all_accounts else (self.account_id,)
        days = PartitionRange(start=_iso(self.period.first), end=_iso(self.period.last + after), account_ids=accounts)
        return f"(\n  {_ALL} {quoted(target.path)} T\n  WHERE {condition(days, table=target.table, alias='T')}\n)"


def _select(columns: Iterable[str]) -> str:
    return f"SELECT {', '.join(map(quoted, columns))}"


def _newest(key: Iterable[str]) -> str:
    return f"WHERE TRUE QUALIFY {_first(key)}"


def _first(key: Iterable[str]) -> str:
    return f"ROW_NUMBER() OVER (PARTITION BY {', '.join(map(quoted, key))} ORDER BY `fetched_at` DESC) = 1"


def _texts(names: Iterable[str]) -> str:
    return ", ".join(map(literal, names))


def _iso(day: date) -> str:
    return day.isoformat()
