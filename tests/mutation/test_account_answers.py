"""Whatever one answer to the account transfer looks like: it is named, costs no other row, and is mended later."""

from __future__ import annotations

import pytest
from bench import Bench, number_scenarios
from invariants import check

PLAYED = {"account": 4, "account, all, discovered": 20, "account, settled, replaced": 14, "account, Instagram Login": 3}


@pytest.mark.parametrize(("question", "seed"), number_scenarios(PLAYED))
def test_a_strange_answer_costs_no_more_than_itself(bench: Bench, question: str, seed: int) -> None:
    """No bare exception, no other account's row, no key twice, nothing unnamed, no secret; a clean run mends it."""
    scenario = bench.play(seed, question)
    assert check(scenario) == [], scenario.spot
