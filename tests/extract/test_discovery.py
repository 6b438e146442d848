"""Which accounts a token sees, asked of a Graph API over a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from airflow_provider_iginsights.errors import BrokenResponse, InsightsError, TokenExpired
from airflow_provider_iginsights.extract.account_filter import AccountFilter
from airflow_provider_iginsights.extract.discovery import DiscoveredAccount, discover_accounts, read_own_account
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import (
    Account,
    ErrorEffect,
    FacebookPage,
    GraphFault,
    GraphSandbox,
    Token,
    World,
)
from airflow_provider_iginsights.sandbox.graph.objects import FACEBOOK_PERMISSIONS
from tests.support.sandboxes import NOW


@contextmanager
def connected(world: World, token: str, *, instagram: bool = False) -> Iterator[tuple[GraphClient, GraphSandbox]]:
    """Serve a world and connect a client with this token."""
    with GraphSandbox(world) as sandbox:
        url = sandbox.instagram_url if instagram else sandbox.url
        with GraphClient(GraphSettings(token=token, base_url=url), sleep=lambda _: None) as client:
            yield client, sandbox


def discovered(account: Account) -> DiscoveredAccount:
    """Return what discovery should say of an account."""
    return DiscoveredAccount(
        id=account.id, username=account.username, followers_count=account.followers_count, page_id=account.page_id
    )


@pytest.mark.parametrize("accounts", [0, 1, 2, 101, 250])
def test_accounts_behind_pages(accounts: int) -> None:
    """Every account is found once, in Meta's order, over all pages; a Page without an account is passed over."""
    world = World.build(accounts=accounts, media_per_account=0, stories_per_account=0, now=NOW)
    with connected(world, world.system_user_token) as (client, sandbox):
        found = list(discover_accounts(client))
        assert found == [discovered(account) for account in world.accounts.values()]
        assert len(sandbox.log) == -(-(accounts + 1) // 100)
        assert not any("access_token" in received.query.get("fields", "") for received in sandbox.log)


def test_a_token_sees_its_own_accounts() -> None:
    """Accounts that the token's user has no role on are not found."""
    world = World.build(accounts=3, now=NOW)
    first, _, third = world.accounts.values()
    world.put(Token("EAAGsome", "user", account_ids=(first.id, third.id)))
    with connected(world, "EAAGsome") as (client, _):
        assert [account.id for account in discover_accounts(client)] == [first.id, third.id]


def test_a_refused_list_is_no_empty_list() -> None:
    """Code 100 for me/accounts may mean a Page's token; a user's "me" has no field of a Page, so the refusal stands."""
    world = World.build(accounts=2, now=NOW)
    refusal = ErrorEffect(100, http=400, message="(#100) Invalid parameter")
    with connected(world, world.system_user_token) as (client, sandbox):
        sandbox.faults.add(GraphFault(effect=refusal, path="me/accounts"))
        with pytest.raises(InsightsError, match="code 100"):
            list(discover_accounts(client))
        assert len(list(discover_accounts(client))) == 2


def test_a_count_below_0_is_none() -> None:
    """An account whose followers Meta does not count is found all the same: -1 is no number below a minimum."""
    world = World.build(accounts=1, now=NOW)
    (account,) = world.accounts.values()
    world.put(replace(account, followers_count=-1))
    with connected(world, world.system_user_token) as (client, _):
        (found,) = discover_accounts(client)
    assert (found.id, found.followers_count) == (account.id, None)
    assert AccountFilter.of(allow=None, deny=None, minimum_followers=0).accepts(found)


def test_two_pages_of_one_account() -> None:
    """An account that two Pages lead to is found once."""
    world = World.build(accounts=1, now=NOW)
    (account,) = world.accounts.values()
    world.accounts["alias"] = account
    with connected(world, world.system_user_token) as (client, _):
        assert [found.id for found in discover_accounts(client)] == [account.id]


def test_a_token_without_business_management_sees_nothing() -> None:
    """Meta answers with an empty list and no error; so do we."""
    world = World.build(accounts=1, now=NOW)
    world.put(FacebookPage(id="1", name="Another Page without Instagram"))
    world.put(Token("EAAGbare", "user", permissions=FACEBOOK_PERMISSIONS - {"business_management"}))
    with connected(world, "EAAGbare") as (client, _):
        assert list(discover_accounts(client)) == []


def test_instagram_login_sees_itself() -> None:
    """With Instagram Login, which knows no Page, the token's own account is found by its id, in one request."""
    world = World.build(accounts=2, now=NOW)
    _, account = world.accounts.values()
    with connected(world, world.instagram_token(account.id), instagram=True) as (client, sandbox):
        assert list(discover_accounts(client)) == [replace(discovered(account), page_id="")]
        assert len(sandbox.log) == 1


@pytest.mark.parametrize("user_id", [["17841400000000001"], None, "", "brand", 1.5, {}], ids=str)
def test_the_id_of_an_app_is_no_account_id(user_id: object) -> None:
    """The ``id`` beside ``user_id`` is another one for every app: it does not stand in for it."""
    for answer in ({"user_id": user_id, "id": "25841400000000001"}, {"id": "25841400000000001"}):
        with pytest.raises(BrokenResponse, match="user_id"):
            read_own_account(answer)


OWN = {"user_id": "17841400000000001", "username": "brand", "followers_count": 7}


@pytest.mark.parametrize(
    "answer",
    [OWN, {"data": [OWN]}, {"data": [{**OWN, "user_id": 17841400000000001}]}, {"data": [], **OWN}],
    ids=["itself", "in a list of one", "with a number as id", "beside an empty list"],
)
def test_the_own_account_in_both_forms_of_the_answer(answer: dict[str, object]) -> None:
    """Meta's page prints a list of one object where the answer itself was seen."""
    assert read_own_account(answer) == DiscoveredAccount(id="17841400000000001", username="brand", followers_count=7)


@pytest.mark.parametrize(
    "data",
    [[], [OWN, OWN], ["brand"], [None], [{"id": "25841400000000001"}], OWN, "brand", None],
    ids=[
        "no object",
        "two",
        "a text",
        "null",
        "the id of an app",
        "an object",
        "no list, but a text",
        "no list, but null",
    ],
)
def test_a_list_that_is_not_of_one_account_names_none(data: object) -> None:
    """Of two accounts nobody can say which is the token's own."""
    with pytest.raises(BrokenResponse, match="user_id"):
        read_own_account({"data": data})


def test_a_refused_token() -> None:
    """A token that Meta does not take is an error, not an empty list."""
    with (
        connected(World.build(accounts=1, now=NOW), "EAAGnobody") as (client, _),
        pytest.raises(TokenExpired),
    ):
        list(discover_accounts(client))


def test_what_is_left_out_stands_in_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account whose id cannot be read is no silent loss: the run's notes name its Page."""
    world = World.build(accounts=2, media_per_account=0, now=NOW)
    broken, kept = world.accounts.values()
    monkeypatch.setitem(world.accounts, broken.id, Account(id="none", username="a", page_id=broken.page_id))
    with connected(world, world.system_user_token) as (client, _):
        assert [account.id for account in discover_accounts(client)] == [kept.id]
        assert client.notes == (f"The account of Page '{broken.page_id}' is left out: its id cannot be read.",)


def test_what_is_no_page_stands_in_the_notes() -> None:
    """A Page without an account is nothing to speak of; an item without an id may hide one."""
    world = World.build(accounts=1, media_per_account=0, now=NOW)
    world.put(FacebookPage(id="", name="Nameless"))
    with connected(world, world.system_user_token) as (client, _):
        assert [account.id for account in discover_accounts(client)] == list(world.accounts)
        assert [note.partition(",")[0] for note in client.notes] == [
            "me/accounts: an item without a readable id is left out"
        ]
