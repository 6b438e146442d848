"""A local Graph API, and connections to it that come from the environment as they do in Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World


@pytest.fixture
def graph() -> Iterator[GraphSandbox]:
    """Serve two accounts on a loopback port."""
    with GraphSandbox(World.build(accounts=2, media_per_account=3, stories_per_account=0)) as sandbox:
        yield sandbox


@pytest.fixture
def connect(monkeypatch) -> Callable[..., InstagramHook]:
    """Return a function that defines the connection ``instagram_default`` and returns a hook for it."""

    def make_hook(*, api_version: str | None = None, **connection: object) -> InstagramHook:
        text = json.dumps({"conn_type": "instagram", **connection})
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", text)
        return InstagramHook(api_version=api_version)

    return make_hook
