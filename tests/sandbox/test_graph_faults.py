"""The script of faults and the limits of the local Graph API: each effect, each condition, and the usage headers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from airflow_provider_iginsights.sandbox.graph import (
    DeleteObject,
    DropAfterHeaders,
    DropConnection,
    ErrorEffect,
    GraphFault,
    HtmlBody,
    NoUsageHeaders,
    NullItem,
    ReduceData,
    ServedVersion,
    Slow,
    TruncatedBody,
)

BROKEN = ErrorEffect(2, http=500, message="Service temporarily unavailable", is_transient=True)


def test_an_error_is_applied_as_often_as_it_says(sandbox, ask, account_id) -> None:
    """Some requests pass first, their number is bounded, and the error is the scripted one."""
    fault = GraphFault(effect=BROKEN, path=rf"^/{account_id}$", skip=1, times=2)
    sandbox.faults.add(fault)
    assert ask("/me").status_code == 200
    assert [ask(f"/{account_id}").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    assert sandbox.faults.count(fault) == 2


@pytest.mark.parametrize(
    ("condition", "struck"),
    [
        ({"object_id": "17800000010000003"}, True),
        ({"object_id": "17800000020000003"}, False),
        ({"metric": "reach"}, True),
        ({"metric": "saved"}, False),
        ({"product_type": "REELS"}, True),
        ({"product_type": "STORY"}, False),
        ({"product_type": "FEED", "metric": "reach"}, True),
    ],
)
def test_a_fault_of_one_object_rejects_the_page_it_is_in(sandbox, ask, account_id, condition, struck) -> None:
    """Conditions on objects look into expansions, where one refusal is the whole page's."""
    sandbox.faults.add(GraphFault(effect=replace(BROKEN, code=100, subcode=2108006, http=400), times=None, **condition))
    answer = ask(f"/{account_id}/media", fields="id,insights.metric(reach,views)", limit=100)
    assert (answer.status_code == 400) == struck
    assert (answer.json().get("error", {}).get("error_subcode") == 2108006) == struck


def _batch(sandbox, *urls: str):
    items = json.dumps([{"method": "GET", "relative_url": url} for url in urls])
    form = {"batch": items, "access_token": sandbox.world.system_user_token}
    return requests.post(sandbox.url, data=form, timeout=5).json()


def test_faults_reach_into_batches(sandbox, world, account_id) -> None:
    """An item can fail alone, or be null."""
    posts = [post.id for post in world.media_of(account_id, world.now)[:3]]
    sandbox.faults.add(
        GraphFault(effect=BROKEN, object_id=posts[0], metric="reach"),
        GraphFault(effect=NullItem(), path=f"^/{posts[2]}/insights$"),
    )
    first, second, third = _batch(sandbox, *[f"v25.0/{post}/insights?metric=reach" for post in posts])
    assert [first["code"], second["code"], third] == [500, 200, None]


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (DropConnection(), requests.ConnectionError),
        (DropAfterHeaders(), requests.exceptions.ChunkedEncodingError),
        (TruncatedBody(), requests.exceptions.ChunkedEncodingError),
    ],
)
def test_connections_break(sandbox, ask, account_id, effect, error) -> None:
    """The network can break before the answer, after the headers and in the body; the next request works."""
    sandbox.faults.add(GraphFault(effect=effect))
    with pytest.raises(error):
        ask(f"/{account_id}")
    assert ask(f"/{account_id}").ok
    assert [received.status for received in sandbox.log] == [None if effect == DropConnection() else 200, 200]


def test_a_proxy_answers_in_html(sandbox, ask, account_id) -> None:
    """A 502 with an HTML body has no Graph headers."""
    sandbox.faults.add(GraphFault(effect=HtmlBody(502)))
    answer = ask(f"/{account_id}")
    assert answer.status_code == 502
    assert answer.text.startswith("<!DOCTYPE html>")
    assert "facebook-api-version" not in answer.headers
    assert sandbox.log[-1].status == 502


def test_slow_answers_outlast_an_impatient_client(sandbox, world, account_id) -> None:
    """A slow answer runs into the client's timeout while another request is answered."""
    sandbox.faults.add(GraphFault(effect=Slow(5), path=f"^/{account_id}$"))
    headers = {"Authorization": f"Bearer {world.user_token}"}
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{sandbox.url}/{account_id}", headers=headers, timeout=0.2)
    assert requests.get(f"{sandbox.url}/me", headers=headers, timeout=5).ok


def test_reduce_data_refuses_large_limits_only(sandbox, ask, account_id) -> None:
    """Above the limit a list is refused with code 1, at or below it answers."""
    sandbox.faults.add(GraphFault(effect=ReduceData(25), times=None))
    answer = ask(f"/{account_id}/media", limit=100)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 1)
    assert answer.json()["error"]["message"].startswith("(#1) Please reduce the amount of data you're asking for")
    assert ask(f"/{account_id}/media", limit=25).ok


def test_an_object_vanishes_after_listing(sandbox, ask, world, account_id) -> None:
    """DeleteObject takes effect after the answer that lists it."""
    post = world.media_of(account_id, world.now)[0].id
    sandbox.faults.add(GraphFault(effect=DeleteObject(post), path="/media$"))
    assert ask(f"/{account_id}/media").json()["data"][0]["id"] == post
    assert ask(f"/{post}/insights", metric="reach").json()["error"]["error_subcode"] == 33
    assert ask(f"/{account_id}/media").json()["data"][0]["id"] != post


def test_another_version_can_answer(sandbox, ask, account_id) -> None:
    """ServedVersion changes the header and the paging addresses."""
    sandbox.faults.add(GraphFault(effect=ServedVersion("v26.0")))
    answer = ask(f"/v21.0/{account_id}/media", limit=1)
    assert answer.headers["facebook-api-version"] == "v26.0"
    assert answer.json()["paging"]["next"].startswith(f"{sandbox.url}/v26.0/")


def test_usage_headers_can_be_absent(sandbox, ask, account_id) -> None:
    """NoUsageHeaders leaves them out of one answer."""
    sandbox.faults.add(GraphFault(effect=NoUsageHeaders()))
    assert "x-business-use-case-usage" not in ask(f"/{account_id}").headers
    assert "x-business-use-case-usage" in ask(f"/{account_id}").headers


def test_random_faults_are_the_same_for_the_same_seed(sandbox, ask, account_id) -> None:
    """A seeded mix of faults hits about the asked share of the calls, each time the same ones."""

    def statuses(seed: int) -> list[int]:
        sandbox.faults.randomize(seed, 0.3, effects=[BROKEN, HtmlBody(502)])
        return [ask(f"/{account_id}").status_code for _ in range(60)]

    first = statuses(1)
    assert statuses(1) == first
    assert statuses(2) != first
    assert set(first) == {200, 500, 502}
    sandbox.faults.clear()
    assert {ask(f"/{account_id}").status_code for _ in range(10)} == {200}


def test_usage_grows_by_call_and_blocks_at_the_threshold(sandbox, ask, world) -> None:
    """The account that reaches its limit gets 80002 with the minutes; other accounts go on; the block ends by clock."""
    first, second = world.accounts
    sandbox.usage.per_call, sandbox.usage.minutes = 30, 7

    def usage(answer: requests.Response, key: str) -> dict:
        return json.loads(answer.headers["x-business-use-case-usage"])[key][-1]

    answers = [ask(f"/{first}") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 400]
    assert [usage(answer, first)["call_count"] for answer in answers[:3]] == [30, 60, 90]
    business = world.accounts[first].business_id
    assert usage(answers[0], business) == usage(answers[0], first)
    error = answers[4].json()["error"]
    assert error["code"] == 80002
    assert error["message"].startswith("(#80002) There have been too many calls to this Instagram account.")
    assert usage(answers[4], first)["estimated_time_to_regain_access"] == 7
    assert ask(f"/{second}").ok
    sandbox.clock.advance(timedelta(minutes=5))
    assert usage(ask(f"/{first}"), first)["estimated_time_to_regain_access"] == 7
    sandbox.clock.advance(timedelta(minutes=7))
    assert ask(f"/{first}").ok


def test_usage_can_be_set_and_has_other_products_entries(sandbox, ask, account_id, world) -> None:
    """A test sets an account's percentage; another product's entry stands before Instagram's under the business."""
    sandbox.usage.set(account_id, 85)
    sandbox.usage.foreign.append({"type": "ads_insights", "call_count": 100, "total_cputime": 100, "total_time": 100})
    header = json.loads(ask(f"/{account_id}").headers["x-business-use-case-usage"])
    types = [entry["type"] for entry in header[world.accounts[account_id].business_id]]
    assert types == ["ads_insights", "instagram"]
    assert header[account_id][0]["call_count"] == 85


def test_the_app_has_a_limit_of_its_own(sandbox, ask, account_id) -> None:
    """At 100 % of the app's limit /me/accounts gets code 4, while the account's edges go on."""
    sandbox.usage.app_percent = 100
    answer = ask("/me/accounts")
    assert (answer.json()["error"]["code"], answer.json()["error"]["is_transient"]) == (4, True)
    assert json.loads(answer.headers["x-app-usage"])["call_count"] == 100
    assert ask(f"/{account_id}").ok


def test_an_app_limit_counts_every_call_of_a_rolling_hour(sandbox, ask, account_id) -> None:
    """Items of a batch count one each, refused calls count too, every answer has the percentage."""
    sandbox.usage.app_limit = 4
    batch = [{"method": "GET", "relative_url": f"v25.0/{account_id}"}] * 3
    token = sandbox.world.system_user_token
    form = {"access_token": token, "batch": json.dumps(batch)}
    envelope = requests.post(f"{sandbox.url}/v25.0/", data=form, timeout=10)
    headers = {header["name"]: header["value"] for header in envelope.json()[2]["headers"]}
    assert json.loads(headers["x-app-usage"])["call_count"] == 75
    sandbox.clock.advance(timedelta(minutes=59))
    percents = []
    for code in (None, 4, 4):
        answer = ask(f"/{account_id}")
        assert answer.json().get("error", {}).get("code") == code
        percents.append(json.loads(answer.headers["x-app-usage"])["call_count"])
    assert (percents, sandbox.usage.app_refused) == ([100, 125, 150], 2)
    sandbox.clock.advance(timedelta(minutes=1))
    answer = ask(f"/{account_id}")
    assert (answer.ok, json.loads(answer.headers["x-app-usage"])["call_count"]) == (True, 100)
