"""Every mistake ends in one named error that says what to do, and leaves BigQuery as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import AirflowFailException, AirflowRescheduleException
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.task.errors_without_retry import WITHOUT_RETRY
from tests.support import truth
from tests.support.sandboxes import DATASET, KEYS, NOW, TRANSFERS, Row, Sandboxes, facts, open_sandboxes
from tests.support.transfers.bad_input import MISTAKES, STRANGER, Mistake, throttle


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one small account."""
    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=1)) as opened:
        yield opened


def held(sandboxes: Sandboxes) -> dict[str, list[Row]]:
    """Return all rows of the dataset, whatever their columns."""
    sandboxes.bigquery.switches.denied_datasets.clear()
    sandboxes.bigquery.faults.clear()
    return (
        {name: sandboxes.bigquery.rows(DATASET, name) for name in sandboxes.bigquery.tables(DATASET)}
        if exists(sandboxes)
        else {}
    )


def exists(sandboxes: Sandboxes) -> bool:
    """Say whether there is a dataset."""
    client = sandboxes.bigquery.client()
    found = [dataset.dataset_id for dataset in client.list_datasets()]
    client.close()
    return DATASET in found


@pytest.mark.parametrize("context", [{}, None], ids=str)
@pytest.mark.parametrize("kind", TRANSFERS)
def test_executed_by_hand(sandboxes: Sandboxes, kind: str, context: Any) -> None:
    """Without Airflow's context nobody is asked anything: the error says how an operator runs, and what needs none."""
    operator = TRANSFERS[kind](task_id=kind, dataset_id=DATASET, gcp_conn_id=None)
    with pytest.raises(
        errors.ConfigurationError, match=r"without the context .* dag\.test\(\) .* InstagramHook\(\)\.read"
    ):
        operator.execute(context)
    assert not sandboxes.graph.log
    assert not sandboxes.bigquery.log


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_and_changes_nothing(sandboxes: Sandboxes, mistake: Mistake) -> None:
    """The error has its name and words, comes before Meta is asked where it can, is retried only where that helps."""
    mistake.prepare(sandboxes)
    with pytest.raises(mistake.error) as caught:
        sandboxes.run(mistake.kind, **mistake.arguments)
    error = caught.value
    assert type(error) in (mistake.error, WITHOUT_RETRY.get(mistake.error))
    assert isinstance(error, AirflowFailException) is not mistake.retried
    for word in mistake.words:
        assert word in str(error)
    assert error.message.partition(" Meta said: ")[0][-1] in ".?", "a message is whole sentences"
    assert bool(sandboxes.graph.log) is mistake.calls_meta
    rows = held(sandboxes)
    assert not [name for name in rows if name not in KEYS]
    assert {name: len(found) for name, found in rows.items() if found} == mistake.leaves
    if mistake.error is errors.IncompatibleTable:
        assert rows == {"instagram_account_insights": [{"account_id": "1", "value": "many"}]}


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize(
    "mistake", ["expired token", "dataset without permission", "unreachable BigQuery", "retired metric"]
)
def test_what_stood_there_before_stays(sandboxes: Sandboxes, mistake: str) -> None:
    """After a good run, a failing one leaves every table to the byte as it was."""
    sandboxes.run("account", metrics=["likes"])
    before = sandboxes.everything()
    case = MISTAKES[mistake]
    if mistake == "dataset without permission":
        sandboxes.bigquery.switches.denied_datasets.add(DATASET)
    else:
        case.prepare(sandboxes)
    with pytest.raises(case.error):
        sandboxes.run(case.kind, **case.arguments)
    sandboxes.bigquery.switches.denied_datasets.clear()
    sandboxes.bigquery.faults.clear()
    assert sandboxes.everything() == before
    assert sandboxes.staging() == []


@pytest.mark.parametrize("kind", ["account", "media", "story"])
@pytest.mark.parametrize("on_account_error", ["fail", "skip"])
def test_one_bad_account_of_three(kind: str, on_account_error: str) -> None:
    """The other two are loaded whole; "fail" fails afterwards and names the bad one, "skip" only reports it."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=6, stories_per_account=1)) as sandboxes:
        good = list(sandboxes.world.accounts)
        arguments = {"account_ids": [good[0], STRANGER, good[1]], "on_account_error": on_account_error}
        if kind == "account":
            arguments |= {"metrics": ["follower_demographics"]}
        if on_account_error == "fail":
            with pytest.raises(errors.AccountUnavailable) as caught:
                sandboxes.run(kind, **arguments)
            assert STRANGER in str(caught.value)
            assert "1 of 3 accounts failed, all others are loaded" in str(caught.value)
            assert isinstance(caught.value, AirflowFailException)
            summary = sandboxes.instance.pushed["summary"]
        else:
            summary = sandboxes.run(kind, **arguments)
        assert summary["accounts_done"] == good
        assert list(summary[f"accounts_{'failed' if on_account_error == 'fail' else 'skipped'}"]) == [STRANGER]
        assert {row["account_id"] for rows in sandboxes.everything().values() for row in rows} == set(good)
        stories = [story for account in good for story in sandboxes.world.stories_of(account, sandboxes.now)]
        if kind == "story":
            assert facts("instagram_story_insights", sandboxes.rows("instagram_story_insights")) == facts(
                "instagram_story_insights", truth.story_rows(sandboxes.world, stories, now=sandboxes.now)
            )


@pytest.mark.usefixtures("without_waits")
def test_trouble_with_one_account_is_retried_after_the_others_are_loaded() -> None:
    """Where a retry can help one account, the task fails in a way that Airflow retries, the others' rows in place."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=3, stories_per_account=1)) as sandboxes:
        bad, good = sandboxes.world.accounts
        down = GraphFault(
            effect=ErrorEffect(2, http=500, message="Service temporarily unavailable"), path=bad, times=None
        )
        sandboxes.graph.faults.add(down)
        with pytest.raises(errors.ServerTrouble) as caught:
            sandboxes.run("account", metrics=["likes"])
        assert not isinstance(caught.value, AirflowFailException)
        assert bad in str(caught.value)
        assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == {good}
        sandboxes.graph.faults.clear()
        sandboxes.run("account", metrics=["likes"])
        assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == {bad, good}


@pytest.mark.usefixtures("without_waits")
def test_a_token_that_dies_on_the_way_stops_everything() -> None:
    """When the token is refused for one account, no further account is asked; what had arrived is loaded."""
    with open_sandboxes(World.build(now=NOW, accounts=4, media_per_account=3, stories_per_account=1)) as sandboxes:
        sandboxes.connect(extra={"max_workers": 1})
        first, second, *rest = sandboxes.world.accounts
        died = ErrorEffect(190, 463, message="Error validating access token: Session has expired")
        sandboxes.graph.faults.add(GraphFault(effect=died, path=second, times=None))
        with pytest.raises(errors.TokenExpired) as caught:
            sandboxes.run("account", metrics=["likes"])
        assert isinstance(caught.value, AirflowFailException)
        asked = {
            part
            for received in sandboxes.graph.log
            for text in (received.path, *received.items)
            for part in rest
            if part in text
        }
        assert asked == set()
        assert {row["account_id"] for row in sandboxes.rows("instagram_account_insights")} == {first}


def test_a_rate_limit_gives_the_slot_back(sandboxes: Sandboxes) -> None:
    """A throttled task is no failure: it asks Airflow to come back when Meta's limit has passed, and writes nothing."""
    throttle(sandboxes)
    with pytest.raises(AirflowRescheduleException) as caught:
        sandboxes.run("account", metrics=["likes"], profile_table_id=None)
    assert timedelta(minutes=1) < caught.value.reschedule_date - sandboxes.now <= timedelta(hours=2)
    assert not any(held(sandboxes).values())
    asked = len(sandboxes.graph.log)
    sandboxes.graph.faults.clear()
    sandboxes.travel(timedelta(hours=2))
    sandboxes.run("account", metrics=["likes"], profile_table_id=None)
    assert len(sandboxes.graph.log) > asked
    assert sandboxes.rows("instagram_account_insights")
