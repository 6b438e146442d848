"""Whatever one answer to the media transfer looks like: it is named, costs no other row, and the next run mends it."""

from __future__ import annotations

import pytest

from tests.support.mutation.invariants import check
from tests.support.mutation.questions import number_scenarios
from tests.support.mutation.runner import ScenarioRunner

PLAYED = {
    "media": 12,
    "media, all, discovered": 18,
    "media, appended": 18,
    "media, Instagram Login": 3,
    "media, deferred": 2,
    "media, rescheduled": 2,
}


@pytest.mark.parametrize(("question", "seed"), number_scenarios(PLAYED))
def test_a_strange_answer_costs_no_more_than_itself(runner: ScenarioRunner, question: str, seed: int) -> None:
    """No bare exception, no other account's row, no key twice, nothing unnamed, no secret; a clean run mends it."""
    scenario = runner.run(seed, question)
    assert check(scenario) == [], scenario.spot
