"""Batches of the local Graph API: order, statuses, headers, tokens, limits."""

from __future__ import annotations

import json

import pytest
import requests


@pytest.fixture
def post(sandbox, world):
    """Send a batch of relative addresses and return the answer."""

    def send(*urls: str, path: str = "/v25.0/", token: str | None = world.system_user_token, **form: object):
        items = [{"method": "GET", "relative_url": url} for url in urls]
        fields = {"batch": json.dumps(items), **({"access_token": token} if token else {}), **form}
        return requests.post(sandbox.url + path, data=fields, timeout=10)

    return send


def test_items_are_answered_in_order_each_with_its_status(sandbox, post, account_id) -> None:
    """The envelope is 200; items keep their order; a body is a JSON text; each item counts as a call."""
    urls = [f"v25.0/{account_id}?fields=username", "178999/insights?metric=reach", f"/v19.0/{account_id}/media?limit=1"]
    answer = post(*urls)
    assert answer.status_code == 200
    first, second, third = answer.json()
    assert [first["code"], second["code"], third["code"]] == [200, 400, 200]
    assert json.loads(first["body"])["username"] == "brand_0001"
    assert json.loads(second["body"])["error"]["error_subcode"] == 33
    assert len(json.loads(third["body"])["data"]) == 1
    headers = [{header["name"]: header["value"] for header in item["headers"]} for item in (first, third)]
    assert [each["facebook-api-version"] for each in headers] == ["v25.0", "v21.0"]
    assert account_id in headers[0]["x-business-use-case-usage"]
    assert answer.headers["facebook-api-version"] == "v25.0"
    received = sandbox.log[-1]
    assert (received.calls, received.token_in_url, received.items) == (3, False, tuple(urls))


def test_include_headers_false(post, account_id) -> None:
    """The items' headers can be left out."""
    (item,) = post(f"{account_id}", include_headers="false").json()
    assert set(item) == {"code", "body"}


def test_unversioned_and_slashless_addresses_work(post, account_id) -> None:
    """The envelope answers at the root with or without a version."""
    for path in ("/", "/v25.0", "/v25.0/"):
        assert post(account_id, path=path).json()[0]["code"] == 200


@pytest.mark.parametrize("count", [50, 51])
def test_fifty_items_at_most(post, account_id, count) -> None:
    """Fifty items are served, fifty-one are refused as a whole."""
    answer = post(*[account_id] * count)
    if count == 50:
        assert len(answer.json()) == 50
    else:
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "GraphBatchException"
        assert answer.json()["error"]["message"] == "Too many requests in batch message. Maximum batch size is 50"


def test_the_envelope_needs_a_token_as_a_parameter(sandbox, post, world, account_id) -> None:
    """Without a token, or with one only in a header, the batch is refused."""
    assert post(account_id, token=None).json()["error"]["code"] == 190
    form = {"batch": json.dumps([{"method": "GET", "relative_url": account_id}])}
    headers = {"Authorization": f"Bearer {world.system_user_token}"}
    assert requests.post(sandbox.url, data=form, headers=headers, timeout=5).json()["error"]["code"] == 190


def test_an_item_may_have_a_token_of_its_own(post, world) -> None:
    """A token in an item's address counts for that item only."""
    first, second = world.accounts
    page = world.page_token(first)
    mine, other, outer = post(f"{first}?access_token={page}", f"{second}?access_token={page}", second).json()
    assert [mine["code"], other["code"], outer["code"]] == [200, 400, 200]


@pytest.mark.parametrize("text", ["nonsense", "{}", "[1]"])
def test_a_batch_that_is_no_list_is_refused(sandbox, world, text) -> None:
    """The batch parameter is a JSON list of objects."""
    answer = requests.post(sandbox.url, data={"batch": text, "access_token": world.user_token}, timeout=5)
    assert answer.json()["error"]["message"] == "(#100) param batch must be an array."


def test_only_get_and_batches_are_offered(sandbox, world, account_id) -> None:
    """Any other POST is unsupported, alone and in a batch."""
    alone = requests.post(f"{sandbox.url}/{account_id}", data={"access_token": world.user_token}, timeout=5)
    assert alone.json()["error"]["message"] == "Unsupported post request."
    batch = json.dumps([{"method": "POST", "relative_url": account_id}])
    (item,) = requests.post(sandbox.url, data={"access_token": world.user_token, "batch": batch}, timeout=5).json()
    assert item["code"] == 400
