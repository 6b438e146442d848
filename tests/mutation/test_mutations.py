"""The mutations and the invariants do what they say: a test that cannot fail would hide everything."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.mutation.documents import INSIDE, Inner, find, open_texts, shape, walk, write
from tests.support.mutation.invariants import check
from tests.support.mutation.mutations import FOR_ANY, Mutation, mutate, names_for
from tests.support.mutation.questions import QUESTIONS, choose_question
from tests.support.mutation.readings import find_new, readings
from tests.support.mutation.runner import ScenarioRunner

ANSWER = {
    "status": 200,
    "headers": {"x": "1"},
    "body": {"data": [{"id": "1", "n": 2, "body": '{"a":[1]}'}, {"id": "2"}]},
}


def test_an_untouched_answer_is_written_as_it_was() -> None:
    """Texts that hold JSON are opened and closed again."""
    opened = open_texts(ANSWER)
    assert json.loads(write(opened)) == json.loads(json.dumps(ANSWER))
    assert isinstance(opened["body"]["data"][0]["body"], Inner)
    assert ("body", "data", 0, "body", INSIDE, "a", 0) in set(walk(opened))
    assert shape(("body", "data", 0, "17841", INSIDE, "a", 0)) == "body.data[].#.(text).a[]"


def test_every_mutation_can_be_made_and_changes_something() -> None:
    """Each possible mutation of each path gives an answer that can be sent; all but a few differ from the original."""
    opened = open_texts(ANSWER)
    same = 0
    made = set()
    for path in walk(opened):
        for name in names_for(opened, path) if path else ():
            mutation = mutate(opened, path, name, random.Random(1))
            made.add(name)
            same += write(mutation.after) == write(opened)
    assert made >= {*FOR_ANY, "drop", "rename", "key twice", "twice", "twice, differently", "the value of another"}
    assert same <= 4


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_shape_of_path_is_offered_once(runner: ScenarioRunner, question: str) -> None:
    """Headers, texts inside of batches and numbers are all among the shapes, however many leaves each has."""
    shapes = runner.list_shapes(question)
    assert len(shapes) >= 30
    assert any("headers" in each for each in shapes)
    if QUESTIONS[question].kind == "account" or QUESTIONS[question].metrics == "all":
        answer = "(text)" if QUESTIONS[question].login == "facebook" else "body"  # only graph.facebook.com has batches
        assert any(f"{answer}.data[].total_value.breakdowns[].results[].value" in each for each in shapes)


def test_what_a_seed_asks_does_not_change() -> None:
    """Seeds below a million choose among the questions that there were before tasks waited."""
    chosen = [choose_question(seed, random.Random(seed)) for seed in (1, 2, 3, 300490, 10**6 - 1, 10**6 + 4)]
    assert chosen == [
        "media",
        "test connection, debugged",
        "media, all, discovered",
        "story, all, discovered",
        "media, all, discovered",
        "media, deferred",
    ]


def test_the_invariants_notice_a_capture_that_was_not_made(runner: ScenarioRunner) -> None:
    """A task that waits goes on in a second step; without the rows of that step, each is missed by name."""
    scenario = runner.run(10**6, "story, before expiry")
    assert len(scenario.mutated.steps) == 2
    assert check(scenario) == []
    first = scenario.mutated.steps[0]
    rows = {
        table: [row for row in each if row["fetched_at"] < first + timedelta(hours=1)]
        for table, each in scenario.tables.items()
    }
    found = check(replace(scenario, tables=rows))
    assert {(each.invariant, each.kind) for each in found} >= {
        ("d: a row is missing, unnamed", "instagram_story_insights"),
        ("d: a row is missing, unnamed", "instagram_story_polls"),
    }


@pytest.mark.parametrize("question", [name for name, question in QUESTIONS.items() if question.limited])
def test_a_limit_in_the_middle_costs_one_wait(runner: ScenarioRunner, question: str) -> None:
    """The limit of the second account is used up after it began, and it is asked again in the second step, alone."""
    runner.list_shapes(question)
    second = list(runner.sandboxes.world.accounts)[1]
    assert any("80002" in write(each.document["body"]) for each in runner.recorded[question])
    later = [each.signature for each in runner.recorded[question] if each.signature[-1] == "step 2"]
    assert later
    others = set(runner.sandboxes.world.accounts) - {second}
    assert not any(account_id in text for text in map(str, later) for account_id in others)


def test_the_invariants_notice_what_is_wrong(runner: ScenarioRunner) -> None:
    """A row lost, moved, doubled or changed unnamed, a bare exception and a token in a log are all violations."""
    good = runner.run(1, "media")
    accounts = list(good.world.accounts)
    good.mutated.error, good.mutated.summary, good.mutated.log = None, {}, ""
    origin = {"fetched_at": good.now, "run_id": good.run_id, "api_version": "v25.0"}
    rows = {
        table: [row | origin for each in good.wanted.values() for row in each[table].values()]
        for table in good.wanted[accounts[0]]
    }
    good = replace(good, tables=rows, tables_after=rows, wanted_after=good.wanted, mutation=None, more=())
    assert check(good) == []
    table = "instagram_media_insights"
    wrong = {
        "b": rows | {table: [row for row in rows[table] if row["account_id"] != accounts[2]]},
        "c": rows | {table: [*rows[table], rows[table][0]]},
        "d: a v": rows | {table: [row | {"value": row["value"] + 1} for row in rows[table]]},
        "d: a row's origin": rows | {table: [row | {"run_id": "another run"} for row in rows[table]]},
        "e": rows | {table: [*rows[table], rows[table][0] | {"metric": "invented"}]},
    }
    for start, tables in wrong.items():
        found = [each.invariant for each in check(replace(good, tables=tables, tables_after=tables))]
        assert any(each.startswith(start) for each in found), start
    good.mutated.log = f"Authorization: Bearer {good.secrets[0]}"
    assert {each.invariant[0] for each in check(good)} == {"f"}
    good.mutated.log, good.mutated.error = "", KeyError("id")
    assert "a" in {each.invariant[0] for each in check(good)}


def test_a_media_of_another_product_type_lacks_the_metrics_of_its_own_type_only(runner: ScenarioRunner) -> None:
    """What all types have is asked for, so its loss is a violation; in seed 105636 a post is listed as a reel."""
    scenario = runner.run(105636, "media")
    assert scenario.spot.shape == "body.data[].media_product_type"
    assert check(scenario) == []
    assert scenario.mutation is not None
    media_id = find(scenario.mutation.before, scenario.mutation.path[:-1])["id"]
    table = "instagram_media_insights"
    rows = [row for row in scenario.tables[table] if (row["media_id"], row["metric"]) != (media_id, "reach")]
    [violation] = check(replace(scenario, tables=scenario.tables | {table: rows}))
    assert violation.invariant == "d: a row is missing, unnamed"


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [("17", " 17 ", True), ("17", "17.0", False), ("reach", " reach ", True), ("17", "18", True)],
)
def test_blanks_make_another_value(before: str, after: str, new: bool) -> None:
    """A number between blanks is a text; without them it counts by its value."""
    assert bool(find_new({"each": before}, {"each": after})) is new


@pytest.mark.parametrize("blank", ["", " "])
def test_a_signed_address_is_read_without_its_signature(runner: ScenarioRunner, blank: str) -> None:
    """As rows are compared, whatever blanks a mutation put before it."""
    scenario = runner.run(1, "media")
    changed = Mutation("blanks", ("url",), {"url": "old"}, {"url": f"{blank}https://x/1?signature{blank}"})
    assert f"{blank}https://x/1" in readings(replace(scenario, mutation=changed, more=()))
