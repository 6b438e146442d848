"""The trigger that waits: it fires at its instant, in Airflow's own trigger runner, after a restart, and quietly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock, call

import pytest
import time_machine

from airflow_provider_iginsights._compat import BaseTrigger
from airflow_provider_iginsights.task import wait_trigger
from airflow_provider_iginsights.task.wait_trigger import WaitTrigger

NOW = datetime(2026, 11, 27, 18, 0, 30, tzinfo=UTC)


class Sleeper:
    """Makes time pass where the trigger sleeps; after so many sleeps the triggerer is stopped."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self.traveller = traveller
        self.slept: list[float] = []
        self.stops_after: int | None = None

    async def sleep(self, seconds: float) -> None:
        """Let the seconds be over."""
        if len(self.slept) == self.stops_after:
            raise asyncio.CancelledError
        self.slept.append(seconds)
        self.traveller.shift(seconds)


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sleeper]:
    """Stop the clock, and let only the trigger's sleep move it."""
    with time_machine.travel(NOW, tick=False) as traveller:
        made = Sleeper(traveller)
        monkeypatch.setattr(wait_trigger, "sleep", made.sleep)
        yield made


def run_in_triggerer(path: str, arguments: dict[str, Any]) -> list[Any]:
    """Let Airflow's trigger runner load and run what the database holds of a trigger; return its events."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.models.trigger import Trigger

    stored = Trigger(classpath=path, kwargs=arguments)
    runner = TriggerRunner()
    trigger = runner.get_trigger_by_classpath(stored.classpath)(**stored.kwargs)
    runner.triggers[1] = {"name": "one", "events": 0}
    asyncio.run(runner.run_trigger(1, trigger))
    return [entry[1] for entry in runner.events]


def test_the_path_says_when() -> None:
    """What Airflow shows of a deferred task ends in the minute by which it is back; every such path is one class."""
    paths = {}
    for seconds in (0, 0.25, 29, 30):
        moment = NOW + timedelta(minutes=5, seconds=seconds)
        path, arguments = WaitTrigger(moment).serialize()
        paths[seconds] = path.rpartition(".")[2]
        assert json.loads(json.dumps(arguments)) == arguments == {"moment": moment.isoformat()}
        assert WaitTrigger(**arguments).moment == moment
    assert paths == dict.fromkeys(paths, "until_2026_11_27T18_06Z")
    assert getattr(wait_trigger, paths[0]) is WaitTrigger
    assert issubclass(WaitTrigger, BaseTrigger)
    assert not hasattr(wait_trigger, "unto")


def test_comes_back_at_the_instant_after_a_restart(sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A triggerer that dies in the midst loses nothing: the next one waits for the rest. Each writes one line."""
    moment = NOW + timedelta(hours=2, seconds=7)
    stored = WaitTrigger(moment).serialize()
    log = Mock()
    monkeypatch.setattr(WaitTrigger, "log", log)
    sleeper.stops_after = 3
    with pytest.raises(
        (asyncio.CancelledError, AttributeError)
    ):  # Airflow 2.11 asks the cancelled trigger for its task
        run_in_triggerer(*stored)
    sleeper.stops_after = None
    (event,) = run_in_triggerer(*stored)
    assert event.payload == moment.isoformat()
    assert datetime.now(UTC) == moment
    assert sum(sleeper.slept) == (moment - NOW).total_seconds()
    assert log.mock_calls == [call.info("The task waits until %s.", "2026-11-27T20:00:37+00:00")] * 2


def test_an_instant_that_has_passed_is_now(sleeper: Sleeper) -> None:
    """A triggerer that was down for longer than the wait lets the task go on at once."""
    (event,) = run_in_triggerer(*WaitTrigger(NOW - timedelta(hours=1)).serialize())
    assert event.payload
    assert sleeper.slept == []


def test_a_clock_that_is_set_is_noticed(sleeper: Sleeper) -> None:
    """The clock is looked at every minute: where it jumps over the instant, the task goes on."""
    trigger = WaitTrigger(NOW + timedelta(hours=2))

    async def wait() -> list[Any]:
        sleeper.traveller.shift(timedelta(hours=1, minutes=59, seconds=30))
        return [event async for event in trigger.run()]

    assert len(asyncio.run(wait())) == 1
    assert sleeper.slept == [30.0]
