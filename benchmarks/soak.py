"""365 nights with random faults of every kind in one process: exact tables, and nothing left behind.

The nights are played five at a time: each five, a season, in a world and in tables of their own, which are compared
with the truth after the fifth. ``make soak`` prints a line per season, then the verdict; its exit code is 0 if the
tables of every season were the truth, the table of runs lacks at most one percent of the runs of accounts, no thread,
socket, file or staging table was left, and memory after the last night is within five percent of that after night 30.
It plays what ``tests/support/soak.py`` describes; both sandboxes live in the same process.
"""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SETTLED = 30
"""The night after which memory is not to grow: by then the caches are filled."""
GROWTH = 0.05
UNTOLD = 0.01
"""Of the runs of accounts, so many may lack in the table of runs: BigQuery refused them, and their tasks went on."""

_M_ARENA_MAX = -8  # malloc.h


def main() -> int:
    """Play the nights; return 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--season", type=int, default=5, help="nights until the tables are compared")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.season > SETTLED or given.nights - given.nights % given.season <= SETTLED:
        parser.error(
            f"memory is compared with that after night {SETTLED}: play more nights, in seasons of at most that"
        )
    _use_one_arena()
    with tempfile.TemporaryDirectory(prefix="soak-") as home, tempfile.TemporaryDirectory() as spool:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
        tempfile.tempdir = spool
        logging.disable(logging.CRITICAL)
        from tests.support.soak import TASKS_PER_NIGHT, Footprint, play  # after AIRFLOW_HOME is set: it imports Airflow

        footprints, errors, tries, refused, untold, runs = [], Counter[str](), 0, 0, 0, 0
        for number in range(given.nights // given.season):
            started = time.perf_counter()
            season = play(given.seed + number, given.season)
            errors.update(season.errors)
            tries += season.tries
            refused += season.refused
            untold += season.untold
            runs += len(season.runs)
            footprints.append(Footprint.now())
            held, seconds = footprints[-1], time.perf_counter() - started
            print(
                f"nights {(number + 1) * given.season:4}: exact; {season.tries} tries in {seconds:.0f} s;"
                f" {held.megabytes:.1f} MB, {len(held.threads)} threads, {len(held.files)} files",
                flush=True,
            )
        spooled = [each.name for each in Path(spool).iterdir()]
    settled = SETTLED // given.season
    first, last = footprints[settled - 1], footprints[-1]
    growth = last.megabytes / first.megabytes - 1
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; {refused} requests came to nothing")
    print(f"{untold} of {runs} runs of accounts are not in the table of runs")
    tasks = TASKS_PER_NIGHT * given.season * len(footprints)
    print(f"{tries} tries for {tasks} tasks: {dict(errors.most_common())}")
    sizes = f"{first.megabytes:.1f} MB after night {settled * given.season}, {last.megabytes:.1f} MB at the end"
    print(f"memory {sizes}: {growth:+.1%}")
    left = [*(Counter(last.threads + last.files) - Counter(first.threads + first.files)), *spooled]
    print(f"left behind: {left or 'nothing'}")
    return int(not is_well(growth=growth, untold=untold / runs, left=left))


def _use_one_arena() -> None:
    """Let the C library keep one pool of memory: with one for each thread, holes between them look like growth."""
    with suppress(AttributeError, OSError):  # glibc alone has it
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def is_well(*, growth: float, untold: float, left: Sequence[str]) -> bool:
    """Return whether the nights passed.

    :param growth: of memory, as a part of what it was.
    :param untold: which part of the runs of accounts the table of runs lacks.
    :param left: threads, sockets and files that are left.
    """
    return growth <= GROWTH and untold <= UNTOLD and not left


if __name__ == "__main__":
    sys.exit(main())
