"""Tasks that stage and the task that writes die at any moment, are run again, and leave the tables of one task.

Each try is a process on a worker of its own: another HOME and TMPDIR, which are gone once the try has ended.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from airflow_provider_iginsights.sandbox.graph import Media, World
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from tests.support.sandboxes import (
    DATASET,
    DAY,
    END,
    NOW,
    START,
    TRANSFERS,
    RecordingTaskInstance,
    Sandboxes,
    facts,
    open_sandboxes,
)
from tests.support.transfers.killed_transfers import POINTED, SPAWN

TO = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}


def stage(kind: str, chunk: list[str], place: int, try_number: int, xcom: Path) -> None:
    """Run one mapped task; what it hands over is in the file once it is handed over."""
    instance = RecordingTaskInstance(task_id=kind, map_index=place, try_number=try_number)
    operator = TRANSFERS[kind](task_id=kind, account_ids=chunk, load="stage", **TO)
    operator.execute({"ti": instance, "data_interval_start": START, "data_interval_end": END})
    beside = xcom.with_suffix(".new")
    beside.write_text(json.dumps(instance.pushed["staged"]))
    beside.rename(xcom)


def write(staged: list[Any], chunks: list[list[str]], try_number: int, done: Path) -> None:
    """Run the task that writes."""
    operator = InstagramWriteStagedToBigQueryOperator(task_id="write", staged=staged, account_ids=chunks, **TO)
    operator.execute({"ti": RecordingTaskInstance(task_id="write", try_number=try_number)})
    done.touch()


def run(name: str, arguments: tuple[Any, ...], now: datetime, environment: Mapping[str, str]) -> None:
    """Run one of these functions in a process of its own."""
    os.environ.update(environment)
    tempfile.tempdir = None  # remembered from the process that this one was forked from
    assert (tempfile.gettempdir(), str(Path.home())) == (environment["TMPDIR"], environment["HOME"])
    with time_machine.travel(now, tick=True):
        {"stage": stage, "write": write}[name](*arguments)


def run_and_kill(name: str, *arguments: Any, done: Path, dice: random.Random, longest: float) -> int:
    """Run a task, killed at random moments twice, until it is done; return how often it was killed."""
    pointed = {key: value for key, value in os.environ.items() if key.startswith(POINTED)}
    for try_number in range(1, 10):
        given = (*arguments, try_number, done)
        with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as temporary:
            environment = pointed | {"HOME": home, "TMPDIR": temporary}
            process = SPAWN.Process(target=run, args=(name, given, NOW, environment), daemon=True)
            process.start()
            if try_number <= 2:
                time.sleep(dice.uniform(0.3, 1) * longest)
                process.kill()
            process.join()
            assert [*Path(home).iterdir(), *Path(temporary).iterdir()] == []
        if done.exists():
            return try_number - 1
    raise AssertionError(f"{name} never came to its end")


def lose_posts(sandboxes: Sandboxes) -> set[str]:
    """Let a task read all posts, one more of each account among them, then let Meta lose these; return them."""
    posts = [
        Media(f"1799{number:013d}", account_id, "IMAGE", "FEED", NOW - 5 * DAY)
        for number, account_id in enumerate(sandboxes.world.accounts)
    ]
    for post in posts:
        sandboxes.world.put(post)
    sandboxes.run("media")
    lost = {post.id for post in posts}
    sandboxes.world.deleted.update(lost)
    return lost


@pytest.mark.parametrize("kind", ["media", "story"])
def test_killed_and_repeated(kind: str, tmp_path: Path) -> None:
    """Each of two mapped tasks and the task that writes are killed up to twice; the tables are those of one task.

    Posts that Meta lists no longer are marked, as one task marks them.
    No try finds anything on its worker's disk, and none leaves anything there.
    """
    dice = random.Random(5)
    world = {"accounts": 2, "media_per_account": 5, "stories_per_account": 2}
    with open_sandboxes(World.build(now=NOW, **world)) as sandboxes:
        lost = lose_posts(sandboxes) if kind == "media" else set()
        chunks = [[account_id] for account_id in sandboxes.world.accounts]
        xcoms = [tmp_path / f"chunk_{place}.json" for place, _ in enumerate(chunks)]
        for place, (chunk, xcom) in enumerate(zip(chunks, xcoms, strict=True)):
            run_and_kill("stage", kind, chunk, place, done=xcom, dice=dice, longest=1.5)
        staged = [json.loads(xcom.read_text()) for xcom in xcoms]
        run_and_kill("write", staged, chunks, done=tmp_path / "done", dice=dice, longest=2.5)
        found = {table_id: facts(table_id, rows) for table_id, rows in sandboxes.everything().items()}
        assert sandboxes.staging() == []
        runs = [(row["account_id"], row["status"]) for row in sandboxes.rows("instagram_runs")]
        assert runs == [(account_id, "done") for account_id in sandboxes.world.accounts]
    unlisted = {key[1] for key, row in found["instagram_media"].items() if row["is_listed"] is False}
    assert unlisted == lost
    with open_sandboxes(World.build(now=NOW, **world)) as other:
        if kind == "media":
            lose_posts(other)
        other.run(kind)
        assert found == {table_id: facts(table_id, rows) for table_id, rows in other.everything().items()}
        assert any(found.values())
