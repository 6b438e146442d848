"""Kills of whole tasks: SIGKILL at a random request, once or twice, in real processes; then retries to the end."""

from __future__ import annotations

import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.chaos.arming import disarm
from tests.support.chaos.checks import Truth, check_left, check_rows, check_runs, check_whole, read_tables
from tests.support.chaos.children import Result, Try, read_result, start_try
from tests.support.chaos.outcomes import Outcome, Play, Violation
from tests.support.chaos.requests import AtRequest, open_planned
from tests.support.chaos.scripts import ROOMS, Room
from tests.support.chaos.tasks import TASKS, make_steps, make_world
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
        accounts = list(self.sandboxes.world.accounts)
        steps = len(make_steps(TASKS[task], accounts, dataset="", run_id=""))
        hit, kills = dice.randrange(steps), draw_kills(dice)
        self.number += 1
        dataset, known = f"killed_{self.number}", Truth(self.sandboxes.world, TASKS[task].kind)
        staged: list[Any] = []
        killed = 0
        violations: list[Violation] = []
        for step in range(steps):
            left = list(kills) if step == hit else []
            for number in range(1, 1 + MOST_TRIES):
                known.instants.append(self.sandboxes.now)
                work = Try(
                    task=task,
                    step=step,
                    account_ids=tuple(accounts),
                    dataset=dataset,
                    number=number,
                    staged=tuple(staged),
                )
                kill = left.pop(0) if left else None
                result = self._run(work, kill)
                violations += check_rows(read_tables(self.sandboxes, dataset), known)
                if result.is_done:
                    staged.append(result.staged)
                    break
                killed += result.error is None
                if result.error is not None:
                    violations.append(Violation("a try failed that nothing disturbed", result.error))
            else:
                violations.append(Violation("never came to its end"))
        violations += check_whole(read_tables(self.sandboxes, dataset), known, {})
        violations += check_left(self.sandboxes, dataset)
        violations += check_runs(self.sandboxes, dataset, known)
        with self.sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)
        said = ", ".join(f"{each.room} {each.share:.0%} +{each.delay * 1000:.0f} ms" for each in kills)
        return Outcome(
            part="kills",
            seed=seed,
            what=f"{task}, step {hit}, killed at {said}",
            ending="exact" if not violations else "wrong",
            violations=tuple(violations),
            counts={"kills": killed},
        )

    def _run(self, work: Try, kill: Kill | None) -> Result:
        disarm(self.sandboxes)
        key = (work.task, work.step)
        if kill and (*key, kill.room) not in self.usual:
            self._measure(work)
        process, out = start_try(self.sandboxes, work, self.disks)
        if kill:
            index = int(kill.share * self.usual[*key, kill.room])

            def end() -> None:
                threading.Timer(kill.delay, process.kill).start()

            room: Any = getattr(self.sandboxes, kill.room)
            room.middleware.plan(AtRequest(index, end))
        process.join()
        disarm(self.sandboxes)
        return read_result(out)

    def _measure(self, work: Try) -> None:
        """Count the requests of a try that nobody kills, in a dataset of its own."""
        whole = Try(**{name: getattr(work, name) for name in Try.__slots__} | {"dataset": f"{work.dataset}_whole"})
        self.sandboxes.graph.clear_log()
        self.sandboxes.bigquery.log.clear()
        process, _ = start_try(self.sandboxes, whole, self.disks)
        process.join()
        self.usual[work.task, work.step, "graph"] = len(self.sandboxes.graph.log)
        self.usual[work.task, work.step, "bigquery"] = len(self.sandboxes.bigquery.log)
        with self.sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.delete_dataset(whole.dataset, delete_contents=True, not_found_ok=True)


@contextmanager
def open_kills() -> Iterator[Play]:
    """Serve the world of the tasks that are killed."""
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_planned(make_world()))
        disks = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-disks-")))
        yield KillPlayer(sandboxes, disks).play
