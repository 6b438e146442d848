"""The connection test against a Graph API on a real socket: what it finds out, and that it tells no secret."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from airflow_provider_iginsights.graph.redact import escape
from airflow_provider_iginsights.hooks.token_report import Accounts, TokenInfo, describe
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, GraphSandbox, ServedVersion, Token, World

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "5f1c7a0d9b3e48c2a6d4f8e1b7039c5d"


@pytest.fixture
def graph():
    """Serve two accounts, at a fixed time."""
    with (
        time_machine.travel(NOW, tick=False),
        GraphSandbox(World.build(accounts=2, media_per_account=3, stories_per_account=0, now=NOW)) as sandbox,
    ):
        yield sandbox


@pytest.fixture
def check(graph, connect):
    """Return a function that tests a connection with a token of the sandbox; no answer may contain a secret."""

    def check_token(token: Token | str, *, host: str | None = None, **extra: object) -> tuple[bool, str]:
        if isinstance(token, Token):
            graph.world.put(token)
        value = token.value if isinstance(token, Token) else token
        works, message = connect(password=value, host=host or graph.url, extra=extra).test_connection()
        assert value not in message
        assert str(extra.get("app_secret")) not in message
        return works, message

    return check_token


def app_of(graph) -> dict[str, str]:
    """Return the extras that name the app of the sandbox's tokens."""
    token = graph.world.tokens[graph.world.system_user_token]
    return {"app_id": token.app_id, "app_secret": token.app_secret}


def names_of(graph) -> str:
    """Return the user names of all accounts, as the message lists them."""
    return ", ".join(f"@{account.username}" for account in graph.world.accounts.values())


def test_system_user(graph, check):
    """With the app's id and secret the test knows everything: version, owner, kind, permissions, expiry, accounts."""
    works, message = check(graph.world.system_user_token, **app_of(graph))
    assert works
    assert message == (
        "The sandbox, in place of graph.facebook.com, answered as Graph API v25.0. "
        "The system user token belongs to Sandbox System User. It has the permissions that insights need. "
        f"It does not expire. It sees 2 Instagram accounts: {names_of(graph)}."
    )


def test_user_token_expires(graph, check):
    """A person's token says when it ends, and when the access to the data does."""
    works, message = check(graph.world.user_token, **app_of(graph))
    assert works
    assert "The user token belongs to Sandbox User." in message
    assert "It expires on 2027-01-19 (in 60 days)." in message
    assert "Meta's data access for it expires on 2027-02-18 (in 90 days)." in message


def test_without_app_the_permissions_are_listed(graph, check):
    """Without app id and secret the permissions are still known, the expiry is not, and the cure is named."""
    works, message = check(graph.world.system_user_token)
    assert works
    assert "It has the permissions that insights need." in message
    assert "with app_id and app_secret in the connection's extra, Meta says it" in message


@pytest.mark.parametrize("with_app", [True, False])
def test_missing_permission_fails(graph, check, with_app):
    """A token without a permission is found out, by debug_token and by the list of permissions alike."""
    token = graph.world.tokens[graph.world.user_token]
    poor = dataclasses.replace(
        token, value="EAAGpoor12345678", permissions=token.permissions - {"instagram_manage_insights"}
    )
    works, message = check(poor, **(app_of(graph) if with_app else {}))
    assert not works
    assert "It lacks instagram_manage_insights (insights): grant this to the app at Meta" in message


@pytest.mark.parametrize(
    ("has_page", "granted", "works", "words"),
    [
        (False, set(), True, "answered without it, as for an account that has no Page. "),
        (True, set(), False, "It lacks pages_read_engagement (the Page behind the account): grant this"),
        (True, {"pages_read_engagement"}, True, "It has the permissions that insights need."),
    ],
)
@pytest.mark.parametrize("with_app", [True, False])
def test_an_account_without_a_page(graph, check, has_page, granted, works, words, with_app):
    """The permissions for Pages are missed only where a request for insights is refused without them."""
    account = next(iter(graph.world.accounts.values()))
    if not has_page:
        graph.world.put(dataclasses.replace(account, page_id=""))
    permissions = frozenset({"instagram_basic", "instagram_manage_insights"} | granted)
    token = Token("EAAGunified123456", "system_user", account_ids=(account.id,), permissions=permissions)
    found, message = check(token, account_ids=account.id, **(app_of(graph) if with_app else {}))
    assert found is works
    assert words in message
    assert f"It sees 1 Instagram account: @{account.username}." in message


def test_token_that_sees_nothing_fails(graph, check):
    """A token that lists no account, which Meta does without an error, is no success."""
    works, message = check(Token("EAAGblind12345678", "user", permissions=frozenset({"instagram_basic"})))
    assert not works
    assert "It sees no Instagram professional account" in message
    assert "pages_show_list (finding accounts)" in message


def test_ended_data_access_fails(graph, check):
    """A token that still answers, but whose access to the data is over, is found out."""
    lapsed = Token("EAAGlapsed123456", "user", data_access_expires_at=NOW - timedelta(days=1))
    works, message = check(lapsed, **app_of(graph))
    assert not works
    assert "Meta's data access for it expired on 2026-11-19: make a new token." in message


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("EAAGnobody12345678", "token"),
        (Token("EAAGold1234567890", "user", expires_at=NOW - timedelta(hours=1)), "expired"),
        (Token("EAAGrevoked123456", "user", revoked=True), "token"),
    ],
    ids=["unknown", "expired", "revoked"],
)
def test_refused_token_fails(check, token, words):
    """A token that Meta refuses fails with the error's message and code, the same ones each time: without a trace."""
    works, message = check(token)
    assert not works
    assert words in message
    assert "code 190" in message
    assert "trace" not in message
    assert check(token) == (works, message)


NO_PAIR = "app_id and app_secret do not belong together"
OTHER_APP = "The token was issued by another app than the one that app_id names."
WRONG_APPS: dict[str, tuple[dict[str, str], bool, str]] = {
    "another secret": ({"app_secret": SECRET}, False, NO_PAIR),
    "an unknown app": ({"app_id": "1"}, True, NO_PAIR),
    "another app": ({"app_id": "312083254664235", "app_secret": SECRET}, False, OTHER_APP),
    "a secret without its app": ({"app_id": "", "app_secret": SECRET}, False, "does not belong to the app that issued"),
}


@pytest.mark.parametrize(("wrong", "works", "words"), WRONG_APPS.values(), ids=WRONG_APPS)
def test_wrong_apps_are_named(graph, check, wrong, works, words):
    """Which of token, app_id and app_secret does not belong to the others is said; all else goes on where it can."""
    graph.world.put(Token("EAAGelsewhere123", "user", app_id="312083254664235", app_secret=SECRET))
    found, message = check(graph.world.system_user_token, **{**app_of(graph), **wrong})
    assert found is works
    assert words in message
    assert ("It has the permissions that insights need." in message) is works


def test_portfolio_permission_is_named_where_no_page_is_listed(graph, check):
    """Meta lists no Page of a portfolio without business_management and sends no error; the test names it."""
    token = graph.world.tokens[graph.world.user_token]
    poor = dataclasses.replace(token, value="EAAGpoor12345678", permissions=token.permissions - {"business_management"})
    works, message = check(poor, **app_of(graph))
    assert not works
    assert "It has the permissions that insights need." in message
    assert "It sees no Instagram professional account: it lacks business_management" in message


RENEW = "renew it before, or use the token of a system user, which does not expire"
LOG_IN = "its person must log in to the app again before"


@pytest.mark.parametrize(
    ("left", "days", "warns"),
    [(timedelta(days=14), 14, True), (timedelta(days=14, seconds=1), 14, False), (timedelta(hours=3), 0, True)],
)
def test_ends_within_two_weeks_are_warned_of(graph, check, left, days, warns):
    """A token or a data access that ends within 14 days still works, and what to do is said with each."""
    ending = Token("EAAGending123456", "user", expires_at=NOW + left, data_access_expires_at=NOW + left)
    works, message = check(ending, **app_of(graph))
    assert works
    assert f"It expires on {NOW + left:%Y-%m-%d} (in {days} day" in message
    assert f"Meta's data access for it expires on {NOW + left:%Y-%m-%d} (in {days} day" in message
    assert (RENEW in message, LOG_IN in message) == (warns, warns)


def test_meta_is_called_by_its_name():
    """Who answered is a login of Meta's, unless a sandbox did."""
    known = {"pinned_version": "v25.0", "answered_version": "v25.0", "owner": "", "accounts": Accounts(seen={})}
    said = [describe(TokenInfo(login=login, **known), now=NOW)[1] for login in ("facebook", "instagram")]
    assert said[0].startswith("Facebook Login (graph.facebook.com) answered as Graph API v25.0. ")
    assert said[1].startswith("Instagram Login (graph.instagram.com) answered as Graph API v25.0. ")


def test_page_token(graph, check):
    """A Page's token, which can list neither Pages nor permissions, is judged by what it can do."""
    account = next(iter(graph.world.accounts.values()))
    works, message = check(graph.world.page_token(account.id), **app_of(graph))
    assert works
    assert "The Page token belongs to" in message
    assert f"It sees 1 Instagram account: @{account.username}." in message


def test_page_token_without_lists(graph, check):
    """Where Meta refuses the lists that no Page has, the Page's own account and a request for insights tell."""
    for edge in ("accounts", "permissions"):
        refusal = ErrorEffect(100, http=400, message=f"(#100) Tried accessing nonexisting field ({edge})")
        graph.faults.add(GraphFault(effect=refusal, path=f"^/?me/{edge}", times=None))
    account = next(iter(graph.world.accounts.values()))
    works, message = check(graph.world.page_token(account.id))
    assert works
    assert "Its permissions cannot be listed, but a request for insights was answered." in message
    assert f"It sees 1 Instagram account: @{account.username}." in message


def test_instagram_login(graph, check):
    """On graph.instagram.com permissions cannot be listed, so one request for insights tells."""
    account = next(iter(graph.world.accounts.values()))
    works, message = check(graph.world.instagram_token(account.id), host=graph.instagram_url)
    assert works
    assert message == (
        "The sandbox, in place of graph.instagram.com, answered as Graph API v25.0. "
        f"The token belongs to {account.username}. "
        "Its permissions cannot be listed, but a request for insights was answered. "
        "When it expires cannot be asked here: such a token lives 60 days, unless it is refreshed. "
        f"It sees 1 Instagram account: @{account.username}."
    )


def test_instagram_login_without_insights(graph, check):
    """On graph.instagram.com a missing permission shows as a refused request for insights."""
    account_id = next(iter(graph.world.accounts))
    poor = Token("IGAApoor12345678", "instagram", (account_id,), frozenset({"instagram_business_basic"}))
    works, message = check(poor, host=graph.instagram_url)
    assert not works
    assert "a request for insights was refused: " in message


def test_named_accounts(graph, check):
    """Accounts that the connection names are asked for one by one; one that cannot be read fails the test."""
    first = next(iter(graph.world.accounts.values()))
    works, message = check(graph.world.system_user_token, account_ids=[first.id, "17840000000000000"])
    assert not works
    assert f"It sees 1 Instagram account: @{first.username}." in message
    assert "It cannot read these account_ids of the connection: 17840000000000000 (AccountUnavailable)." in message


def test_a_named_page(graph, check):
    """A Page's id is told with the account that is linked to the Page, as the operators tell it; others are seen."""
    first, second = graph.world.accounts.values()
    works, message = check(graph.world.system_user_token, account_ids=[first.page_id, second.id])
    assert not works
    assert f"{first.page_id} is the id of a Page; its Instagram account is {first.id}." in message
    assert "AccountUnavailable" not in message
    assert f"It sees 1 Instagram account: @{second.username}." in message


def test_a_named_page_alone(graph, check):
    """Where the Page's id is all that is named, nobody is told that the token sees no account."""
    first = next(iter(graph.world.accounts.values()))
    works, message = check(graph.world.system_user_token, account_ids=[first.page_id])
    assert not works
    assert message.endswith(f"its Instagram account is {first.id}. Give that id in account_ids.")


@pytest.mark.parametrize("hidden", ["\u202e", "\x1b[31m", "\u200b", "\u2028", "\u2066", "\x00"])
def test_names_hide_nothing(graph, check, hidden):
    """What would move or hide text in the name of an account or an owner is spelt out, as in every other message."""
    first, second = graph.world.accounts.values()
    graph.world.put(dataclasses.replace(first, username=f"a{hidden}b"))
    message = check(graph.world.system_user_token)[1]
    instagram = check(graph.world.instagram_token(first.id), host=graph.instagram_url)[1]
    named = check(graph.world.system_user_token, account_ids=[first.id, second.id])[1]
    spelt = {"\u2028": "a b"}.get(hidden, f"a{escape(hidden)}b")
    for said in (message, instagram, named):
        assert f"@{spelt}" in said
        assert said.isprintable()
    assert f"The token belongs to {spelt}." in instagram


def test_names_are_shown_as_they_are(graph, check):
    """A name in any script is shown whole."""
    first = next(iter(graph.world.accounts.values()))
    graph.world.put(dataclasses.replace(first, username="café_ميلانو.日本"))
    assert "@café_ميلانو.日本" in check(graph.world.system_user_token)[1]


def test_other_version_than_pinned(graph, check):
    """Where Meta answers as another version than the pinned one, the message says so."""
    graph.faults.add(GraphFault(effect=ServedVersion("v26.0"), times=None))
    works, message = check(graph.world.system_user_token)
    assert works
    assert "answered as Graph API v26.0, although v25.0 is set" in message


def test_tokens_travel_in_no_url(graph, check):
    """Neither the token nor the app's own stands in the address of any request."""
    token, app = graph.world.system_user_token, app_of(graph)
    check(token, **app)
    assert any("/debug_token?" in item for call in graph.log for item in call.items)
    addresses = [f"{call.path} {dict(call.query)}" for call in graph.log]
    assert not [address for address in addresses if token in address or app["app_secret"] in address]


def test_nobody_listens(connect):
    """Where no server answers, the test fails soon, with a message and no exception."""
    with GraphSandbox(World.build(accounts=1)) as gone:
        host = gone.url
    works, message = connect(password="EAAGtoken1234567890", host=host).test_connection()
    assert not works
    assert message


def test_unexpected_error_is_not_shown(connect, monkeypatch):
    """Airflow would show the text of an error unmasked, so an unexpected one is named by its type only."""
    hook = connect(password="EAAGtoken1234567890")

    def explode(*_):
        raise RuntimeError("header EAAGtoken1234567890")

    monkeypatch.setattr("airflow_provider_iginsights.hooks.token_check.check_token", explode)
    assert hook.test_connection() == (
        False,
        "The check stopped on an unexpected RuntimeError. The debug log has its details.",
    )


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")
def test_airflow_runs_the_test(graph, connect):
    """Airflow itself finds hook and test by the type of the connection."""
    from airflow.models.connection import Connection

    connect(password=graph.world.system_user_token, host=graph.url)
    connection = Connection(conn_id="instagram_default", conn_type="instagram")
    works, message = connection.test_connection()
    assert works, message
    assert "It sees 2 Instagram accounts" in message
