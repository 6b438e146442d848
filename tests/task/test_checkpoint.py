"""What is kept between tries: of one set of inputs only, small, and gone when it is done."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_iginsights.errors import ServerTrouble
from airflow_provider_iginsights.extract.account_pool import AccountResults
from airflow_provider_iginsights.extract.unanswered import UnansweredRequest
from airflow_provider_iginsights.task.checkpoint import KEY, MOST_OPEN, Checkpoint, Progress
from tests.support.sandboxes import TaskStateStore

ACCOUNTS = [str(17841400000000000 + number) for number in range(1000)]
INPUTS = {"window": (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)), "metrics": None}
PROGRESS = Progress(
    done=frozenset(ACCOUNTS[::3]), waiting_since=datetime(2026, 11, 21, 9, tzinfo=UTC), summary={"rows": 5}
)


def about(inputs: dict[str, Any] = INPUTS, accounts: list[str] = ACCOUNTS) -> dict[str, Any]:
    """Return the inputs with these accounts."""
    return inputs | {"accounts": sorted(accounts)}


def write(store: TaskStateStore | None, progress: Progress) -> dict[str, Any]:
    """Keep progress on the inputs, and return it as a deferral carries it."""
    return Checkpoint(store, inputs=about()).write(progress.pack(ACCOUNTS))


def read(
    store: TaskStateStore | None,
    *,
    inputs: dict[str, Any] = INPUTS,
    accounts: list[str] = ACCOUNTS,
    carried: dict[str, Any] | None = None,
) -> Progress:
    """Return what is kept for these inputs."""
    checkpoint = Checkpoint(store, inputs=about(inputs, accounts), carried=carried)
    return Progress.unpack(checkpoint.read(), accounts)


def test_the_next_try_finds_what_was_written() -> None:
    """The same inputs find the same progress, in whatever order its accounts come."""
    store = TaskStateStore()
    write(store, PROGRESS)
    assert read(store, accounts=ACCOUNTS[::-1]) == PROGRESS


@pytest.mark.parametrize(
    ("inputs", "accounts"),
    [
        (INPUTS | {"metrics": ["reach"]}, ACCOUNTS),
        (INPUTS | {"window": (1, 2)}, ACCOUNTS),
        (INPUTS | {"version": "2"}, ACCOUNTS),
        (INPUTS, ACCOUNTS[1:]),
        (INPUTS, [*ACCOUNTS, "1"]),
    ],
    ids=["metrics", "window", "version", "fewer accounts", "more accounts"],
)
def test_other_inputs_start_afresh(inputs: dict[str, Any], accounts: list[str]) -> None:
    """What was done for other metrics, another window, version or list of accounts counts for nothing."""
    store = TaskStateStore()
    write(store, PROGRESS)
    assert read(store, inputs=inputs, accounts=accounts) == Progress()


def test_it_stays_small() -> None:
    """A thousand accounts take a few hundred bytes."""
    store = TaskStateStore()
    write(store, PROGRESS)
    assert len(json.dumps(store)) < 500


def test_it_is_forgotten() -> None:
    """After success nothing is kept, so that a clear fetches everything; forgetting twice is no error."""
    store = TaskStateStore()
    write(store, PROGRESS)
    checkpoint = Checkpoint(store, inputs=about())
    checkpoint.delete()
    checkpoint.delete()
    assert (read(store), store) == (Progress(), {})


@pytest.mark.parametrize("kept", [None, "", [], {"inputs": "another"}, {KEY: 1}])
def test_what_it_does_not_know_is_nothing(kept: Any) -> None:
    """A value that somebody else left under the key is no progress."""
    store = TaskStateStore({KEY: kept})
    assert read(store) == Progress()


def test_an_airflow_without_a_store_remembers_nothing() -> None:
    """Before Airflow 3.3 there is no store: writing is no error and reading finds nothing."""
    write(None, PROGRESS)
    checkpoint = Checkpoint(None, inputs=about())
    checkpoint.delete()
    assert (read(None), checkpoint.is_kept) == (Progress(), False)


def test_a_deferral_carries_the_progress_without_a_store() -> None:
    """What a deferral carried, as JSON, is as good as what a store kept, and wins over it."""
    carried = json.loads(json.dumps(write(None, PROGRESS)))
    store = TaskStateStore()
    write(store, Progress())
    for kept in (None, store):
        assert read(kept, carried=carried) == PROGRESS
        assert Checkpoint(kept, inputs=about(), carried=carried).is_kept


def test_open_questions_are_kept_within_bounds() -> None:
    """Open questions survive as JSON; of accounts beyond the bound nothing is kept, so that all is asked again."""
    store = TaskStateStore()
    accounts = ["1", "2", "3"]
    checkpoint = Checkpoint(store, inputs={})
    few = [{"metrics": ["reach"], "period": "day", "breakdown": "", "timeframe": "", "days": ["2026-11-20"]}]
    many = few * MOST_OPEN
    checkpoint.write(Progress(done=frozenset("3"), unanswered={"1": few, "2": many}).pack(accounts))
    known = Progress.unpack(Checkpoint(store, inputs={}).read(), accounts)
    assert known.unanswered == {"1": few}
    assert known.done == {"3"}
    assert len(json.dumps(Progress(unanswered={"2": many}).pack(accounts))) < 100_000


def test_what_is_asked_again_is_no_longer_left_out() -> None:
    """Only that: what another account lacks for the same reason, and what is lacking for another one, stays named."""
    error = ServerTrouble("Meta did not answer.")
    given_up = UnansweredRequest(whom="media 1 of account 1", what="reach", error=error, repeat={"metrics": ["reach"]})
    entries = [
        {"what": "reach", "kind": "ServerTrouble", "why": "", "count": 2, "whom": [given_up.whom, "media 2"]},
        {"what": "views", "kind": "ServerTrouble", "why": "", "count": 1, "whom": [given_up.whom]},
        {"what": "reach", "kind": "NoData", "why": "", "count": 1, "whom": [given_up.whom]},
    ]
    results = AccountResults(done=["1", "2"], given_up={"1": [given_up]})
    progress = Progress().advance(results, {"rows": 7, "left_out": entries})
    assert (progress.done, progress.unanswered) == ({"2"}, {"1": [given_up.repeat]})
    assert progress.summary == {"rows": 7, "left_out": [{**entries[0], "count": 1, "whom": ["media 2"]}, *entries[1:]]}
    alone = Progress().advance(results, {"left_out": [{**entries[0], "count": 1, "whom": [given_up.whom]}]})
    assert alone.summary == {"left_out": []}


def test_who_fails_again_keeps_its_open_questions() -> None:
    """An account that could not be asked this time is asked for the same as before; one that answered for no more."""
    before = Progress(unanswered={"1": [{"post": "7"}], "2": [{"post": "8"}]})
    results = AccountResults(done=["2"], failed={"1": ServerTrouble("It stumbled.")})
    assert before.advance(results, {}).unanswered == {"1": [{"post": "7"}]}
