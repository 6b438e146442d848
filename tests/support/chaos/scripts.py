"""Fault scripts: what goes wrong at Meta, in BigQuery and on the worker, at which request and for how long."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from airflow_provider_iginsights.sandbox.bigquery.faults import Effect as BigQueryEffect
from airflow_provider_iginsights.sandbox.graph import (
    DropAfterHeaders,
    DropConnection,
    ErrorEffect,
    HtmlBody,
    NoUsageHeaders,
    NullItem,
    ReduceData,
    Slow,
    TruncatedBody,
)
from airflow_provider_iginsights.sandbox.graph.effects import Effect as GraphEffect
from tests.support.chaos.tasks import TASKS

Room = Literal["graph", "bigquery"]
Position = Literal["first", "middle", "last"]
ROOMS: tuple[Room, ...] = get_args(Room)
POSITIONS: tuple[Position, ...] = get_args(Position)
SHARE: Mapping[Position, float] = {"first": 0.0, "middle": 0.5, "last": 1.0}

READ_TIMEOUT = 1
GRAPH_EFFECTS: Mapping[str, GraphEffect] = {
    "timeout": Slow(READ_TIMEOUT + 0.3),
    "reset": DropConnection(),
    "reset after the headers": DropAfterHeaders(),
    "cut JSON": TruncatedBody(),
    "500 html": HtmlBody(500),
    "502 html": HtmlBody(502),
    "null item": NullItem(),
    "no usage headers": NoUsageHeaders(),
    "reduce the amount of data": ReduceData(2),
    "code 1": ErrorEffect(1, http=500, message="An unknown error has occurred."),
    "code 2": ErrorEffect(2, http=500, message="Service temporarily unavailable", is_transient=True),
    "code 4": ErrorEffect(4, http=403, message="(#4) Application request limit reached", is_transient=True),
    "code 10": ErrorEffect(10, http=403, message="(#10) Application does not have permission for this action"),
    "code 17": ErrorEffect(17, message="(#17) User request limit reached"),
    "code 32": ErrorEffect(32, message="(#32) Page request limit reached"),
    "code 100": ErrorEffect(100, message="(#100) Invalid parameter"),
    "code 190": ErrorEffect(190, message="Error validating access token: The session was invalidated"),
    "code 613": ErrorEffect(613, message="(#613) Calls to this api have exceeded the rate limit."),
    "code 80002": ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account"),
}
REFUSALS: tuple[BigQueryEffect, ...] = (
    "accessDenied",
    "answerLost",
    "badGateway",
    "internalError",
    "quotaExceeded",
    "rateLimitExceeded",
    "serviceUnavailable",
    "tooManyRequests",
)
JOB_ENDINGS: tuple[BigQueryEffect, ...] = ("backendError", "jobBackendError", "jobInternalError", "slowJob")
TABLE_CHANGES = (
    "target vanishes",
    "staging vanishes",
    "dataset vanishes",
    "dataset lets tables expire",
    "a column is added",
    "a column changes its type",
)
JOB_COMES_TWICE = "a job comes twice"
LIMIT_USED_UP = "limit used up"
CLOCK_JUMPS = "the worker's clock jumps"
SIGNALS = ("execution_timeout", "SIGTERM")
LONGEST_SKEW = timedelta(hours=24)
FOR_EVER = 1000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``times``: at how many requests from that position on; effects alone repeat."""

    room: Room
    effect: str
    position: Position
    times: int = 1

    def __str__(self) -> str:
        often = "" if self.times == 1 else " for ever" if self.times == FOR_EVER else f" x{self.times}"
        return f"{self.effect}{often} at {self.room}'s {self.position} request"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultScript:
    """What goes wrong in one run of a task.

    :param task: a name of ``TASKS``; ``step`` chooses the task instance of it that is hit (modulo their number).
    :param tries: so many tries are hit; the next one is not.
    :param retries: those of the task; in a task without any, each try is its last.
    :param is_repeated: the tables hold the rows of an earlier run already.
    :param keeps_log: whether the tables about runs are written, too.
    :param skew: by how much the worker's clock jumps, where a fault says so.
    """

    seed: int
    task: str
    step: int
    faults: tuple[Fault, ...]
    tries: int
    retries: int
    is_repeated: bool
    keeps_log: bool
    skew: timedelta

    def __str__(self) -> str:
        said = [f"{self.task}, step {self.step}, {self.tries} tries of {1 + self.retries} hit", *map(str, self.faults)]
        said += ["on top of an earlier run"] if self.is_repeated else []
        return "; ".join([*said, *(["with tables about runs"] if self.keeps_log else [])])


def draw_script(seed: int) -> FaultScript:
    """Return the script of a seed."""
    dice = random.Random(seed)
    task = dice.choice(list(TASKS))
    rooms: tuple[Room, ...] = ROOMS if TASKS[task].kind != "list" else ("graph",)
    faults = [_draw_fault(dice, room) for room in rooms for _ in range(dice.choice((0, 1, 1, 2)))]
    if dice.random() < 0.3 or not faults:
        faults.append(Fault(dice.choice(rooms), dice.choice(SIGNALS), dice.choice(POSITIONS)))
    if dice.random() < 0.2:
        faults.append(Fault(dice.choice(rooms), CLOCK_JUMPS, dice.choice(POSITIONS)))
    if dice.random() < 0.2 and TASKS[task].kind != "list":
        faults.append(Fault(dice.choice(rooms), dice.choice(TABLE_CHANGES), dice.choice(POSITIONS)))
    return FaultScript(
        seed=seed,
        task=task,
        step=dice.randrange(3),
        faults=tuple(faults),
        tries=dice.choice((1, 1, 2)),
        retries=dice.choice((0, 3)),
        is_repeated=dice.random() < 0.3,
        keeps_log=dice.random() < 0.4,
        skew=timedelta(seconds=dice.uniform(-1, 1) * LONGEST_SKEW.total_seconds()),
    )


def _draw_fault(dice: random.Random, room: Room) -> Fault:
    effects = (
        (*GRAPH_EFFECTS, LIMIT_USED_UP) if room == "graph" else (*REFUSALS, *JOB_ENDINGS, *JOB_ENDINGS, JOB_COMES_TWICE)
    )
    effect, position, times = dice.choice(effects), dice.choice(POSITIONS), dice.choice((1, 1, 3, FOR_EVER))
    return Fault(room, effect, position, 1 if effect in ("timeout", "slowJob") else times)
