"""Mutated answers for minutes on end: ``make chaos MINUTES=10 [SEED=1] [COUNT=1]``.

Plays scenario after scenario from a printed seed, each with the next number as its own seed, so that ``SEED=`` goes on
where another run stopped, and ``SEED=... COUNT=1`` repeats one. Prints counts, each violation with its seed and
spots, and with ``--report FILE`` all of them grouped. The exit code is 1 if anything did not hold.

What a number stands for: below a million format 2, a choice among the first 14 questions, and up to three spots in a
scenario; from a million on format 3, the same choice among all questions, also those of tasks that wait. In format 1, a
number chose among the first eight questions, and one spot.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

PER_RUNNER = 200  # scenarios until both sandboxes are started anew: they remember every job


def main() -> int:
    """Play; return 1 after a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, help="at most so many scenarios, however long they take")
    parser.add_argument("--question", help="only this one")
    parser.add_argument("--report", type=Path, help="write the violations, grouped, into this file")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6, 10**7) if given.seed is None else given.seed
    print(f"from seed {seed} on", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        }
        return play(given, seed)


def play(given: argparse.Namespace, seed: int) -> int:
    """Play scenarios until time or count is over."""
    from tests.support.mutation.invariants import check
    from tests.support.mutation.report import Report
    from tests.support.mutation.scenarios import open_runner  # after AIRFLOW_HOME is set: it imports Airflow

    with contextlib.suppress(ImportError):  # Airflow 2 logs without it
        import structlog

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report, started, played = Report(), time.perf_counter(), 0

    def is_over() -> bool:
        if given.count is not None:
            return bool(played >= given.count)
        return bool(time.perf_counter() - started > given.minutes * 60)

    while not is_over():
        with open_runner() as runner:
            for _ in range(PER_RUNNER):
                if is_over():
                    break
                scenario = runner.run(seed + played, given.question)
                for line in report.add(scenario, check(scenario)):
                    print(line, flush=True)
                played += 1
            if played % 1000 < PER_RUNNER:
                print(f"{played} scenarios, {report.violated} with violations", flush=True)
    took = time.perf_counter() - started
    print(f"{played} scenarios in {took:.0f} s, {report.violated} with violations; go on with SEED={seed + played}")
    print(f"how the mutated runs ended: {dict(Counter(report.endings).most_common())}")
    if given.report:
        given.report.write_text(report.describe(), "utf-8")
    return int(report.violated > 0)


if __name__ == "__main__":
    sys.exit(main())
