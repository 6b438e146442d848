"""Everything goes wrong, for minutes on end: ``make chaos MINUTES=10 [SEED=1] [PART=scripts] [COUNT=1] [STATE=file]``.

Parts take turns, each through its own seeds from SEED on. With ``STATE=file`` every play is noted there, and the next
call goes on where this one stopped; ``PART=scripts SEED=42 COUNT=1`` repeats one play. Prints the numbers reached, and
each violation with the seed that repeats it; ``REPORT=file`` gets them as Markdown. After a violation of this call the
exit code is 1; 2 = what was given is wrong, or a part is not installed; 130 = it was stopped by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.chaos.outcomes import Outcome, Part, State

WRONG, STOPPED = 2, 130
"""Exit codes beside 0 and 1."""


def main() -> int:
    """Play; return the exit code."""
    parser = make_parser()
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        }
        from tests.support.chaos.outcomes import State  # after AIRFLOW_HOME is set: Airflow is imported with them
        from tests.support.chaos.parts import choose_parts

        try:
            parts = choose_parts(given.part)
            if given.report:
                given.report.open("a").close()
            state = State(given.state)
        except (ValueError, OSError) as error:
            parser.error(str(error))
        _silence()
        return play(given, parts, state)


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line, which speaks of make's variables."""
    parser = argparse.ArgumentParser(
        prog="make chaos",
        usage="make chaos [MINUTES=10] [PART=scripts] [SEED=1] [COUNT=1] [STATE=file] [REPORT=file]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=read_minutes, default=1.0)
    parser.add_argument("--seed", type=partial(read_number, least=0))
    parser.add_argument(
        "--count", type=partial(read_number, least=1), help="so many plays of each part, however long they take"
    )
    parser.add_argument("--part", help="only these parts, with commas between them")
    parser.add_argument("--state", type=Path, help="note each play in this file, and go on from it")
    parser.add_argument("--report", type=Path, help="write the numbers and the violations into this file")
    return parser


def read_minutes(text: str) -> float:
    """Return a number of minutes. None at all would play nothing, and find nothing wrong."""
    with contextlib.suppress(ValueError):
        if 0 < (minutes := float(text)) < math.inf:
            return minutes
    raise argparse.ArgumentTypeError(f"{text!r} is no number above 0. Give minutes, such as 10 or 0.5.")


def read_number(text: str, *, least: int) -> int:
    """Return a whole number from ``least`` on. A seed below 0 would play what the one without its sign plays."""
    with contextlib.suppress(ValueError):
        if (number := int(text)) >= least:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on.")


def play(given: argparse.Namespace, parts: Sequence[Part], state: State) -> int:
    """Play the chosen parts in turns until time or count is over, or somebody stops it; tell the numbers reached."""
    from tests.support.chaos.outcomes import PartUnavailable, describe
    from tests.support.chaos.parts import ON_REQUEST, PARTS

    seed = random.SystemRandom().randrange(10**6, 10**7) if given.seed is None else given.seed
    print(f"from seed {seed} on", flush=True)
    before, code = len(state.outcomes), 0
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        play_turns(given, parts, state, start=seed)
    except PartUnavailable as error:
        print(error, file=sys.stderr)
        code = WRONG
    except KeyboardInterrupt:
        print("Stopped. The play under way is not counted.", flush=True)
        code = STOPPED
    finally:
        signal.signal(signal.SIGTERM, handler)
    print(report := describe(state.outcomes, (*PARTS, *ON_REQUEST)))
    print(f"go on with SEED={seed} and the same STATE" if given.state else f"repeat with SEED={seed}")
    if given.report:
        given.report.write_text(report, "utf-8")
    return code or int(any(outcome.violations for outcome in state.outcomes[before:]))


def play_turns(given: argparse.Namespace, parts: Sequence[Part], state: State, *, start: int) -> None:
    """Play the parts in turns, and take each outcome into ``state``."""
    ends = time.monotonic() + given.minutes * 60
    played: dict[str, int] = dict.fromkeys((part.name for part in parts), 0)
    while parts:
        for part in parts:
            for outcome in play_batch(part, state, start=start, count=given.count, played=played, ends=ends):
                state.add(outcome)
                print("\n".join(outcome.tell()), end="\n" if outcome.violations else "", flush=True)
        if given.count is not None:
            parts = [part for part in parts if played[part.name] < given.count]
        elif time.monotonic() > ends:
            break


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
            seed = state.find_next(part.name, start=start)
            try:
                outcome = play_one(seed)
            except Exception as error:
                # What it opened may be in any state: the next play gets it anew.
                yield describe_crash(part, seed, error)
                return
            yield outcome


def describe_crash(part: Part, seed: int, error: Exception) -> Outcome:
    """Return the outcome of a play that came to no end, and print where it stopped."""
    from tests.support.chaos.outcomes import Outcome, Violation

    traceback.print_exception(error)
    name = type(error).__name__
    violation = Violation(f"the play broke off: {name}", str(error)[:300])
    return Outcome(part=part.name, seed=seed, what="see above", ending=name, violations=(violation,))


def _silence() -> None:
    """Let this process log nothing more: the runs are many, and what they log is looked at where a part checks it."""
    with contextlib.suppress(ImportError):  # Airflow 2 logs without it
        import structlog

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


if __name__ == "__main__":
    sys.exit(main())
