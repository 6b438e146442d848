"""A few plays of most parts of ``make chaos``, by fixed seeds; the command plays thousands."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.support.chaos import children
from tests.support.chaos.__main__ import main, play_batch
from tests.support.chaos.outcomes import Outcome, Part, Play, State, Violation, describe
from tests.support.chaos.parts import ON_REQUEST, PARTS, choose_parts
from tests.support.chaos.requests import AtRequest, RequestMiddleware
from tests.support.chaos.scripts import draw_script
from tests.support.chaos.writers import open_writers
from tests.support.dry_runs import dry_run
from tests.support.pages import ROOT, read_pages
from tests.support.sandboxes import NOW
from tests.support.transfers.killed_transfers import SPAWN

SEEDS = {"scripts": (2, 8, 24), "kills": (3,), "loads": (4,)}
"""Short ones: SIGTERM and a timeout, a list of accounts, a kill, a job that comes twice.

The mutations have tests of their own; ``limits``, which takes half a minute, and the referee are played by hand.
"""


@pytest.mark.parametrize("name", SEEDS)
def test_a_few_plays_of_a_part(name: str) -> None:
    """Nothing is lost, doubled, unnamed or left behind."""
    (part,) = choose_parts(name)
    with part.open() as play:
        outcomes = [play(seed) for seed in SEEDS[name]]
    assert [outcome.tell() for outcome in outcomes if outcome.violations] == []


def test_a_few_writers() -> None:
    """Four tasks that write at once leave the truth, as the thirty of the command do."""
    with open_writers(4) as play:
        assert play(2).violations == ()


def test_a_seed_is_a_script_for_ever() -> None:
    """What a seed plays is the same in every process; seeds differ."""
    assert draw_script(7) == draw_script(7)
    assert len({replace(draw_script(seed), seed=0) for seed in range(200)}) == 200
    assert str(draw_script(28)) == (
        "account, replaced, step 0, 1 tries of 1 hit; code 613 at graph's last request; "
        "quotaExceeded for ever at bigquery's last request; staging vanishes at graph's last request; "
        "with tables about runs"
    )


def test_what_happens_is_over_before_the_next_plan() -> None:
    """Where a signal ends a try and its request has something else planned, the tables are mended after that."""
    begun, going_on, happened = threading.Event(), threading.Event(), list[str]()

    def change() -> None:
        begun.set()
        going_on.wait(10)
        happened.append("changed")

    async def answer(*_: Any) -> None:
        happened.append("answered")

    middleware = RequestMiddleware(answer)
    middleware.plan(AtRequest(0, change))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    request = threading.Thread(target=lambda: asyncio.run(middleware(scope, answer, answer)))
    request.start()
    begun.wait(10)
    threading.Timer(0.05, going_on.set).start()
    middleware.plan()
    assert happened[:1] == ["changed"]
    request.join(10)
    assert happened == ["changed", "answered"]


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time it is killed and told, though the clock that Python shows is stopped."""
    monkeypatch.setattr(children, "LONGEST_SECONDS", 0.2)
    with time_machine.travel(NOW, tick=False):
        process: Any = SPAWN.Process(target=signal.pause, daemon=True)
        process.start()
        result = children.end_try(process, tmp_path / "never.json")
    assert (result.hangs, result.is_done, process.exitcode) == (True, False, -signal.SIGKILL)


def test_going_on_from_a_file(tmp_path: Path) -> None:
    """What was played is read again, the next seed is the first that was not, and the report counts all."""
    path = tmp_path / "state.jsonl"
    state = State(path)
    for seed in (5, 6, 8):
        wrong = (Violation("lost: a table", "3 rows"),) if seed == 8 else ()
        state.add(Outcome(part="kills", seed=seed, what="w", ending="e", violations=wrong, counts={"kills": 2}))
    again = State(path)
    assert again.outcomes == state.outcomes
    assert again.find_next("kills", start=5) == 7
    assert again.find_next("scripts", start=5) == 5
    report = describe(again.outcomes, PARTS)
    assert "| kills | 3 tasks | 1 | e 3 | kills 6 |" in report
    assert "### kills: lost: a table (1)\n* SEED=8 w: 3 rows" in report
    assert again.outcomes[2].tell() == ["PART=kills SEED=8 COUNT=1 lost: a table. w. 3 rows"]


def test_no_seed_is_played_twice(tmp_path: Path) -> None:
    """A batch plays the seeds that the file lacks, also those in its gaps."""
    state = State(tmp_path / "state.jsonl")
    for seed in (5, 6, 8):
        state.add(Outcome(part="kills", seed=seed, what="w", ending="e"))

    @contextmanager
    def open_part() -> Iterator[Play]:
        yield lambda seed: Outcome(part="kills", seed=seed, what="w", ending="e")

    part = Part(name="kills", open=open_part, batch=4, counts="tasks")
    for outcome in play_batch(part, state, start=5, count=3, played={"kills": 0}, ends=0):
        state.add(outcome)
    assert [each.seed for each in state.outcomes] == [5, 6, 8, 7, 9, 10]


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The command names all parts and plays none."""
    monkeypatch.setattr("sys.argv", ["chaos", "--part", "floods", "--count", "1"])
    monkeypatch.setattr("os.environ", os.environ.copy())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "There is no part floods: there are kills, scripts, writers" in capsys.readouterr().err


def test_make_and_the_docs_know_it() -> None:
    """The target exists, takes what the docs name, and an unknown part is refused with the names of all."""
    assert "make chaos MINUTES=" in read_pages()
    dry = dry_run("chaos", "MINUTES=2", "SEED=7", "COUNT=3", "PART=scripts", "STATE=s", "REPORT=r")
    [said] = re.findall(r"^chaos:.*## .*: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert said == ", ".join(part.name for part in (*PARTS, *ON_REQUEST))
    asked = "--minutes 2 --seed 7 --count 3 --part scripts --state s --report r"
    assert f"-m tests.support.chaos {asked}" in " ".join(dry.replace("\\\n", " ").split())
    with pytest.raises(ValueError, match="kills, scripts"):
        choose_parts("floods")
