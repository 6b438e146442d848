"""Thirty tasks that write the same tables at once: plain runs, ``replace``, fan-ins and backfills beside each other."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from airflow_provider_iginsights._compat import AirflowException
from airflow_provider_iginsights.testing import set_testing
from tests.support.airflow_versions import allow_execute
from tests.support.chaos.checks import Truth, check_error, check_left, check_rows, check_whole, read_tables
from tests.support.chaos.outcomes import Outcome, Play, Violation
from tests.support.chaos.requests import drop_dataset, open_planned
from tests.support.chaos.tasks import TASKS, Step, make_steps, make_world
from tests.support.sandboxes import DAY, Sandboxes

WRITERS = 30
EARLIER_DAYS = 2
WAYS = ("merge", "merge", "merge", "replace", "replace", "fan-in", "backfill")
MOST_TRIES = 60
"""In test mode BigQuery's full queue is waited for a fraction of a second, and then the task is tried again."""


@dataclass(slots=True)
class WriterPlayer:
    """Sandboxes in which many write at once, each play into a dataset of its own."""

    sandboxes: Sandboxes
    writers: int = WRITERS
    number: int = 0

    def play(self, seed: int) -> Outcome:
        """Let the writers of a seed begin at once, and compare the tables when all have come to their end."""
        dice = random.Random(seed)
        self.number += 1
        kind, dataset = dice.choice(("account", "media")), f"written_{self.number}"
        ways = [dice.choice(WAYS) for _ in range(self.writers)]
        known = Truth(self.sandboxes.world, kind, earlier_days=EARLIER_DAYS if "backfill" in ways else 0)
        known.instants.append(self.sandboxes.now)
        known.run_ids.update(f"run_{number}" for number in range(self.writers))
        violations: list[Violation] = []
        tries = 0
        writers = [self._prepare(kind, way, number, dataset) for number, way in enumerate(ways)]
        with ThreadPoolExecutor(len(writers), initializer=allow_execute) as pool:
            for used, found in pool.map(_write, writers):
                tries += used
                violations += found
        tables = read_tables(self.sandboxes, dataset)
        violations += [
            *check_rows(tables, known),
            *check_whole(tables, known, {}),
            *check_left(self.sandboxes, dataset),
        ]
        drop_dataset(self.sandboxes, dataset)
        self.sandboxes.graph.clear_log()
        self.sandboxes.bigquery.log.clear()
        return Outcome(
            part="writers",
            seed=seed,
            what=f"{kind}: " + ", ".join(f"{count} {way}" for way, count in Counter(ways).items()),
            ending="exact" if not violations else "wrong",
            violations=tuple(violations),
            counts={"writers": len(writers), "tries": tries},
        )

    def _prepare(self, kind: str, way: str, number: int, dataset: str) -> Step:
        """Return the task that writes; where others stage for it, they have done so before."""
        task = TASKS[{"replace": f"{kind}, replaced", "fan-in": f"{kind}, staged"}.get(way, kind)]
        accounts = list(self.sandboxes.world.accounts)
        *staging, writer = make_steps(task, accounts, dataset=dataset, run_id=f"run_{number}")
        for step in staging:
            step.make().execute(step.context)
        if way == "backfill":
            writer.shift = -EARLIER_DAYS * DAY
        return writer


def _write(writer: Step) -> tuple[int, list[Violation]]:
    """Try until it is written; return the number of tries, and what did not hold."""
    for number in range(1, 1 + MOST_TRIES):
        try:
            writer.make().execute(writer.context)
        except Exception as error:
            if found := list(check_error(error, passes=(AirflowException,))):
                return number, found
            last = error
            writer.instance.try_number += 1
        else:
            return number, []
    return MOST_TRIES, [Violation(f"never came to its end: {type(last).__name__}", str(last)[:300])]


@contextmanager
def open_writers(writers: int = WRITERS) -> Iterator[Play]:
    """Serve the world of the writers; no wait takes long."""
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_planned(make_world()))
        stack.enter_context(set_testing())
        yield WriterPlayer(sandboxes, writers).play
