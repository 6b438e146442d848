"""Workers that lack something: a disk that is full, few file descriptors; then a retry on a worker that has enough."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from airflow_provider_iginsights.sandbox.graph import World
from tests.support.chaos.children import Result, Try, end_try, open_disks, play_steps, start_try
from tests.support.chaos.kills import TASKS_TO_KILL
from tests.support.chaos.outcomes import Outcome, Play, Violation
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
        errors: list[str] = []

        def run(work: Try) -> Result:
            poor = replace(work, limits=limits if work.number == 1 else {})
            return end_try(*start_try(self.sandboxes, poor, self.disks))

        def judge(result: Result) -> Iterator[Violation]:
            errors.append((result.error or "killed").partition(":")[0])
            if not result.is_named or result.error is None:
                yield Violation(f"unnamed: {errors[-1]}", str(result.error))

        first = Try(task=task, account_ids=tuple(self.sandboxes.world.accounts), dataset=f"limited_{self.number}")
        violations = tuple(play_steps(self.sandboxes, first, run=run, judge=judge, most_tries=2))
        return Outcome(
            part="limits",
            seed=seed,
            what=f"{task} with {limits}",
            ending=", ".join(dict.fromkeys(errors)) or "well at once",
            violations=violations,
            counts=dict.fromkeys(limits, 1),
        )


@contextmanager
def open_limits() -> Iterator[Play]:
    """Serve twelve accounts, which are read by as many threads as a connection may ask for."""
    world = World.build(now=NOW, accounts=ACCOUNTS, media_per_account=3, stories_per_account=1)
    with open_disks(world) as (sandboxes, disks):
        sandboxes.connect(extra={"max_workers": 16})
        yield LimitPlayer(sandboxes, disks).play
