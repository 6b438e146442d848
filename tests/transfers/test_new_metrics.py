"""A metric that the catalog does not know, asked for with a plus: from Meta to BigQuery, or named as refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from stage import Stage, open_stage

from airflow_provider_iginsights.sandbox.graph import MediaMetric, UserMetric, numbers

TABLES = {
    "account": "instagram_account_insights",
    "media": "instagram_media_insights",
    "story": "instagram_story_insights",
}
NEW = "profile_shares"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Serve a small world."""
    with open_stage() as opened:
        yield opened


def offer(stage: Stage) -> None:
    """Let Meta announce a metric for accounts, posts and stories."""
    stage.world.user_metrics[NEW] = UserMetric(total=("day",), breakdowns=("follow_type",))
    stage.world.media_metrics[NEW] = MediaMetric(("FEED", "REELS", "STORY"))


def split(stage: Stage, kind: str) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """Return the rows of the new metric, and what the rows of all others say."""
    rows = stage.rows(TABLES[kind])
    others = [row for row in rows if row["metric"] != NEW]
    told = [
        (row.get("media_id"), *(row[n] for n in ("metric", "breakdown", "breakdown_value", "value"))) for row in others
    ]
    return [row for row in rows if row["metric"] == NEW], told


@pytest.mark.parametrize("kind", TABLES)
def test_a_new_metric_is_stored_under_its_name(stage: Stage, kind: str) -> None:
    """Its numbers are Meta's, on the same days and objects as all others, which are as they were without it."""
    stage.run(kind)
    none, before = split(stage, kind)
    offer(stage)
    summary = stage.run(kind, metrics=f"default,+{NEW}")
    new, after = split(stage, kind)
    assert (none, sorted(before, key=str)) == ([], sorted(after, key=str))
    assert summary["accounts_done"] == list(stage.world.accounts)
    assert NEW not in {left["what"] for left in summary["left_out"]}
    objects = {row.get("media_id") for row in stage.rows(TABLES[kind])}
    assert {row.get("media_id") for row in new} == objects
    for row in new:
        assert row["value"] == expected(stage, kind, row)
        assert (row["breakdown"], row["breakdown_value"]) == ("", "")


def expected(stage: Stage, kind: str, row: dict[str, Any]) -> int:
    """Return what the local Graph API draws for a row."""
    seed, day = stage.world.seed, row.get("metric_date")
    if kind == "account":
        whole = numbers.account_day(seed, row["account_id"], NEW, day)
        return numbers.seen_of_day(whole, day, row["fetched_at"])
    age = min(row["fetched_at"] - row["published_at"], timedelta(hours=24 if kind == "story" else 10**6))
    return int(numbers.media_total(seed, row["media_id"], NEW, age))


@pytest.mark.parametrize("kind", TABLES)
def test_what_meta_does_not_know_is_named_and_costs_nothing(stage: Stage, kind: str) -> None:
    """Meta refuses the name: left_out says so, and every other number is stored."""
    stage.run(kind)
    _, before = split(stage, kind)
    summary = stage.run(kind, metrics=["default", f"+{NEW}"])
    new, after = split(stage, kind)
    assert (new, sorted(before, key=str)) == ([], sorted(after, key=str))
    assert [left["kind"] for left in summary["left_out"] if left["what"] == NEW] == ["MetricRefused"]
    assert summary["accounts_done"] == list(stage.world.accounts)


def test_a_breakdown_of_a_new_metric(stage: Stage) -> None:
    """Asked with a breakdown, the parts and the total are rows."""
    offer(stage)
    stage.run("account", metrics=[f"+{NEW}"], breakdowns={f"+{NEW}": "follow_type"})
    rows = stage.rows(TABLES["account"])
    assert {(row["metric"], row["breakdown"]) for row in rows} == {(NEW, ""), (NEW, "follow_type")}
    for day in {row["metric_date"] for row in rows}:
        on_day = [row for row in rows if row["metric_date"] == day]
        assert sum(row["value"] for row in on_day if row["breakdown"]) == sum(
            row["value"] for row in on_day if not row["breakdown"]
        )


def test_polls_of_stories_take_it_as_any_other(stage: Stage) -> None:
    """A story's last snapshot is final for the new metric as for the others."""
    offer(stage)
    stage.run("story", metrics=["default", f"+{NEW}"])
    by_metric = {
        metric: {(row["media_id"], row["is_final"]) for row in stage.rows(TABLES["story"]) if row["metric"] == metric}
        for metric in ("reach", NEW)
    }
    assert by_metric[NEW] == by_metric["reach"] != set()
