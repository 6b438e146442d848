"""One bench per file of tests: starting both sandboxes costs more than a scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench import Bench, open_bench


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Serve the world of the scenarios."""
    with open_bench() as opened:
        yield opened
