"""Which Instagram accounts a token sees: through its Pages and Business portfolios (Facebook Login), or itself."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError, FatalGraphError, InsightsError, SkippableGraphError
from airflow_provider_iginsights.graph.request import GraphRequest, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_iginsights.graph.client import GraphClient

log = logging.getLogger(__name__)

# No access_token among the fields: a Page's token has no business in our memory.
_PAGE_FIELDS = "id,name,instagram_business_account{id,username,followers_count}"
_OWN_FIELDS = "user_id,username,followers_count"
_ACCOUNT_FIELDS = "id,username,followers_count"
_WHO = Subject("user", "me")
_PORTFOLIO_EDGES = ("owned_instagram_accounts", "client_instagram_accounts")
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
        account["id"]
        for portfolio in _read_list(client, "me/businesses", "id,name")
        for edge in _PORTFOLIO_EDGES
        for account in _read_list(client, f"{portfolio['id']}/{edge}", "id")
    )
    yield from describe_accounts(client, [account_id for account_id in listed if account_id not in known])


def describe_accounts(client: GraphClient, account_ids: Iterable[str]) -> Iterator[DiscoveredAccount]:
    """Yield each account with its username and followers, or with what Meta ``refused`` it with; 50 per request.

    :raises InsightsError: see :meth:`GraphClient.batch`.
    """
    asked = list(account_ids)
    requests = [GraphRequest(one, {"fields": _ACCOUNT_FIELDS}, Subject("account", one)) for one in asked]
    for account_id, result in zip(asked, client.batch(requests), strict=True):
        if not isinstance(result, InsightsError):
            yield _account(result.body, account_id, "")
        elif isinstance(result, _REFUSALS):
            yield DiscoveredAccount(id=account_id, refused=result)
        else:
            raise result


def _read_list(client: GraphClient, path: str, fields: str) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a portfolio's list, as far as the token may read it."""
    try:
        for answer in client.pages(GraphRequest(path, {"fields": fields}, _WHO)):
            yield from answer.body.get("data") or ()
    except _REFUSALS as error:
        log.warning("%s is passed over; a token needs business_management for Business portfolios. %s", path, error)


def _through_pages(client: GraphClient) -> Iterator[DiscoveredAccount]:
    for answer in client.pages(GraphRequest("me/accounts", {"fields": _PAGE_FIELDS}, _WHO)):
        for page in answer.body.get("data") or ():
            account = page.get("instagram_business_account")
            if account:
                yield _account(account, account["id"], page["id"])


def _itself(client: GraphClient) -> Iterator[DiscoveredAccount]:
    body = client.get(GraphRequest("me", {"fields": _OWN_FIELDS}, _WHO)).body
    yield _account(body, body.get("user_id") or body["id"], "")


def _account(node: Mapping[str, Any], account_id: str, page_id: str) -> DiscoveredAccount:
    return DiscoveredAccount(
        id=str(account_id),
        username=node.get("username", ""),
        followers_count=node.get("followers_count"),
        page_id=page_id,
    )
