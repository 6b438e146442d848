"""The lines of a task's log: days and posts in words, progress, a summary that a person reads."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_iginsights.task.log_lines import (
    describe_days,
    describe_posts,
    describe_progress,
    describe_summary,
    logging_progress,
)
from airflow_provider_iginsights.window import Window


def window(since: str, until: str) -> Window:
    """Return the window between two hours of November 2026 in UTC; it is the end of that month."""
    ends = (datetime.strptime(f"2026-11-{each} +0000", "%Y-%m-%dT%H %z") for each in (since, until))
    return Window(since=next(ends), until=next(ends), rule="given", now=datetime(2026, 11, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("found", "lookback_days", "expected"),
    [
        (window("20T08", "21T08"), 3, "Writes 2026-11-20 (Pacific), reads 2026-11-17 to 2026-11-19 again"),
        (window("20T08", "21T08"), 1, "Writes 2026-11-20 (Pacific), reads 2026-11-19 again"),
        (window("20T08", "21T08"), 0, "Writes 2026-11-20 (Pacific)"),
        (window("18T08", "21T08"), 0, "Writes 2026-11-18 to 2026-11-20 (Pacific)"),
        (window("20T09", "20T10"), 3, "Writes no day"),
    ],
)
def test_days(found: Window, lookback_days: int, expected: str) -> None:
    """Pacific midnight is 08:00 UTC in November; what is read again is told apart."""
    assert describe_days(found, lookback_days=lookback_days) == expected


@pytest.mark.parametrize(
    ("refresh_days", "expected"),
    [
        (2, "Reads posts published from 2026-11-18T08:00:00Z until 2026-11-21T08:00:00Z"),
        (None, "Reads posts published until 2026-11-21T08:00:00Z"),
    ],
)
def test_posts(refresh_days: int | None, expected: str) -> None:
    """Between which instants posts were published; None = ever."""
    assert describe_posts(window("20T08", "21T08"), refresh_days=refresh_days) == expected


COUNTS = {"done": 2, "skipped": 0, "failed": 0, "throttled": 0, "quarantined": 0, "not_whole": 0}
SUMMARY: dict[str, Any] = {
    "account_counts": COUNTS,
    "accounts_done": ["1", "2"],
    "tables": {"p.d.instagram_account_insights": 1200, "p.d.instagram_accounts": 2},
    "rows": 1202,
    "rows_changed": 40,
    "left_out": [],
    "graph_calls": 1011,
    "http_requests": 21,
    "bigquery_bytes": {
        "p.d.a": {"merge": {"jobs": 1, "bytes_processed": 9, "bytes_billed": 10_485_760}},
        "p.d.b": {"verify": {"jobs": 2, "bytes_processed": 9, "bytes_billed": 20_971_520}},
    },
}


def test_a_summary_is_a_few_lines() -> None:
    """Accounts, rows by table, and what it cost; nothing about what there is none of."""
    assert list(describe_summary(SUMMARY)) == [
        "Accounts: 2 done.",
        "Rows: 1,202, of which 40 changed a table (instagram_account_insights 1,200, instagram_accounts 2).",
        "Asked Meta 1,011 times in 21 requests, and BigQuery in 3 statements, which billed 31 MB.",
    ]


def test_what_went_wrong_is_named_and_stays_short() -> None:
    """The first three accounts with their reasons, cut where they are long; the rest is counted, also what XCom cut."""
    failed = {str(number): "x" * 900 for number in range(100)} | {"and more": "4900"}
    left_out = [
        {"what": "saves", "kind": "MetricRefused", "why": "…", "count": 3, "whom": ["1"]},
        {"what": "views", "kind": "NoData", "why": "…", "count": 4, "whom": ["1"]},
        {"what": "reach", "kind": "MetricRefused", "why": "…", "count": 2, "whom": ["1"]},
    ]
    counts = COUNTS | {"failed": 5000}
    found = {"account_counts": counts, "accounts_failed": failed, "left_out": left_out}
    accounts, _, left, _ = describe_summary(SUMMARY | found)
    assert accounts.startswith("Accounts: 2 done; 5,000 failed (0: xxx")
    assert accounts.endswith("; and 4,997 more).")
    assert len(accounts) < 600
    assert left == "Left out: 5 MetricRefused, 4 NoData."


def test_of_an_account_in_quarantine_the_days_are_said() -> None:
    """Since when it was unavailable, when it is asked again, and why, in words and not as a dict."""
    told = {"unavailable_since": "2026-11-01", "asked_again": "2026-11-22", "reason": "AccountUnavailable"}
    counts = COUNTS | {"quarantined": 1}
    accounts, *_ = describe_summary(SUMMARY | {"account_counts": counts, "accounts_quarantined": {"3": told}})
    assert accounts == (
        "Accounts: 2 done; 1 in quarantine (3: unavailable since 2026-11-01, asked again 2026-11-22, "
        "reason AccountUnavailable)."
    )


@pytest.mark.parametrize(
    ("read", "seconds", "expected"),
    [
        (0, 30, "0 of 400 accounts, 37,400 rows, 3 left out."),
        (100, 60, "100 of 400 accounts, 37,400 rows, 3 left out; about 3 min left."),
        (300, 60, "300 of 400 accounts, 37,400 rows, 3 left out; about 20 s left."),
        (400, 60, "400 of 400 accounts, 37,400 rows, 3 left out."),
    ],
)
def test_progress(read: int, seconds: float, expected: str) -> None:
    """How far it is, and how long it will last where that can be said."""
    assert describe_progress(read, 37_400, 3, of=400, seconds=seconds) == expected


def test_progress_is_logged_while_the_block_runs() -> None:
    """A line for each interval, from a thread that ends with the block, also with one that fails."""
    lines: list[str] = []
    logged = threading.Event()

    def log(line: object) -> None:
        lines.append(str(line))
        logged.set()

    def fail() -> None:
        with logging_progress(log, lambda: (1, 2, 0), of=1, every=0.001):
            assert logged.wait(10)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    count = len(lines)
    assert set(lines) == {"1 of 1 accounts, 2 rows, 0 left out."}
    assert [each for each in threading.enumerate() if each.name == "iginsights-progress"] == []
    assert len(lines) == count
