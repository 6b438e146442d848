"""Batches: one result per request, in order, whatever goes wrong with single items or whole batches."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_iginsights.errors import (
    BrokenResponse,
    ConfigurationError,
    InsightsError,
    MetricRefused,
    ObjectGone,
    PermissionMissing,
    PolicyBlocked,
    ServerTrouble,
    Throttled,
    TokenExpired,
)
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest, Subject
from airflow_provider_iginsights.sandbox.graph import (
    DropConnection,
    ErrorEffect,
    GraphFault,
    GraphSandbox,
    HtmlBody,
    NullItem,
    Slow,
    World,
    appsecret_proof,
)
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET

Connect = Callable[..., GraphClient]
Perform = Callable[..., str]


@pytest.fixture
def media_ids(world: World, sandbox: GraphSandbox, account_id: str) -> list[str]:
    """Return the ids of the account's 30 posts."""
    return [media.id for media in world.media_of(account_id, sandbox.now())]


def _requests(media_ids: list[str]) -> list[GraphRequest]:
    return [GraphRequest(media_id, {"fields": "id"}, Subject("media", media_id)) for media_id in media_ids]


def _ids(results: Iterator[Answer | InsightsError]) -> list[str | None]:
    return [result.body["id"] if isinstance(result, Answer) else None for result in results]


def _items(*bodies: object) -> tuple[int, dict[str, str], str]:
    items = [None if body is None else {"code": 200, "body": json.dumps(body)} for body in bodies]
    return 200, {}, json.dumps(items)


def _refusal(code: int, message: str = "x", status: int = 400) -> tuple[int, dict[str, str], str]:
    return status, {}, json.dumps({"error": {"code": code, "message": message}})


@pytest.mark.parametrize(("count", "posts"), [(0, 0), (1, 1), (50, 1), (51, 2), (120, 3)])
def test_one_result_per_request_in_order(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], count: int, posts: int
) -> None:
    """Requests go out 50 at a time and their answers come back in order; each item counts as one call."""
    asked = (media_ids * 4)[:count]
    client = connect(sandbox.url)
    assert _ids(client.batch(_requests(asked))) == asked
    assert (client.call_counts.http, client.call_counts.calls) == (posts, count)
    assert all(len(received.items) <= 50 for received in sandbox.log)


def test_what_goes_over_the_wire(perform: Perform, seen: list[dict[str, Any]], connect: Connect, world: World) -> None:
    """The POST carries items, token and proof in its body; URLs, the items' own too, carry none of the two."""
    request = GraphRequest("1/insights", {"metric": "a,b", "x": "y&z"})
    (answer,) = connect(perform(_items({"data": []})), app_secret=APP_SECRET).batch([request])
    assert isinstance(answer, Answer)
    assert (answer.body, answer.request, answer.api_version) == ({"data": []}, request, "v25.0")
    call = seen[0]
    assert call["method"] == "POST"
    assert urlsplit(call["url"])[2:] == ("/v25.0/", "", "")
    form = {name: values[0] for name, values in parse_qs(call["body"]).items()}
    assert form.pop("access_token") == world.system_user_token
    assert form.pop("appsecret_proof") == appsecret_proof(world.system_user_token, APP_SECRET)
    assert form.pop("include_headers") == "true"
    assert json.loads(form.pop("batch")) == [{"method": "GET", "relative_url": "v25.0/1/insights?metric=a,b&x=y%26z"}]
    assert form == {}


def test_the_proof_satisfies_every_item(sandbox: GraphSandbox, connect: Connect, media_ids: list[str]) -> None:
    """With an app secret the items of a batch are answered, too."""
    client = connect(sandbox.url, app_secret=APP_SECRET)
    assert _ids(client.batch(_requests(media_ids[:3]))) == media_ids[:3]


def test_batches_are_lazy(sandbox: GraphSandbox, connect: Connect, media_ids: list[str]) -> None:
    """The source is read one batch ahead at most, and nothing is sent before a result is wanted."""
    taken: list[GraphRequest] = []

    def source() -> Iterator[GraphRequest]:
        for request in _requests(media_ids * 5):
            taken.append(request)
            yield request

    results = connect(sandbox.url).batch(source())
    assert taken == []
    next(results)
    assert (len(taken), len(sandbox.log)) == (50, 1)


def test_an_items_fault_is_a_result(sandbox: GraphSandbox, connect: Connect, media_ids: list[str]) -> None:
    """Refusals of single items are yielded in their places, classified like any other, and the rest is answered."""
    requests = _requests([media_ids[0], "1", media_ids[1]])
    requests.insert(1, GraphRequest(f"{media_ids[2]}/insights", {"metric": "nonsense"}, Subject("media", media_ids[2])))
    sandbox.faults.add(GraphFault(effect=ErrorEffect(10, message="no permission"), object_id=media_ids[1]))
    results = list(connect(sandbox.url).batch(requests))
    assert [type(result) for result in results] == [Answer, MetricRefused, ObjectGone, PermissionMissing]
    gone = results[2]
    assert isinstance(gone, ObjectGone)
    assert (gone.facts.asked, gone.facts.http_status, gone.facts.code) == ("GET 1", 400, 100)
    assert "media 1" in gone.message


@pytest.mark.parametrize("effect", [NullItem(), ErrorEffect(1, http=500), ErrorEffect(2, http=500)])
def test_open_items_are_asked_again(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], pauses: list[float], effect: Any
) -> None:
    """Items that came back null or transiently failed go into another batch, alone, until they are answered."""
    sandbox.faults.add(*(GraphFault(effect=effect, path=media_ids[place], times=2) for place in (0, 7, 29)))
    client = connect(sandbox.url)
    assert _ids(client.batch(_requests(media_ids))) == media_ids
    assert [len(received.items) for received in sandbox.log] == [30, 3, 3]
    assert client.call_counts.retries == 2
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("effect", "says"), [(NullItem(), "did not answer for media"), (ErrorEffect(2, http=500), "servers failed")]
)
def test_items_without_an_answer_become_server_trouble(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], effect: Any, says: str
) -> None:
    """An item that is never answered is yielded as ServerTrouble after bounded rounds; the others are unharmed."""
    sandbox.faults.add(GraphFault(effect=effect, path=media_ids[1], times=None))
    results = list(connect(sandbox.url, max_tries=3).batch(_requests(media_ids[:3])))
    assert [type(result) for result in results] == [Answer, ServerTrouble, Answer]
    assert says in str(results[1])
    assert len(sandbox.log) == 3


def test_what_is_to_be_tried_once_gets_one_round(sandbox: GraphSandbox, connect: Connect, media_ids: list[str]) -> None:
    """Of two items that fail for the moment, only the one that is to be retried goes into another batch."""
    sandbox.faults.add(*(GraphFault(effect=ErrorEffect(2), path=media_ids[place], times=2) for place in (0, 1)))
    first, *others = _requests(media_ids[:3])
    results = list(connect(sandbox.url).batch([replace(first, no_retry=True), *others]))
    assert [type(result) for result in results] == [ServerTrouble, Answer, Answer]
    assert [len(received.items) for received in sandbox.log] == [3, 1, 1]


@pytest.mark.parametrize(("once", "tries"), [(True, 1), (False, 3)])
def test_a_batch_of_what_is_to_be_tried_once_is_sent_once(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], once: bool, tries: int
) -> None:
    """A batch that fails as a whole is repeated, unless nothing in it is to be retried."""
    sandbox.faults.add(GraphFault(effect=HtmlBody(502), path="^/$", times=None))
    with pytest.raises(ServerTrouble):
        list(connect(sandbox.url, max_tries=3).batch(replace(one, no_retry=once) for one in _requests(media_ids[:3])))
    assert len(sandbox.log) == tries


def test_code_1_on_a_breakdown_is_an_error_of_the_server(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str]
) -> None:
    """An item with a breakdown that keeps failing with code 1 is an error of the server: it names no cause."""
    sandbox.faults.add(GraphFault(effect=ErrorEffect(1, http=500), path=media_ids[0], times=None))
    params = {"metric": "profile_activity", "breakdown": "action_type"}
    request = GraphRequest(f"{media_ids[0]}/insights", params, Subject("media", media_ids[0]))
    (result,) = connect(sandbox.url).batch([request])
    assert type(result) is ServerTrouble


@pytest.mark.parametrize("body", ['{"id":', "", "[]", '"x"', "<html>"])
def test_an_items_broken_body_is_asked_again(
    perform: Perform, connect: Connect, seen: list[dict[str, Any]], body: str
) -> None:
    """A cut or foreign body of an item counts as no answer: asked again, then yielded as BrokenResponse."""
    broken = (200, {}, json.dumps([{"code": 200, "body": body}]))
    assert _ids(connect(perform(broken, _items({"id": "1"}))).batch(_requests(["1"]))) == ["1"]
    (result,) = connect(perform(broken), max_tries=2).batch(_requests(["1"]))
    assert type(result) is BrokenResponse
    assert len(seen) == 4


@pytest.mark.parametrize(
    "item",
    [
        *(3, "x", [], {}, {"code": 200}, {"code": 200, "body": None}),
        *({"code": code, "body": '{"id":"2"}'} for code in ("x", "", None, True, [], {}, 1.5, -1, 0, 99, 10**30)),
        {"code": 200, "body": ["a"], "headers": 7},
    ],
)
def test_an_item_of_no_known_shape_is_asked_again(perform: Perform, connect: Connect, item: object) -> None:
    """Whatever stands in an item's place, it cannot break the batch."""
    strange = (200, {}, json.dumps([item]))
    assert _ids(connect(perform(strange, _items({"id": "1"}))).batch(_requests(["1"]))) == ["1"]


@pytest.mark.parametrize("body", ['\ufeff{"id":"1"}', {"id": "1"}, {"id": "1", "error": None}, '{"id":"1","error":{}}'])
def test_an_items_body_in_other_forms(
    perform: Perform, connect: Connect, seen: list[dict[str, Any]], body: object
) -> None:
    """A byte order mark, a body that was parsed on its way and an empty error change nothing: it is not asked again."""
    client = connect(perform((200, {}, json.dumps([{"code": 200, "body": body}]))))
    assert _ids(client.batch(_requests(["1"]))) == ["1"]
    assert len(seen) == 1


def test_an_items_parsed_error(perform: Perform, connect: Connect) -> None:
    """An error in a body that was parsed on its way is the item's error."""
    body = {"error": {"message": "gone", "code": 100, "error_subcode": 33}}
    (found,) = connect(perform((200, {}, json.dumps([{"code": 400, "body": body}])))).batch(_requests(["1"]))
    assert type(found) is ObjectGone


@pytest.mark.parametrize(
    "headers",
    [
        *(
            None,
            7,
            "x",
            {},
            [],
            [None],
            ["x"],
            [{}],
            [{"name": "x"}],
            [{"value": "x"}],
            [{"name": None, "value": None}],
        ),
        *([{"name": 1, "value": 2}], [{"name": [], "value": {}}], {"x-business-use-case-usage": "y"}),
        [{"name": "X-Business-Use-Case-Usage", "value": "[" * 100_000}],
        [{"name": "x-business-use-case-usage", "value": ["no", "text"]}],
    ],
)
def test_headers_of_any_shape_break_no_item(perform: Perform, connect: Connect, headers: object) -> None:
    """Whatever stands under an item's headers, the item's body counts."""
    url = perform((200, {}, json.dumps([{"code": "200", "headers": headers, "body": '{"id":"1"}'}])))
    assert _ids(connect(url).batch(_requests(["1"]), account_id="17")) == ["1"]


@pytest.mark.parametrize(
    "broken", [[], [{"id": "2"}], [{"id": "0"}, {"id": "1"}, {"id": "2"}]], ids=["empty", "short", "long"]
)
def test_an_envelope_of_another_length_answers_nobody(
    perform: Perform, connect: Connect, broken: list[dict[str, str]]
) -> None:
    """Where items are missing or too many, nobody knows which is whose: all are asked again."""
    url = perform(_items(*broken), _items({"id": "1"}, {"id": "2"}))
    assert _ids(connect(url).batch(_requests(["1", "2"]))) == ["1", "2"]
    lasting = connect(perform(_items(*broken)), max_tries=2).batch(_requests(["1", "2"]))
    assert [type(result) for result in lasting] == [ServerTrouble, ServerTrouble]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (ErrorEffect(80002), Throttled),
        (ErrorEffect(190, 463), TokenExpired),
        (ErrorEffect(368), PolicyBlocked),
    ],
)
def test_what_holds_for_all_is_raised(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], effect: Any, expected: type[InsightsError]
) -> None:
    """A limit, a dead token or a policy block in an item comes after the results before it, and ends the batch."""
    sandbox.faults.add(GraphFault(effect=effect, path=media_ids[2]))
    sandbox.faults.add(GraphFault(effect=NullItem(), path=media_ids[5]))
    client = connect(sandbox.url)
    results = client.batch(_requests(media_ids * 2))
    assert [next(results).body["id"], next(results).body["id"]] == media_ids[:2]  # type: ignore[union-attr]
    with pytest.raises(expected):
        next(results)
    assert client.call_counts.http == 1


def test_a_throttled_item_blocks_the_account(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], account_id: str
) -> None:
    """After a limit in an item the account is not asked again for the minutes that the item's headers name."""
    sandbox.usage.set(account_id, 100)
    client = connect(sandbox.url)
    for _ in range(2):
        with pytest.raises(Throttled) as caught:
            list(client.batch(_requests(media_ids), account_id=account_id))
        assert caught.value.retry_after == sandbox.usage.minutes * 60
    with pytest.raises(Throttled):
        client.get(_requests(media_ids)[0], account_id=account_id)
    assert client.call_counts.http == 1


def test_a_batch_teaches_how_much_is_used(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], account_id: str, pauses: list[float]
) -> None:
    """Usage above the threshold, as reported in a batch's items, slows the next call of that account down."""
    sandbox.usage.set(account_id, 90)
    client = connect(sandbox.url, usage_threshold=80, max_pause=30)
    list(client.batch(_requests(media_ids), account_id=account_id))
    assert pauses == []
    list(client.batch(_requests(media_ids), account_id=account_id))
    assert pauses == [pytest.approx(15)]


def test_a_refused_batch_is_raised(perform: Perform, connect: Connect) -> None:
    """The refusal of a whole batch is raised as what it is; never as something that an object may be left out for."""
    cases: list[tuple[int, str, type[InsightsError]]] = [
        (190, "bad token", TokenExpired),
        (4, "limit", Throttled),
        (100, "(#100) param batch must be an array.", ConfigurationError),
        (100, "Invalid appsecret_proof provided in the API argument", ConfigurationError),
    ]
    for code, message, expected in cases:
        client = connect(perform(_refusal(code, message)))
        with pytest.raises(expected):
            list(client.batch(_requests(["1"]), account_id="17"))
        assert client.call_counts.http == 1


def test_a_refusal_in_a_later_round_keeps_what_is_settled(perform: Perform, connect: Connect) -> None:
    """When asking again for open items fails, the results before the first open one are still yielded."""
    client = connect(perform(_items({"id": "1"}, None, {"id": "3"}), _refusal(4, "limit", 403)))
    results = client.batch(_requests(["1", "2", "3"]))
    first = next(results)
    assert isinstance(first, Answer)
    assert first.body == {"id": "1"}
    with pytest.raises(Throttled):
        next(results)


@pytest.mark.parametrize("effect", [HtmlBody(502), DropConnection(), ErrorEffect(2, http=500)])
def test_a_batch_that_fails_is_sent_again(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], effect: Any
) -> None:
    """A transient error of the whole POST is retried, then raised."""
    sandbox.faults.add(GraphFault(effect=effect, path="^/$", times=2))
    client = connect(sandbox.url)
    assert _ids(client.batch(_requests(media_ids[:10]))) == media_ids[:10]
    assert client.call_counts.retries == 2
    sandbox.faults.add(GraphFault(effect=effect, path="^/$", times=None))
    with pytest.raises(ServerTrouble):
        list(client.batch(_requests(media_ids)))


def _refuse_more_than(most: int, answer: tuple[int, dict[str, Any]]) -> Callable[[list[Any]], tuple[int, Any]]:
    def judge(items: list[Any]) -> tuple[int, Any]:
        if len(items) > most:
            return answer
        return 200, [
            {"code": 200, "body": json.dumps({"id": item["relative_url"].split("/")[1].split("?")[0]})}
            for item in items
        ]

    return judge


TOO_MUCH = [
    (500, {"error": {"code": 1, "message": "Please reduce the amount of data you're asking for"}}),
    (500, {"error": {"code": 1, "error_subcode": 99, "message": "An unknown error occurred"}}),
    (400, {"error": {"code": 1, "message": "Bitte reduzieren Sie die Datenmenge"}}),
    (500, {"error": {"code": 2, "message": "Service temporarily unavailable"}}),
    (500, {"error": {"code": -3, "message": "timeout"}}),
    (504, {"message": "Gateway Timeout"}),
]


@pytest.mark.parametrize("refusal", TOO_MUCH, ids=lambda refusal: json.dumps(refusal[1])[:40])
def test_a_batch_that_is_too_large_is_halved(
    perform_by: Callable[..., str], connect: Connect, seen: list[dict[str, Any]], refusal: tuple[int, dict[str, Any]]
) -> None:
    """In whatever words Meta finds a batch too large, it is asked once more, then in smaller parts; none is lost."""

    def answer(call: dict[str, Any]) -> tuple[int, Any]:
        return _refuse_more_than(13, refusal)(json.loads(parse_qs(call["body"])["batch"][0]))

    asked = [str(number) for number in range(50)]
    assert _ids(connect(perform_by(answer)).batch(_requests(asked))) == asked
    sizes = [len(json.loads(parse_qs(call["body"])["batch"][0])) for call in seen]
    assert sizes == [50, 50, 25, 13, 13, 13, 11]


def test_a_batch_size_that_was_answered_is_kept_for_the_account(
    perform_by: Callable[..., str], connect: Connect, seen: list[dict[str, Any]]
) -> None:
    """What was learned of one account's batches serves its next ones, and no other account's."""

    def answer(call: dict[str, Any]) -> tuple[int, Any]:
        return _refuse_more_than(25, TOO_MUCH[1])(json.loads(parse_qs(call["body"])["batch"][0]))

    client = connect(perform_by(answer))
    asked = [str(number) for number in range(100)]
    assert _ids(client.batch(_requests(asked), account_id="1")) == asked
    assert _ids(client.batch(_requests(asked[:50]), account_id="1")) == asked[:50]
    assert _ids(client.batch(_requests(asked[:50]), account_id="2")) == asked[:50]
    sizes = [len(json.loads(parse_qs(call["body"])["batch"][0])) for call in seen]
    assert sizes == [50, 50, 25, 25, 25, 25, 25, 25, 50, 50, 25, 25]


def test_an_error_at_every_batch_size_changes_no_size(
    perform_by: Callable[..., str], connect: Connect, seen: list[dict[str, Any]]
) -> None:
    """Where no size is answered, the size was not the cause: the next batch is a whole one again."""
    script = iter([TOO_MUCH[3]] * 7)

    def answer(call: dict[str, Any]) -> tuple[int, Any]:
        return next(script, None) or _refuse_more_than(50, TOO_MUCH[3])(json.loads(parse_qs(call["body"])["batch"][0]))

    client = connect(perform_by(answer))
    asked = [str(number) for number in range(50)]
    with pytest.raises(ServerTrouble):
        list(client.batch(_requests(asked), account_id="1"))
    assert _ids(client.batch(_requests(asked), account_id="1")) == asked
    sizes = [len(json.loads(parse_qs(call["body"])["batch"][0])) for call in seen]
    assert (min(sizes), sizes[-1]) == (10, 50)


@pytest.mark.parametrize("refusal", TOO_MUCH, ids=lambda refusal: json.dumps(refusal[1])[:40])
def test_a_page_that_is_too_large_is_halved(
    perform_by: Callable[..., str], connect: Connect, seen: list[dict[str, Any]], refusal: tuple[int, dict[str, Any]]
) -> None:
    """So is a page, and the limit that was answered stays for the rest of the listing."""

    def answer(call: dict[str, Any]) -> tuple[int, Any]:
        limit, after = int(call["query"]["limit"]), int(call["query"].get("after", 0))
        if limit > 30:
            return refusal
        items = [{"id": str(number)} for number in range(after, min(after + limit, 60))]
        more = {"next": "x"} if after + limit < 60 else {}
        return 200, {"data": items, "paging": {"cursors": {"after": str(after + limit)}, **more}}

    pages = connect(perform_by(answer)).pages(GraphRequest("1/media", {}), limit=100)
    assert [item["id"] for page in pages for item in page.body["data"]] == [str(number) for number in range(60)]
    assert [call["query"]["limit"] for call in seen] == ["100", "100", "50", "25", "25", "25"]


@pytest.mark.parametrize("refusal", [*TOO_MUCH[1:], (503, "no JSON")], ids=lambda refusal: json.dumps(refusal[1])[:40])
def test_all_sizes_share_the_tries_of_one_request(
    perform_by: Callable[..., str],
    connect: Connect,
    seen: list[dict[str, Any]],
    pauses: list[float],
    refusal: tuple[int, Any],
) -> None:
    """An error at every size costs a page and a batch what it costs any request: seven tries within two minutes."""
    client = connect(perform_by(lambda _: refusal))
    request = GraphRequest("1/media", {})
    for ask in (client.get, lambda one: next(client.pages(one)), lambda one: next(client.batch([one] * 50))):
        del seen[:], pauses[:]
        with pytest.raises((ServerTrouble, BrokenResponse)):
            ask(request)
        assert len(seen) == client.settings.max_tries
        assert 60 < sum(pauses) < 120


def test_an_error_at_every_size_is_raised(
    perform_by: Callable[..., str], connect: Connect, seen: list[dict[str, Any]]
) -> None:
    """What is not answered at the smallest size either is waited for there, then raised; the size returns."""
    client = connect(perform_by(lambda _: TOO_MUCH[3]))
    for _ in range(2):
        with pytest.raises(ServerTrouble, match="servers failed"):
            next(client.pages(GraphRequest("1/media", {}), limit=100))
    limits = [int(call["query"]["limit"]) for call in seen]
    assert limits == [100, 100, 50, 25, 13, 10, 10] * 2


def test_a_page_size_that_was_answered_is_kept_for_the_accounts_listing(
    perform_by: Callable[..., str], connect: Connect, seen: list[dict[str, Any]]
) -> None:
    """What was learned of a listing serves the next reading of it in this run, and no other listing."""

    def answer(call: dict[str, Any]) -> tuple[int, Any]:
        return TOO_MUCH[1] if int(call["query"]["limit"]) > 60 else (200, {"data": [{"id": "1"}]})

    client = connect(perform_by(answer))
    for path in ("1/media", "1/media", "1/stories", "2/media"):
        next(client.pages(GraphRequest(path, {}), account_id=path[0]))
    assert [call["query"]["limit"] for call in seen] == ["100", "100", "50", "50", *["100", "100", "50"] * 2]


SILENT = [
    pytest.param(DropConnection(), id="dropped without an answer"),
    pytest.param(Slow(5), id="no answer in time"),
]


@pytest.mark.parametrize("effect", SILENT)
def test_a_page_that_is_not_answered_is_halved(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], account_id: str, effect: Any
) -> None:
    """A server that works too long on a page, or drops the connection over it, is asked for half as much."""
    sandbox.faults.add(GraphFault(effect=effect, path="/media", times=3))
    client = connect(sandbox.url, read_timeout=0.2)
    pages = client.pages(GraphRequest(f"{account_id}/media", {"fields": "id"}), account_id=account_id)
    assert [item["id"] for page in pages for item in page.body["data"]] == media_ids
    answered = [received.query["limit"] for received in sandbox.log if received.status]
    # At 100, 100, 50 in vain. On a machine that stands still a good answer is late, too, and the next ones are smaller.
    assert answered[0] == "25"


@pytest.mark.parametrize("effect", SILENT)
def test_a_batch_that_is_not_answered_is_halved(
    sandbox: GraphSandbox, connect: Connect, media_ids: list[str], effect: Any
) -> None:
    """So is a batch."""
    sandbox.faults.add(GraphFault(effect=effect, path="^/$", times=2))
    client = connect(sandbox.url, read_timeout=0.2)
    assert _ids(client.batch(_requests(media_ids))) == media_ids
    assert next(len(received.items) for received in sandbox.log if received.status) == 15


def test_a_host_that_is_not_reached_teaches_no_size(connect: Connect) -> None:
    """Where nobody listens, the size is not at fault: it stays."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = connect(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(ServerTrouble, match="No answer for") as caught:
            next(client.pages(GraphRequest("1/media", {})))
    assert "in time" not in caught.value.message
    assert client.call_counts.http == client.settings.max_tries


def test_instagram_login_reads_one_by_one(
    sandbox: GraphSandbox, connect: Connect, world: World, account_id: str, media_ids: list[str]
) -> None:
    """On graph.instagram.com, which is not known to batch, the same results come from single reads."""
    client = connect(sandbox.instagram_url, token=world.instagram_token(account_id))
    asked = [*media_ids[:3], "1", media_ids[3]]
    assert _ids(client.batch(_requests(asked))) == [*media_ids[:3], None, media_ids[3]]
    assert {received.method for received in sandbox.log} == {"GET"}
    assert client.notes == ()


@pytest.mark.parametrize(
    "refusal",
    [
        _refusal(100, "Unsupported post request."),
        _refusal(100, "Unsupported post request. Object with ID 'v25.0' does not exist"),
        _refusal(2500, "Unknown path components: /"),
        _refusal(3, "(#3) Application does not have the capability"),
    ],
)
def test_a_host_without_batches_is_remembered(
    perform: Perform, seen: list[dict[str, Any]], connect: Connect, refusal: Any
) -> None:
    """A host that refuses the POST as unsupported is asked one by one from then on, with a note."""
    client = connect(perform(refusal, (200, {}, '{"id":"1"}')))
    assert _ids(client.batch(_requests(["1", "1"]), account_id="17")) == ["1", "1"]
    assert _ids(client.batch(_requests(["1"]))) == ["1"]
    assert [call["method"] for call in seen] == ["POST", "GET", "GET", "GET"]
    assert client.notes == ("The Graph host offers no batch requests: objects are read one by one.",)


def test_single_reads_behave_like_items(
    sandbox: GraphSandbox, connect: Connect, world: World, account_id: str, media_ids: list[str]
) -> None:
    """Read one by one, an error of one object is a result; an expired token and a host without an answer are raised."""
    client = connect(sandbox.instagram_url, token=world.instagram_token(account_id), max_tries=2)
    sandbox.faults.add(GraphFault(effect=ErrorEffect(2, http=500), path=media_ids[0], times=None))
    assert _ids(client.batch(_requests(media_ids[:2]))) == [None, media_ids[1]]
    sandbox.faults.add(GraphFault(effect=ErrorEffect(190), path=media_ids[2]))
    with pytest.raises(TokenExpired):
        list(client.batch(_requests(media_ids[2:4])))
    sandbox.faults.add(GraphFault(effect=DropConnection(), times=None))
    with pytest.raises(ServerTrouble):
        list(client.batch(_requests(media_ids[3:5])))
