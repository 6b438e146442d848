"""Reads the rows of a report from BigQuery. A table that does not exist has no rows, and is named."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.ensure import ensure_dataset, find_table
from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    ACCOUNT_STATUS,
    ACCOUNTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
)
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.pacific import DAY
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.report.queries import ReportQuery

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.columns import Table
    from airflow_provider_iginsights.report.period import Period

Row = Mapping[str, Any]
MOST_NAMED = 20
RUNS, LEFT_OUT = "runs", "left_out"
"""The tables of runs and of what they left out, by name: they are there only where the transfers write them."""
COUNTED: Mapping[str, tuple[Table, str, str]] = {
    "account numbers": (ACCOUNT_INSIGHTS, "CONCAT(`metric`, '|', `breakdown`)", "`period` = 'day'"),
    "profile": (ACCOUNTS, "`account_id`", "TRUE"),
    "posts and reels": (MEDIA_INSIGHTS, "`media_id`", "TRUE"),
    "story polls": (STORY_POLLS, "`snapshot_at`", "TRUE"),
}
"""What a day of each table is looked at for: the table, what is counted, and of which rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRows:
    """What BigQuery holds about the period of a report. ``missing``: the paths of the tables that do not exist."""

    account_id: str
    period: Period
    missing: tuple[str, ...] = ()
    profiles: Sequence[Row] = ()
    daily: Sequence[Row] = ()
    online: Sequence[Row] = ()
    audience: Sequence[Row] = ()
    posts: Sequence[Row] = ()
    post_numbers: Sequence[Row] = ()
    stories: Sequence[Row] = ()
    unavailable: Sequence[Row] = ()
    runs: Sequence[Row] = ()
    left_out: Sequence[Row] = ()
    coverage: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    read_ages: Callable[[str, Sequence[str]], Sequence[Row]] | None = None
    """Returns every reading of a metric of some posts."""


class ReportReader:
    """Asks for the rows of one dataset.

    :param session: runs the queries and keeps what they cost.
    :param targets: one of each table.
    :raises DatasetUnavailable: there is no such dataset.
    """

    def __init__(self, session: BigQuerySession, targets: Iterable[TargetTable]) -> None:
        self._session = session
        named = [ensure_dataset(target, session=session, create=False) for target in targets]
        found = (each for each in named if find_table(each, session=session) is not None)
        self._targets: dict[str, TargetTable] = {each.table.name: each for each in found}
        lacking = (each for each in named if each.table.name not in self._targets)
        self._missing = tuple(each.path for each in lacking if not each.table.is_optional)

    def read(self, account: str, period: Period) -> ReportRows:
        """Return the rows of an account.

        :param account: id, or username with @.
        :raises ConfigurationError: no table has a row of it in the period.
        :raises LoadError: BigQuery refuses.
        """
        account_id = self._find_id(account, period)
        query = ReportQuery(account_id=account_id, period=period)
        rows = ReportRows(
            account_id=account_id,
            period=period,
            missing=self._missing,
            profiles=self._ask(ACCOUNTS, query.profiles),
            daily=self._ask(ACCOUNT_INSIGHTS, query.daily),
            online=self._ask(ACCOUNT_INSIGHTS, query.online),
            audience=self._ask(ACCOUNT_INSIGHTS, query.audience),
            posts=self._ask(MEDIA, query.posts),
            post_numbers=self._ask(MEDIA_INSIGHTS, query.post_numbers),
            stories=self._ask(STORY_INSIGHTS, query.stories),
            unavailable=self._ask(ACCOUNT_STATUS, query.unavailable),
            runs=self._ask(RUNS, query.runs),
            left_out=self._ask(LEFT_OUT, query.left_out),
            coverage={name: self._read_coverage(name, query) for name in COUNTED},
            read_ages=lambda metric, media_ids: self._ask(
                MEDIA_INSIGHTS, lambda target: query.post_ages(target, metric=metric, media_ids=media_ids)
            ),
        )
        if not any((rows.profiles, rows.daily, rows.posts, rows.post_numbers, rows.stories, *rows.coverage.values())):
            raise self._describe_unknown(account, period)
        return rows

    def _read_coverage(self, name: str, query: ReportQuery) -> Sequence[Row]:
        table, counted, where = COUNTED[name]
        # Meta revises for two days more: who read after that has the final numbers.
        after = DAY * 3 if table is ACCOUNT_INSIGHTS else DAY * 0
        return self._ask(table, lambda target: query.coverage(target, counted=counted, where=where, after=after))

    def _ask(self, table: Table | str, write: Callable[[TargetTable], str]) -> Sequence[Row]:
        target = self._targets.get(table if isinstance(table, str) else table.name)
        if target is None:
            return ()
        # Asked anew each time: a retry must not get the answer of the try before it.
        payload, doing = secrets.token_hex(16), f"read rows of {target.path} for a report"
        return self._session.read(target, sql=write(target), payload=payload, doing=doing)

    def _find_accounts(self, period: Period) -> dict[str, str]:
        query = ReportQuery(account_id="", period=period)
        return {row["account_id"]: row["username"] or "" for row in self._ask(ACCOUNTS, query.accounts)}

    def _find_id(self, account: str, period: Period) -> str:
        """Return the id of an account that may be named by its username, or not at all where there is only one."""
        if account.isascii() and account.isdigit():
            return account
        found = self._find_accounts(period)
        wanted = account.removeprefix("@").lower()
        ids = [each for each, username in found.items() if wanted in (username.lower(), "")]
        if len(ids) == 1:
            return ids[0]
        raise self._describe_unknown(account, period, found)

    def _describe_unknown(
        self, account: str, period: Period, found: Mapping[str, str] | None = None
    ) -> ConfigurationError:
        found = self._find_accounts(period) if found is None else found
        named = [f"{each} (@{username})" if username else each for each, username in found.items()]
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        days = f"from {period.first} to {period.last}"
        whom = (
            f"The dataset has no row of account {quote_value(account)}"
            if account
            else "No account is named for the report"
        )
        if named:
            there = f"There are rows of {', '.join(named[:MOST_NAMED])}{more}."
            return ConfigurationError(f"{whom} {days}. {there}")
        return ConfigurationError(
            f"{whom} {days}. No profile was read then, which would tell what accounts there are: name the account by "
            "its id, and a dataset and days into which its transfers wrote."
        )
