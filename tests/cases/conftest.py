"""One BigQuery for all inputs: none of them depends on an empty one, since each has a dataset of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.sandboxes import NOW
from tests.support.written_answers import CaseRun, open_case


@pytest.fixture(scope="session")
def bigquery() -> Iterator[BigQuerySandbox]:
    """Serve a BigQuery whose clock the cases set."""
    with BigQuerySandbox(clock=Clock(NOW, ticks=True)) as sandbox:
        sandbox.switches.pricing = False
        yield sandbox


@pytest.fixture
def start(bigquery: BigQuerySandbox) -> Iterator[Callable[[Mapping[str, Any]], Callable[..., CaseRun]]]:
    """Give what opens the cases of a test; they are closed after it."""
    with ExitStack() as stack:
        yield lambda given: stack.enter_context(open_case(given, bigquery=bigquery))
