"""A Graph API for each test that asks for one, with a world at a fixed instant and a client that asks it over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

Ask = Callable[..., requests.Response]
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    """Build two accounts with 30 posts and 3 stories a day each, at noon Pacific time on 2026-11-21."""
    return World.build(now=NOW)


@pytest.fixture
def sandbox(world: World) -> Iterator[GraphSandbox]:
    """Run a Graph API over the world."""
    with GraphSandbox(world) as running:
        yield running


@pytest.fixture
def account_id(world: World) -> str:
    """Return the id of the world's first account."""
    return next(iter(world.accounts))


@pytest.fixture
def ask(sandbox: GraphSandbox) -> Iterator[Ask]:
    """Ask the Graph API a GET as the system user, or as the bearer of another token (None = of none)."""
    with requests.Session() as session:

        def get(
            path: str, *, token: str | None = sandbox.world.system_user_token, **params: object
        ) -> requests.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return session.get(sandbox.url + path, params=params, headers=headers, timeout=10)

        yield get
