"""Mutated answers as a part of chaos: scenarios of ``tests.support.mutation``, by their own seeds.

What a seed stands for: below a million format 2, a choice among the first 14 questions, and up to three spots in a
scenario; from a million on format 3, the same choice among all questions, also those of tasks that wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.chaos.outcomes import Outcome, Play, Violation
from tests.support.mutation.invariants import check
from tests.support.mutation.runner import open_runner
from tests.support.mutation.scenarios import Scenario


@contextmanager
def open_mutations() -> Iterator[Play]:
    """Serve the world of the scenarios."""
    with open_runner() as runner:

        def play(seed: int) -> Outcome:
            scenario = runner.run(seed)
            violations = tuple(Violation(f"{each.invariant}: {each.kind}", each.details) for each in check(scenario))
            error = scenario.mutated.error
            ending = "well" if error is None else type(error).__name__
            what = list_spots(scenario)
            return Outcome(part="mutations", seed=seed, what=what, ending=ending, violations=violations)

        yield play


def list_spots(scenario: Scenario) -> str:
    """Return what was mutated."""
    return " and ".join(map(str, (scenario.spot, *(spot for spot, _ in scenario.more))))
