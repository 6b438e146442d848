"""The queries of a report: Google's analyzer takes each of them, and their days and account are constants."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_iginsights.bigquery.duplicate_check import default_targets
from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    ACCOUNT_STATUS,
    ACCOUNTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    Table,
)
from airflow_provider_iginsights.report.period import Period
from airflow_provider_iginsights.report.queries import ReportQuery
from airflow_provider_iginsights.report.rows import COUNTED, LEFT_OUT, RUNS
from tests.support.bigquery import rows
from tests.support.bigquery.analyzer import analyzer

PERIOD = Period(date(2026, 10, 24), date(2026, 11, 20), ZoneInfo("UTC"))
QUERY = ReportQuery(account_id="17841405822304914", period=PERIOD)
Write = Callable[..., str]


def ages(target: object) -> str:
    """Return the query for the readings of two posts, one of them with an odd id."""
    return QUERY.post_ages(target, metric="views", media_ids=["1", "2'\\"])  # type: ignore[arg-type]


QUERIES: dict[str, tuple[Table, Write, int]] = {
    "profiles": (ACCOUNTS, QUERY.profiles, 1),
    "daily": (ACCOUNT_INSIGHTS, QUERY.daily, 0),
    "online": (ACCOUNT_INSIGHTS, QUERY.online, 0),
    "audience": (ACCOUNT_INSIGHTS, QUERY.audience, 1),
    "posts": (MEDIA, QUERY.posts, 0),
    "post numbers": (MEDIA_INSIGHTS, QUERY.post_numbers, 1),
    "ages": (MEDIA_INSIGHTS, ages, 1),
    "unavailable": (ACCOUNT_STATUS, QUERY.unavailable, 1),
    "stories": (STORY_INSIGHTS, QUERY.stories, 2),
    **{
        f"coverage of {name}": (
            table,
            lambda target, counted=counted, where=where: QUERY.coverage(target, counted=counted, where=where),
            0,
        )
        for name, (table, counted, where) in COUNTED.items()
    },
}
OF_RUNS = {RUNS: QUERY.runs, LEFT_OUT: QUERY.left_out}
QUERIES |= {
    target.table.name: (target.table, OF_RUNS[target.table.name], 1)
    for target in default_targets(project="p-1", dataset="d")
    if target.table.name in OF_RUNS
}
"""Table, query, and how many days after the period it reads."""


@pytest.mark.parametrize(("table", "write", "after"), QUERIES.values(), ids=QUERIES)
def test_the_analyzer_takes_it(table: Table, write: Write, after: int) -> None:
    """It is GoogleSQL over our columns; the partition column stands between two constants, the account is one."""
    sql = write(rows.target(table))
    analyzer(table).analyze_statement(sql)
    last = date(2026, 11, 20 + after)
    assert f"T.`{table.partition_by}` BETWEEN DATE '2026-10-24' AND DATE '{last}'" in sql
    assert len(re.findall(r"T\.`account_id` IN \('17841405822304914'\)", sql)) == 1
    assert sql.count(f"`{rows.target(table).path}`") == 1


def test_the_accounts_are_those_of_the_days() -> None:
    """What tells which accounts there are reads the days of the period only, whatever the account."""
    sql = QUERY.accounts(rows.target(ACCOUNTS))
    analyzer(ACCOUNTS).analyze_statement(sql)
    assert "BETWEEN DATE '2026-10-24' AND DATE '2026-11-21'" in sql
    assert "17841405822304914" not in sql
