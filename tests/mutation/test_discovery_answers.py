"""Whatever one answer looks like while accounts are listed or a connection is tested: named words, and no secret."""

from __future__ import annotations

import pytest

from tests.support.mutation.invariants import check
from tests.support.mutation.questions import number_scenarios
from tests.support.mutation.runner import ScenarioRunner

PLAYED = {
    "list accounts": 55,
    "test connection": 50,
    "test connection, Instagram Login": 35,
    "test connection, debugged": 35,
}


@pytest.mark.parametrize(("question", "seed"), number_scenarios(PLAYED))
def test_a_strange_answer_is_named(runner: ScenarioRunner, question: str, seed: int) -> None:
    """The list comes, or an error of the package; the test of the connection always ends in words."""
    scenario = runner.run(seed, question)
    assert check(scenario) == [], scenario.spot
