"""Whatever one answer to the media transfer looks like: it is named, costs no other row, and the next run mends it."""

from __future__ import annotations

import pytest
from bench import Bench
from invariants import check

SEEDS = range(1, 31)


@pytest.mark.parametrize("question", ["media", "media, all, discovered"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_strange_answer_costs_no_more_than_itself(bench: Bench, question: str, seed: int) -> None:
    """No bare exception, no other account's row, no key twice, nothing unnamed, no secret; a clean run mends it."""
    scenario = bench.play(seed, question)
    assert check(scenario) == [], scenario.spot
