"""A worker whose clock is wrong writes the rows of a right one, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from stage import DATASET, KEYS, NOW, RecordingTaskInstance, Stage, facts, open_stage
from test_instagram_to_bigquery import assert_holds, expected, run_all

from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SKEWS = [24 * HOUR, -24 * HOUR, 10 * MINUTE, -10 * MINUTE]


@contextmanager
def skewed(skew: timedelta) -> Iterator[Stage]:
    """Open a stage with one account; only the worker's clock is wrong."""
    with open_stage(World.build(now=NOW, accounts=1, media_per_account=12, stories_per_account=2)) as stage:
        stage.move_worker(skew)
        yield stage


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_rows_equal_those_of_a_right_clock(skew: timedelta) -> None:
    """All tables are the truth, every instant lies within the run, and staging lives its 24 hours."""
    with skewed(skew) as stage:
        summaries = run_all(stage)
        assert_holds(stage, expected(stage, stage.world.accounts.values()))
        for row in (row for rows in stage.everything().values() for row in rows):
            assert NOW - MINUTE < row["fetched_at"] < NOW + 5 * MINUTE
        assert stage.staging() == []
        seconds = f"{round(abs(skew).total_seconds())} seconds {'ahead' if skew > timedelta(0) else 'behind'}"
        for summary in summaries:
            assert [note for note in summary["notes"] if seconds in note], summary["notes"]


def test_a_right_clock_is_no_note() -> None:
    """Nobody is told what is in order."""
    with skewed(timedelta(0)) as stage:
        assert [summary["notes"] for summary in run_all(stage)] == [[], [], []]


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_right_worker_overwrites_what_a_skewed_one_wrote(skew: timedelta) -> None:
    """Rows from the future would keep out every later number; these are not from the future."""
    with skewed(skew) as stage:
        run_all(stage)
        stage.travel(6 * HOUR)
        run_all(stage)
        found = facts("instagram_accounts", stage.rows("instagram_accounts"))
        right = expected(stage, stage.world.accounts.values())["instagram_accounts"]
        assert found == facts("instagram_accounts", right)


@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_which_days_are_closed_is_not_the_workers_to_say(skew: timedelta) -> None:
    """A window that reaches into the future covers the closed days of the true time."""
    with skewed(skew) as stage:
        stage.run("account", since="2026-11-18", until="2026-11-25", metrics=["reach"], breakdowns={}, lookback_days=0)
        days = {str(row["metric_date"]) for row in stage.rows("instagram_account_insights")}
        assert max(days) == "2026-11-20"


@pytest.mark.parametrize("skew", [24 * HOUR, -24 * HOUR], ids=str)
def test_a_webhooks_payload_by_hand(skew: timedelta) -> None:
    """What was handed over without an event is dated by the run's clock, too."""
    value: dict[str, Any] = {"media_id": "17", "reach": 17, "impressions": 18, "replies": 1}
    change = {"field": "story_insights", "value": value}
    entry = {"id": "17841400000000001", "time": int(NOW.timestamp()), "changes": [change]}
    payload = {"object": "instagram", "entry": [entry]}
    with skewed(skew) as stage:
        operator = InstagramStoryWebhookToBigQueryOperator(
            task_id="hook", dataset_id=DATASET, gcp_conn_id=None, create_dataset=True, payload=payload
        )
        summary = operator.execute({"ti": RecordingTaskInstance()})
        rows = stage.rows("instagram_story_insights")
        assert rows
        assert all(NOW - MINUTE < row["fetched_at"] < NOW + MINUTE for row in rows)
        assert len(summary["notes"]) == 1


def test_the_keys_are_those_of_the_tables() -> None:
    """The comparison above looks at every table."""
    assert len(KEYS) == 6


def test_the_hooks_rows_take_metas_clock() -> None:
    """Without BigQuery it is Meta who says what time it is, as soon as she is asked."""
    with skewed(timedelta(0)) as stage:
        rows = list(InstagramHook().account_insights([stage.account.id], metrics=["reach"], breakdowns={}))
        assert rows
        assert all(str(row["fetched_at"]).startswith("2026-11-21T20:0") for row in rows)
