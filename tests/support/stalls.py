"""Run a command as an overloaded machine does: all of its processes stand still for a moment, again and again.

Time goes on meanwhile, and timeouts pass. A test fails then that allows an answer only a few tenths of a second, or
that takes something for done after a while.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

SHORTEST_AND_LONGEST = {"runs": (0.1, 0.5), "still": (0.25, 0.6)}
"""The seconds that the processes run between two stalls, and those that a stall lasts."""


def main() -> None:
    """Run the command of the command line, say how often it stood still, and end as it ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.stalls", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the moments (%(default)s)")
    for name, between in SHORTEST_AND_LONGEST.items():
        parser.add_argument(f"--{name}", type=float, nargs=2, default=between, help="seconds, from and to %(default)s")
    parser.add_argument("command", nargs="+", help="behind --")
    chosen = vars(parser.parse_args())
    command, seed = chosen.pop("command"), chosen.pop("seed")
    code, stalls = run_with_stalls(command, seed=seed, **chosen)
    print(f"stood still {stalls} times, ended with {code}")
    sys.exit(code if code >= 0 else 128 - code)


def run_with_stalls(
    command: list[str], *, seed: int, runs: tuple[float, float], still: tuple[float, float]
) -> tuple[int, int]:
    """Run a command to its end; return its exit code, and how often it stood still.

    The exit code is negative where a signal killed it. ``runs`` and ``still`` are as in ``SHORTEST_AND_LONGEST``.
    """
    dice = random.Random(seed)
    stalls = 0
    with subprocess.Popen(command) as process:
        while _runs_on(process, seconds=dice.uniform(*runs)):
            with _standing_still(process.pid):
                stalls += 1
                _runs_on(process, seconds=dice.uniform(*still))
        return process.returncode, stalls


def _runs_on(process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is None


@contextmanager
def _standing_still(pid: int) -> Iterator[None]:
    """Stop a process and all that came from it, and let them go on."""
    stopped: list[psutil.Process] = []
    try:
        with suppress(psutil.NoSuchProcess):
            whole = psutil.Process(pid)
            for process in (whole, *whole.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
                    stopped.append(process)
        yield
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


if __name__ == "__main__":
    main()
