"""Requests that another thread sends ahead: the same limits, requests and outcome as those that the caller sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.ahead import SentAhead
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest
from airflow_provider_iginsights.sandbox.graph import (
    ErrorEffect,
    GraphFault,
    HtmlBody,
    NullItem,
    ReduceData,
    World,
)
from tests.support.readers import NOW, Readers, open_readers

DOWN = ErrorEffect(2, http=500, message="Service temporarily unavailable", is_transient=True)
GONE = ErrorEffect(190, message="Error validating access token")
BUSY = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account")
FAULTS: dict[str, tuple[Any, int | None]] = {
    "answered": (DOWN, 0),
    "one stumble": (DOWN, 1),
    "two stumbles": (HtmlBody(502), 2),
    "an item is lost": (NullItem(), 1),
    "never answered": (DOWN, None),
    "the token is dead": (GONE, None),
    "throttled": (BUSY, None),
    "a page is too large": (ReduceData(max_limit=30), None),
}


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """Serve an account with 60 posts."""
    with open_readers(World.build(accounts=1, media_per_account=60, now=NOW)) as opened:
        yield opened


def read_page(readers: Readers, *, ahead: bool) -> list[Answer | InsightsError]:
    """Read the first page of the posts."""
    account_id = readers.accounts[0].id
    request = GraphRequest(f"{account_id}/media", {"fields": "id"})
    if not ahead:
        return [next(readers.client.pages(request, account_id=account_id, limit=50))]
    sent = readers.client.start_page(request, account_id=account_id, limit=50)
    assert sent
    return [sent.read()]


def read_batch(readers: Readers, *, ahead: bool) -> list[Answer | InsightsError]:
    """Read the insights of some posts."""
    account_id = readers.accounts[0].id
    requests = [GraphRequest(f"{post.id}/insights", {"metric": "reach"}) for post in readers.posts[:4]]
    if not ahead:
        return list(readers.client.batch(requests, account_id=account_id))
    sent = readers.client.start_batch(requests, account_id=account_id)
    assert sent
    return list(sent.read())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("read", [read_page, read_batch], ids=["page", "batch"])
@pytest.mark.parametrize("login", ["facebook", "instagram"])
def test_the_outcome_is_that_of_a_request_of_the_caller(read: object, fault: str, login: str) -> None:
    """Whatever befalls it: the same answers or error after the same HTTP requests."""
    effect, times = FAULTS[fault]
    found = []
    for ahead in (False, True):
        with open_readers(World.build(accounts=1, media_per_account=60, now=NOW), login=login) as readers:
            readers.sandbox.faults.add(GraphFault(effect=effect, path=r"/(media|insights)$", times=times))
            if read is read_batch and login == "instagram":
                found.append(outcome_of(read_single, readers, ahead=ahead))
            else:
                found.append(outcome_of(read, readers, ahead=ahead))
    assert found[0] == found[1]


def read_single(readers: Readers, *, ahead: bool) -> list[Answer | InsightsError]:
    """Read the insights of one post, as for a host without batch requests."""
    account_id = readers.accounts[0].id
    requests = [GraphRequest(f"{readers.posts[0].id}/insights", {"metric": "reach"})]
    sent = readers.client.start_batch(requests, account_id=account_id) if ahead else None
    return list(sent.read() if sent else readers.client.batch(requests, account_id=account_id))


def outcome_of(read: object, readers: Readers, *, ahead: bool) -> tuple[object, ...]:
    """Return the bodies or errors, the error raised, and the requests that the server got."""
    raised, results = None, []
    try:
        results = read(readers, ahead=ahead)  # type: ignore[operator]
    except InsightsError as error:
        raised = (type(error), error.facts.code)
    said = [result.body["data"] if isinstance(result, Answer) else str(result) for result in results]
    asked = [(received.path, dict(received.query), received.items) for received in readers.sandbox.log]
    return said, raised, asked, readers.client.call_counts.retries


@pytest.mark.parametrize("percent", [81, 99])
def test_nothing_is_sent_ahead_near_a_limit(percent: float) -> None:
    """Where Meta slows an account's calls down, they go out one after the other."""
    with open_readers() as readers:
        account_id = readers.accounts[0].id
        readers.sandbox.usage.set(account_id, percent)
        request = GraphRequest(account_id, {"fields": "id"})
        readers.client.get(request, account_id=account_id)
        assert readers.client.start_page(request, account_id=account_id) is None
        assert readers.client.start_batch([request], account_id=account_id) is None
        assert readers.http == 1


def test_an_abandoned_request_is_over(readers: Readers) -> None:
    """When abandoning returns, the server has answered and nothing more is sent; after close() no thread is left."""
    readers.sandbox.clear_log()
    readers.sandbox._application.latency = 0.05
    readers.sandbox.faults.add(GraphFault(effect=DOWN, path="/media$"))
    account_id = readers.accounts[0].id
    sent = readers.client.start_page(GraphRequest(f"{account_id}/media", {"fields": "id"}), account_id=account_id)
    assert isinstance(sent, SentAhead)
    sent.abandon()
    assert readers.http <= 1
    count = readers.http
    readers.client.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("iginsights")]
    assert readers.http == count
