"""A few plays of most parts of ``make chaos``, by fixed seeds; the command plays thousands."""

from __future__ import annotations

import argparse
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

from tests.support.chaos import children, loads
from tests.support.chaos.__main__ import main, play, play_batch
from tests.support.chaos.outcomes import Outcome, Part, PartUnavailable, Play, State, Violation, describe
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        *((("--minutes", given), f"{given!r} is no number above 0.") for given in ("0", "-1", "nan", "inf", "ten")),
        *((("--count", given), f"{given!r} is no whole number from 1 on.") for given in ("0", "-3", "1.5")),
        *((("--seed", given), f"{given!r} is no whole number from 0 on.") for given in ("-42", "x")),
        (("--state", "nowhere/state.jsonl"), "nowhere/state.jsonl"),
        (("--report", "nowhere/report.md"), "nowhere/report.md"),
        (("--state", "."), "Is a directory"),
    ],
)
def test_what_would_play_nothing_or_lose_it_is_refused(
    words: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is played: zero plays would find nothing wrong, and plays that cannot be noted would be lost."""
    monkeypatch.setattr("sys.argv", ["chaos", "--part", "scripts", *words])
    monkeypatch.setattr("os.environ", os.environ.copy())
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    assert said in shown.err.splitlines()[-1]


def make_outcome(seed: int) -> Outcome:
    """Return a play in which all was well."""
    return Outcome(part="kills", seed=seed, what="w", ending="e")


def test_a_file_that_was_cut_off_loses_one_play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that a process could not end is taken away, and its play is the next one."""
    path = tmp_path / "state.jsonl"
    for seed in (5, 6):
        State(path).add(make_outcome(seed))
    path.write_bytes(path.read_bytes()[:-9])
    cut = State(path)
    assert "the last line was cut off" in capsys.readouterr().out
    assert cut.find_next("kills", start=5) == 6
    cut.add(make_outcome(6))
    assert State(path).outcomes == [make_outcome(5), make_outcome(6)]


@pytest.mark.parametrize("line", [b"no JSON", b"{}", b"[1]", b'{"part": "kills", "violations": []}', b"\xff"])
def test_another_file_is_no_state(line: bytes, tmp_path: Path) -> None:
    """What is no play is named by its line, and the file stays as it is."""
    path = tmp_path / "state.jsonl"
    State(path).add(make_outcome(5))
    path.write_bytes(content := path.read_bytes() + line + b"\n")
    with pytest.raises(ValueError, match=r"state\.jsonl, line 2 is no outcome of a play: .* Delete this line"):
        State(path)
    assert path.read_bytes() == content


def play_fake(tmp_path: Path, play_one: Play, *, opened: Any = None) -> tuple[int, str, State]:
    """Play three seeds of a part with this in its place; return the exit code, the report and the state."""

    @contextmanager
    def open_part() -> Iterator[Play]:
        if opened:
            raise opened
        yield play_one

    part = Part(name="kills", open=open_part, batch=4, counts="tasks")
    report = tmp_path / "report.md"
    given = argparse.Namespace(minutes=1, seed=5, count=3, state=tmp_path / "s", report=report)
    code = play(given, [part], State(given.state))
    return code, report.read_text("utf-8"), State(given.state)


def test_a_play_that_breaks_off_is_told_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of a play itself is a violation of its seed."""

    def break_off(seed: int) -> Outcome:
        if seed == 6:
            raise KeyError("lost")
        return make_outcome(seed)

    code, report, state = play_fake(tmp_path, break_off)
    assert (code, [each.seed for each in state.outcomes]) == (1, [5, 6, 7])
    assert "### kills: the play broke off: KeyError (1)\n* SEED=6 " in report
    assert "PART=kills SEED=6 COUNT=1 the play broke off: KeyError" in capsys.readouterr().out


def test_what_is_played_logs_as_before(tmp_path: Path) -> None:
    """Only the command silences its process: whatever else plays, such as a test, hears its later tasks."""
    structlog = pytest.importorskip("structlog", reason="Airflow 2 logs without it")
    before = structlog.get_config()
    assert play_fake(tmp_path, make_outcome)[0] == 0
    assert structlog.get_config() == before


def test_who_stops_it_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After SIGTERM the numbers reached are told, what was played is kept, and how to go on is said."""

    def stop(seed: int) -> Outcome:
        if seed == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return make_outcome(seed)

    before = signal.getsignal(signal.SIGTERM)
    code, report, state = play_fake(tmp_path, stop)
    assert (code, [each.seed for each in state.outcomes]) == (130, [5, 6])
    assert "| kills | 2 tasks | 0 |" in report
    assert "go on with SEED=5 and the same STATE" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_part_that_is_not_installed_says_how(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with a sentence instead of a traceback."""
    monkeypatch.setattr(loads, "find_local_bigquery", lambda: None)
    with pytest.raises(PartUnavailable) as refused, loads.open_referee_loads():
        pass
    code, _, _ = play_fake(tmp_path, make_outcome, opened=refused.value)
    assert (code, capsys.readouterr().err) == (
        2,
        "The part referee needs local-bigquery, which is not installed. Run make referee.\n",
    )


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
