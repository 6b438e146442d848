"""Discovery and the connection test, whatever Meta answers: what can be read is, and nothing ends in a bare exception.

Every answer is changed at every place, once at a time, in the ways in which answers of JSON go wrong.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.extract.discovery import (
    DiscoveredAccount,
    discover_accounts,
    discover_portfolio_accounts,
    find_usernames,
)
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server
from airflow_provider_iginsights.testing import set_testing

TOKEN = "EAAGany12345678shape"
A, B = "17841400000000001", "17841400000000002"
PATHS: dict[str, Any] = {
    "me/accounts": {
        "data": [
            {
                "id": "11",
                "name": "One",
                "instagram_business_account": {"id": A, "username": "one", "followers_count": 5},
            },
            {"id": "12", "name": "Without"},
            {
                "id": "13",
                "name": "Two",
                "instagram_business_account": {"id": B, "username": "two", "followers_count": 6},
            },
        ],
        "paging": {"cursors": {"before": "x", "after": "y"}},
    },
    "me/businesses": {"data": [{"id": "601", "name": "Agency"}]},
    "601/owned_instagram_accounts": {"data": [{"id": A}, {"id": "17841400000000003"}]},
    "601/client_instagram_accounts": {"data": [{"id": "17841400000000004"}]},
    "17841400000000003": {"id": "17841400000000003", "username": "three", "followers_count": 7},
    "17841400000000004": {"id": "17841400000000004", "username": "four", "followers_count": 8},
    "me": {"id": "1", "name": "A person", "user_id": A, "username": "one"},
    "me/permissions": {"data": [{"permission": "instagram_basic", "status": "granted"}]},
    "debug_token": {
        "data": {"type": "USER", "scopes": ["instagram_basic"], "expires_at": 0, "data_access_expires_at": 1803000000}
    },
    f"{A}/insights": {"data": []},
}
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    "\ud800",
    "\u202e\x1b[31m",
    [None],
    {"error": {"message": "(#1) An unknown error", "code": 1}},
)


class ServedAnswers:
    """An ASGI application that answers each path with what is written, alone or in a batch."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = b""
        while (message := await receive()).get("more_body") or message.get("body"):
            body += message["body"]
            if not message.get("more_body"):
                break
        items = json.loads(dict(parse_qsl(body.decode())).get("batch", "null"))
        answer = self.find(scope["path"]) if items is None else [self.answer_item(item) for item in items]
        headers = [(b"content-type", b"application/json"), (b"facebook-api-version", b"v25.0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def answer_item(self, item: dict[str, str]) -> dict[str, Any]:
        """Answer one item of a batch."""
        return {"code": 200, "headers": [], "body": json.dumps(self.find(urlsplit(item["relative_url"]).path))}

    def find(self, path: str) -> Any:
        """Return what is written for a path."""
        named = path.partition("v25.0/")[2].strip("/")
        return self.answers.get(named, {"data": []})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value within an answer, and of the answer."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    """Return a copy in which the parent of the place was changed."""
    whole = {"whole": copy.deepcopy(value)}
    parent: Any = whole
    *way, last = ("whole", *path)
    for key in way:
        parent = parent[key]
    change(parent, last)
    return whole.get("whole", {})


def drop(parent: Any, key: Any) -> None:
    """Take it away."""
    del parent[key]


def double(parent: Any, key: Any) -> None:
    """Put it twice, in a list."""
    parent[key] = [parent[key], parent[key]]


def replacing(odd: Any) -> Callable[[Any, Any], None]:
    """Put something else in its place."""

    def replace(parent: Any, key: Any) -> None:
        parent[key] = odd

    return replace


CHANGES = [drop, double, *map(replacing, ODD)]


@pytest.fixture(scope="module")
def served() -> Iterator[ServedAnswers]:
    """Serve the answers on a loopback socket."""
    app, seconds = ServedAnswers(), itertools.count(step=30)
    with Server(app) as server, set_testing(clock=lambda: float(next(seconds))):
        app.url = server.url
        yield app


def settings(served: ServedAnswers) -> GraphSettings:
    """Return settings for the served answers, that give up soon."""
    return GraphSettings(token=TOKEN, base_url=served.url, max_tries=1)


def discover(served: ServedAnswers) -> list[DiscoveredAccount] | InsightsError:
    """Return all accounts that the token sees, or the error that this ended in."""
    with GraphClient(settings(served)) as client:
        try:
            return [*discover_accounts(client), *discover_portfolio_accounts(client, {A, B})]
        except InsightsError as error:
            return error


@pytest.mark.parametrize("path", ["me/accounts", "me/businesses", "601/owned_instagram_accounts", "17841400000000003"])
def test_discovery(served: ServedAnswers, path: str) -> None:
    """Accounts that can be read are found, whatever stands beside them; else the error is one of ours."""
    known = {A, B, "17841400000000003", "17841400000000004"}
    for place in places(PATHS[path]):
        for change in CHANGES:
            served.answers = {**PATHS, path: changed(PATHS[path], place, change)}
            found = discover(served)
            if isinstance(found, InsightsError):
                assert TOKEN not in str(found)
                assert len(place) <= 1, f"{place} costs more than its item"
                continue
            assert {account.id for account in found} <= known | {"0", "1000000000000000000000000000000"}, place
            assert all(type(account.username) is str for account in found)
            assert all(type(account.followers_count) in (int, type(None)) for account in found)
            if path == "me/accounts" and len(place) > 2:
                untouched = B if place[1] in (0, 1) else A
                assert untouched in {account.id for account in found}, place


def test_usernames(served: ServedAnswers) -> None:
    """A username is found by its text, whatever the other accounts look like."""
    for place in places(PATHS["me/accounts"]["data"][0], ("data", 0)):
        for change in CHANGES:
            served.answers = {**PATHS, "me/accounts": changed(PATHS["me/accounts"], place, change)}
            with GraphClient(settings(served)) as client:
                assert {name: one.id for name, one in find_usernames(client, ["@two"]).items()} == {"@two": B}


@pytest.mark.parametrize(
    ("path", "instagram"),
    [
        ("me", False),
        ("me", True),
        ("me/accounts", False),
        ("me/permissions", False),
        ("debug_token", False),
        (f"{A}/insights", True),
    ],
)
def test_the_connection_test(served: ServedAnswers, connect: Any, path: str, instagram: bool) -> None:
    """The connection test ends with sentences that hold neither a secret nor a control character."""
    host = f"{served.url}/graph.instagram.com" if instagram else served.url
    extra = {"app_id": "123456", "app_secret": "5f1c7a0d9b3e48c2a6d4f8e1b7039c5d"} if path == "debug_token" else {}
    for place in places(PATHS[path]):
        for change in CHANGES:
            served.answers = {**PATHS, path: changed(PATHS[path], place, change)}
            works, message = connect(password=TOKEN, host=host, extra=extra).test_connection()
            assert "unexpected" not in message, (place, change, message)
            assert message.isprintable(), (place, message)
            assert TOKEN not in message
            assert works in (True, False)
            assert json.dumps(message)


@pytest.mark.parametrize("me", [PATHS["me"], {"data": [PATHS["me"]]}], ids=["itself", "in a list of one"])
def test_the_own_account_of_instagram_login(served: ServedAnswers, connect: Any, me: dict[str, Any]) -> None:
    """The token's account is found in both forms of the answer, by the connection test and by a transfer."""
    served.answers = {**PATHS, "me": me}
    hook = connect(password=TOKEN, host=f"{served.url}/graph.instagram.com", extra={})
    works, message = hook.test_connection()
    assert works
    assert "belongs to one." in message
    assert "@one" in message
    assert hook.find_account_ids() == (A,)
