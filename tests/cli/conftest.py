"""A small world behind a Graph API, and the connections to it that the commands read from the environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    """Build two accounts with a few posts."""
    return World.build(accounts=2, media_per_account=3, now=NOW)


@pytest.fixture
def sandbox(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphSandbox]:
    """Serve the world and define the connections to it, one for either login."""
    with GraphSandbox(world) as running:
        connection = {"conn_type": "instagram", "host": running.url, "password": world.system_user_token}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        token = world.instagram_token(next(iter(world.accounts)))
        own = connection | {"host": running.instagram_url, "password": token}
        monkeypatch.setenv("AIRFLOW_CONN_OWN", json.dumps(own))
        yield running
