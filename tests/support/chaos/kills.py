"""Kills of whole tasks: SIGKILL at a random request, once or twice, in real processes; then retries to the end."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.chaos.arming import disarm
from tests.support.chaos.children import Result, Try, count_steps, end_try, open_disks, play_steps, start_try
from tests.support.chaos.outcomes import Outcome, Play, Violation
from tests.support.chaos.requests import AtRequest, drop_dataset
from tests.support.chaos.scripts import ROOMS, Room
from tests.support.chaos.tasks import TASKS, make_world
from tests.support.sandboxes import Sandboxes

TASKS_TO_KILL = [name for name, task in TASKS.items() if task.kind != "list" and "deferrable" not in task.arguments]
MOST_TRIES = 4
LONGEST_DELAY = 0.02
"""Seconds after the request: also what happens between two requests is to be interrupted."""


@dataclass(frozen=True, slots=True)
class Kill:
    """When a process dies: so many seconds after a request, told as a share of those that a whole try makes."""

    room: Room
    share: float
    delay: float


def draw_kills(dice: random.Random) -> list[Kill]:
    """Return one or two kills."""
    return [
        Kill(dice.choice(ROOMS), dice.random(), dice.choice((0.0, dice.random() * LONGEST_DELAY)))
        for _ in range(dice.choice((1, 1, 2)))
    ]


@dataclass(slots=True)
class KillPlayer:
    """Sandboxes in which tasks are killed, each in a dataset of its own; ``usual`` counts the requests of a try."""

    sandboxes: Sandboxes
    disks: Path
    usual: dict[tuple[str, int, str], int] = field(default_factory=dict)
    number: int = 0

    def play(self, seed: int) -> Outcome:
        """Kill the task of a seed."""
        dice = random.Random(seed)
        task = dice.choice(TASKS_TO_KILL)
        accounts = tuple(self.sandboxes.world.accounts)
        hit, kills = dice.randrange(count_steps(task, accounts)), draw_kills(dice)
        self.number += 1
        left, killed = list(kills), 0

        def run(work: Try) -> Result:
            return self._run(work, left.pop(0) if left and work.step == hit else None)

        def judge(result: Result) -> Iterator[Violation]:
            nonlocal killed
            if result.error is not None:
                yield Violation("a try failed that nothing disturbed", result.error)
            elif result.exit_code != -signal.SIGKILL:
                yield Violation("a process ended by itself", f"exit code {result.exit_code}")
            else:
                killed += 1

        first = Try(task=task, account_ids=accounts, dataset=f"killed_{self.number}")
        violations = tuple(play_steps(self.sandboxes, first, run=run, judge=judge, most_tries=MOST_TRIES))
        said = ", ".join(f"{each.room} {each.share:.0%} +{each.delay * 1000:.0f} ms" for each in kills)
        return Outcome(
            part="kills",
            seed=seed,
            what=f"{task}, step {hit}, killed at {said}",
            ending="exact" if not violations else "wrong",
            violations=violations,
            counts={"kills": killed},
        )

    def _run(self, work: Try, kill: Kill | None) -> Result:
        disarm(self.sandboxes)
        if kill and (work.task, work.step, kill.room) not in self.usual:
            self._measure(work)
        process, out = start_try(self.sandboxes, work, self.disks)
        if kill:
            index = int(kill.share * self.usual[work.task, work.step, kill.room])

            def end() -> None:
                threading.Timer(kill.delay, process.kill).start()

            room: Any = getattr(self.sandboxes, kill.room)
            room.middleware.plan(AtRequest(index, end))
        result = end_try(process, out)
        disarm(self.sandboxes)
        return result

    def _measure(self, work: Try) -> None:
        """Count the requests of a try that nobody kills, in a dataset of its own."""
        whole = replace(work, dataset=f"{work.dataset}_whole")
        self.sandboxes.graph.clear_log()
        self.sandboxes.bigquery.log.clear()
        end_try(*start_try(self.sandboxes, whole, self.disks))
        self.usual[work.task, work.step, "graph"] = len(self.sandboxes.graph.log)
        self.usual[work.task, work.step, "bigquery"] = len(self.sandboxes.bigquery.log)
        drop_dataset(self.sandboxes, whole.dataset)


@contextmanager
def open_kills() -> Iterator[Play]:
    """Serve the world of the tasks that are killed."""
    with open_disks(make_world()) as (sandboxes, disks):
        yield KillPlayer(sandboxes, disks).play
