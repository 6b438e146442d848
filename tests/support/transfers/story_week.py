"""Weeks of stories polled by a schedule with outages: what was caught, what was lost, and whether every loss was told.

The world, the schedule and its outages are functions of a seed. What could be caught is computed from publish times and
poll times alone; what was caught is read from BigQuery, what was told from the runs' summaries.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph import Media, World
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramStoryInsightsToBigQueryOperator
from tests.support.sandboxes import DATASET, RecordingTaskInstance, Sandboxes, open_sandboxes

START = datetime(2026, 11, 9, 0, 0, tzinfo=UTC)
LIFE, HOUR = timedelta(hours=24), timedelta(hours=1)
FINAL = HOUR + timedelta(minutes=10)
LATEST = 240  # seconds by which a scheduler may start an hourly run late


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is simulated; ``outages``: the hour in which each begins, and how many hourly polls it costs."""

    accounts: int
    stories_per_day: int
    hours: int
    outages: Sequence[tuple[int, int]]
    seed: int = 7

    def polls(self) -> list[datetime]:
        """Return the moments at which the hourly schedule really polls, the first before everything."""
        dice = random.Random(self.seed)
        down = {hour for begin, length in self.outages for hour in range(begin, begin + length)}
        return [
            START + hour * HOUR + timedelta(seconds=dice.randrange(5, LATEST))
            for hour in range(self.hours)
            if hour not in down
        ]


@dataclass(slots=True)
class Figures:
    """What came of it, in stories; and what it took."""

    published: int = 0
    caught: int = 0
    with_final: int = 0
    lost: int = 0
    without_final: int = 0
    told: int = 0
    polls: int = 0
    http_requests: int = 0
    rows: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def describe(self) -> Iterator[str]:
        """Yield lines of a table."""
        for name in ("published", "caught", "with_final", "lost", "without_final", "told"):
            yield f"{name:14} {getattr(self, name):>9}"
        for name in ("polls", "http_requests", "rows"):
            yield f"{name:14} {getattr(self, name):>9}"
        yield f"{'seconds':14} {self.seconds:>9.0f}"


def simulate(setting: Setting) -> Figures:
    """Run the hourly schedule over the whole time and judge it. ``faults`` is empty if the promise was kept."""
    world = World.build(
        now=START,
        accounts=setting.accounts,
        media_per_account=0,
        stories_per_account=setting.stories_per_day,
        seed=setting.seed,
    )
    polls, figures = setting.polls(), Figures()
    began = time.perf_counter()
    with open_sandboxes(world) as sandboxes:
        summaries = [_poll(sandboxes, at) for at in polls]
        figures.seconds = time.perf_counter() - began
        figures.polls, figures.http_requests = len(polls), sum(summary["http_requests"] for summary in summaries)
        rows = sandboxes.rows("instagram_story_insights")
    figures.rows = len(rows)
    _judge(figures, _stories(world, polls), polls, rows, summaries)
    return figures


def _poll(sandboxes: Sandboxes, at: datetime) -> dict[str, Any]:
    sandboxes.travel(at - sandboxes.now)
    scheduled = at.replace(minute=0, second=0)
    sandboxes.instance = RecordingTaskInstance(task_id="stories", run_id=f"scheduled__{scheduled.isoformat()}")
    operator = InstagramStoryInsightsToBigQueryOperator(
        task_id="stories",
        dataset_id=DATASET,
        gcp_conn_id=None,
        create_dataset=True,
        media_table_id=None,
        metrics=["reach", "views", "replies"],
        breakdowns={},
    )
    context: Any = {"ti": sandboxes.instance, "data_interval_start": scheduled, "data_interval_end": scheduled}
    summary: dict[str, Any] = operator.execute(context)
    return summary


def _stories(world: World, polls: Sequence[datetime]) -> list[Media]:
    """Return every story that was published after the first poll and had died by the last."""
    found: dict[str, Media] = {}
    at = polls[0]
    while at <= polls[-1]:
        for account_id in world.accounts:
            found.update((story.id, story) for story in world.stories_of(account_id, at))
        at += LIFE / 4
    return [story for story in found.values() if story.timestamp > polls[0] and story.timestamp + LIFE <= polls[-1]]


def _judge(
    figures: Figures,
    stories: Sequence[Media],
    polls: Sequence[datetime],
    rows: Sequence[dict[str, Any]],
    summaries: Sequence[dict[str, Any]],
) -> None:
    """Compare what could be caught with what was, and what was lost with what was told."""
    seen, marked = {row["media_id"] for row in rows}, _marked(rows)
    pauses, missed = _told(summaries)
    expected_missed: Counter[str] = Counter()
    figures.published = len(stories)
    for story in stories:
        expires = story.timestamp + LIFE
        in_life = [at for at in polls if story.timestamp <= at < expires]
        figures.caught += story.id in seen
        figures.with_final += story.id in marked
        if bool(in_life) != (story.id in seen):
            figures.faults.append(f"{story.id} could be caught: {bool(in_life)}, but was it: {story.id in seen}")
        if bool(in_life and expires - in_life[-1] <= FINAL) != (story.id in marked):
            figures.faults.append(f"{story.id} was last polled {in_life[-1:]}, marked {marked.get(story.id)}")
        if story.id in marked and marked[story.id] != {in_life[-1].replace(minute=0, second=0)}:
            figures.faults.append(f"{story.id} is final in {marked[story.id]}, last polled at {in_life[-1]}")
        if not in_life:
            figures.lost += 1
            told = any(since < story.timestamp < until - LIFE for since, until in pauses.get(story.account_id, ()))
            figures.told += told
            if not told:
                figures.faults.append(f"{story.id} was lost and nobody said so")
        elif story.id not in marked:
            figures.without_final += 1
            expected_missed[story.account_id] += 1
    figures.told += sum(min(missed[account_id], count) for account_id, count in expected_missed.items())
    figures.faults += [
        f"account {account_id} misses {count} finals, told were {missed[account_id]}"
        for account_id, count in expected_missed.items()
        if count > missed[account_id]
    ]


def _marked(rows: Sequence[dict[str, Any]]) -> dict[str, set[datetime]]:
    marked: dict[str, set[datetime]] = {}
    for row in rows:
        if row["is_final"]:
            marked.setdefault(row["media_id"], set()).add(row["snapshot_at"])
    return marked


def _told(
    summaries: Sequence[dict[str, Any]],
) -> tuple[dict[str, list[tuple[datetime, datetime]]], Counter[str]]:
    pauses: dict[str, list[tuple[datetime, datetime]]] = {}
    missed: Counter[str] = Counter()
    for summary in summaries:
        for account_id, gap in summary["gaps"].items():
            missed[account_id] += gap["finals_missed"]
            for pause in gap["pauses"]:
                bounds = datetime.fromisoformat(pause["since"]), datetime.fromisoformat(pause["until"])
                pauses.setdefault(account_id, []).append(bounds)
    return pauses, missed
