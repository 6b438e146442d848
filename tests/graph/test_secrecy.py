"""Nothing that leaves graph/ as text holds a secret: logs of all libraries, errors and their chains, reprs, notes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.sandbox.graph import (
    DropAfterHeaders,
    DropConnection,
    ErrorEffect,
    GraphFault,
    GraphSandbox,
    HtmlBody,
    NullItem,
    ServedVersion,
    Slow,
    TruncatedBody,
    World,
    appsecret_proof,
)
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from tests.support.secrecy import gather

Connect = Callable[..., GraphClient]
Perform = Callable[..., str]

TOKEN_LIKE = "c0ffee|under/no+known=shape"


def _read_everything(client: GraphClient, account_id: str, ids: list[str]) -> str:
    """Use each way of reading once and return all text that comes of it, answers' bodies excepted."""
    subject = Subject("account", account_id)
    ways: list[Callable[[], Any]] = [
        lambda: client.get(GraphRequest(account_id, {"fields": "id"}, subject), account_id=account_id),
        lambda: list(client.pages(GraphRequest(f"{account_id}/media", {"fields": "id"}, subject), limit=20)),
        lambda: list(client.batch([GraphRequest(each, {"fields": "id"}, Subject("media", each)) for each in ids])),
        lambda: client.get(GraphRequest("debug_token", {"input_token": client.settings.token}, Subject("token", ""))),
        lambda: client.get(GraphRequest("me/accounts", {"fields": "id,access_token"})),
    ]
    texts = [repr(client), str(client.settings)]
    for way in ways:
        try:
            result = way()
            texts.append(repr(result))
            found = result if isinstance(result, list) else []
            texts += [gather(each) for each in found if isinstance(each, InsightsError)]
        except InsightsError as error:
            texts.append(gather(error))
    return "\n".join([*texts, repr(client.notes), repr(client.call_counts)])


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Catch the debug logs of all libraries."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.parametrize(
    "effect",
    [
        ServedVersion("v26.0"),
        ErrorEffect(1, http=500),
        ErrorEffect(4, http=403),
        ErrorEffect(10),
        ErrorEffect(100, 33),
        ErrorEffect(190, 463),
        ErrorEffect(368),
        ErrorEffect(99999),
        ErrorEffect(2500, message="Unknown path components: /"),
        HtmlBody(502),
        DropConnection(),
        DropAfterHeaders(),
        TruncatedBody(),
        Slow(5),
        NullItem(),
    ],
    ids=repr,
)
def test_no_text_holds_a_secret(
    sandbox: GraphSandbox,
    connect: Connect,
    world: World,
    account_id: str,
    everything_logged: pytest.LogCaptureFixture,
    effect: Any,
) -> None:
    """Whatever happens, success included, neither token nor app secret nor proof is in any text."""
    sandbox.faults.add(GraphFault(effect=effect, times=None))
    client = connect(sandbox.url, app_secret=APP_SECRET, max_tries=2, read_timeout=0.1)
    ids = [media.id for media in world.media_of(account_id, sandbox.now())][:3]
    text = _read_everything(client, account_id, ids) + everything_logged.text
    assert "urllib3.connectionpool" in text  # the libraries did log
    for secret in (world.system_user_token, APP_SECRET, appsecret_proof(world.system_user_token, APP_SECRET)):
        assert secret not in text


@pytest.mark.parametrize("status", [200, 302, 400, 429, 500])
@pytest.mark.parametrize("place", ["message", "error_user_msg", "fbtrace_id", "location", "html"])
def test_secrets_that_the_server_repeats_are_hidden(
    perform: Perform,
    connect: Connect,
    account_id: str,
    everything_logged: pytest.LogCaptureFixture,
    status: int,
    place: str,
) -> None:
    """A server that quotes token, secret and proof back, as Meta's "Malformed access token" does, changes nothing."""
    proof = appsecret_proof(TOKEN_LIKE, "s3cret")
    quoted = f"Malformed access token {TOKEN_LIKE} {proof} s3cret"
    body = f'{{"error":{{"code":190,"{place}":"{quoted}"}}}}' if place not in ("location", "html") else quoted
    headers = {"location": f"https://evil.example/{TOKEN_LIKE}/{proof}?{proof}"} if place == "location" else {}
    client = connect(perform((status, headers, body)), token=TOKEN_LIKE, app_secret="s3cret", max_tries=2)
    text = _read_everything(client, account_id, ["1", "2"]) + everything_logged.text
    for secret in (TOKEN_LIKE, "s3cret", proof):
        assert secret not in text


@pytest.mark.parametrize(
    ("base_url", "proxy"),
    [
        ("http://127.0.0.1:9", ""),
        ("http://localhost:9", "http://user:pa55word@127.0.0.1:9"),
        ("https://graph.facebook.com", "http://user:pa55word@127.0.0.1:9"),
        ("https://graph.instagram.com", "http://pa55word:x@[broken"),
    ],
)
def test_a_network_that_is_not_there_tells_nothing(
    connect: Connect,
    account_id: str,
    everything_logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    base_url: str,
    proxy: str,
) -> None:
    """Where no connection stands, or a proxy is misconfigured, errors hold no secret, the proxy's neither."""
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    client = connect(base_url, token=TOKEN_LIKE, app_secret="s3cret", max_tries=2)
    text = _read_everything(client, account_id, ["1"]) + everything_logged.text
    for secret in (TOKEN_LIKE, "s3cret", appsecret_proof(TOKEN_LIKE, "s3cret"), "pa55word"):
        assert secret not in text


def test_bodies_stay_out_of_an_answers_repr(sandbox: GraphSandbox, connect: Connect, account_id: str) -> None:
    """Page tokens and paging links are in the body, for those who need them; printing the answer does not show them."""
    answer = connect(sandbox.url).get(GraphRequest("me/accounts", {"fields": "id,access_token"}))
    assert "EAAGpage" in str(answer.body)
    assert "EAAG" not in repr(answer)
