"""Which Instagram accounts a token sees: through its Pages and Business portfolios (Facebook Login), or itself."""

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
    read_id,
    read_list,
    read_object,
    read_objects,
    read_text,
    read_whole_number,
)
from airflow_provider_iginsights.quoting import quote_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_iginsights.graph.client import GraphClient

log: logging.Logger = logging.getLogger(__name__)

# No access_token among the fields: a Page's token has no business in our memory.
_PAGE_FIELDS = "id,name,instagram_business_account{id,username,followers_count}"
_OWN_FIELDS = "user_id,username,followers_count"
_ACCOUNT_FIELDS = "id,username,followers_count"
_WHO = Subject("user", "me")
_PORTFOLIO_EDGES = ("owned_instagram_accounts", "client_instagram_accounts")
_MOST_SHOWN = 10
_REFUSALS = (FatalGraphError, ConfigurationError, SkippableGraphError)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredAccount:
    """An Instagram professional account. ``page_id`` is ``''`` where no Page led to it.

    ``followers_count`` is None where Meta did not say; ``refused`` is what it said instead.
    """

    id: str
    username: str = ""
    followers_count: int | None = None
    page_id: str = ""
    refused: InsightsError | None = None


def discover_accounts(client: GraphClient) -> Iterator[DiscoveredAccount]:
    """Yield the accounts that the token sees, each once, in Meta's order.

    Accounts of a Business portfolio stay invisible, without an error, to a user token that lacks
    ``business_management``.

    :raises InsightsError: the token is refused.
    """
    found = _through_pages(client) if client.settings.login == "facebook" else _itself(client)
    seen: set[str] = set()
    for account in found:
        if account.id not in seen:
            seen.add(account.id)
            yield account


def discover_portfolio_accounts(client: GraphClient, known: Collection[str]) -> Iterator[DiscoveredAccount]:
    """Yield the accounts beside the ``known`` ones that the token's Business portfolios own or manage for clients.

    A portfolio lists accounts that nobody let the token read; those have a ``refused``. A portfolio that the token may
    not look into is logged and passed over (Meta: Business, Owned and Client Instagram Accounts).

    :raises InsightsError: the token is refused as such, or Meta is throttled or in trouble: a list cut short by that
        would pass for a whole one.
    """
    if client.settings.login != "facebook":
        return
    listed = dict.fromkeys(
        account_id
        # META-33: me/accounts does not show the Pages of a portfolio, and does not say so.
        for portfolio_id in _read_ids(client, "me/businesses", "id,name")
        for edge in _PORTFOLIO_EDGES
        for account_id in _read_ids(client, f"{portfolio_id}/{edge}", "id")
    )
    yield from describe_accounts(client, [account_id for account_id in listed if account_id not in known])


def _read_ids(client: GraphClient, path: str, fields: str) -> Iterator[str]:
    for item in _read_list(client, path, fields):
        if found := _read_account_id(item.get("id")):
            yield found
        else:
            client.note(f"{path}: an item without a readable id is left out.")


def find_usernames(client: GraphClient, usernames: Iterable[str]) -> dict[str, str]:
    """Return the ids behind ``@usernames`` in lower case, looked up among all that the token sees, portfolios too.

    :raises ConfigurationError: one is not visible to the token; the message names it, and those that are.
    """
    wanted = set(usernames)
    visible = _by_username(discover_accounts(client))
    if wanted - visible.keys():
        visible |= _by_username(discover_portfolio_accounts(client, set(visible.values())))
    if missing := sorted(wanted - visible.keys()):
        shown = ", ".join(list(visible)[:_MOST_SHOWN]) or "none"
        more = f" and {len(visible) - _MOST_SHOWN} more" if len(visible) > _MOST_SHOWN else ""
        raise ConfigurationError(
            f"The token sees no account {', '.join(missing)}, which account_ids names. Visible usernames are: "
            f"{shown}{more}. Correct the username, or give the id."
        )
    return {name: visible[name] for name in wanted}


def _by_username(accounts: Iterable[DiscoveredAccount]) -> dict[str, str]:
    return {
        f"@{account.username.lower()}": account.id
        for account in accounts
        if account.username.isprintable() and account.username
    }


def describe_accounts(client: GraphClient, account_ids: Iterable[str]) -> Iterator[DiscoveredAccount]:
    """Yield each account with its username and followers, or with what Meta ``refused`` it with; 50 per request.

    :raises InsightsError: see :meth:`GraphClient.batch`.
    """
    asked = list(account_ids)
    requests = [GraphRequest(one, {"fields": _ACCOUNT_FIELDS}, Subject("account", one)) for one in asked]
    for account_id, result in zip(asked, client.batch(requests), strict=True):
        if not isinstance(result, InsightsError):
            yield _account(result.body, account_id)
        elif isinstance(result, _REFUSALS):
            yield DiscoveredAccount(id=account_id, refused=result)
        else:
            raise result


def _read_list(client: GraphClient, path: str, fields: str) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a portfolio's list, as far as the token may read it."""
    try:
        yield from _items(client, path, fields)
    except _REFUSALS as error:
        log.warning("%s is passed over; a token needs business_management for Business portfolios. %s", path, error)


def _items(client: GraphClient, path: str, fields: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list. What is none is left out with a note; what is no list is a broken answer."""
    for answer in client.pages(GraphRequest(path, {"fields": fields}, _WHO)):
        listed = read_list(answer.body.get("data"))
        objects = read_objects(listed)
        if listed is None or objects is None:
            raise BrokenResponse(f"The answer to {path} holds no list of data, so it tells nothing about accounts.")
        if left_out := len(listed) - len(objects):
            client.note(f"{path}: {left_out} of {len(listed)} items are no objects and are left out.")
        yield from objects


def _through_pages(client: GraphClient) -> Iterator[DiscoveredAccount]:
    try:
        # META-32: a Page's token has no such edge.
        for page in _items(client, "me/accounts", _PAGE_FIELDS):
            yield from _of_page(client, page)
    except _REFUSALS as error:
        if error.facts.code != 100:
            raise
        yield from _of_page(client, _read_own_page(client, error))


def _read_own_page(client: GraphClient, refusal: InsightsError) -> Mapping[str, Any]:
    """Return the Page that a Page's token stands for: its "me" is the Page itself, which has no list of Pages.

    :raises InsightsError: the ``refusal`` of that list, where "me" is no Page either.
    """
    try:
        body: Mapping[str, Any] = client.get(GraphRequest("me", {"fields": _PAGE_FIELDS}, _WHO)).body
    except _REFUSALS:
        raise refusal from None
    return body


def _of_page(client: GraphClient, page: Mapping[str, Any]) -> Iterator[DiscoveredAccount]:
    """Yield the account behind a Page, if it has one."""
    linked = page.get("instagram_business_account")
    account = read_object(linked)
    if account and (account_id := _read_account_id(account.get("id"))):
        yield _account(account, account_id, page_id=read_id(page.get("id")) or "")
    elif linked is not None:
        client.note(f"The account of Page {quote_value(page.get('id'))} is left out: its id cannot be read.")
    elif not read_id(page.get("id")):
        client.note("me/accounts: an item without a readable id is no Page; an account behind it is left out.")


def _itself(client: GraphClient) -> Iterator[DiscoveredAccount]:
    yield read_own_account(client.get(GraphRequest("me", {"fields": _OWN_FIELDS}, _WHO)).body)


def read_own_account(body: Mapping[str, Any]) -> DiscoveredAccount:
    """Return the account of a token of Instagram Login, as its "me" describes it.

    Its ``user_id`` alone is the account's id. Its ``id`` is another one for every app (Meta's reference of the edge
    "me"): rows under it would be a second account.

    :raises BrokenResponse: the answer names no id.
    """
    account_id = _read_account_id(body.get("user_id"))
    if account_id is None:
        raise BrokenResponse("The answer to me names no user_id, so the token's own account is not known.")
    return _account(body, account_id)


def _read_account_id(value: Any) -> str | None:
    found = read_id(value)
    return found if found and found.isdigit() else None


def _account(node: Mapping[str, Any], account_id: str, *, page_id: str = "") -> DiscoveredAccount:
    return DiscoveredAccount(
        id=account_id,
        username=read_text(node.get("username")) or "",
        followers_count=read_whole_number(node.get("followers_count")),
        page_id=page_id,
    )
