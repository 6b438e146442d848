"""Asks Meta what a connection is good for, in a handful of quick calls, and hands the facts to ``token_report``.

The app's own token, which ``debug_token`` wants, and the token that is looked at travel in the body of a batch request:
as parameters of a plain request they would stand in a URL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.redact import redact
from airflow_provider_iginsights.graph.request import Answer, GraphRequest, Subject
from airflow_provider_iginsights.hooks.token_report import Accounts, TokenFacts, describe

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.hosts import Login
    from airflow_provider_iginsights.graph.settings import GraphSettings
    from airflow_provider_iginsights.hooks.connection import InstagramConnection

ME: Mapping[Login, str] = {"facebook": "id,name", "instagram": "user_id,username"}
ACCOUNT_OF_PAGE = "instagram_business_account{id,username}"
TOKEN = Subject("token", "")
MAX_PAGES = 500
MAX_NAMED_ACCOUNTS = 10


class _Debugged(NamedTuple):
    kind: str | None = None
    permissions: frozenset[str] | None = None
    expires_at: int | None = None
    data_access_expires_at: int | None = None


def check_token(connection: InstagramConnection) -> tuple[bool, str]:
    """Return whether insights can be read with this connection, and sentences that say what is known about it.

    The sentences hold no secret: Airflow shows them unmasked.

    :raises InsightsError: Meta refuses the token, or does not answer.
    """
    settings = connection.settings
    with GraphClient(_impatient(settings)) as client:
        facts = gather_facts(client, connection)
    works, words = describe(facts, now=datetime.now(UTC))
    return works, redact(words, settings.token, settings.app_secret, settings.prove())


def gather_facts(client: GraphClient, connection: InstagramConnection) -> TokenFacts:
    """Return what Meta tells about the token of a connection.

    :raises InsightsError: Meta refuses the token, or does not answer. What only some tokens may ask stays unknown.
    """
    settings = connection.settings
    me = client.get(GraphRequest("me", {"fields": ME[settings.login]}, TOKEN))
    debugged = _debug_token(connection) or _Debugged(permissions=_list_permissions(client, settings.login))
    accounts = _find_accounts(client, connection, me.body)
    return TokenFacts(
        login=settings.login,
        pinned_version=settings.api_version,
        answered_version=me.api_version,
        owner=str(me.body.get("username") or me.body.get("name") or ""),
        accounts=accounts,
        probe=_probe_insights(client, accounts) if debugged.permissions is None else None,
        **debugged._asdict(),
    )


def _impatient(settings: GraphSettings) -> GraphSettings:
    return replace(settings, connect_timeout=5, read_timeout=min(settings.read_timeout, 15), max_tries=2, max_wait=10)


def _debug_token(connection: InstagramConnection) -> _Debugged | None:
    settings = connection.settings
    if settings.login != "facebook" or not (connection.app_id and settings.app_secret):
        return None
    as_app = replace(_impatient(settings), token=f"{connection.app_id}|{settings.app_secret}", app_secret=None)
    request = GraphRequest("debug_token", {"input_token": settings.token}, TOKEN)
    try:
        with GraphClient(as_app) as client:
            answer = next(client.batch([request]))
    except InsightsError:
        return None
    return _read_debugged(answer.body.get("data", {})) if isinstance(answer, Answer) else None


def _read_debugged(data: Mapping[str, Any]) -> _Debugged:
    return _Debugged(
        kind=data.get("type"),
        permissions=frozenset(data.get("scopes", ())),
        expires_at=data.get("expires_at"),
        data_access_expires_at=data.get("data_access_expires_at"),
    )


def _list_permissions(client: GraphClient, login: Login) -> frozenset[str] | None:
    if login != "facebook":
        return None
    try:
        rows = list(_rows(client, GraphRequest("me/permissions", {}, TOKEN)))
    except InsightsError:
        return None  # a Page's token has no such list
    return frozenset(row["permission"] for row in rows if row.get("status") == "granted")


def _find_accounts(client: GraphClient, connection: InstagramConnection, me: Mapping[str, Any]) -> Accounts:
    if connection.account_ids:
        return _ask_named_accounts(client, connection.account_ids)
    if connection.settings.login == "instagram":
        return Accounts(seen={str(me["user_id"]): str(me.get("username", ""))})
    pages = GraphRequest("me/accounts", {"fields": ACCOUNT_OF_PAGE}, TOKEN)
    try:
        rows = list(islice(_rows(client, pages), MAX_PAGES))
    except InsightsError:
        # "me" of a Page's token is the Page itself, which has no list of Pages.
        rows = [client.get(GraphRequest("me", {"fields": ACCOUNT_OF_PAGE}, TOKEN)).body]
    found = [row["instagram_business_account"] for row in rows if row.get("instagram_business_account")]
    return Accounts(
        seen={account["id"]: account.get("username", "") for account in found}, is_complete=len(rows) < MAX_PAGES
    )


def _ask_named_accounts(client: GraphClient, account_ids: tuple[str, ...]) -> Accounts:
    asked = account_ids[:MAX_NAMED_ACCOUNTS]
    requests = [GraphRequest(one, {"fields": "id,username"}, Subject("account", one)) for one in asked]
    results = list(zip(asked, client.batch(requests), strict=True))
    return Accounts(
        seen={one: answer.body.get("username", "") for one, answer in results if isinstance(answer, Answer)},
        refused={one: type(error).__name__ for one, error in results if isinstance(error, InsightsError)},
        is_complete=len(asked) == len(account_ids),
    )


def _probe_insights(client: GraphClient, accounts: Accounts) -> str | None:
    account_id = next(iter(accounts.seen), None)
    if account_id is None:
        return None
    params = {"metric": "reach", "period": "day"}
    try:
        client.get(GraphRequest(f"{account_id}/insights", params, Subject("account", account_id)))
    except InsightsError as error:
        return error.message
    return ""


def _rows(client: GraphClient, request: GraphRequest) -> Iterator[dict[str, Any]]:
    for answer in client.pages(request, limit=100):
        yield from answer.body.get("data", ())
