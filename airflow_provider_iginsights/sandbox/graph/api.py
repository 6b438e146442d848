"""The Graph API without its socket: takes one call or one batch apart, finds who answers, and adds the headers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import auth, exchange, listing, nodes
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.effects import DeleteObject, Effect, NoUsageHeaders, ServedVersion
from airflow_provider_iginsights.sandbox.graph.errors import GraphError, fail
from airflow_provider_iginsights.sandbox.graph.faults import FaultScript
from airflow_provider_iginsights.sandbox.graph.media_insights import check_readable
from airflow_provider_iginsights.sandbox.graph.objects import Account, Media, Token
from airflow_provider_iginsights.sandbox.graph.params import join_lists
from airflow_provider_iginsights.sandbox.graph.usage import UsageCounter
from airflow_provider_iginsights.sandbox.graph.versions import serve_version
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = ["GraphAPI", "GraphAnswer", "HttpRequest"]

_VERSION = re.compile(r"^/(v\d+\.\d+)(?=/|$)")
_EXCHANGE = "/oauth/access_token"
_NOBODY = Token(value="", kind="user", account_ids=())


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request for one call. ``path`` may begin with a version; ``root`` is the address before it."""

    method: str
    path: str
    params: Mapping[str, str]
    token: str | None
    login: auth.Login
    root: str


@dataclass(slots=True, kw_only=True)
class GraphAnswer:
    """What goes back: the JSON body with status and headers, and what should happen to it on the way."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)


class GraphAPI:
    """Answers calls about a world. ``pin`` makes it the API of that version, whatever the day."""

    def __init__(
        self, world: World, *, clock: Clock, faults: FaultScript, usage: UsageCounter, pin: str | None
    ) -> None:
        self.world = world
        self.clock = clock
        self.faults = faults
        self.usage = usage
        self.pin = pin
        self._traces = itertools.count(1)

    def answer(self, request: HttpRequest, work: Callable[[GraphCall], Any] | None = None) -> GraphAnswer:
        """Answer one call, with the work that its path asks for or with ``work``; a refusal is an answer, too."""
        call = self._open(request)
        if call is None:
            unknown = _VERSION.sub("", request.path).strip("/")
            return GraphAnswer(status=400, body=fail("unknown_path", path=unknown).body(self._trace()))
        answer = GraphAnswer(status=200, body=None, effects=call.effects)
        try:
            self._enter(call, request)
            if work is None:  # each item of a batch is a call, the batch around them is none
                self.usage.count_app_call(call.now)
            answer.body = (work or _route)(call)
        except GraphError as error:
            # META-18: the status is the error's own and says nothing of its kind.
            answer.status, answer.body = error.kind.http, error.body(self._trace())
            answer.headers.update(error.headers())
        if work is None:  # the items of a batch are edited, not the list around them
            answer.body = self.faults.edit(call.path, answer.body)
        answer.headers.update(self._headers(call))
        for effect in call.effects:
            if isinstance(effect, DeleteObject):
                self.world.deleted.add(effect.object_id)
        return answer

    def _open(self, request: HttpRequest) -> GraphCall | None:
        found = _VERSION.match(request.path)
        now = self.clock.now()
        version = serve_version(found[1] if found else None, now.date(), pin=self.pin)
        if version is None:
            return None
        return GraphCall(
            world=self.world,
            faults=self.faults,
            usage=self.usage,
            method=request.method,
            path=_VERSION.sub("", request.path).rstrip("/") or "/",
            params=join_lists(request.params),
            login=request.login,
            version=version,
            base_url=f"{request.root}/{version}",
            now=now,
            token=_NOBODY,
        )

    def _enter(self, call: GraphCall, request: HttpRequest) -> None:
        call.apply_faults("call")
        for effect in call.effects:
            if isinstance(effect, ServedVersion):
                call.version, call.base_url = effect.version, f"{request.root}/{effect.version}"
        if call.path == _EXCHANGE and call.login == "facebook":  # the token is one of its parameters
            return
        call.token = auth.authenticate(
            self.world, request.token, request.params, login=request.login, now=call.now, path=call.path
        )

    def _headers(self, call: GraphCall) -> dict[str, str]:
        headers = {
            "date": format_datetime(call.now, usegmt=True),
            "facebook-api-version": call.version,
            "x-fb-trace-id": self._trace(),
        }
        if any(isinstance(effect, NoUsageHeaders) for effect in call.effects):
            return headers
        # graph.instagram.com reports the app's use only, whomever a call is about.
        if call.account is None or call.login == "instagram":
            return headers | self.usage.app_header(call.now)
        return headers | self.usage.account_header(call.account, call.now)

    def _trace(self) -> str:
        return f"Asandbox{next(self._traces):08x}"


def _route(call: GraphCall) -> Any:
    _check_request(call)
    match call.path.strip("/").split("/"):
        case ["me"] if call.login == "facebook" and call.token.kind != "page":
            return _answer_me(call)
        case ["me", ("accounts" | "businesses" | "permissions") as edge] if call.login == "facebook":
            return _answer_own_list(call, edge)
        case [object_id, ("owned_instagram_accounts" | "client_instagram_accounts") as edge]:
            return _answer_portfolio(call, object_id, edge)
        case ["debug_token"]:
            asked = call.params.get("input_token", "")
            return _without_account(call, lambda: auth.debug_token(call.world, asked, call.now, viewer=call.token))
        case ["oauth", "access_token"] if call.login == "facebook":
            return _without_account(call, lambda: exchange.exchange_token(call.world, call.params, call.now))
        case ["refresh_access_token"] if call.login == "instagram":
            return _without_account(call, lambda: exchange.refresh_token(call.world, call.token, call.params, call.now))
        case [object_id] if object_id:
            return _answer_object(call, object_id, None)
        case [object_id, ("insights" | "media" | "stories" | "children") as edge]:
            return _answer_object(call, object_id, edge)
        # The root answers only batches, which are POSTs.
        case [""]:
            raise fail("unsupported", method="get")
        case _:
            raise fail("unknown_path", path=call.path.strip("/"))


def _check_request(call: GraphCall) -> None:
    """Refuse what no path takes."""
    if call.method != "GET":
        raise fail("unsupported", method=call.method.lower())
    if "ids" in call.params:
        # META-25: on every version, also on the pinned ones.
        raise fail("ids_gone")


def _without_account(call: GraphCall, answer: Callable[[], Any]) -> Any:
    call.usage.check_app()
    return answer()


def _answer_own_list(call: GraphCall, edge: str) -> Any:
    # META-32: "me" is the Page itself there, and a Page has no such list.
    if call.token.kind == "page" and edge != "permissions":
        raise fail("no_field", field=edge, node="Page")
    return _without_account(call, lambda: _OWN_LISTS[edge](call, call.params))


def _list_permissions(call: GraphCall, _params: Mapping[str, str]) -> Any:
    return {"data": [{"permission": name, "status": "granted"} for name in sorted(call.token.permissions)]}


_OWN_LISTS: Mapping[str, Callable[[GraphCall, Mapping[str, str]], Any]] = {
    "accounts": listing.list_pages,
    "businesses": listing.list_businesses,
    "permissions": _list_permissions,
}


def _answer_portfolio(call: GraphCall, business_id: str, edge: str) -> Any:
    business = call.world.businesses.get(business_id)
    if business is None:
        raise call.no_object(business_id)
    return _without_account(call, lambda: listing.list_portfolio(call, business, edge, call.params))


def _answer_me(call: GraphCall) -> dict[str, Any]:
    call.usage.check_app()
    if "instagram_business_account" in call.params.get("fields", ""):
        # Only a Page has it (reference of the node User); who asks whether "me" is a Page is refused.
        raise fail("no_field", field="instagram_business_account", node="User")
    return {"name": call.token.name, "id": call.token.user_id}


def _answer_object(call: GraphCall, object_id: str, edge: str | None) -> Any:
    account = _find_account(call, object_id)
    if account is not None:
        return _answer_account(call, account, edge)
    media = call.world.media(object_id)
    if media is not None:
        return _answer_media(call, media, edge)
    if (account := _find_page(call, object_id)) is not None:
        _refuse_edge_of_page(edge)
        return nodes.page_node(call, account, call.params.get("fields", "name"))
    if (page := call.world.pages.get(object_id)) is not None:
        _refuse_edge_of_page(edge)
        return listing.answer_bare_page(call, page, call.params.get("fields", "name"))
    raise call.no_object(object_id)


def _refuse_edge_of_page(edge: str | None) -> None:
    """Refuse what only an Instagram account has: people give the id of its Page instead."""
    if edge is not None:
        raise fail("no_field", field=edge, node="Page")


def _find_account(call: GraphCall, object_id: str) -> Account | None:
    if object_id == "me" and call.login == "instagram":
        # A token of Instagram Login is one account's ("Instagram API with Instagram Login").
        return call.world.account((call.token.account_ids or ("",))[0])
    return call.world.account(object_id)


def _find_page(call: GraphCall, object_id: str) -> Account | None:
    for account in call.world.accounts.values():
        own = object_id == "me" and call.token.kind == "page"
        if (own or (account.page_id and account.page_id == object_id)) and call.token.sees(account.id):
            return account
    return None


def _answer_account(call: GraphCall, account: Account, edge: str | None) -> Any:
    call.enter(account)
    match edge:
        case "children":
            raise fail("no_field", field=edge, node="ShadowIGUser")
        case "insights":
            return nodes.user_insights(call, account, call.params)
        case "media":
            return listing.list_media(call, account, call.params)
        case "stories":
            return listing.list_stories(call, account, call.params)
    call.require(auth.READ)
    return listing.answer_user(call, account, call.params.get("fields", "id"))


def _answer_media(call: GraphCall, media: Media, edge: str | None) -> Any:
    if not call.token.sees(media.account_id):
        raise call.no_object(media.id)
    call.enter(call.world.accounts[media.account_id])
    if edge == "insights":
        return nodes.media_insights(call, media, call.params)
    if edge not in (None, "children"):
        raise fail("no_field", field=edge, node="ShadowIGMedia")
    call.require(auth.READ)
    call.apply_faults("object", object_id=media.id, product_type=media.media_product_type)
    check_readable(call, media)
    fields = call.params.get("fields", "id")
    if edge == "children":
        return {"data": [nodes.media_node(call, child, fields) for child in call.world.children_of(media)]}
    return nodes.media_node(call, media, fields)
