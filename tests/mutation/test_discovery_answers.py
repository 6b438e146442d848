"""Whatever one answer looks like while accounts are listed or a connection is tested: named words, and no secret."""

from __future__ import annotations

import pytest
from bench import Bench
from invariants import check

SEEDS = range(1, 61)


@pytest.mark.parametrize("question", ["list accounts", "test connection"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_strange_answer_is_named(bench: Bench, question: str, seed: int) -> None:
    """The list comes, or an error of the package; the test of the connection always ends in words."""
    scenario = bench.play(seed, question)
    assert check(scenario) == [], scenario.spot
