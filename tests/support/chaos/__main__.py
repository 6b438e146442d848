"""Everything goes wrong, for minutes on end: ``make chaos MINUTES=10 [SEED=1] [PART=scripts] [COUNT=1] [STATE=file]``.

Parts take turns, each through its own seeds from SEED on. With ``STATE=file`` every play is noted there, and the next
call goes on where this one stopped; ``PART=scripts SEED=42 COUNT=1`` repeats one play. Prints the numbers reached, and
each violation with the seed that repeats it; ``REPORT=file`` gets them as Markdown. After a violation of this call the
exit code is 1.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.chaos.outcomes import Outcome, Part, State


def main() -> int:
    """Play; return 1 after a violation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, help="so many plays of each part, however long they take")
    parser.add_argument("--part", help="only these parts, with commas between them")
    parser.add_argument("--state", type=Path, help="note each play in this file, and go on from it")
    parser.add_argument("--report", type=Path, help="write the numbers and the violations into this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        }
        from tests.support.chaos.parts import choose_parts  # after AIRFLOW_HOME is set: it imports Airflow

        try:
            parts = choose_parts(given.part)
        except ValueError as error:
            parser.error(str(error))
        return play(given, parts)


def play(given: argparse.Namespace, parts: Sequence[Part]) -> int:
    """Play the chosen parts in turns until time or count is over."""
    from tests.support.chaos.outcomes import State, describe
    from tests.support.chaos.parts import ON_REQUEST, PARTS

    _silence()
    seed = random.SystemRandom().randrange(10**6, 10**7) if given.seed is None else given.seed
    print(f"from seed {seed} on", flush=True)
    state, ends = State(given.state), time.monotonic() + given.minutes * 60
    before = len(state.outcomes)
    played: dict[str, int] = dict.fromkeys((part.name for part in parts), 0)
    while parts:
        for part in parts:
            for outcome in play_batch(part, state, start=seed, count=given.count, played=played, ends=ends):
                state.add(outcome)
                print("\n".join(outcome.tell()), end="\n" if outcome.violations else "", flush=True)
        if given.count is not None:
            parts = [part for part in parts if played[part.name] < given.count]
        elif time.monotonic() > ends:
            break
    print(report := describe(state.outcomes, (*PARTS, *ON_REQUEST)))
    print(f"go on with SEED={seed} and the same STATE" if given.state else f"repeat with SEED={seed}")
    if given.report:
        given.report.write_text(report, "utf-8")
    return int(any(outcome.violations for outcome in state.outcomes[before:]))


def play_batch(
    part: Part, state: State, *, start: int, count: int | None, played: dict[str, int], ends: float
) -> Iterator[Outcome]:
    """Play the next seeds of a part that ``state`` does not have; whoever takes an outcome adds it there.

    :param played: how often each part was played by this call.
    :param count: how often it may be; None = until ``ends``, by ``time.monotonic()``.
    """
    with part.open() as play_one:
        for _ in range(part.batch):
            if (count is None and time.monotonic() > ends) or (count is not None and played[part.name] >= count):
                return
            played[part.name] += 1
            yield play_one(state.find_next(part.name, start=start))


def _silence() -> None:
    """Let nothing be logged: the runs are many, and what they log is looked at where a part checks it."""
    with contextlib.suppress(ImportError):  # Airflow 2 logs without it
        import structlog

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


if __name__ == "__main__":
    sys.exit(main())
