"""Single reads over a real socket: headers, connections, versions, rate limits, and how an answer can fail."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BrokenResponse,
    ConfigurationError,
    InsightsError,
    MetricRefused,
    ServerTrouble,
    Throttled,
    TokenExpired,
)
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.hosts import META_HOSTS
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.graph.transport import Transport
from airflow_provider_iginsights.sandbox.graph import (
    DropAfterHeaders,
    DropConnection,
    ErrorEffect,
    GraphFault,
    GraphSandbox,
    HtmlBody,
    ServedVersion,
    Slow,
    TruncatedBody,
    World,
    appsecret_proof,
)
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from tests.support.raw_server import RawServer, answer_with

Connect = Callable[..., GraphClient]
Perform = Callable[..., str]

OK = (200, {"facebook-api-version": "v25.0"}, '{"id":"1"}')


def _profile(account_id: str, **params: str) -> GraphRequest:
    return GraphRequest(account_id, {"fields": "id,username", **params}, Subject("account", account_id))


def test_reads_an_object(sandbox: GraphSandbox, connect: Connect, account_id: str, world: World) -> None:
    """A read returns the JSON object, the version that served it and the request it answers."""
    request = _profile(account_id)
    answer = connect(sandbox.url).get(request, account_id=account_id)
    assert answer.body == {"id": account_id, "username": world.accounts[account_id].username}
    assert (answer.api_version, answer.request) == ("v25.0", request)


def test_the_token_travels_in_its_header(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """The sandbox sees the token in the Authorization header and in no URL."""
    connect(sandbox.url).get(_profile(account_id))
    (received,) = sandbox.log
    assert (received.has_bearer, received.token_in_url) == (True, False)
    assert received.path == f"/v25.0/{account_id}"
    assert received.query == {"fields": "id,username"}


def test_the_proof_goes_with_every_call(sandbox: GraphSandbox, connect: Connect, world: World, account_id: str) -> None:
    """With an app secret each request carries appsecret_proof; a wrong one is a configuration error."""
    connect(sandbox.url, app_secret=APP_SECRET).get(_profile(account_id))
    assert sandbox.log[0].query["appsecret_proof"] == appsecret_proof(world.system_user_token, APP_SECRET)
    with pytest.raises(ConfigurationError, match="app_secret does not belong"):
        connect(sandbox.url, app_secret="another").get(_profile(account_id))


def test_headers_of_a_call(perform: Perform, seen: list[dict[str, Any]], connect: Connect, world: World) -> None:
    """A call asks for gzip and JSON, names the package, and the header of the secret query does not reach the wire."""
    connect(perform(OK), app_secret="s3cret").get(GraphRequest("me", {"a": "x y&z=1,2"}))
    headers = seen[0]["headers"]
    assert headers["authorization"] == f"Bearer {world.system_user_token}"
    assert "gzip" in headers["accept-encoding"]
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("airflow-provider-iginsights/")
    assert not [name for name in headers if "secret" in name]
    proof = appsecret_proof(world.system_user_token, "s3cret")
    assert seen[0]["query"] == {"a": "x y&z=1,2", "appsecret_proof": proof}


def test_a_credential_asked_about_stays_out_of_the_url(
    sandbox: GraphSandbox, connect: Connect, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """debug_token wants a token as a parameter: it arrives, but no library's debug log has it."""
    caplog.set_level("DEBUG")
    answer = connect(sandbox.url).get(GraphRequest("debug_token", {"input_token": world.system_user_token}))
    assert answer.body["data"]["is_valid"] is True
    assert "GET /v25.0/debug_token" in caplog.text
    assert world.system_user_token not in caplog.text


def test_a_netrc_does_not_replace_the_token(
    perform: Perform,
    seen: list[dict[str, Any]],
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A netrc entry for the host, which requests would send instead of our header, changes nothing."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    connect(perform(OK)).get(GraphRequest("me", {}))
    assert seen[0]["headers"]["authorization"].startswith("Bearer ")


@pytest.mark.parametrize("host", META_HOSTS)
def test_a_netrc_does_not_replace_the_token_at_meta(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For Meta's hosts, unlike loopback, the environment is read, and so would be an entry of theirs."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {host} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session = Transport(GraphSettings(token="EAAGtoken", base_url=host))._session()
    assert session.trust_env
    prepared = session.prepare_request(requests.Request("GET", f"https://{host}/me"))
    assert prepared.headers["Authorization"] == "Bearer EAAGtoken"


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_passes_every_proxy_by(
    perform: Perform,
    speak: Callable[..., RawServer],
    seen: list[dict[str, Any]],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    host: str,
) -> None:
    """The token travels to loopback in clear, so no proxy of the environment ever gets it."""
    proxy = speak(answer_with(b'{"id":"proxy"}'))
    monkeypatch.setenv(name, proxy.url)
    for each in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(each, raising=False)
    client = connect(perform(OK).replace("127.0.0.1", host), app_secret="s3cret")
    assert client.get(GraphRequest("me", {"fields": "id"})).body == {"id": "1"}
    assert set(seen[0]["query"]) == {"fields", "appsecret_proof"}
    assert proxy.heads == []


def test_a_very_long_query_works(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """A query of several kilobytes is sent as it is."""
    fields = ",".join(["id", "username"] * 600)
    assert connect(sandbox.url).get(_profile(account_id, fields=fields)).body["id"] == account_id


def test_one_connection_per_thread(perform: Perform, seen: list[dict[str, Any]], connect: Connect) -> None:
    """Each thread keeps one connection alive for all its calls; close ends them all, a later call opens a new one."""
    client = connect(perform(OK))
    gate = threading.Barrier(3)

    def read_thrice(_: int) -> None:
        gate.wait(10)
        for _ in range(3):
            client.get(GraphRequest("me", {}))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(read_thrice, range(3)))
    used = {call["port"] for call in seen}
    assert len(seen) == 9
    assert len(used) == 3
    client.close()
    client.get(GraphRequest("me", {}))
    assert seen[-1]["port"] not in used


def test_the_counts_are_exact_over_threads(perform: Perform, connect: Connect) -> None:
    """Calls of many threads are all counted."""
    client = connect(perform(OK))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get(GraphRequest("me", {})), range(80)))
    assert (client.call_counts.http, client.call_counts.calls, client.call_counts.retries) == (80, 80, 0)


@pytest.mark.parametrize(
    "effect",
    [
        ErrorEffect(1, http=500),
        ErrorEffect(2, http=503),
        ErrorEffect(99999, is_transient=True),
        HtmlBody(502),
        HtmlBody(200),
        DropConnection(),
        DropAfterHeaders(),
        TruncatedBody(),
    ],
)
def test_an_error_that_passes_is_not_noticed(
    sandbox: GraphSandbox, connect: Connect, account_id: str, pauses: list[float], effect: Any
) -> None:
    """A transient fault is retried after a pause, and the answer is as if nothing had been."""
    sandbox.faults.add(GraphFault(effect=effect, times=2))
    client = connect(sandbox.url)
    assert client.get(_profile(account_id)).body["id"] == account_id
    assert (client.call_counts.http, client.call_counts.retries) == (3, 2)
    assert [int(pause) for pause in pauses] == pytest.approx([1, 2], abs=1)
    assert client.call_counts.seconds_paused == pytest.approx(sum(pauses))


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (ErrorEffect(1, http=500), ServerTrouble),
        (ErrorEffect(2, http=503), ServerTrouble),
        (ErrorEffect(99999, is_transient=True), ServerTrouble),
        (HtmlBody(502), ServerTrouble),
        (HtmlBody(200), BrokenResponse),
        (DropConnection(), ServerTrouble),
        (DropAfterHeaders(), BrokenResponse),
        (TruncatedBody(), BrokenResponse),
    ],
)
def test_an_error_that_stays_is_named_after_bounded_tries(
    sandbox: GraphSandbox, connect: Connect, account_id: str, effect: Any, expected: type[InsightsError]
) -> None:
    """After max_tries the error says what it was, to which account, and what to do."""
    sandbox.faults.add(GraphFault(effect=effect, times=None))
    client = connect(sandbox.url, max_tries=4)
    with pytest.raises(expected, match=f"account {account_id}.*[Tt]ry again") as caught:
        client.get(_profile(account_id))
    assert type(caught.value) is expected
    assert len(sandbox.log) == client.call_counts.http == 4


@pytest.mark.parametrize("body", ["[]", "null", "3", "", '{"id":', "<html>", '"x"', "\ufeff{", "[" * 100_000])
def test_what_is_no_json_object_is_broken(perform: Perform, connect: Connect, body: str) -> None:
    """JSON that is not an object, cut JSON and no JSON are all no answer."""
    client = connect(perform((200, {}, body)), max_tries=2)
    with pytest.raises(BrokenResponse, match="HTTP 200"):
        client.get(GraphRequest("me", {}))
    assert client.call_counts.http == 2


def test_json_of_a_gateway_is_no_answer(perform: Perform, connect: Connect) -> None:
    """A JSON object with an HTTP error but without "error" is not taken for data."""
    client = connect(perform((503, {}, '{"message":"upstream"}')), max_tries=2)
    with pytest.raises(ServerTrouble):
        client.get(GraphRequest("me", {}))


@pytest.mark.parametrize(("status", "code"), [(200, 190), (500, 190)])
def test_an_error_object_counts_under_any_status(perform: Perform, connect: Connect, status: int, code: int) -> None:
    """An "error" in the body is one even with HTTP 200, and is not retried because of HTTP 500."""
    client = connect(perform((status, {}, json.dumps({"error": {"message": "x", "code": code}}))))
    with pytest.raises(TokenExpired):
        client.get(GraphRequest("me", {}))
    assert client.call_counts.http == 1


@pytest.mark.parametrize("nothing", [None, {}, [], "", False])
@pytest.mark.parametrize("path", ["17/media", "17"])
def test_an_empty_error_is_none(perform: Perform, connect: Connect, path: str, nothing: object) -> None:
    """An answer that names its error as nothing, as many interfaces do, is an answer; with HTTP 400 it is broken."""
    body = json.dumps({"data": [], "id": "17", "error": nothing})
    assert connect(perform((200, {}, body))).get(GraphRequest(path, {})).body["data"] == []
    with pytest.raises(BrokenResponse):
        connect(perform((400, {}, body)), max_tries=1).get(GraphRequest(path, {}))


def test_a_slow_server_is_given_up(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """A server that sends nothing for longer than read_timeout is retried, then named with its host."""
    sandbox.faults.add(GraphFault(effect=Slow(30), times=None))
    client = connect(sandbox.url, read_timeout=0.05, max_tries=2)
    with pytest.raises(ServerTrouble, match=r"127\.0\.0\.1:\d+: no answer in time"):
        client.get(_profile(account_id))
    assert client.call_counts.http == 2


def test_an_unreachable_host_is_named(connect: Connect) -> None:
    """Where nobody listens, the error names host, port and the system's reason."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = connect(f"http://127.0.0.1:{port}", max_tries=2)
    with pytest.raises(ServerTrouble, match=f"127.0.0.1:{port}: Connection refused"):
        client.get(GraphRequest("me", {}))


def test_retries_end_with_max_wait(
    sandbox: GraphSandbox, connect: Connect, account_id: str, moment: list[float]
) -> None:
    """However many tries are allowed, a request is given up when its time is over."""
    sandbox.faults.add(GraphFault(effect=HtmlBody(502), times=None))
    start = moment[0]
    client = connect(sandbox.url, max_tries=100, max_wait=20)
    with pytest.raises(ServerTrouble):
        client.get(_profile(account_id))
    assert moment[0] - start <= 20
    assert client.call_counts.http < 10


def test_retry_after_wins_over_back_off(perform: Perform, connect: Connect, pauses: list[float]) -> None:
    """A server that names its seconds is asked again after exactly those."""
    busy = (503, {"retry-after": "17"}, "busy")
    connect(perform(busy, busy, OK)).get(GraphRequest("me", {}))
    assert pauses == [17, 17]


def test_retry_after_beyond_the_bound_is_passed_on(perform: Perform, connect: Connect, pauses: list[float]) -> None:
    """Seconds that no quick retry can wait end the tries at once and are handed to the caller."""
    with pytest.raises(ServerTrouble) as caught:
        connect(perform((503, {"retry-after": "600"}, "busy"))).get(GraphRequest("me", {}))
    assert caught.value.retry_after == 600
    assert pauses == []


def test_429_without_json_is_a_limit(perform: Perform, connect: Connect) -> None:
    """HTTP 429 of whoever stands in front of Meta blocks the account for Retry-After, without another request."""
    client = connect(perform((429, {"retry-after": "90"}, "Too Many Requests")))
    for _ in range(2):
        with pytest.raises(Throttled) as caught:
            client.get(GraphRequest("1/insights", {}, Subject("account", "1")), account_id="1")
        assert caught.value.retry_after == 90
    assert client.call_counts.http == 1


@pytest.mark.parametrize("location", ["https://evil.example/?x=1", "/login", "http://[", ""])
def test_a_redirect_is_not_followed(
    perform: Perform, seen: list[dict[str, Any]], connect: Connect, location: str
) -> None:
    """A redirect is an error at once: following it would carry the token along."""
    with pytest.raises(ConfigurationError, match="redirects to another address"):
        connect(perform((302, {"location": location}, ""))).get(GraphRequest("me", {}))
    assert len(seen) == 1


def test_code_1_on_a_breakdown_is_an_error_of_the_server(
    sandbox: GraphSandbox, connect: Connect, account_id: str
) -> None:
    """An unknown error on a breakdown is retried as often as any and names no cause: it is never a refusal."""
    sandbox.faults.add(GraphFault(effect=ErrorEffect(1, http=500), times=None))
    client = connect(sandbox.url)
    params = {"metric": "reach", "period": "day", "metric_type": "total_value", "breakdown": "age"}
    with pytest.raises(ServerTrouble):
        client.get(GraphRequest(f"{account_id}/insights", params, Subject("account", account_id)))
    assert client.call_counts.http == client.settings.max_tries


def test_real_refusals_are_not_retried(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """Unknown accounts, bad metrics, bad tokens and bad versions each get their error with one request."""
    cases: list[tuple[dict[str, Any], GraphRequest, type[InsightsError], str]] = [
        ({}, _profile("17841400000999999"), AccountUnavailable, "account 17841400000999999"),
        (
            {},
            GraphRequest(
                f"{account_id}/insights", {"metric": "nonsense", "period": "day"}, Subject("account", account_id)
            ),
            MetricRefused,
            r"metric\[0\] must be one of",
        ),
        ({"token": "EAAGnobody"}, _profile(account_id), TokenExpired, "fresh token"),
        ({"api_version": "v99.0"}, _profile(account_id), ConfigurationError, "api_version"),
    ]
    for settings, request, expected, says in cases:
        client = connect(sandbox.url, **settings)
        with pytest.raises(expected, match=says):
            client.get(request, account_id=account_id)
        assert client.call_counts.http == 1


def test_another_version_is_noted_once(
    sandbox: GraphSandbox, connect: Connect, account_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """When Meta serves another version than the pinned one, that is warned of and noted once for each pair."""
    sandbox.faults.add(GraphFault(effect=ServedVersion("v26.0"), times=3))
    client = connect(sandbox.url)
    versions = [client.get(_profile(account_id)).api_version for _ in range(4)]
    assert versions == ["v26.0", "v26.0", "v26.0", "v25.0"]
    (note,) = client.notes
    assert "v25.0" in note
    assert "v26.0" in note
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [note]


def test_an_ended_version_is_noted(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """A version that has ended is served as another one without an error: only the header, and so the note, tells."""
    client = connect(sandbox.url, api_version="v10.0")
    served = client.get(_profile(account_id)).api_version
    assert served != "v10.0"
    assert f"pins Graph API v10.0, but Meta answered as {served}" in client.notes[0]


def test_a_used_up_account_is_left_alone(
    sandbox: GraphSandbox, connect: Connect, world: World, moment: list[float]
) -> None:
    """A throttled account raises with Meta's minutes and is not asked again until they are over; others go on."""
    first, second = list(world.accounts)[:2]
    sandbox.usage.set(first, 100)
    client = connect(sandbox.url)
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            client.get(_profile(first), account_id=first)
        assert caught.value.retry_after == sandbox.usage.minutes * 60
    assert client.call_counts.http == 1
    assert client.get(_profile(second), account_id=second).body["id"] == second
    sandbox.usage.set(first, 1)
    moment[0] += sandbox.usage.minutes * 60
    assert client.get(_profile(first), account_id=first).body["id"] == first


def test_a_nearly_used_up_account_is_slowed_down(
    sandbox: GraphSandbox, connect: Connect, world: World, pauses: list[float]
) -> None:
    """At 90 percent, halfway between threshold and limit, the next call of that account waits half of max_pause."""
    first, second = list(world.accounts)[:2]
    sandbox.usage.set(first, 90)
    client = connect(sandbox.url, max_pause=40)
    client.get(_profile(first), account_id=first)
    client.get(_profile(second), account_id=second)
    assert pauses == []
    client.get(_profile(first), account_id=first)
    assert pauses == [pytest.approx(20)]
    assert client.call_counts.seconds_paused == pytest.approx(20)


def test_one_debug_line_per_call(
    sandbox: GraphSandbox, connect: Connect, account_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each HTTP call leaves one debug line: method, path, status, time and count, without the query."""
    caplog.set_level("DEBUG", logger="airflow_provider_iginsights.graph")
    connect(sandbox.url).get(_profile(account_id))
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider")]
    assert line.startswith(f"GET {account_id}: 200 in ")
    assert line.endswith(" ms, 1 reads")
