"""The named faults: each gives an answer another shape, where and as often as it is told to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.environment import FAULTS
from airflow_provider_iginsights.sandbox.graph import (
    REMOVE,
    SHAPES,
    Edit,
    GraphFault,
    GraphSandbox,
    Media,
    RefuseField,
    World,
)
from tests.support.pages import find_block, find_section

Ask = Callable[..., requests.Response]
FIELDS = "id,caption,alt_text,timestamp,like_count,comments_count,permalink,shortcode,media_product_type"


@pytest.fixture
def shown(ask: Ask, account_id: str) -> Callable[[], dict[str, str]]:
    """Give what asks everything that the shapes change, by question."""
    questions = {
        f"{account_id}": {"fields": "biography,website,followers_count"},
        f"{account_id}/media": {"fields": f"{FIELDS},insights.metric(reach)", "limit": 30},
        f"{account_id}/insights": {"metric": "reach", "period": "day"},
        f"{account_id}/insights ": {
            "metric": "follower_demographics",
            "period": "lifetime",
            "metric_type": "total_value",
            "breakdown": "country",
        },
    }
    return lambda: {path: ask(f"/v25.0/{path.strip()}", **params).text for path, params in questions.items()}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_changes_an_answer(sandbox: GraphSandbox, shown: Callable[[], dict[str, str]], name: str) -> None:
    """Each name changes something, and once it is over all is as before."""
    before = shown()
    fault = sandbox.faults.play(name, times=None)
    assert shown() != before
    assert sandbox.faults.count(fault) > 0
    sandbox.faults.clear()
    assert shown() == before


@pytest.mark.parametrize(
    ("name", "field", "changed"),
    [
        ("half_an_emoji", "caption", lambda value: f"{value}\ud83d"),
        ("no_timestamp", "timestamp", lambda _: None),
        ("counts_as_text", "like_count", str),
        ("likes_hidden", "like_count", lambda _: None),
        ("fields_missing", "permalink", lambda _: None),
    ],
)
def test_an_object_alone_is_changed(
    sandbox: GraphSandbox, ask: Ask, account_id: str, name: str, field: str, changed: Callable[[Any], Any]
) -> None:
    """With object_id the other posts of the page stay as they are."""
    params = {"fields": FIELDS, "limit": 5}
    before = ask(f"/v25.0/{account_id}/media", **params).json()["data"]
    sandbox.faults.play(name, object_id=before[2]["id"])
    after = ask(f"/v25.0/{account_id}/media", **params).json()["data"]
    assert after[2].get(field) == changed(before[2][field])
    assert [post for post in after if post["id"] != before[2]["id"]] == [*before[:2], *before[3:]]
    assert ask(f"/v25.0/{account_id}/media", **params).json()["data"] == before


def test_a_metric_alone_is_changed(sandbox: GraphSandbox, ask: Ask, account_id: str) -> None:
    """With metric the others of the same answer keep their numbers, in a page and in an answer of its own."""
    sandbox.faults.play("numbers_as_text", metric="reach", times=None)
    page = ask(f"/v25.0/{account_id}/media", fields="id,insights.metric(reach,likes)", limit=1).json()["data"][0]
    alone = ask(f"/v25.0/{page['id']}/insights", metric="reach,likes").json()["data"]
    for entries in (page["insights"]["data"], alone):
        kinds = {entry["name"]: type(entry["values"][0]["value"]) for entry in entries}
        assert kinds == {"reach": str, "likes": int}


def test_an_item_of_a_batch_is_changed(sandbox: GraphSandbox, account_id: str) -> None:
    """A batch's items are answers of their own."""
    sandbox.faults.play("empty_data", times=None)
    items = [{"method": "GET", "relative_url": f"v25.0/{account_id}/insights?metric=reach&period=day"}]
    form = {"batch": json.dumps(items), "access_token": sandbox.world.system_user_token}
    answer = requests.post(f"{sandbox.url}/v25.0/", data=form, timeout=10).json()
    assert json.loads(answer[0]["body"])["data"] == []


def walk(ask: Ask, path: str, *, most: int = 30) -> Iterator[list[str]]:
    """Follow a listing by its cursors while it names a next page."""
    after: dict[str, str] = {}
    for _ in range(most):
        body = ask(path, fields="id", limit=10, **after).json()
        yield [each["id"] for each in body["data"]]
        if "next" not in body.get("paging", {}):
            return
        assert body["paging"]["cursors"]["after"] != after.get("after"), "the cursor does not move"
        after = {"after": body["paging"]["cursors"]["after"]}


@pytest.mark.parametrize("empty", [1, 3])
@pytest.mark.parametrize("edge", ["media", "stories"])
def test_nothing_is_lost_behind_empty_pages(
    sandbox: GraphSandbox, ask: Ask, account_id: str, edge: str, empty: int
) -> None:
    """The posts follow behind them, each once."""
    whole = [each for page in walk(ask, f"/v25.0/{account_id}/{edge}") for each in page]
    sandbox.faults.play("empty_page", times=empty)
    pages = list(walk(ask, f"/v25.0/{account_id}/{edge}"))
    assert [page for page in pages if not page] == [[]] * empty
    assert [each for page in pages for each in page] == whole


def test_a_page_can_come_again(sandbox: GraphSandbox, ask: Ask, account_id: str) -> None:
    """A listing that names its own page as the next one never ends by itself."""
    sandbox.faults.play("same_page_again", times=None)
    pages = list(walk(ask, f"/v25.0/{account_id}/media", most=4))
    assert len(pages) == 4
    assert pages[0] == pages[1] == pages[2] == pages[3]


@pytest.mark.parametrize(
    ("code", "text"), [(100, "nonexisting field (alt_text)"), (10, "permission to read field (alt_text)")]
)
def test_a_field_can_be_refused(sandbox: GraphSandbox, ask: Ask, account_id: str, code: int, text: str) -> None:
    """The whole page is refused, with the field's name where Meta names it; without the field it comes."""
    sandbox.faults.add(GraphFault(effect=RefuseField("alt_text", code), times=None))
    refused = ask(f"/v25.0/{account_id}/media", fields="id,alt_text").json()["error"]
    assert refused["code"] == code
    assert text in refused["message"]
    assert ask(f"/v25.0/{account_id}/media", fields="id,caption").status_code == 200


def test_an_edit_of_ones_own(sandbox: GraphSandbox, ask: Ask, account_id: str) -> None:
    """Any place can be changed, at the root alone or at any depth; what finds no place does not count."""
    sandbox.faults.add(
        GraphFault(effect=Edit("/data/0/id", lambda _: 12)), GraphFault(effect=Edit("cursors/before", lambda _: REMOVE))
    )
    nowhere = GraphFault(effect=Edit("nowhere", str))
    sandbox.faults.add(nowhere)
    body = ask(f"/v25.0/{account_id}/media", fields="id", limit=2).json()
    assert body["data"][0]["id"] == 12
    assert list(body["paging"]["cursors"]) == ["after"]
    assert sandbox.faults.count(nowhere) == 0


def test_a_post_can_belong_to_two_accounts(world: World, ask: Ask) -> None:
    """A collaboration post stands in both accounts' listings."""
    first, second = world.accounts
    world.put(Media("17900000000000123", first, "IMAGE", "FEED", world.now, collaborators=(second,)))
    for account in (first, second):
        assert ask(f"/v25.0/{account}/media", fields="id", limit=1).json()["data"] == [{"id": "17900000000000123"}]


def test_the_docs_name_every_fault() -> None:
    """Whoever tests a Dag finds them all in one place, and no other."""
    rows = [
        line.split("|")[2] for line in find_section("Odd answers").splitlines() if line.startswith("| ") and "`" in line
    ]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(FAULTS)


def test_the_printed_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed test is run as it stands."""
    names: dict[str, Any] = {}
    exec(compile(find_block("Odd answers 1"), "docs/sandbox.md", "exec"), names)
    with GraphSandbox(World.build()) as graph, BigQuerySandbox() as bigquery:
        connection = {"conn_type": "instagram", "host": graph.url, "password": graph.world.system_user_token}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", bigquery.project)
        next(test for name, test in names.items() if name.startswith("test_"))((graph, bigquery))
