"""A worker whose clock is wrong writes the rows of a right one, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.pacific import pacific_date
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from tests.support.sandboxes import (
    DATASET,
    KEYS,
    NOW,
    OPTIONAL,
    RecordingTaskInstance,
    Sandboxes,
    facts,
    open_sandboxes,
)
from tests.support.transfers.expected_tables import assert_holds, expected, run_all

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
SKEWS = [24 * HOUR, -24 * HOUR, 10 * MINUTE, -10 * MINUTE]


@contextmanager
def skewed(skew: timedelta) -> Iterator[Sandboxes]:
    """Serve one account; only the worker's clock is wrong."""
    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=12, stories_per_account=2)) as sandboxes:
        sandboxes.move_worker(skew)
        yield sandboxes


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_rows_equal_those_of_a_right_clock(skew: timedelta) -> None:
    """All tables are the truth, every instant lies within the run, and staging lives its 24 hours."""
    with skewed(skew) as sandboxes:
        summaries = run_all(sandboxes)
        assert_holds(sandboxes, expected(sandboxes, sandboxes.world.accounts.values()))
        for row in (row for rows in sandboxes.everything().values() for row in rows):
            assert NOW - MINUTE < row["fetched_at"] < NOW + 5 * MINUTE
        assert sandboxes.staging() == []
        seconds = f"{round(abs(skew).total_seconds())} seconds {'ahead' if skew > timedelta(0) else 'behind'}"
        for summary in summaries:
            assert [note for note in summary["notes"] if seconds in note], summary["notes"]


def test_a_right_clock_is_no_note() -> None:
    """Nobody is told what is in order."""
    with skewed(timedelta(0)) as sandboxes:
        assert [summary["notes"] for summary in run_all(sandboxes)] == [[], [], []]


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_right_worker_overwrites_what_a_skewed_one_wrote(skew: timedelta) -> None:
    """Rows from the future would keep out every later number; these are not from the future."""
    with skewed(skew) as sandboxes:
        run_all(sandboxes)
        sandboxes.travel(6 * HOUR)
        run_all(sandboxes)
        found = facts("instagram_accounts", sandboxes.rows("instagram_accounts"))
        right = expected(sandboxes, sandboxes.world.accounts.values())["instagram_accounts"]
        assert found == facts("instagram_accounts", right)


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_which_days_are_closed_is_not_the_workers_to_say(skew: timedelta) -> None:
    """A window that reaches into the future covers the closed days of the true time."""
    with skewed(skew) as sandboxes:
        sandboxes.run(
            "account", since="2026-11-18", until="2026-11-25", metrics=["reach"], breakdowns={}, lookback_days=0
        )
        days = {str(row["metric_date"]) for row in sandboxes.rows("instagram_account_insights")}
        assert max(days) == "2026-11-20"


@pytest.mark.parametrize("skew", [24 * HOUR, -24 * HOUR], ids=str)
def test_a_webhooks_payload_by_hand(skew: timedelta) -> None:
    """What was handed over without an event is dated by the run's clock, too."""
    value: dict[str, Any] = {"media_id": "17", "reach": 17, "impressions": 18, "replies": 1}
    change = {"field": "story_insights", "value": value}
    entry = {"id": "17841400000000001", "time": int(NOW.timestamp()), "changes": [change]}
    payload = {"object": "instagram", "entry": [entry]}
    with skewed(skew) as sandboxes:
        operator = InstagramStoryWebhookToBigQueryOperator(
            task_id="hook", dataset_id=DATASET, gcp_conn_id=None, create_dataset=True, payload=payload
        )
        summary = operator.execute({"ti": RecordingTaskInstance()})
        rows = sandboxes.rows("instagram_story_insights")
        assert rows
        assert all(NOW - MINUTE < row["fetched_at"] < NOW + MINUTE for row in rows)
        assert len(summary["notes"]) == 1


@contextmanager
def apart(meta: timedelta, skew: timedelta) -> Iterator[Sandboxes]:
    """Serve a BigQuery says NOW, a Graph API that is so far from it, and a worker that is off by ``skew``."""
    world = World.build(now=NOW + meta, accounts=1, media_per_account=12, stories_per_account=2)
    with open_sandboxes(world, bigquery_clock=Clock(NOW, ticks=True)) as sandboxes:
        sandboxes.move_worker(skew - meta)
        yield sandboxes


APART = [
    (4 * MINUTE, timedelta(0)),
    (-4 * MINUTE, 24 * HOUR),
    (4 * MINUTE, -24 * HOUR),
    (6 * MINUTE, -24 * HOUR),
    (-6 * MINUTE, timedelta(0)),
    (-3 * HOUR, 24 * HOUR),
]


@pytest.mark.parametrize(("meta", "skew"), APART, ids=str)
def test_metas_clock_counts_within_five_minutes_of_bigquerys(meta: timedelta, skew: timedelta) -> None:
    """Else BigQuery's does; every row of every table is dated by the one that counts, whatever the worker's says."""
    agrees = abs(meta) <= 5 * MINUTE
    with apart(meta, skew) as sandboxes:
        summaries = run_all(sandboxes)
        right = NOW + meta if agrees else NOW
        found = [row for rows in sandboxes.everything().values() for row in rows]
        assert {table_id for table_id, rows in sandboxes.everything().items() if rows} == KEYS.keys() - OPTIONAL
        for row in found:
            assert right - 2 * SECOND < row["fetched_at"] < right + MINUTE
            assert row.get("snapshot_date") in (None, pacific_date(right))
            assert row.get("snapshot_at") in (None, right.replace(minute=0, second=0))
        days = [row["metric_date"] for row in sandboxes.rows("instagram_account_insights") if row["end_time"]]
        assert max(days) == pacific_date(right) - timedelta(days=1)
        for summary in summaries:
            assert len([note for note in summary["notes"] if "differ by more than 5 minutes" in note]) == (not agrees)
            assert len([note for note in summary["notes"] if "The worker's clock is" in note]) == bool(skew)


@pytest.mark.parametrize(("skew", "noted"), [(55, False), (-55, False), (70, True), (-70, True)])
def test_a_worker_is_noted_from_sixty_seconds_on(skew: int, noted: bool) -> None:
    """Below, nobody is told; in any case the rows are those of the true time."""
    with skewed(skew * SECOND) as sandboxes:
        summary = sandboxes.run("account", metrics=["reach"], breakdowns={})
        assert bool([note for note in summary["notes"] if "The worker's clock is" in note]) is noted
        for row in sandboxes.rows("instagram_account_insights"):
            assert NOW - 2 * SECOND < row["fetched_at"] < NOW + 30 * SECOND


@pytest.mark.parametrize("meta", [4 * MINUTE, -4 * MINUTE, 9 * MINUTE, -9 * MINUTE], ids=str)
def test_the_day_that_closes_meanwhile(meta: timedelta) -> None:
    """Around a Pacific midnight the day that just ended is closed by the clock that counts, not by the worker's."""
    midnight = datetime(2026, 11, 22, 8, tzinfo=UTC)
    before = midnight - 2 * MINUTE
    world = World.build(now=before + meta, accounts=1, media_per_account=1, stories_per_account=0)
    with open_sandboxes(world, bigquery_clock=Clock(before, ticks=True)) as sandboxes:
        sandboxes.move_worker(24 * HOUR - meta)
        sandboxes.run(
            "account", since="2026-11-20", until="2026-11-25", metrics=["reach"], breakdowns={}, lookback_days=0
        )
        days = {row["metric_date"] for row in sandboxes.rows("instagram_account_insights")}
        # The window is resolved by BigQuery's clock, before Meta was asked: the next run reads a day that closed since.
        assert max(days) == date(2026, 11, 20)
        assert {row["snapshot_date"] for row in sandboxes.rows("instagram_accounts")} == {
            date(2026, 11, 22) if meta == 4 * MINUTE else date(2026, 11, 21)
        }


def test_the_keys_are_those_of_the_tables() -> None:
    """The comparison above looks at every table."""
    assert len(KEYS.keys() - OPTIONAL) == 7


def test_the_hooks_rows_take_metas_clock() -> None:
    """Without BigQuery it is Meta who says what time it is, as soon as she is asked."""
    with skewed(timedelta(0)) as sandboxes:
        rows = list(InstagramHook().account_insights([sandboxes.account.id], metrics=["reach"], breakdowns={}))
        assert rows
        assert all(str(row["fetched_at"]).startswith("2026-11-21T20:0") for row in rows)
