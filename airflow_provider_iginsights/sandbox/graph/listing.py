"""The lists: posts, stories and Pages, cut into pages with cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from airflow_provider_iginsights.sandbox.graph import auth
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.effects import EmptyPage, SamePage
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.fields import RequestedField
from airflow_provider_iginsights.sandbox.graph.nodes import media_node, page_node, read_node, user_node
from airflow_provider_iginsights.sandbox.graph.objects import Account, Business, FacebookPage, Media
from airflow_provider_iginsights.sandbox.graph.windows import read_time

__all__ = [
    "answer_bare_page",
    "answer_user",
    "list_businesses",
    "list_media",
    "list_pages",
    "list_portfolio",
    "list_stories",
]

Params = Mapping[str, str]
T = TypeVar("T")

DEFAULT_LIMIT = 25
MAX_LIMIT = 100
# "IG User Media": at most the 10,000 most recently created media.
MOST_RECENT = 10_000


def answer_user(call: GraphCall, account: Account, fields: str) -> dict[str, Any]:
    """Return an account's fields, with its media and stories if they are asked for in an expansion."""
    edges = {
        "media": lambda _call, _account, field: list_media(call, account, field.params),
        "stories": lambda _call, _account, field: list_stories(call, account, field.params),
    }
    return user_node(call, account, fields, edges)


def list_media(call: GraphCall, account: Account, params: Params) -> dict[str, Any]:
    """Return a page of the account's posts, newest first; ``since`` and ``until`` go by publish time."""
    call.require(auth.READ)
    posts = call.world.media_of(account.id, call.now)[:MOST_RECENT]
    if call.has_media_dates:
        posts = _between(posts, params)
    return _media_page(call, posts, f"/{account.id}/media", params)


def list_stories(call: GraphCall, account: Account, params: Params) -> dict[str, Any]:
    """Return a page of the account's live stories."""
    call.require(auth.READ)
    return _media_page(call, call.world.stories_of(account.id, call.now), f"/{account.id}/stories", params)


def list_pages(call: GraphCall, params: Params) -> dict[str, Any]:
    """Return a page of the token's Pages; a token without business_management sees none, without an error."""
    # META-33
    accounts: list[Account | FacebookPage] = []
    if "business_management" in call.token.permissions:
        accounts = [each for each in call.world.accounts.values() if each.page_id and call.token.sees(each.id)]
        accounts += call.world.pages.values()
    fields = params.get("fields", "access_token,category,name,tasks")

    def key(page: Account | FacebookPage) -> str:
        return page.page_id if isinstance(page, Account) else page.id

    def answer(page: Account | FacebookPage) -> dict[str, Any]:
        return page_node(call, page, fields) if isinstance(page, Account) else answer_bare_page(call, page, fields)

    return _page(call, accounts, "/me/accounts", params, key=key, answer=answer)


def list_businesses(call: GraphCall, params: Params) -> dict[str, Any]:
    """Return a page of the Business portfolios; a token without business_management may not list them."""
    call.require(auth.PORTFOLIO)
    readers: Mapping[str, Callable[[GraphCall, Any, RequestedField], Any]] = {
        "id": lambda _call, business, _field: business.id,
        "name": lambda _call, business, _field: business.name,
    }
    return _page(
        call,
        list(call.world.businesses.values()),
        "/me/businesses",
        params,
        key=lambda business: business.id,
        answer=lambda business: read_node(call, business, params.get("fields", "id,name"), readers, node="Business"),
    )


def list_portfolio(call: GraphCall, business: Business, edge: str, params: Params) -> dict[str, Any]:
    """Return a page of a portfolio's accounts, whoever may read their insights. Only their ids are told."""
    call.require(auth.PORTFOLIO)
    return _page(
        call,
        business.owned if edge == "owned_instagram_accounts" else business.clients,
        f"/{business.id}/{edge}",
        params,
        key=str,
        answer=lambda account_id: {"id": account_id},
    )


def answer_bare_page(call: GraphCall, page: FacebookPage, fields: str) -> dict[str, Any]:
    """Return the fields of a Page that has no Instagram account."""
    readers: Mapping[str, Callable[[GraphCall, Any, RequestedField], Any]] = {
        "id": lambda _call, page, _field: page.id,
        "name": lambda _call, page, _field: page.name,
        "category": lambda _call, _page, _field: "Brand",
        "access_token": lambda _call, page, _field: f"EAAGbare{page.id}",
        "tasks": lambda _call, _page, _field: ["ANALYZE"],
        "instagram_business_account": lambda _call, _page, _field: None,
    }
    return read_node(call, page, fields, readers, node="Page")


def _between(posts: list[Media], params: Params) -> list[Media]:
    first, last = (read_time(name, params[name]) if params.get(name) else None for name in ("since", "until"))
    return [
        media
        for media in posts
        if (first is None or media.timestamp.timestamp() >= first)
        and (last is None or media.timestamp.timestamp() <= last)
    ]


def _media_page(call: GraphCall, media: Sequence[Media], path: str, params: Params) -> dict[str, Any]:
    fields = params.get("fields", "id")
    return _page(
        call,
        media,
        path,
        params,
        key=lambda each: f"{each.timestamp.timestamp():.0f}:{each.id}",
        answer=lambda each: media_node(call, each, fields),
    )


def _page(
    call: GraphCall,
    items: Sequence[T],
    path: str,
    params: Params,
    *,
    key: Callable[[T], str],
    answer: Callable[[T], dict[str, Any]],
) -> dict[str, Any]:
    limit = _read_limit(params)
    odd = call.apply_faults("list", limit=limit)
    keys = [key(item) for item in items]
    start, end = _bounds(keys, params, limit)
    is_empty, is_same = (any(isinstance(effect, kind) for effect in odd) for kind in (EmptyPage, SamePage))
    shown = () if is_empty else items[start:end]
    # Without a page there is no paging either: nothing has a cursor.
    if not shown and not is_empty:
        return {"data": []}
    # A cursor of the script's own names a place; it must differ from the one that led here.
    after = _encode(f"+{start}+{params.get('after', '')[-6:]}") if is_empty or is_same else _encode(keys[end - 1])
    cursors = {"before": _encode(keys[start]) if shown else after, "after": after}
    paging: dict[str, Any] = {"cursors": cursors}
    kept = {name: value for name, value in params.items() if name not in ("after", "before", "access_token")}
    kept["limit"] = str(limit)
    # META-12: the last page has its cursors, but no next. META-13: next has the token.
    if end < len(items) or is_empty or is_same:
        paging["next"] = call.address(path, {**kept, "after": cursors["after"]})
    if start > 0:
        paging["previous"] = call.address(path, {**kept, "before": cursors["before"]})
    return {"data": [answer(item) for item in shown], "paging": paging}


def _bounds(keys: list[str], params: Params, limit: int) -> tuple[int, int]:
    """Return where the page starts and ends. An item that has vanished still holds its place as a cursor."""
    if params.get("before"):
        end = _place(keys, params["before"], "before")
        return max(0, end - limit), end
    start = _place(keys, params["after"], "after") if params.get("after") else 0
    return start, min(len(keys), start + limit)


def _place(keys: list[str], cursor: str, side: Literal["before", "after"]) -> int:
    key = _decode(cursor)
    if key.startswith("+"):
        return int(key.split("+")[1])
    if key in keys:
        return keys.index(key) + (side == "after")
    if ":" not in key:
        return 0 if side == "before" else len(keys)
    # What was deleted since its cursor was told still has its place in time: newest first.
    return sum(_order(each) > _order(key) for each in keys)


def _order(key: str) -> tuple[int, str]:
    seconds, _, object_id = key.partition(":")
    return int(seconds), object_id


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise fail("bad_cursor") from None


def _read_limit(params: Params) -> int:
    text = params.get("limit", str(DEFAULT_LIMIT))
    if not text.isdecimal():
        raise fail("bad_limit")
    # A limit above the edge's own is no error: as many as the edge allows are answered ("Paginated results").
    return min(MAX_LIMIT, max(1, int(text)))
