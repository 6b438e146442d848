"""Runs of the story transfer as Airflow makes them: hour after hour, deferred and resumed by a fresh operator."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from airflow_provider_iginsights._compat import AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.sandbox.graph import Account, Media, World
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramStoryInsightsToBigQueryOperator
from tests.support.sandboxes import DATASET, RecordingTaskInstance, Sandboxes

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TABLE, POLLS = "instagram_story_insights", "instagram_story_polls"
DELAY = timedelta(seconds=20)  # between a trigger's moment and the task's next step


@dataclass(slots=True)
class Event:
    """An asset's event as the task sees it."""

    extra: dict[str, Any] = field(default_factory=dict)


class Events:
    """The events of a task by asset, which cannot be hashed in Airflow 3.0."""

    def __init__(self) -> None:
        self._by_uri: dict[str, Event] = {}

    def __getitem__(self, asset: Any) -> Event:
        return self._by_uri.setdefault(asset.uri, Event())


def quiet_world(*account_ids: str, now: datetime = START) -> World:
    """Return a world whose accounts publish nothing by themselves."""
    world = World.build(now=now, accounts=0)
    for account_id in account_ids:
        world.put(Account(id=account_id, username=f"user_{account_id[-2:]}", page_id=f"9{account_id}"))
    return world


def publish(world: World, account_id: str, at: datetime, name: int, **given: Any) -> Media:
    """Put a story into the world; it may lie in the future."""
    story = Media(f"180000000000{name:05d}", account_id, "IMAGE", "STORY", at, **given)
    world.put(story)
    return story


def context(
    sandboxes: Sandboxes, *, run: str, scheduled: datetime, try_number: int = 1, **extra: Any
) -> tuple[Any, RecordingTaskInstance]:
    """Return what a task gets, and the task instance that keeps what it shows."""
    instance = RecordingTaskInstance(task_id="stories", run_id=run, try_number=try_number)
    sandboxes.instance = instance
    return {"ti": instance, "data_interval_start": scheduled, "data_interval_end": scheduled, **extra}, instance


def make_operator(**arguments: Any) -> InstagramStoryInsightsToBigQueryOperator:
    """Return an operator that reads one cheap metric, unless told otherwise."""
    options = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True, "media_table_id": None}
    return InstagramStoryInsightsToBigQueryOperator(
        task_id="stories", **options | {"metrics": ["reach"], "breakdowns": {}} | arguments
    )


def poll(sandboxes: Sandboxes, at: datetime, *, run: str = "", try_number: int = 1, **given: Any) -> dict[str, Any]:
    """Run once at an instant and return the summary; ``outlet_events`` goes into the context."""
    sandboxes.travel(at - sandboxes.now)
    extra = {name: given.pop(name) for name in ("outlet_events", "task_state_store") if name in given}
    ctx, _ = context(sandboxes, run=run or f"scheduled__{at}", scheduled=at, try_number=try_number, **extra)
    summary: dict[str, Any] = make_operator(**given).execute(ctx)
    return summary


def follow(
    sandboxes: Sandboxes, *, run: str, scheduled: datetime, late: timedelta = DELAY, limit: int = 60, **arguments: Any
) -> tuple[dict[str, Any], list[datetime]]:
    """Run a task to its end through all its waits; return its summary and the moments at which it asked to go on.

    Every step runs with a new operator; what a deferral hands over has been text in between, and the trigger has been
    built anew from what it serialised, as after a restart of the triggerer.
    """
    ctx, _ = context(sandboxes, run=run, scheduled=scheduled)
    moments: list[datetime] = []
    method = "execute"
    state: dict[str, Any] = {}
    for _ in range(limit):
        operator = make_operator(**{"capture": "before_expiry", "deferrable": True, **arguments})
        try:
            step = operator.execute(ctx) if method == "execute" else operator.resume_execution(method, state, ctx)
        except TaskDeferred as wait:
            moment = revive(wait.trigger).moment
            method, state = wait.method_name, json.loads(json.dumps(wait.kwargs)) | {"event": moment}
        except AirflowRescheduleException as wait:
            moment, method, state = wait.reschedule_date, "execute", {}
        else:
            return step, moments
        moments.append(datetime.fromtimestamp(moment.timestamp(), UTC))
        sandboxes.travel(max(moments[-1] + late - sandboxes.now, timedelta(0)))
    raise AssertionError(f"the task still waits after {limit} steps: {moments}")


def revive(trigger: Any) -> Any:
    """Return the trigger as a restarted triggerer builds it from the database."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    texts = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in kwargs.items()}
    stored = json.loads(json.dumps(texts))
    given = {key: datetime.fromisoformat(value) if key == "moment" else value for key, value in stored.items()}
    return getattr(import_module(module), name)(**given)


def final_hours(sandboxes: Sandboxes) -> dict[str, set[datetime]]:
    """Return the hours of the snapshots that are marked final, by story."""
    found: dict[str, set[datetime]] = defaultdict(set)
    for row in sandboxes.rows(TABLE):
        if row["is_final"]:
            found[row["media_id"]].add(row["snapshot_at"])
    return dict(found)


def hour_of(instant: datetime) -> datetime:
    """Return the hour (UTC) in which an instant lies."""
    return instant.replace(minute=0, second=0, microsecond=0)


def gap_sums(summary: Mapping[str, Any]) -> dict[str, tuple[list[int], int, int]]:
    """Return the gaps of a summary by account: whole hours of the pauses, stories seen late, finals missed."""
    return {
        account_id: ([round(pause["hours"]) for pause in gap["pauses"]], gap["seen_late"], gap["finals_missed"])
        for account_id, gap in summary["gaps"].items()
    }


__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "POLLS",
    "START",
    "TABLE",
    "Event",
    "Events",
    "context",
    "final_hours",
    "follow",
    "gap_sums",
    "hour_of",
    "make_operator",
    "poll",
    "publish",
    "quiet_world",
]
