"""Listings: every item once, by cursor, whatever the limit and whatever Meta refuses on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_iginsights.errors import BrokenResponse, ServerTrouble, TooMuchData
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, GraphSandbox, HtmlBody, ReduceData, World

Connect = Callable[..., GraphClient]
Perform = Callable[..., str]


def _listing(account_id: str) -> GraphRequest:
    return GraphRequest(f"{account_id}/media", {"fields": "id"}, Subject("account", account_id))


def _read_ids(client: GraphClient, account_id: str, limit: int = 100) -> list[str]:
    pages = client.pages(_listing(account_id), account_id=account_id, limit=limit)
    return [item["id"] for page in pages for item in page.body["data"]]


def _page(*ids: str, after: str | None = None, more: bool = True) -> tuple[int, dict[str, str], str]:
    paging: dict[str, Any] = {"cursors": {"after": after}} if after else {}
    if more:
        paging["next"] = "https://graph.facebook.com/v25.0/1/media?access_token=EAAGsecret&after=zzz"
    return 200, {}, json.dumps({"data": [{"id": each} for each in ids], "paging": paging})


@pytest.mark.parametrize("limit", [1, 7, 15, 29, 30, 31, 100])
def test_every_item_once(sandbox: GraphSandbox, connect: Connect, world: World, account_id: str, limit: int) -> None:
    """The pages hold what the account has, in order, for limits that divide the number of items and that do not."""
    truth = [media.id for media in world.media_of(account_id, sandbox.now())]
    assert _read_ids(connect(sandbox.url), account_id, limit) == truth
    assert not any(received.token_in_url for received in sandbox.log)
    assert {received.query["limit"] for received in sandbox.log} == {str(limit)}


def test_pages_are_asked_for_one_by_one(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """Nothing is asked before the first page is wanted, and each next page only when the one before was taken."""
    pages = connect(sandbox.url).pages(_listing(account_id), limit=10)
    assert len(sandbox.log) == 0
    next(pages)
    assert len(sandbox.log) == 1
    next(pages)
    assert len(sandbox.log) == 2


@pytest.mark.parametrize(
    ("limit", "allowed", "asked"),
    [(100, 30, [100, 100, 50, 25, 25]), (20, 3, [20, 20, 10, 5, *[3] * 10]), (3, 1, [3, 3, 2, *[1] * 30])],
)
def test_too_much_data_halves_the_limit(
    sandbox: GraphSandbox,
    connect: Connect,
    world: World,
    account_id: str,
    pauses: list[float],
    limit: int,
    allowed: int,
    asked: list[int],
) -> None:
    """A plea to reduce the amount of data halves the limit after one quick retry, for the rest of the listing."""
    sandbox.faults.add(GraphFault(effect=ReduceData(allowed), times=None))
    truth = [media.id for media in world.media_of(account_id, sandbox.now())]
    assert _read_ids(connect(sandbox.url), account_id, limit) == truth
    assert [int(received.query["limit"]) for received in sandbox.log] == asked
    assert len(pauses) == 1


def test_too_much_data_in_the_middle_keeps_the_cursor(
    sandbox: GraphSandbox, connect: Connect, world: World, account_id: str
) -> None:
    """A page in the middle that is too large is asked again from the same cursor with half the limit."""
    sandbox.faults.add(GraphFault(effect=ReduceData(5), times=2, skip=1))
    truth = [media.id for media in world.media_of(account_id, sandbox.now())]
    assert _read_ids(connect(sandbox.url), account_id, 10) == truth
    asked = [(received.query["limit"], received.query.get("after")) for received in sandbox.log]
    assert [limit for limit, _ in asked] == ["10", "10", "10", "5", "5", "5", "5"]
    assert asked[1][1] == asked[2][1] == asked[3][1]


def test_one_item_that_is_too_much_ends_the_listing(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """Where even one item is too much, the error says so; it is an error of the server, to be tried again."""
    sandbox.faults.add(GraphFault(effect=ReduceData(0), times=None))
    with pytest.raises(TooMuchData, match="too large") as caught:
        _read_ids(connect(sandbox.url), account_id, 4)
    assert isinstance(caught.value, ServerTrouble)
    assert [received.query["limit"] for received in sandbox.log] == ["4", "4", "2", "1"]


def test_a_transient_error_in_the_middle_loses_nothing(
    sandbox: GraphSandbox, connect: Connect, world: World, account_id: str
) -> None:
    """Faults between pages are retried from the same cursor."""
    sandbox.faults.add(GraphFault(effect=HtmlBody(502), skip=1), GraphFault(effect=ErrorEffect(2, http=500), skip=3))
    truth = [media.id for media in world.media_of(account_id, sandbox.now())]
    client = connect(sandbox.url)
    assert _read_ids(client, account_id, 7) == truth
    assert client.call_counts.retries == 2


@pytest.mark.parametrize(
    ("pages", "ids"),
    [
        ([_page("1", after="a", more=False), _page("never")], ["1"]),
        ([_page("1", after="a"), _page("2", more=True), _page("never")], ["1", "2"]),
        ([_page("1", after="a"), _page("1", after="b"), _page("never")], ["1"]),
        ([_page("1", after="a"), _page("2", "1", after="b"), _page("2", "1"), _page("never")], ["1", "2", "1"]),
        ([_page("1", after="a"), _page("2", after="a"), _page("2", after="a"), _page("never")], ["1", "2"]),
        ([_page("1", after="a"), *[_page(after="b")] * 9, _page("2", more=False), _page("never")], ["1", "2"]),
        ([_page(after="a"), _page("1", after="b"), *[_page(after="c")] * 10, _page("never")], ["1"]),
        ([(200, {}, '{"data":[]}'), _page("never")], []),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":null}'), _page("never")], ["1"]),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":{"next":"x","cursors":null}}'), _page("never")], ["1"]),
    ],
    ids=[
        "no next",
        "no cursor",
        "nothing new",
        "nothing new after something new",
        "same cursor",
        "empty pages, then more",
        "empty pages for ever",
        "no next and empty",
        "no paging",
        "null cursors",
    ],
)
def test_where_a_listing_ends(
    perform: Perform, connect: Connect, pages: list[tuple[int, dict[str, str], str]], ids: list[str]
) -> None:
    """A listing ends with a missing next or cursor, ten empty pages in a row, or a page of nothing new."""
    assert _read_ids(connect(perform(*pages)), "1") == ids


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        ([_page("1", after="a"), _page("1", after="b")], "had all come before"),
        ([_page("1")], "without a cursor"),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":{"next":"x","cursors":{"after":["y"]}}}')], "without a cursor"),
        ([_page(after="a")] * 10, "10 empty pages in a row"),
        ([_page("1", after="a"), _page(after="b"), _page("2", more=False)], None),
        ([_page("1", after="a", more=False)], None),
        ([(200, {}, '{"data":[]}')], None),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":"none"}')], "cannot be read"),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":5}')], "cannot be read"),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":[]}')], None),
        ([(200, {}, '{"data":[{"id":"1"}],"paging":null}')], None),
    ],
)
def test_an_end_that_is_not_ordinary_is_noted(
    perform: Perform, connect: Connect, pages: list[tuple[int, dict[str, str], str]], says: str | None
) -> None:
    """The run's notes say that a listing may be incomplete, and whose it is; an ordinary end says nothing."""
    client = connect(perform(*pages))
    _read_ids(client, "17841")
    assert [("17841/media" in note, says in note) for note in client.notes] == ([(True, True)] if says else [])


@pytest.mark.parametrize("body", ["{}", '{"data":null}', '{"data":{}}', '{"data":"x"}', '{"id":"1"}', '{"paging":{}}'])
def test_an_answer_without_a_list_is_broken(perform: Perform, connect: Connect, body: str) -> None:
    """An answer that is no listing is asked for again, and is an error at last: never an account without media."""
    again = connect(perform((200, {}, body), _page("1", more=False)))
    assert _read_ids(again, "1") == ["1"]
    with pytest.raises(BrokenResponse, match="no list"):
        _read_ids(connect(perform((200, {}, body)), max_tries=2), "1")


def test_next_is_never_followed(perform: Perform, seen: list[dict[str, Any]], connect: Connect) -> None:
    """The cursor in cursors.after is used, not the one in the URL of paging.next, nor the token that stands there."""
    _read_ids(connect(perform(_page("1", after="a"), _page("2", more=False))), "1", 5)
    assert [call["query"] for call in seen] == [
        {"fields": "id", "limit": "5"},
        {"fields": "id", "limit": "5", "after": "a"},
    ]
