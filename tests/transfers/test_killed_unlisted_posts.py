"""Posts that Meta no longer lists, where the task that marks them dies at a chosen point and is run again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self
from unittest.mock import patch

import pytest
import time_machine
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

from airflow_provider_iginsights.bigquery.fan_in import FanInLoader
from airflow_provider_iginsights.clock import RunClock
from airflow_provider_iginsights.sandbox.graph import Media, World
from tests.support.bigquery.killed_loads import Kill, kill_at
from tests.support.sandboxes import (
    DATASET,
    DAY,
    END,
    NOW,
    START,
    TRANSFERS,
    RecordingTaskInstance,
    Row,
    Sandboxes,
    open_sandboxes,
)
from tests.support.transfers.killed_transfers import POINTED, SPAWN

MERGE = "MERGE `sandbox-project.instagram.instagram_media` T"
POINTS: Mapping[str, Kill] = {
    "before the stored posts are looked up": Kill(
        when="before", method="POST", path="/jobs", body="`is_listed` = TRUE"
    ),
    "rows are loaded": Kill(when="after", method="POST", path="/upload/", number=2),
    "MERGE submitted": Kill(when="after", method="POST", path="/jobs", body=MERGE),
    "before staging is dropped": Kill(when="before", method="DELETE", path="__stg_"),
}


def run_media(days: int, try_number: int) -> None:
    """Run one try of the media transfer so many days later."""
    instance = RecordingTaskInstance(task_id="media", run_id=f"scheduled__{END + days * DAY}", try_number=try_number)
    operator = TRANSFERS["media"](
        task_id="media", dataset_id=DATASET, gcp_conn_id=None, create_dataset=True, metrics=["reach"]
    )
    interval = {"data_interval_start": START + days * DAY, "data_interval_end": END + days * DAY}
    operator.execute({"ti": instance, **interval})  # type: ignore[typeddict-item]


@contextmanager
def by_the_worlds_clock() -> Iterator[None]:
    """Take no heed of the time of a BigQuery that lives today, whatever the day of the world."""
    with (
        patch.object(RunClock, "set_by_bigquery", lambda *_: None),
        patch("airflow_provider_iginsights.bigquery.stage.LIFETIME", timedelta(days=36500)),
    ):
        yield


def run_and_die(days: int, kill: Kill, now: datetime, environment: Mapping[str, str], *, lives_today: bool) -> None:
    """Run a try that dies at a point, in a process of its own."""
    os.environ.update(environment)
    enter = FanInLoader.__enter__

    def enter_and_die(self: Any) -> Self:  # type: ignore[misc]
        kill_at(self, kill)
        return enter(self)

    with (
        time_machine.travel(now, tick=True),
        by_the_worlds_clock() if lives_today else nullcontext(),
        patch.object(FanInLoader, "__enter__", enter_and_die),
    ):
        run_media(days, 1)


def kill_and_repeat(sandboxes: Sandboxes, client: Client, kill: Kill, days: int, *, lives_today: bool) -> None:
    """Delete a post, let the next night's task die at the point, run it again; all else of the post is as it was.

    :param lives_today: whether BigQuery's clock is today's, and not that of the world.
    """
    before = {row["media_id"]: row for row in read(client)}
    gone = sorted(media_id for media_id, row in before.items() if row["is_listed"])[1]  # the second newest
    sandboxes.world.deleted.add(gone)
    sandboxes.travel(DAY)
    environment = {name: value for name, value in os.environ.items() if name.startswith(POINTED)}
    how = {"lives_today": lives_today}
    process = SPAWN.Process(target=run_and_die, args=(days, kill, sandboxes.now, environment), kwargs=how, daemon=True)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    run_media(days, 2)
    after = read(client)
    assert len(after) == len(before)
    for row in after:
        was = before[row["media_id"]]
        assert row["is_listed"] == (was["is_listed"] and row["media_id"] != gone)
        assert row["caption"] == was["caption"]
        if row["media_id"] == gone:
            assert {name for name in row if row[name] != was[name]} == {"is_listed", "fetched_at", "run_id"}
    assert not [table.table_id for table in client.list_tables(DATASET) if "__stg_" in table.table_id]


def read(client: Client) -> list[Row]:
    """Return the stored posts."""
    return [dict(row) for row in client.query(f"SELECT * FROM `{DATASET}.instagram_media`").result()]


@contextmanager
def open_client(sandboxes: Sandboxes) -> Iterator[Client]:
    """Return a client of the BigQuery that the environment names."""
    options = {"api_endpoint": os.environ["BIGQUERY_EMULATOR_HOST"]}
    client = Client(project=sandboxes.bigquery.project, credentials=AnonymousCredentials(), client_options=options)
    yield client
    client.close()


@pytest.mark.parametrize("warehouse", ["sandbox", "referee"])
def test_killed_at_points(warehouse: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the point, the night's second try marks the post that is gone, and no other; nothing stands twice."""
    points = POINTS if warehouse == "sandbox" else {"MERGE submitted": POINTS["MERGE submitted"]}
    world = World.build(now=NOW, accounts=1, media_per_account=0, stories_per_account=0)
    for age in range(3, 10):
        account_id = next(iter(world.accounts))
        world.put(
            Media(f"1798{age:013d}", account_id, "IMAGE", "FEED", NOW - age * DAY, caption=f"{age}", like_count=7)
        )
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_sandboxes(world))
        if warehouse == "referee":
            monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", request.getfixturevalue("referee"))
            stack.enter_context(by_the_worlds_clock())
        client = stack.enter_context(open_client(sandboxes))
        # The referee is shared with other tests.
        empty = partial(client.delete_dataset, DATASET, delete_contents=True, not_found_ok=True)
        empty()
        stack.callback(empty)
        run_media(0, 1)
        for days, kill in enumerate(points.values(), start=1):
            kill_and_repeat(sandboxes, client, kill, days, lives_today=warehouse == "referee")
