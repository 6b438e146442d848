"""pytest fixtures for the sandbox: ``pytest_plugins = ["airflow_provider_iginsights.sandbox.fixtures"]``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.environment import describe_servers
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

__all__ = ["bigquery_sandbox", "graph_sandbox", "instagram_sandbox", "sandbox_clock"]


@pytest.fixture
def sandbox_clock() -> Clock:
    """Return the clock of both sandboxes; it runs on from the real time of the start, and a test may set it."""
    return Clock(datetime.now(UTC), ticks=True)


@pytest.fixture
def graph_sandbox(sandbox_clock: Clock) -> Iterator[GraphSandbox]:
    """Run a Graph API with two accounts."""
    with GraphSandbox(World.build(now=sandbox_clock.now()), clock=sandbox_clock) as sandbox:
        yield sandbox


@pytest.fixture
def bigquery_sandbox(sandbox_clock: Clock) -> Iterator[BigQuerySandbox]:
    """Run an empty BigQuery, kept in memory."""
    with BigQuerySandbox(clock=sandbox_clock) as sandbox:
        yield sandbox


@pytest.fixture
def instagram_sandbox(
    graph_sandbox: GraphSandbox, bigquery_sandbox: BigQuerySandbox, monkeypatch: pytest.MonkeyPatch
) -> tuple[GraphSandbox, BigQuerySandbox]:
    """Run both, and point ``instagram_default`` and application default credentials (``gcp_conn_id=None``) at them."""
    token = graph_sandbox.world.system_user_token
    for name, value in describe_servers(graph_sandbox, bigquery_sandbox, token=token).items():
        monkeypatch.setenv(name, value)
    return graph_sandbox, bigquery_sandbox
