"""pytest fixtures for the sandbox: ``pytest_plugins = ["airflow_provider_iginsights.sandbox.fixtures"]``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

__all__ = ["graph_sandbox"]


@pytest.fixture
def graph_sandbox() -> Iterator[GraphSandbox]:
    """Run a Graph API with two accounts; its clock stands still at the real time of the start."""
    with GraphSandbox(World.build()) as sandbox:
        yield sandbox
