"""One mutated run and the clean one after it: what was mutated, how both ended, what the tables hold and ought to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_iginsights._compat import AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.sandbox.graph import World
from tests.support.mutation.documents import Path, shape
from tests.support.mutation.mutating_graph import Exchange
from tests.support.mutation.mutations import Mutation
from tests.support.mutation.questions import Question
from tests.support.sandboxes import KEYS, NOW, Row, describe

Tables = dict[str, dict[tuple[Any, ...], Row]]


@dataclass(frozen=True, slots=True)
class Spot:
    """What is mutated: an answer, a path in it, how, and how often."""

    exchange: Exchange
    path: Path | None
    name: str
    times: int | None

    @property
    def shape(self) -> str:
        """What the spot has in common with others."""
        return "the body" if self.path is None else shape(self.path)

    def __str__(self) -> str:
        often = "each time" if self.times is None else "once"
        return f"{self.exchange.label}: {self.shape}: {self.name} ({often})"


@dataclass(slots=True)
class Ending:
    """How a run ended: what it returned or raised, the summary it left, and what it logged."""

    result: Any = None
    error: BaseException | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    warnings: tuple[str, ...] = ()
    steps: list[datetime] = field(default_factory=list)
    """When it began, and when it went on after each wait."""

    @property
    def is_named(self) -> bool:
        """Whether it ended well, waits for a limit, or failed with an error of the package."""
        return self.error is None or isinstance(self.error, InsightsError | AirflowRescheduleException | TaskDeferred)


@dataclass(slots=True)
class Scenario:
    """One mutated run and the clean one after it."""

    seed: int
    question: Question
    spot: Spot
    mutation: Mutation | None
    mutated: Ending
    clean: Ending
    world: World
    tables: dict[str, list[Row]]
    tables_after: dict[str, list[Row]]
    wanted: dict[str, Tables]
    wanted_after: dict[str, Tables]
    secrets: tuple[str, ...]
    more: tuple[tuple[Spot, Mutation | None], ...] = ()
    """What was mutated beside the first spot."""
    run_id: str = ""
    now: datetime = NOW
    allowed: set[str] = field(default_factory=set)
    """Why tables may differ from the truth: what the checks found to be the mutation's plain reading."""


def changes(scenario: Scenario) -> list[Scenario]:
    """Return the scenario once for each of its mutations, as if it were the only one."""
    others = [replace(scenario, spot=spot, mutation=mutation, more=()) for spot, mutation in scenario.more]
    return [replace(scenario, more=()), *others]


def find_owner(scenario: Scenario) -> set[str]:
    """Return the accounts that a mutated answer is about: all, where it is about none in particular."""
    return {owner for each in changes(scenario) for owner in _find_owner(each)}


def _find_owner(scenario: Scenario) -> set[str]:
    world = scenario.world
    signature = " ".join(scenario.spot.exchange.signature)
    digits = set(re.findall(r"\d{10,}", signature))
    owners = {each for each in digits if each in world.accounts}
    owners |= {
        media.account_id
        for account_id in world.accounts
        for media in [*world.media_of(account_id, world.now), *world.stories_of(account_id, world.now)]
        if media.id in digits
    }
    return owners or set(scenario.wanted)


def find_step(row: Row, ending: Ending) -> datetime:
    """Return when the step of the task began that read a row."""
    return min(ending.steps, key=lambda step: abs(row["fetched_at"] - step))


def is_at_a_step(row: Row, ending: Ending) -> bool:
    """Say whether a row was read when the task ran: Meta's clock may differ by five minutes."""
    difference: timedelta = row["fetched_at"] - find_step(row, ending)
    return abs(difference) <= timedelta(minutes=6)


def index(table: str, rows: list[Row]) -> dict[tuple[Any, ...], Row]:
    """Return rows by key, without how they came to be."""
    return {tuple(row[name] for name in KEYS[table]): describe(row) for row in rows}
