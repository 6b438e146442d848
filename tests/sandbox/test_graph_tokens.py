"""The local Graph API's ways to a newer token: the exchange of Facebook Login and the refresh of Instagram Login."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, Token, World
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET
from tests.sandbox.conftest import Ask

SIXTY_DAYS = 60 * 86_400
EXCHANGE: dict[str, str] = {"grant_type": "fb_exchange_token", "client_id": APP_ID, "client_secret": APP_SECRET}


def debug(ask: Ask, value: str) -> Any:
    """Return what /debug_token says about a token to its app."""
    return ask("/v25.0/debug_token", token=f"{APP_ID}|{APP_SECRET}", input_token=value).json()["data"]


def test_an_exchange_needs_no_other_token(ask: Ask, world: World) -> None:
    """A person's token becomes another one of 60 days; its data access ends as before, and the old one lives on."""
    world.put(replace(world.tokens[world.user_token], expires_at=world.now + timedelta(hours=1)))
    answer = ask("/v25.0/oauth/access_token", token=None, fb_exchange_token=world.user_token, **EXCHANGE).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", SIXTY_DAYS)
    assert answer["access_token"] != world.user_token
    old, new = debug(ask, world.user_token), debug(ask, answer["access_token"])
    assert (old["is_valid"], new["is_valid"]) == (True, True)
    assert new["expires_at"] == int(world.now.timestamp()) + SIXTY_DAYS
    assert new["issued_at"] == int(world.now.timestamp())
    assert new["data_access_expires_at"] == old["data_access_expires_at"]
    assert ask("/v25.0/me", token=answer["access_token"]).json()["name"] == "Sandbox User"


def test_what_never_ends_is_exchanged_without_an_end(ask: Ask, world: World) -> None:
    """A system user's token without an end stays one, and no expires_in is told."""
    answer = ask("/oauth/access_token", token=None, fb_exchange_token=world.system_user_token, **EXCHANGE).json()
    assert sorted(answer) == ["access_token", "token_type"]
    assert debug(ask, answer["access_token"])["expires_at"] == 0


REFUSED: dict[str, tuple[dict[str, str], int, int | None, str]] = {
    "no grant": ({"grant_type": ""}, 100, None, "grant_type"),
    "unknown app": ({"client_id": "1"}, 101, None, "Error validating application. Cannot get application info"),
    "wrong secret": ({"client_secret": "x"}, 1, None, "Error validating client secret."),
    "unknown token": ({"fb_exchange_token": "nobody"}, 190, None, "Cannot parse access token"),
    "expired token": ({"fb_exchange_token": "expired"}, 190, 463, "Session has expired"),
    "another app's": ({"fb_exchange_token": "foreign"}, 1, None, "token does not belong to application 1084263100001"),
    "Instagram Login's": ({"fb_exchange_token": "IGAA17841400000000001"}, 190, None, "Cannot parse access token"),
}


@pytest.mark.parametrize(("params", "code", "subcode", "text"), REFUSED.values(), ids=REFUSED)
def test_refused_exchanges(
    ask: Ask, world: World, params: dict[str, str], code: int, subcode: int | None, text: str
) -> None:
    """What is wrong with app or token is told with Meta's code and text, and nothing is issued."""
    world.put(Token(value="expired", kind="user", expires_at=world.now - timedelta(hours=1)))
    world.put(Token(value="foreign", kind="user", app_id="2", app_secret="other"))
    before = set(world.tokens)
    asked = {"fb_exchange_token": world.user_token, **EXCHANGE, **params}
    error = ask("/v25.0/oauth/access_token", token=None, **asked).json()["error"]
    assert (error["code"], error.get("error_subcode")) == (code, subcode)
    assert text in error["message"]
    assert set(world.tokens) == before


def refresh(ask: Ask, token: str, grant: str = "ig_refresh_token") -> Any:
    """Ask for a refresh as Meta documents it: with the token in the query."""
    path = "/graph.instagram.com/refresh_access_token"
    return ask(path, token=None, access_token=token, grant_type=grant).json()


def test_a_refresh_moves_the_end(ask: Ask, sandbox: GraphSandbox, world: World, account_id: str) -> None:
    """A token of a day or more gets 60 days from now; a day later it can be refreshed again, and not before."""
    answer = refresh(ask, world.instagram_token(account_id))
    assert (answer["expires_in"], answer["permissions"]) == (
        SIXTY_DAYS,
        "instagram_business_basic,instagram_business_manage_insights",
    )
    token = answer["access_token"]
    sandbox.clock.advance(timedelta(hours=23))
    assert refresh(ask, token)["error"]["code"] == 100
    sandbox.clock.advance(timedelta(hours=1))
    assert refresh(ask, token)["expires_in"] == SIXTY_DAYS
    sandbox.clock.advance(timedelta(days=60))
    assert refresh(ask, token)["error"]["error_subcode"] == 463


def test_refused_refreshes(ask: Ask, world: World, account_id: str) -> None:
    """Another grant, another login's token and a token without the basic permission are refused."""
    token = world.instagram_token(account_id)
    world.put(Token("IGAAbare", "instagram", (account_id,), frozenset()))
    assert refresh(ask, token, "fb_exchange_token")["error"]["code"] == 100
    assert refresh(ask, world.user_token)["error"]["code"] == 190
    assert refresh(ask, "IGAAbare")["error"]["code"] == 10
