"""Test mode: no wait takes time, nothing else changes, and it ends where it should."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights import waiting
from airflow_provider_iginsights.bigquery.retry import RETRY_BUDGET_IN_TESTS, RetryBudget, get_default_retry_budget
from airflow_provider_iginsights.errors import ServerTrouble
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.fixtures import (
    bigquery_sandbox,
    graph_sandbox,
    instagram_sandbox,
    sandbox_clock,
)
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, GraphSandbox
from airflow_provider_iginsights.testing import is_testing, set_testing
from tests.support.airflow_versions import needs
from tests.support.pages import find_block
from tests.test_example_dags import import_as_here

__all__ = ["bigquery_sandbox", "graph_sandbox", "instagram_sandbox", "sandbox_clock"]


@contextmanager
def open_client(sandbox: GraphSandbox) -> Iterator[GraphClient]:
    """Open a client as the hook does."""
    with GraphClient(GraphSettings(token=sandbox.world.system_user_token, base_url=sandbox.url)) as client:
        yield client


def test_every_try_is_made_and_none_is_waited_for(graph_sandbox: GraphSandbox) -> None:
    """A server that keeps failing is asked as often as in production, over a minute of pauses, within seconds."""
    graph_sandbox.faults.add(GraphFault(effect=ErrorEffect(2, http=500), times=None))
    begun = time.monotonic()
    with set_testing(), open_client(graph_sandbox) as client:
        with pytest.raises(ServerTrouble):
            client.get(GraphRequest("me", {"fields": "id"}))
        call_counts = client.call_counts
    assert call_counts.http == GraphSettings(token="x").max_tries
    assert call_counts.seconds_paused > 60
    assert time.monotonic() - begun < 10


def test_waits_can_move_a_clock_of_ones_own(graph_sandbox: GraphSandbox) -> None:
    """``sleep`` gets the seconds of each wait, and ``clock`` bounds the tries: two waits of 80 % each end them."""
    graph_sandbox.faults.add(GraphFault(effect=ErrorEffect(2, http=500), times=None))
    step = 0.8 * GraphSettings(token="x").max_wait
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)

    with set_testing(sleep=sleep, clock=lambda: step * len(waits)), open_client(graph_sandbox) as client:
        with pytest.raises(ServerTrouble):
            client.get(GraphRequest("me", {"fields": "id"}))
        assert client.call_counts.http == 3
    assert [1 <= wait <= limit for wait, limit in zip(waits, (2, 3), strict=True)] == [True, True]


def test_a_client_made_before_obeys_as_well(graph_sandbox: GraphSandbox) -> None:
    """The switch counts when a wait comes up, not when the client was made."""
    graph_sandbox.faults.add(GraphFault(effect=ErrorEffect(2, http=500), times=1))
    waits: list[float] = []
    with open_client(graph_sandbox) as client, set_testing(sleep=waits.append):
        client.get(GraphRequest("me", {"fields": "id"}))
    assert len(waits) == 1


def test_it_ends_with_the_statement() -> None:
    """Contexts restore what was before, also when nested; without a context it stays until it is turned off."""
    assert not is_testing()
    assert get_default_retry_budget() == RetryBudget()
    with set_testing():
        assert is_testing()
        assert get_default_retry_budget() == RETRY_BUDGET_IN_TESTS
        with set_testing(False):
            assert not is_testing()
        assert is_testing()
    assert not is_testing()
    set_testing()
    try:
        assert is_testing()
    finally:
        set_testing(False)
    assert waiting.replace_waits(waiting.Waits()) == waiting.Waits()


def test_it_ends_with_an_error() -> None:
    """A test that fails inside the context leaves nothing switched off."""
    with pytest.raises(LookupError), set_testing():
        raise LookupError
    assert not is_testing()


def test_bigquery_is_waited_for_a_fraction_of_a_second() -> None:
    """In test mode no bound and no pause for BigQuery is longer than a fifth of a second."""
    longest = (RETRY_BUDGET_IN_TESTS.busy, RETRY_BUDGET_IN_TESTS.lost, RETRY_BUDGET_IN_TESTS.longest_wait)
    assert max(*longest, RETRY_BUDGET_IN_TESTS.longest_poll) <= 0.2


def test_the_printed_example_runs(instagram_sandbox: tuple[GraphSandbox, BigQuerySandbox]) -> None:
    """The printed test is run as it stands, meets its three failures, and takes no time."""
    names: dict[str, Any] = {}
    exec(compile(find_block("No waiting in tests 1"), "docs/sandbox.md", "exec"), names)
    begun = time.monotonic()
    names["test_three_failures_in_a_row_cost_nothing"](instagram_sandbox)
    assert time.monotonic() - begun < 5


@needs("assets")  # the release with dag.test(logical_date=…)
@pytest.mark.usefixtures("airflow_db")
def test_the_printed_test_of_a_dag(
    instagram_sandbox: tuple[GraphSandbox, BigQuerySandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes with the first Dag of the README as a file in the Dags folder."""
    (tmp_path / "instagram.py").write_text(import_as_here(find_block("With a real token 1")))
    monkeypatch.setattr("airflow.settings.DAGS_FOLDER", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    names: dict[str, Any] = {}
    exec(compile(find_block("A test of a Dag 1"), "docs/sandbox.md", "exec"), names)
    monkeypatch.delitem(sys.modules, "instagram")
    names["test_the_dag_fills_its_tables"](instagram_sandbox)
