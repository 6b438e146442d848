"""A metric that the catalog does not know, asked for with a plus: from Meta to BigQuery, or named as refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import MediaMetric, UserMetric, numbers
from tests.support.sandboxes import Sandboxes

TABLES = {
    "account": "instagram_account_insights",
    "media": "instagram_media_insights",
    "story": "instagram_story_insights",
}
NEW = "profile_shares"


def offer(sandboxes: Sandboxes) -> None:
    """Let Meta announce a metric for accounts, posts and stories."""
    sandboxes.world.user_metrics[NEW] = UserMetric(total=("day",), breakdowns=("follow_type",))
    sandboxes.world.media_metrics[NEW] = MediaMetric(("FEED", "REELS", "STORY"))


def split(sandboxes: Sandboxes, kind: str) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """Return the rows of the new metric, and what the rows of all others say."""
    rows = sandboxes.rows(TABLES[kind])
    others = [row for row in rows if row["metric"] != NEW]
    told = [
        (row.get("media_id"), *(row[n] for n in ("metric", "breakdown", "breakdown_value", "value"))) for row in others
    ]
    return [row for row in rows if row["metric"] == NEW], told


@pytest.mark.parametrize("kind", TABLES)
def test_a_new_metric_is_stored_under_its_name(sandboxes: Sandboxes, kind: str) -> None:
    """Its numbers are Meta's, on the same days and objects as all others, which are as they were without it."""
    sandboxes.run(kind)
    none, before = split(sandboxes, kind)
    offer(sandboxes)
    summary = sandboxes.run(kind, metrics=f"default,+{NEW}")
    new, after = split(sandboxes, kind)
    assert (none, sorted(before, key=str)) == ([], sorted(after, key=str))
    assert summary["accounts_done"] == list(sandboxes.world.accounts)
    assert NEW not in {left["what"] for left in summary["left_out"]}
    objects = {row.get("media_id") for row in sandboxes.rows(TABLES[kind])}
    assert {row.get("media_id") for row in new} == objects
    for row in new:
        assert row["value"] == expected(sandboxes, kind, row)
        assert (row["breakdown"], row["breakdown_value"]) == ("", "")


def expected(sandboxes: Sandboxes, kind: str, row: dict[str, Any]) -> int:
    """Return what the local Graph API draws for a row."""
    seed, day = sandboxes.world.seed, row.get("metric_date")
    if kind == "account":
        whole = numbers.account_day(seed, row["account_id"], NEW, day)
        return numbers.seen_of_day(whole, day, row["fetched_at"])
    age = min(row["fetched_at"] - row["published_at"], timedelta(hours=24 if kind == "story" else 10**6))
    return int(numbers.media_total(seed, row["media_id"], NEW, age))


@pytest.mark.parametrize("kind", TABLES)
def test_what_meta_does_not_know_is_named_and_costs_nothing(sandboxes: Sandboxes, kind: str) -> None:
    """Meta refuses the name: left_out says so, and every other number is stored."""
    sandboxes.run(kind)
    _, before = split(sandboxes, kind)
    summary = sandboxes.run(kind, metrics=["default", f"+{NEW}"])
    new, after = split(sandboxes, kind)
    assert (new, sorted(before, key=str)) == ([], sorted(after, key=str))
    assert [left["kind"] for left in summary["left_out"] if left["what"] == NEW] == ["MetricRefused"]
    assert summary["accounts_done"] == list(sandboxes.world.accounts)


def test_a_breakdown_of_a_new_metric(sandboxes: Sandboxes) -> None:
    """Asked with a breakdown, the parts and the total are rows."""
    offer(sandboxes)
    sandboxes.run("account", metrics=[f"+{NEW}"], breakdowns={f"+{NEW}": "follow_type"})
    rows = sandboxes.rows(TABLES["account"])
    assert {(row["metric"], row["breakdown"]) for row in rows} == {(NEW, ""), (NEW, "follow_type")}
    for day in {row["metric_date"] for row in rows}:
        on_day = [row for row in rows if row["metric_date"] == day]
        assert sum(row["value"] for row in on_day if row["breakdown"]) == sum(
            row["value"] for row in on_day if not row["breakdown"]
        )


def test_polls_of_stories_take_it_as_any_other(sandboxes: Sandboxes) -> None:
    """A story's last snapshot is final for the new metric as for the others."""
    offer(sandboxes)
    sandboxes.run("story", metrics=["default", f"+{NEW}"])
    by_metric = {
        metric: {
            (row["media_id"], row["is_final"]) for row in sandboxes.rows(TABLES["story"]) if row["metric"] == metric
        }
        for metric in ("reach", NEW)
    }
    assert by_metric[NEW] == by_metric["reach"] != set()
