"""Business portfolios of the local Graph API: their lists, and who may read them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_iginsights.sandbox.graph import Business, GraphSandbox, Token, World
from airflow_provider_iginsights.sandbox.graph.objects import FACEBOOK_PERMISSIONS


@pytest.fixture
def sandbox() -> Any:
    """Serve a world with one portfolio."""
    world = World.build(accounts=3)
    first, second, third = world.accounts
    world.put(Business(id="601", name="Agency", owned=(first, second), clients=(third,)))
    world.put(Token("EAAGbare", "user", permissions=FACEBOOK_PERMISSIONS - {"business_management"}))
    with GraphSandbox(world) as served:
        yield served


def ask(sandbox: GraphSandbox, path: str, token: str = "", **params: str) -> Any:
    """Read a path."""
    headers = {"Authorization": f"Bearer {token or sandbox.world.system_user_token}"}
    return requests.get(f"{sandbox.url}/v25.0/{path}", params=params, headers=headers, timeout=5).json()


def test_lists(sandbox: GraphSandbox) -> None:
    """The portfolios with their fields; their owned and clients' accounts by id, in pages."""
    first, second, third = sandbox.world.accounts
    assert ask(sandbox, "me/businesses", fields="id,name")["data"] == [{"name": "Agency", "id": "601"}]
    assert ask(sandbox, "601/client_instagram_accounts")["data"] == [{"id": third}]
    page = ask(sandbox, "601/owned_instagram_accounts", limit="1")
    assert page["data"] == [{"id": first}]
    after = page["paging"]["cursors"]["after"]
    assert ask(sandbox, "601/owned_instagram_accounts", limit="1", after=after)["data"] == [{"id": second}]


@pytest.mark.parametrize("side", ["after", "before"])
def test_a_cursor_of_another_list_leads_out_of_this_one(sandbox: GraphSandbox, side: str) -> None:
    """Behind what is not in a list of accounts, and before it, there is none."""
    other = ask(sandbox, "601/client_instagram_accounts")["paging"]["cursors"]["after"]
    assert ask(sandbox, "601/owned_instagram_accounts", **{side: other})["data"] == []


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        ("me/businesses", "EAAGbare", 10),
        ("601/owned_instagram_accounts", "EAAGbare", 10),
        ("602/owned_instagram_accounts", "", 100),
        ("me/businesses", "EAAGnobody", 190),
    ],
)
def test_refusals(sandbox: GraphSandbox, path: str, token: str, code: int) -> None:
    """Without business_management, for an unknown portfolio and for a dead token: Meta's errors."""
    assert ask(sandbox, path, token)["error"]["code"] == code
