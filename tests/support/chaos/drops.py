"""Tables that somebody drops behind a run: what they held by then, the run has written and not lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.support.chaos.checks import Tables, read_tables
from tests.support.sandboxes import Sandboxes


@dataclass(frozen=True, slots=True)
class Drop:
    """Somebody changed the tables of a dataset: what they held just before, and how many jobs there had been."""

    before: Tables
    jobs: int


def note_drop(sandboxes: Sandboxes, dataset: str) -> Drop:
    """Note what the tables hold that are now dropped."""
    return Drop(read_tables(sandboxes, dataset), len(sandboxes.bigquery.jobs))


def find_written(sandboxes: Sandboxes, dataset: str, drop: Drop) -> Tables:
    """Return the rows of the tables that hold none any more, and that no job asked for or wrote after that.

    A run asks for each table that it has written, so such a run was done with it. Who drops it then could as well have
    waited for the end of the run, and no run could know.
    """
    later = [f"{job.target} {job.statement}" for job in sandboxes.bigquery.jobs[drop.jobs :]]
    held = read_tables(sandboxes, dataset)
    gone = [name for name in drop.before if not held.get(name)]
    return {name: drop.before[name] for name in gone if not any(name in each for each in later)}


def add_written(tables: Tables, written: Iterable[Tables]) -> Tables:
    """Return the rows of tables together with those that were written before they were dropped."""
    held = [tables, *written]
    names = {name for each in held for name in each}
    return {name: [row for each in held for row in each.get(name, ())] for name in names}
