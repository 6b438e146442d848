"""A task that waits: it hands its worker slot back, and a new operator goes on later, as Airflow has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_iginsights._compat import AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.sandbox.graph import World
from tests.support.sandboxes import DAY, Row, Sandboxes
from tests.support.transfers.story_runs import DELAY, MINUTE, revive

MOST_STEPS = 6
"""A task that still waits then is left waiting: an answer that asks for a wait each time would go on for hours."""
LIMIT_MINUTES = 20
CALLS_BEFORE_LIMIT = 1
LEAD = 10 * MINUTE


def limit_account(sandboxes: Sandboxes, account_id: str) -> None:
    """Let Meta's limit of an account be used up after its first call, for twenty minutes."""
    usage = sandboxes.graph.usage
    # Below 100 %: what Meta shows as used up is not asked at all, and here Meta is to refuse.
    usage.per_call, usage.minutes, usage.threshold = 1.0, LIMIT_MINUTES, 50.0
    usage.set(account_id, usage.threshold - CALLS_BEFORE_LIMIT)


def lift_limits(sandboxes: Sandboxes) -> None:
    """Let calls count nothing again."""
    usage = sandboxes.graph.usage
    usage.per_call, usage.minutes, usage.threshold = 0.0, 5, 100.0
    for account_id in sandboxes.world.accounts:
        usage.set(account_id, 0.0)


def follow(
    sandboxes: Sandboxes,
    make_operator: Callable[[], Any],
    context: Mapping[str, Any],
    steps: list[datetime],
    *,
    limit: int,
) -> Any:
    """Run a task to its end and return its result; ``steps`` gets the instant at which each step began.

    What a deferral hands over has been JSON in between, and its trigger was built anew.

    :raises TaskDeferred: it waits once more after ``limit`` steps; a rescheduled one raises AirflowRescheduleException.
    """
    method, state = "execute", dict[str, Any]()
    while True:
        steps.append(sandboxes.now)
        operator = make_operator()
        try:
            if method == "execute":
                return operator.execute(context)
            return operator.resume_execution(method, state, context)
        except TaskDeferred as wait:
            if len(steps) == limit:
                raise
            moment = revive(wait.trigger).moment
            method, state = wait.method_name, json.loads(json.dumps(wait.kwargs)) | {"event": None}
        except AirflowRescheduleException as wait:
            if len(steps) == limit:
                raise
            moment, method, state = wait.reschedule_date, "execute", {}
        until = datetime.fromtimestamp(moment.timestamp(), UTC)
        sandboxes.travel(max(until + DELAY - sandboxes.now, DELAY))


def plan_captures(world: World, account_id: str, *, start: datetime, ends: datetime) -> list[datetime]:
    """Return when the stories of an account are to be read: at once, and shortly before the next one ends."""
    expiries = [story.timestamp + DAY for story in world.stories_of(account_id, start)]
    due = [each - LEAD + DELAY for each in expiries if start + 2 * LEAD < each <= ends]
    return [start, *sorted(due)[:1]]


def find_earlier_polls(rows: list[Row]) -> dict[tuple[Any, ...], datetime]:
    """Return the instant of the poll before each poll, by the key of the later one."""
    found = {}
    for row in rows:
        before = [
            each["fetched_at"]
            for each in rows
            if each["account_id"] == row["account_id"] and each["snapshot_at"] < row["snapshot_at"]
        ]
        if before:
            found[row["account_id"], row["snapshot_at"]] = max(before)
    return found
