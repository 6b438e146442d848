"""200 nights in a row with random faults of every kind, in one process: exact tables, and nothing left behind.

``python -m benchmarks.soak`` prints a line per season, then the verdict; its exit code is 0 if the tables of every
season were the truth, no thread, socket or file was left, and memory after the last night is within ten percent of that
after night 20. It plays what ``tests/support/soak.py`` describes; both sandboxes live in the same process.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter


def main() -> int:
    """Play the nights; return 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--season", type=int, default=5, help="nights until the tables are compared")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
        logging.disable(logging.CRITICAL)
        from tests.support.soak import Footprint, play  # after AIRFLOW_HOME is set: it imports Airflow

        footprints, errors, tries, refused = [], Counter[str](), 0, 0
        for number in range(given.nights // given.season):
            started = time.perf_counter()
            season = play(given.seed + number, given.season)
            errors.update(season.errors)
            tries += season.tries
            refused += season.refused
            footprints.append(Footprint.now())
            held, seconds = footprints[-1], time.perf_counter() - started
            print(
                f"nights {(number + 1) * given.season:4}: exact; {season.tries} tries in {seconds:.0f} s;"
                f" {held.megabytes:.0f} MB, {len(held.threads)} threads, {len(held.files)} files",
                flush=True,
            )
    first, last = footprints[min(20 // given.season, len(footprints)) - 1], footprints[-1]
    growth = last.megabytes / first.megabytes - 1
    print(
        f"{refused} requests came to nothing; {tries} tries for {3 * given.nights} tasks: {dict(errors.most_common())}"
    )
    print(f"memory {growth:+.1%} since night 20")
    leaks = Counter(last.threads + last.files) - Counter(first.threads + first.files)
    print(f"left behind: {dict(leaks) or 'nothing'}")
    return int(growth > 0.1 or bool(leaks))


if __name__ == "__main__":
    sys.exit(main())
