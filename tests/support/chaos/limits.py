"""Workers that lack something: a disk that is full, few file descriptors; then a retry on a worker that has enough."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_iginsights.sandbox.graph import World
from tests.support.chaos.checks import Truth, check_left, check_rows, check_runs, check_whole, read_tables
from tests.support.chaos.children import Try, read_result, start_try
from tests.support.chaos.kills import TASKS_TO_KILL
from tests.support.chaos.outcomes import Outcome, Play, Violation
from tests.support.chaos.requests import open_planned
from tests.support.chaos.tasks import TASKS, make_steps
from tests.support.sandboxes import NOW, Sandboxes

ACCOUNTS = 12
FILES = 64
LARGEST_FILE = 80_000
"""Bytes: the rows of some tables of the twelve accounts fit, those of others do not."""


def draw_limits(dice: random.Random) -> dict[str, int]:
    """Return what a process may have: few descriptors, or files that end as on a disk that is full."""
    return dice.choice(({"RLIMIT_NOFILE": FILES}, {"RLIMIT_FSIZE": dice.randrange(LARGEST_FILE)}))


@dataclass(slots=True)
class LimitPlayer:
    """Sandboxes for tasks on poor workers, each in a dataset of its own."""

    sandboxes: Sandboxes
    disks: Path
    number: int = 0

    def play(self, seed: int) -> Outcome:
        """Run the task of a seed on a poor worker, then once more on a good one."""
        dice = random.Random(seed)
        task, limits = dice.choice(TASKS_TO_KILL), draw_limits(dice)
        self.number += 1
        accounts = tuple(self.sandboxes.world.accounts)
        dataset, known = f"limited_{self.number}", Truth(self.sandboxes.world, TASKS[task].kind)
        staged: list[Any] = []
        violations: list[Violation] = []
        errors = []
        for step in range(len(make_steps(TASKS[task], accounts, dataset="", run_id=""))):
            for number, each in enumerate((limits, {}), 1):
                known.instants.append(self.sandboxes.now)
                work = Try(
                    task=task,
                    step=step,
                    account_ids=accounts,
                    dataset=dataset,
                    number=number,
                    staged=tuple(staged),
                    limits=each,
                )
                process, out = start_try(self.sandboxes, work, self.disks)
                process.join()
                result = read_result(out)
                violations += check_rows(read_tables(self.sandboxes, dataset), known)
                if result.is_done:
                    staged.append(result.staged)
                    break
                errors.append((result.error or "killed").partition(":")[0])
                if not result.is_named or result.error is None:
                    violations.append(Violation(f"unnamed: {errors[-1]}", str(result.error)))
            else:
                violations.append(Violation("a good worker failed", str(result.error)))
        tables = read_tables(self.sandboxes, dataset)
        violations += [*check_whole(tables, known, {}), *check_left(self.sandboxes, dataset)]
        violations += check_runs(self.sandboxes, dataset, known)
        with self.sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
            client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)
        return Outcome(
            part="limits",
            seed=seed,
            what=f"{task} with {limits}",
            ending=", ".join(dict.fromkeys(errors)) or "well at once",
            violations=tuple(violations),
            counts=dict.fromkeys(limits, 1),
        )


@contextmanager
def open_limits() -> Iterator[Play]:
    """Serve twelve accounts, which are read by as many threads as a connection may ask for."""
    world = World.build(now=NOW, accounts=ACCOUNTS, media_per_account=3, stories_per_account=1)
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_planned(world))
        sandboxes.connect(extra={"max_workers": 16})
        disks = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-disks-")))
        yield LimitPlayer(sandboxes, disks).play
