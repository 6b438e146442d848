"""A few plays of each part of ``make chaos``, by fixed seeds; the command plays thousands."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.chaos.checks import Truth, check_left, check_rows, check_whole, read_tables
from tests.support.chaos.outcomes import Outcome, State, Violation, describe
from tests.support.chaos.parts import PARTS, choose_parts
from tests.support.chaos.requests import open_planned
from tests.support.chaos.scripts import draw_script
from tests.support.chaos.tasks import TASKS, make_steps, make_world
from tests.support.pages import read_pages

ROOT = Path(__file__).parents[2]
SEEDS = {"scripts": (2, 8, 24), "kills": (3,)}
"""Short ones: SIGTERM and a timeout, a list of accounts, a kill. The mutations have tests of their own."""


@pytest.mark.parametrize("name", SEEDS)
def test_a_few_plays_of_each_part(name: str) -> None:
    """Nothing is lost, doubled, unnamed or left behind."""
    (part,) = choose_parts(name)
    with part.open() as play:
        outcomes = [play(seed) for seed in SEEDS[name]]
    assert [outcome.tell() for outcome in outcomes if outcome.violations] == []


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
        entry = {"what": first["metric"], "whom": [first["account_id"]], "count": 1}
        told = tables | {"instagram_account_insights": others}
        assert list(check_whole(told, known, {"left_out": [entry]})) == []
        with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.query("CREATE TABLE d.instagram_accounts__stg_x (x INT64)").result()
        assert [each.kind for each in check_left(sandboxes, "d")] == ["staging left: instagram_accounts"]


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


def test_make_and_the_docs_know_it() -> None:
    """The target exists, takes what the docs name, and an unknown part is refused with the names of all."""
    assert "make chaos MINUTES=" in read_pages()
    command = ["make", "--dry-run", "chaos", "MINUTES=2", "SEED=7", "COUNT=3", "PART=scripts", "STATE=s", "REPORT=r"]
    dry = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    asked = "--minutes 2 --seed 7 --count 3 --part scripts --state s --report r"
    assert f"-m tests.support.chaos {asked}" in " ".join(dry.stdout.replace("\\\n", " ").split())
    with pytest.raises(ValueError, match="kills, scripts"):
        choose_parts("floods")
