"""Asks Meta, in a few quick calls, what the token of a connection may do; ``token_report`` describes the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError, InsightsError
from airflow_provider_iginsights.extract.discovery import (
    discover_accounts,
    find_usernames,
    read_own_account,
    read_own_node,
)
from airflow_provider_iginsights.extract.page_id import explain_wrong_id
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.graph.redact import redact
from airflow_provider_iginsights.hooks.account_ids import is_username
from airflow_provider_iginsights.hooks.debug_token import TOKEN, DebuggedToken, debug_token, shorten_timeouts
from airflow_provider_iginsights.hooks.token_report import (
    Accounts,
    TokenInfo,
    concern_pages_alone,
    describe,
    find_missing_permissions,
)
from airflow_provider_iginsights.json_values import read_objects, read_text

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph_api import Login
    from airflow_provider_iginsights.hooks.connection import InstagramConnection

ME: Mapping[Login, str] = {"facebook": "id,name", "instagram": "user_id,username"}
NAMED_ACCOUNT = "id,username,media_count"
"""A Page has a username, too; it has no media_count."""
# A test in the UI should end within seconds, however many accounts an agency has.
MAX_ACCOUNTS = 500
MAX_NAMED_ACCOUNTS = 10


def check_token(connection: InstagramConnection) -> tuple[bool, str]:
    """Return whether insights can be read with this connection, and sentences that say what is known about it.

    The sentences hold no secret: Airflow shows them unmasked.

    :raises InsightsError: Meta refuses the token, or does not answer.
    """
    settings = connection.settings
    with GraphClient(shorten_timeouts(settings)) as client:
        info = inspect_token(client, connection)
    works, words = describe(info, now=datetime.now(UTC))
    return works, redact(words, settings.token, settings.app_secret, settings.make_appsecret_proof())


def inspect_token(client: GraphClient, connection: InstagramConnection) -> TokenInfo:
    """Return what Meta says about the token of a connection.

    :raises InsightsError: Meta refuses the token, or does not answer. What only some tokens may ask stays unknown.
    """
    settings = connection.settings
    debugged = debug_token(connection)
    me = _ask_me(client, debugged)
    if debugged.permissions is None:
        debugged = replace(debugged, permissions=list_permissions(client, settings.login))
    accounts = find_accounts(client, connection, me.body)
    return TokenInfo(
        login=settings.login,
        is_sandbox=settings.is_local,
        source=_describe_source(connection),
        pinned_version=settings.api_version,
        answered_version=me.api_version,
        owner=read_owner(me.body),
        accounts=accounts,
        probe=probe_insights(client, accounts) if _are_in_doubt(debugged, settings.login) else None,
        debugged=debugged,
    )


def ask_me(client: GraphClient) -> Answer:
    """Return whose token it is.

    :raises InsightsError: Meta refuses the token, or does not answer.
    """
    return client.get(GraphRequest("me", {"fields": ME[client.settings.login]}, TOKEN))


def read_owner(body: Mapping[str, Any]) -> str:
    """Return the name in the answer of :func:`ask_me`; ``""`` where it has none."""
    own = read_own_node(body)
    return read_text(own.get("username")) or read_text(own.get("name")) or ""


def _ask_me(client: GraphClient, debugged: DebuggedToken) -> Answer:
    """Return whose token it is.

    :raises ConfigurationError: Meta refuses the proof of the app's secret; ``debug_token`` says which of the
        connection's fields is wrong.
    """
    try:
        return ask_me(client)
    except ConfigurationError as error:
        if not debugged.refusal:
            raise
        raise ConfigurationError(debugged.refusal, facts=error.facts) from error


def _describe_source(connection: InstagramConnection) -> str:
    """Return where the token was read, where there are two places for it."""
    if connection.token_variable is None:
        return ""
    if connection.stored is None:
        return f"It is the connection's password, as there is no Airflow Variable {connection.token_variable} yet."
    return f"It was read from the Airflow Variable {connection.token_variable}."


def list_permissions(client: GraphClient, login: Login) -> frozenset[str] | None:
    """Return the granted permissions; None where such a token has no list of them."""
    if login != "facebook":
        return None
    try:
        rows = list(_rows(client, GraphRequest("me/permissions", {}, TOKEN)))
    except InsightsError:
        return None  # a Page's token has no such list
    granted = (read_text(row.get("permission")) for row in rows if row.get("status") == "granted")
    return frozenset(filter(None, granted))


def find_accounts(client: GraphClient, connection: InstagramConnection, me: Mapping[str, Any]) -> Accounts:
    """Return the accounts that the connection names, else those that the token sees.

    :param me: the body of the answer of :func:`ask_me`.
    :raises InsightsError: the token is refused, or sees no account of a name.
    """
    if connection.account_ids:
        return _ask_named_accounts(client, connection.account_ids)
    if connection.settings.login == "instagram":
        own = read_own_account(me)
        return Accounts(seen={own.id: own.username})
    found = list(islice(discover_accounts(client), MAX_ACCOUNTS))
    return Accounts(seen={one.id: one.username for one in found}, is_complete=len(found) < MAX_ACCOUNTS)


def _ask_named_accounts(client: GraphClient, account_ids: tuple[str, ...]) -> Accounts:
    usernames = [one for one in account_ids if is_username(one)]
    found = find_usernames(client, usernames) if usernames else {}
    # A few are enough to see whether the token may read what the connection names.
    asked = [found[one].id if one in found else one for one in account_ids[:MAX_NAMED_ACCOUNTS]]
    requests = [GraphRequest(one, {"fields": NAMED_ACCOUNT}, Subject("account", one)) for one in asked]
    results = dict(zip(asked, client.batch(requests), strict=True))
    refused = {one: error for one, error in results.items() if isinstance(error, InsightsError)}
    explained = {one: explain_wrong_id(client, one, error) for one, error in refused.items()}
    return Accounts(
        seen={
            one: read_text(found.body.get("username")) or ""
            for one, found in results.items()
            if isinstance(found, Answer)
        },
        refused={one: type(error).__name__ for one, error in refused.items() if not explained[one]},
        wrong={one: sentences for one, sentences in explained.items() if sentences},
        is_complete=len(asked) == len(account_ids),
    )


def _are_in_doubt(debugged: DebuggedToken, login: Login) -> bool:
    """Return whether the permissions leave open that insights can be read."""
    if debugged.permissions is None:
        return True
    missing = find_missing_permissions(login, debugged.permissions, are_accounts_known=True)
    return bool(missing) and concern_pages_alone(missing)


def probe_insights(client: GraphClient, accounts: Accounts) -> str | None:
    """Return what a request for insights met with: ``""`` = an answer, else the error; None = no account is known."""
    account_id = next(iter(accounts.seen), None)
    if account_id is None:
        return None
    params = {"metric": "reach", "period": "day"}
    try:
        client.get(GraphRequest(f"{account_id}/insights", params, Subject("account", account_id)))
    except InsightsError as error:
        return error.message
    return ""


def _rows(client: GraphClient, request: GraphRequest) -> Iterator[Mapping[str, Any]]:
    for answer in client.pages(request, limit=100):
        yield from read_objects(answer.body.get("data")) or ()
