"""One runner per file of tests: starting both sandboxes costs more than a scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mutation.runner import ScenarioRunner, open_runner


@pytest.fixture(scope="module")
def runner() -> Iterator[ScenarioRunner]:
    """Serve the world of the scenarios."""
    with open_runner() as opened:
        yield opened
