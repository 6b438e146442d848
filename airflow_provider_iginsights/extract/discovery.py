"""Finds the Instagram accounts of a token: through its Pages and Business portfolios, or its own (Instagram Login)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import (
    BrokenResponse,
    ConfigurationError,
    FatalGraphError,
    InsightsError,
    SkippableGraphError,
)
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.json_values import (
    read_count,
    read_id,
    read_list,
    read_object,
    read_objects,
    read_text,
)
from airflow_provider_iginsights.quoting import quote_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_iginsights.graph.client import GraphClient

log: logging.Logger = logging.getLogger(__name__)

# The access_token of a Page is not requested, since it is not needed and must not leak.
_PAGE_FIELDS = "id,name,instagram_business_account{id,username,followers_count}"
_OWN_FIELDS = "user_id,username,followers_count"
_ACCOUNT_FIELDS = "id,username,followers_count"
_WHO = Subject("user", "me")
_PORTFOLIO_EDGES = ("owned_instagram_accounts", "client_instagram_accounts")
_MOST_SHOWN = 10
_REFUSALS = (FatalGraphError, ConfigurationError, SkippableGraphError)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredAccount:
    """An Instagram professional account. ``page_id`` is ``''`` where it was not found through a Page.

    ``followers_count`` is None where Meta did not send it; ``refused`` is the error where Meta refused the account.
    """

    id: str
    username: str = ""
    followers_count: int | None = None
    page_id: str = ""
    refused: InsightsError | None = None


def discover_accounts(client: GraphClient) -> Iterator[DiscoveredAccount]:
    """Yield the accounts that the token sees, each once, in Meta's order.

    A user token without ``business_management`` does not see the accounts of a Business portfolio; Meta sends no error.

    :raises InsightsError: the token is refused.
    """
    found = _discover_through_pages(client) if client.settings.login == "facebook" else _discover_own(client)
    seen: set[str] = set()
    for account in found:
        if account.id not in seen:
            seen.add(account.id)
            yield account


def discover_portfolio_accounts(client: GraphClient, known: Collection[str]) -> Iterator[DiscoveredAccount]:
    """Yield the accounts that the token's Business portfolios own or manage for clients, except the ``known`` ones.

    A portfolio also lists accounts that the token may not read; these have a ``refused``. A portfolio that the token
    may not read is logged and skipped (Meta: Business, Owned and Client Instagram Accounts).

    :raises InsightsError: the token is refused, or a rate limit or a server error would make the list incomplete.
    """
    if client.settings.login != "facebook":
        return
    listed = dict.fromkeys(
        account_id
        # META-33: me/accounts leaves out the Pages of a portfolio without an error.
        for portfolio_id in _read_ids(client, "me/businesses", "id,name")
        for edge in _PORTFOLIO_EDGES
        for account_id in _read_ids(client, f"{portfolio_id}/{edge}", "id")
    )
    yield from describe_accounts(client, [account_id for account_id in listed if account_id not in known])


def _read_ids(client: GraphClient, path: str, fields: str) -> Iterator[str]:
    for item in _read_list(client, path, fields):
        if found := read_id(item.get("id")):
            yield found
        else:
            client.note(f"{path}: an item without a readable id is left out.")


def find_usernames(client: GraphClient, usernames: Iterable[str]) -> dict[str, DiscoveredAccount]:
    """Return the accounts for ``@usernames`` (lower case), among all accounts that the token sees, portfolios included.

    :raises ConfigurationError: the token does not see one of them; the message names it, and those that it sees.
    """
    wanted = set(usernames)
    visible = _by_username(discover_accounts(client))
    if wanted - visible.keys():
        known = {account.id for account in visible.values()}
        visible |= _by_username(discover_portfolio_accounts(client, known))
    if missing := sorted(wanted - visible.keys()):
        shown = ", ".join(list(visible)[:_MOST_SHOWN]) or "none"
        more = f" and {len(visible) - _MOST_SHOWN} more" if len(visible) > _MOST_SHOWN else ""
        raise ConfigurationError(
            f"The token sees no account {', '.join(missing)}, which account_ids names. Visible usernames are: "
            f"{shown}{more}. Correct the username, or give the id."
        )
    return {name: visible[name] for name in wanted}


def _by_username(accounts: Iterable[DiscoveredAccount]) -> dict[str, DiscoveredAccount]:
    return {
        f"@{account.username.lower()}": account
        for account in accounts
        if account.username.isprintable() and account.username
    }


def describe_accounts(client: GraphClient, account_ids: Iterable[str]) -> Iterator[DiscoveredAccount]:
    """Yield each account with its username and followers, or with the error in ``refused``; 50 per request.

    :raises InsightsError: see :meth:`GraphClient.batch`.
    """
    ids = list(account_ids)
    requests = [GraphRequest(one, {"fields": _ACCOUNT_FIELDS}, Subject("account", one)) for one in ids]
    for account_id, result in zip(ids, client.batch(requests), strict=True):
        if not isinstance(result, InsightsError):
            yield _make_account(result.body, account_id)
        elif isinstance(result, _REFUSALS):
            yield DiscoveredAccount(id=account_id, refused=result)
        else:
            # A list without this account would look complete.
            raise result


def _read_list(client: GraphClient, path: str, fields: str) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a portfolio's list; none where the token may not read it."""
    try:
        yield from _items(client, path, fields)
    except _REFUSALS as error:
        log.warning("%s is skipped; a token needs business_management for Business portfolios. %s", path, error)


def _items(client: GraphClient, path: str, fields: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list. Items that are no objects are left out with a note."""
    for answer in client.pages(GraphRequest(path, {"fields": fields}, _WHO)):
        listed = read_list(answer.body.get("data"))
        objects = read_objects(listed)
        if listed is None or objects is None:
            raise BrokenResponse(f"The answer to {path} has no list of data, so the accounts are not known.")
        if left_out := len(listed) - len(objects):
            client.note(f"{path}: {left_out} of {len(listed)} items are no objects and are left out.")
        yield from objects


def _discover_through_pages(client: GraphClient) -> Iterator[DiscoveredAccount]:
    try:
        # META-32: the token of a Page has no me/accounts; Meta answers with code 100.
        for page in _items(client, "me/accounts", _PAGE_FIELDS):
            yield from _read_page(client, page)
    except _REFUSALS as error:
        if error.facts.code != 100:
            raise
        yield from _read_page(client, _read_own_page(client, error))


def _read_own_page(client: GraphClient, refusal: InsightsError) -> Mapping[str, Any]:
    """Return the Page of a Page's token.

    :raises InsightsError: the ``refusal`` of me/accounts, where "me" is no Page either.
    """
    try:
        body: Mapping[str, Any] = client.get(GraphRequest("me", {"fields": _PAGE_FIELDS}, _WHO)).body
    except _REFUSALS:
        raise refusal from None
    return body


def _read_page(client: GraphClient, page: Mapping[str, Any]) -> Iterator[DiscoveredAccount]:
    """Yield the account of a Page, if it has one."""
    linked = page.get("instagram_business_account")
    account = read_object(linked)
    if account and (account_id := read_id(account.get("id"))):
        yield _make_account(account, account_id, page_id=read_id(page.get("id")) or "")
    elif linked is not None:
        client.note(f"The account of Page {quote_value(page.get('id'))} is left out: its id cannot be read.")
    elif not read_id(page.get("id")):
        client.note("me/accounts: an item without a readable id is left out, and so is its account.")


def _discover_own(client: GraphClient) -> Iterator[DiscoveredAccount]:
    yield read_own_account(client.get(GraphRequest("me", {"fields": _OWN_FIELDS}, _WHO)).body)


def read_own_node(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what "me" says of the token's owner: the answer itself, or the only object in the list of its ``data``."""
    # META-41: Meta's page about Instagram Login prints the list.
    listed = read_list(body.get("data")) or ()
    return (read_object(listed[0]) if len(listed) == 1 else None) or body


def read_own_account(body: Mapping[str, Any]) -> DiscoveredAccount:
    """Return the account of a token of Instagram Login, as its "me" describes it.

    The account's id is ``user_id``. The field ``id`` differs from app to app (Meta's reference of the edge "me"), so
    its rows would be those of a second account.

    :raises BrokenResponse: the answer has no ``user_id``.
    """
    own = read_own_node(body)
    account_id = read_id(own.get("user_id"))
    if account_id is None:
        raise BrokenResponse("The answer to me has no user_id, so the token's own account is not known.")
    return _make_account(own, account_id)


def _make_account(node: Mapping[str, Any], account_id: str, *, page_id: str = "") -> DiscoveredAccount:
    return DiscoveredAccount(
        id=account_id,
        username=read_text(node.get("username")) or "",
        followers_count=read_count(node.get("followers_count")),
        page_id=page_id,
    )
