"""The list of accounts that mapped tasks are made from: who is in it, in which chunks, at what cost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import ConfigurationError, TokenExpired
from airflow_provider_iginsights.graph.session import ReadingStopped
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import Account, GraphFault, Slow, World
from tests.support.sandboxes import NOW, RecordingTaskInstance, Sandboxes, open_sandboxes

SMALL = Account(id="17841411111111111", username="small", page_id="11", followers_count=99)


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve four generated accounts and a small one."""
    world = World.build(now=NOW, accounts=4, media_per_account=0, stories_per_account=0)
    world.put(SMALL)
    with open_sandboxes(world) as opened:
        yield opened


def listed(**arguments: Any) -> list[list[str]]:
    """Run the operator."""
    return InstagramListAccountsOperator(task_id="accounts", **arguments).execute({})


def ids(sandboxes: Sandboxes) -> list[str]:
    """Return the ids of the world's accounts, in Meta's order."""
    return list(sandboxes.world.accounts)


@pytest.mark.parametrize(("size", "chunks"), [(50, [5]), (5, [5]), (2, [2, 2, 1]), (1, [1] * 5), (0, [1] * 5)])
def test_chunks(sandboxes: Sandboxes, size: int, chunks: list[int]) -> None:
    """Every account is in exactly one chunk, in order; a chunk is never larger than asked for, and never empty."""
    found = listed(chunk_size=size)
    assert [len(chunk) for chunk in found] == chunks
    assert list(chain.from_iterable(found)) == ids(sandboxes)


def test_chunks_grow_where_airflow_would_not_map_them(sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more chunks are made than [core] max_map_length allows."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    assert [len(chunk) for chunk in listed(chunk_size=1)] == [3, 2]


CHOICES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "all": ({}, (0, 1, 2, 3, 4)),
    "allow by id": ({"allow": ["17841400000000002"]}, (1,)),
    "allow by username, as a comma string": ({"allow": "brand_0003, brand_0001"}, (0, 2)),
    "deny": ({"deny": ["brand_0001", "17841400000000002"]}, (2, 3, 4)),
    "deny wins over allow": ({"allow": "brand_0001,brand_0002", "deny": "brand_0001"}, (1,)),
    "minimum followers": ({"minimum_followers": 100}, (0, 1, 2, 3)),
    "given ids, in their order": ({"account_ids": "17841400000000003,17841400000000001"}, (2, 0)),
    "given ids and a username to deny": (
        {"account_ids": ["17841400000000001", "17841400000000003"], "deny": "brand_0003"},
        (0,),
    ),
    "nobody": ({"allow": "nobody"}, ()),
}


@pytest.mark.parametrize(("arguments", "places"), CHOICES.values(), ids=CHOICES)
def test_choices(sandboxes: Sandboxes, arguments: dict[str, Any], places: tuple[int, ...]) -> None:
    """allow, deny and minimum_followers narrow the accounts down, by id or username."""
    assert list(chain.from_iterable(listed(**arguments))) == [ids(sandboxes)[place] for place in places]


def test_ids_that_are_known_cost_no_call(sandboxes: Sandboxes) -> None:
    """Given ids, or those of the connection, are chunked without asking Meta."""
    assert listed(account_ids="1,2,3", chunk_size=2) == [["1", "2"], ["3"]]
    sandboxes.connect(extra={"account_ids": "4,5"})
    assert listed() == [["4", "5"]]
    assert sandboxes.graph.log == ()


def test_the_pages_of_accounts(sandboxes: Sandboxes) -> None:
    """The XCom page_ids tells a mapped task, which is given ids, of which Page each account is, as far as known."""
    no_page = Account(id="17841422222222222", username="alone")
    sandboxes.world.put(no_page)
    instance = RecordingTaskInstance()
    operator = InstagramListAccountsOperator(task_id="accounts", chunk_size=2, deny=SMALL.id)
    chunks = operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    page_ids = instance.pushed["page_ids"]
    pages = {each.id: each.page_id for each in sandboxes.world.accounts.values() if each not in (SMALL, no_page)}
    assert page_ids == pages
    chunk = [*chunks[0], no_page.id]
    for given in (page_ids, json.dumps(page_ids)):
        sandboxes.run("account", account_ids=chunk, metrics=["reach"], page_ids=given)
        told = {row["account_id"]: row["page_id"] for row in sandboxes.rows("instagram_accounts")}
        assert told == {account_id: pages.get(account_id) for account_id in chunk}
    with pytest.raises(AirflowFailException, match="page_ids must map ids of accounts to ids of their Pages"):
        sandboxes.run("account", account_ids=chunk, page_ids={"brand": "1"})


def test_a_long_list_is_asked_for_in_large_pages(sandboxes: Sandboxes) -> None:
    """One request brings 100 Pages, four times what Meta sends without a limit, and the next pages follow."""
    for number in range(5, 131):
        sandboxes.world.put(Account(id=str(17841500000000000 + number), username=f"b{number}", page_id=str(number)))
    assert len(listed(portfolios=False)[0]) == 131
    pages = [received.query for received in sandboxes.graph.log]
    assert [page["limit"] for page in pages] == ["100", "100"]


@pytest.mark.parametrize("arguments", [{"account_ids": "@brand_0001"}, {}], ids=["a username", "discovery"])
def test_a_lookup_can_be_stopped(sandboxes: Sandboxes, arguments: dict[str, Any]) -> None:
    """on_kill ends the call under way, also where usernames are looked up, and nothing more is asked."""
    slow = GraphFault(effect=Slow(30), times=None)
    sandboxes.graph.faults.add(slow)
    operator = InstagramListAccountsOperator(task_id="accounts", **arguments)

    def stop() -> float:
        while not sandboxes.graph.faults.count(slow):
            threading.Event().wait(0.005)
        operator.on_kill()
        return time.perf_counter()

    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(stop)
        with pytest.raises(ReadingStopped):
            operator.execute({})
        assert time.perf_counter() - stopping.result() < 5
    assert sandboxes.graph.faults.count(slow) == 1


def test_nobody_visible_is_said(
    sandboxes: Sandboxes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An empty list is no failure (no task is mapped), but a warning that names the likely permission."""
    sandboxes.world.accounts.clear()
    assert listed() == []
    assert "pages_show_list" in "".join((*capfd.readouterr(), caplog.text))


@pytest.mark.parametrize(
    ("error", "connection", "arguments"),
    [
        (TokenExpired, {"password": "EAAGnobody"}, {}),
        (ConfigurationError, {"password": ""}, {}),
        (ConfigurationError, {}, {"account_ids": "@brand"}),
        (ConfigurationError, {}, {"instagram_conn_id": "missing"}),
    ],
    ids=["token", "no token", "no id", "no connection"],
)
def test_failures(sandboxes: Sandboxes, error: type[Exception], connection: Any, arguments: Any) -> None:
    """What a retry does not cure fails now, under its own name."""
    sandboxes.connect(**connection)
    with pytest.raises(error) as caught:
        listed(**arguments)
    assert isinstance(caught.value, AirflowFailException)
