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
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from airflow_provider_iginsights._compat import AirflowRescheduleException
from airflow_provider_iginsights.transfers.run_log import noting_refusal
from tests.support.chaos import children
from tests.support.chaos.__main__ import main, play_batch
from tests.support.chaos.arming import CHANGES
from tests.support.chaos.checks import (
    RUNS_REFUSED,
    Truth,
    check_left,
    check_rows,
    check_runs,
    check_whole,
    read_tables,
)
from tests.support.chaos.outcomes import Outcome, Part, Play, State, Violation, describe
from tests.support.chaos.parts import ON_REQUEST, PARTS, choose_parts
from tests.support.chaos.requests import AtRequest, RequestMiddleware, open_planned
from tests.support.chaos.script_runs import ScriptRun
from tests.support.chaos.scripts import Fault, draw_script
from tests.support.chaos.tasks import TASKS, make_steps, make_world
from tests.support.chaos.writers import open_writers
from tests.support.dry_runs import dry_run
from tests.support.left_out import is_told
from tests.support.pages import ROOT, read_pages
from tests.support.sandboxes import DAY, NOW
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


def test_the_checks_notice_what_is_wrong() -> None:
    """A lost row, one that stands twice, another value, an invented key and a staging table are all told."""
    with open_planned(make_world()) as sandboxes:
        (step,) = make_steps(TASKS["account"], list(sandboxes.world.accounts), dataset="d", run_id="r")
        known = Truth(sandboxes.world, "account")
        known.instants.append(sandboxes.now)
        step.make().execute(step.context)
        tables = read_tables(sandboxes, "d")
        assert [*check_rows(tables, known), *check_whole(tables, known, {}), *check_left(sandboxes, "d")] == []
        rows = tables["instagram_account_insights"]
        first, *others = rows
        wrong = {
            "doubled": [first, *rows],
            "another value": [first | {"value": first["value"] + 1}, *others],
            "invented": [first | {"metric": "none"}, *others],
        }
        for kind, changed in wrong.items():
            found = [each.kind for each in check_rows({"instagram_account_insights": changed}, known)]
            assert [each for each in found if each.startswith(kind)], kind
        lost = list(check_whole(tables | {"instagram_account_insights": others}, known, {}))
        assert [each.kind for each in lost] == ["lost: instagram_account_insights"]
        entry = {"what": first["metric"], "whom": [f"account {first['account_id']}"], "count": 1}
        told = tables | {"instagram_account_insights": others}
        assert list(check_whole(told, known, {"left_out": [entry]})) == []
        # An entry about a metric says nothing of a profile, also where it counts more accounts than it names.
        no_profile = {"instagram_accounts": tables["instagram_accounts"][1:]}
        lost = list(check_whole(told | no_profile, known, {"left_out": [entry | {"count": 7}]}))
        assert [each.kind for each in lost] == ["lost: instagram_accounts"]
        with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.query("CREATE TABLE d.instagram_accounts__stg_x (x INT64)").result()
        assert [each.kind for each in check_left(sandboxes, "d")] == ["staging left: instagram_accounts"]


@pytest.mark.parametrize(
    ("what", "whom", "row", "column", "is_named"),
    [
        ("reach", "account 1", {"metric": "reach"}, None, True),
        ("reach", "account 1", {"metric": "views"}, None, False),
        ("insights", "account 1", {"metric": "reach"}, None, True),
        ("insights", "account 1", {}, None, False),
        ("profile", "account 1", {}, None, True),
        ("profile", "account 2", {}, None, False),
        ("days", "the run", {"metric": "reach"}, None, True),
        ("reach", "account 1", {"metric": "reach", "media_id": "7"}, None, True),
        ("insights", "media 7", {"metric": "reach", "media_id": "7"}, None, True),
        ("insights", "media 8", {"metric": "reach", "media_id": "7"}, None, False),
        ("media", "account 1 (media 8)", {"media_id": "7"}, None, False),
        ("media", "account 1", {"media_id": "7"}, None, True),
        ("media", "account 1 (media 8)", {}, None, False),
        ("like_count", "media 7", {"media_id": "7"}, "like_count", True),
        ("like_count", "media 7", {"media_id": "7"}, "caption", False),
        ("like_count", "media 7", {"media_id": "7"}, None, False),
        ("children.media_url", "media 7 (child 9)", {"media_id": "7"}, "media_url", True),
        ("owner", "media 7", {"media_id": "7"}, "owner_id", True),
    ],
)
def test_what_a_summary_names(what: str, whom: str, row: dict[str, str], column: str | None, is_named: bool) -> None:
    """A row is named by an entry about its own post or account, and about its own metric or column, or all of them."""
    summary = {"left_out": [{"what": what, "whom": [whom], "count": 9}]}
    assert is_told(summary, "1", row, column=column) is is_named


def test_the_table_of_runs_is_looked_at() -> None:
    """A run needs one row an account that says done; rows may only lack where the run has noted the refusal."""
    with open_planned(make_world()) as sandboxes:
        one, other = sandboxes.world.accounts
        (step,) = make_steps(TASKS["account"], [one], dataset="d", run_id="r")
        known = Truth(sandboxes.world, "account")
        step.make().execute(step.context)

        def find(run_id: str, *notes: str) -> list[str]:
            return [each.kind for each in check_runs(sandboxes, "d", known, run_id=run_id, notes=notes)]

        assert find("r") == find("r", "Another note.") == find("another") == ["runs are told otherwise"]
        assert find("r", f"{RUNS_REFUSED}, their data …") == []
        with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.query("UPDATE d.instagram_runs SET status = 'failed' WHERE TRUE").result()
        assert find("r", f"{RUNS_REFUSED}, their data …") == ["runs are told otherwise"]
        known.account_ids = (other,)
        assert find("r") == ["runs are told otherwise"]


def test_a_changed_type_hides_no_other_table() -> None:
    """Where a column of one table changes its type in the midst of a try, a wrong number in another is still told."""
    with open_planned(make_world()) as sandboxes:
        change = Fault("bigquery", "a column changes its type", "last")
        run = ScriptRun(replace(draw_script(2), task="account", faults=(change,), retries=0), sandboxes, "d", {})
        (step,) = run.make_steps("r")

        def execute(context: Any) -> Any:
            result = step.make().execute(context)
            with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
                client.query("UPDATE d.instagram_account_insights SET value = value + 1 WHERE TRUE").result()
                CHANGES["a column changes its type"](client, f"{client.project}.d", ["instagram_accounts"])
            return result

        spoilt = replace(step, make=lambda: SimpleNamespace(execute=execute, on_kill=lambda: None))
        _, violations = run._run_step(spoilt, 0, hit_tries=0)
    assert [each.kind for each in violations] == ["another value: instagram_account_insights.value"]


def test_a_wait_without_an_end_is_told() -> None:
    """A task that waits again and again is no task that waits well."""
    with open_planned(make_world()) as sandboxes:
        run = ScriptRun(replace(draw_script(2), task="account"), sandboxes, "d", {})
        (step,) = run.make_steps("r")

        def execute(_context: Any) -> None:
            raise AirflowRescheduleException(sandboxes.now + DAY)

        waiting = replace(step, make=lambda: SimpleNamespace(execute=execute, on_kill=lambda: None))
        _, violations = run._run_step(waiting, 0, hit_tries=0)
    assert [each.kind for each in violations] == ["waits without an end"]


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


def test_the_note_is_that_of_the_transfers() -> None:
    """What excuses missing rows is what a run says of a refused table."""
    notes: list[str] = []
    loader: Any = SimpleNamespace(session=SimpleNamespace(note=notes.append))
    with noting_refusal(loader):
        raise RuntimeError("refused")
    assert notes[0].startswith(RUNS_REFUSED)


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
