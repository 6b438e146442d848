"""The receiver on a real socket: who is answered with what, what is kept, and what never reaches a log."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.get_provider_info import CONFIG
from airflow_provider_iginsights.sandbox.server import Server
from airflow_provider_iginsights.webhooks import receiver
from airflow_provider_iginsights.webhooks.rate_limit import RateLimit
from airflow_provider_iginsights.webhooks.receiver import LARGEST_BODY, Receiver
from airflow_provider_iginsights.webhooks.verification import WebhookSecrets, sign
from tests.support.pages import find_section
from tests.support.webhooks.messages import DASHBOARD_TEST, STORY, change, message

SECRETS = WebhookSecrets(app_secret="secret-of-the-app", verify_token="token-of-the-app")


@dataclass
class ServedReceiver:
    """A receiver that keeps in a list, and what can go wrong around it."""

    secrets_error: Exception | None = None
    keep_error: Exception | None = None
    per_minute: int = 600
    kept: list[list[dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def secrets(self) -> WebhookSecrets:
        """Return the secrets, or fail."""
        if self.secrets_error:
            raise self.secrets_error
        return SECRETS

    def keep(self, notifications: list[dict[str, Any]]) -> None:
        """Keep, or fail."""
        if self.keep_error:
            raise self.keep_error
        self.kept.append(notifications)

    def post(self, body: bytes, *, signature: str | None = None, **options: Any) -> requests.Response:
        """Send a body with Meta's signature under it, or with another."""
        signature = sign(body, SECRETS.app_secret) if signature is None else signature
        headers = {"X-Hub-Signature-256": signature} if signature else {}
        return requests.post(self.url, data=body, headers=headers, timeout=10, **options)


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[ServedReceiver]:
    """Serve a receiver; parameters are its fields."""
    served = ServedReceiver(**getattr(request, "param", {}))
    app = Receiver(secrets=served.secrets, keep=served.keep, per_minute=served.per_minute).make_app()
    with Server(app, name="receiver") as server:
        served.url = f"{server.url}/webhook"
        yield served


def test_the_handshake(served: ServedReceiver) -> None:
    """The right token gets the bare challenge as plain text, another one 403 without it."""
    query = {"hub.mode": "subscribe", "hub.verify_token": SECRETS.verify_token, "hub.challenge": "1158201444"}
    answer = requests.get(served.url, params=query, timeout=10)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    refused = requests.get(served.url, params=query | {"hub.verify_token": "x"}, timeout=10)
    assert (refused.status_code, "1158201444" in refused.text) == (403, False)
    assert requests.get(served.url, timeout=10).status_code == 403


@pytest.mark.parametrize("payload", [message(), [message(), message()], DASHBOARD_TEST])
def test_a_signed_message_is_kept_and_answered(served: ServedReceiver, payload: Any) -> None:
    """What Meta signed is kept as it was sent, the dashboard's test message too, and then answered with 200."""
    answer = served.post(json.dumps(payload).encode())
    assert answer.status_code == 200
    assert served.kept == [payload if isinstance(payload, list) else [payload]]


@pytest.mark.parametrize(
    "payload",
    [
        message({"field": "comments", "value": {"text": "private words"}}),
        {"object": "page", "entry": []},
        [],
        {"a": 1},
        7,
    ],
)
def test_signed_messages_of_others_are_answered_and_not_kept(served: ServedReceiver, payload: Any) -> None:
    """Meta need not repeat what we do not want: 200, and nothing is stored."""
    assert served.post(json.dumps(payload).encode()).status_code == 200
    assert served.kept == []


def test_of_a_mixed_message_the_stories_are_kept(served: ServedReceiver) -> None:
    """A message with comments and stories loses the comments before it is stored."""
    comment = {"field": "comments", "value": {"text": "private words"}}
    assert served.post(json.dumps(message(comment, change(reach=17))).encode()).status_code == 200
    assert served.kept == [[message(change(reach=17))]]


@pytest.mark.parametrize("signature", ["", "sha256=" + "0" * 64, "sha1=abc", sign(b"other", SECRETS.app_secret)])
def test_without_metas_signature_401(served: ServedReceiver, signature: str, caplog: pytest.LogCaptureFixture) -> None:
    """No signature or a wrong one is 401; nothing is kept, and neither the body nor a secret is logged."""
    caplog.set_level(logging.DEBUG)
    answer = served.post(b'{"text": "smuggled"}', signature=signature)
    assert answer.status_code == 401
    assert served.kept == []
    logged = caplog.text + str([record.__dict__ for record in caplog.records])
    assert "refused with 401" in logged
    for secret in ("smuggled", SECRETS.app_secret, SECRETS.verify_token):
        assert secret not in logged


def test_the_verify_token_leaves_no_trace(served: ServedReceiver, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the handshake's token nor a wrong one is in any log."""
    caplog.set_level(logging.DEBUG, logger="airflow_provider_iginsights")
    for token in (SECRETS.verify_token, "guessed-token"):
        query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1"}
        requests.get(served.url, params=query, timeout=10)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider")]
    assert len(ours) == 1
    assert "token-of-the-app" not in ours[0]
    assert "guessed-token" not in ours[0]


class AccessLog:
    """Writes down each address once its answer is there, as a server does; of HTTP calls alone."""

    def __init__(self, app: Any) -> None:
        self.app, self.lines = app, []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let the application answer."""
        await self.app(scope, receive, send)
        if scope["type"] == "http":
            self.lines.append((scope["method"], scope["path"], scope["query_string"].decode()))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhook", 200),
        ("HEAD", "/webhook", 401),
        ("POST", "/webhook", 401),
        ("PUT", "/webhook", 405),
        ("GET", "/webhook/", 307),
        ("GET", "/Webhook", 404),
        ("GET", "/webhook", 429),
        ("GET", "/webhook", 503),
    ],
)
def test_no_access_log_has_the_verify_token(method: str, path: str, status: int) -> None:
    """Whatever a call with the verify token in its address is answered, its query is gone when the answer is there."""

    def read_secrets() -> WebhookSecrets:
        if status == 503:
            raise OSError
        return SECRETS

    app = Receiver(secrets=read_secrets, keep=list.clear, per_minute=status != 429).make_app()
    log = AccessLog(app)
    query = {"hub.mode": "subscribe", "hub.verify_token": SECRETS.verify_token, "hub.challenge": "1"}
    with Server(log, name="receiver") as server:
        address = f"{server.url}{path}"
        answer = requests.request(method, address, params=query, timeout=10, allow_redirects=False)
    assert answer.status_code == status
    assert log.lines == [(method, path, "")]
    assert SECRETS.verify_token not in f"{answer.headers} {answer.text}"


def test_signed_rubbish_is_400(served: ServedReceiver) -> None:
    """A signed body that is no JSON is refused, NaN included, which no database could store."""
    for body in (b"", b"{", b'{"object": "instagram", "entry": NaN}', b"\xff"):
        assert served.post(body).status_code == 400
    assert served.kept == []


def test_long_bodies_are_413(served: ServedReceiver) -> None:
    """More than 1 MiB is refused, whether the length is declared or found out; exactly 1 MiB is read."""
    filler = b" " * LARGEST_BODY
    assert served.post(filler + b" ").status_code == 413
    signature = sign(filler + b" ", SECRETS.app_secret)
    chunked = requests.post(
        served.url, data=iter([filler, b" "]), headers={"X-Hub-Signature-256": signature}, timeout=10
    )
    assert chunked.status_code == 413
    body = json.dumps(message()).encode()
    assert served.post(body + b" " * (LARGEST_BODY - len(body))).status_code == 200
    assert len(served.kept) == 1


def test_an_absurd_length_is_413(served: ServedReceiver) -> None:
    """A declared length of many digits is refused before a byte is read."""
    host, _, port = served.url.removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=0\r\n"
            b"Content-Length: 18446744073709551\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_slow_body_is_408(served: ServedReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that does not send what it announced is let go."""
    monkeypatch.setattr(receiver, "BODY_SECONDS", 0.05)
    host, _, port = served.url.removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /webhook HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=0\r\nContent-Length: 99\r\n\r\n{"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(served: ServedReceiver, method: str) -> None:
    """Only GET and POST are answered."""
    assert requests.request(method, served.url, timeout=10).status_code == 405


@pytest.mark.parametrize("served", [{"per_minute": 3}], indirect=True)
def test_too_many_calls_are_429(served: ServedReceiver) -> None:
    """The fourth call of a minute is told to come later, signed or not, and is not kept."""
    body = json.dumps(message()).encode()
    statuses = [served.post(body).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert served.post(body).headers["retry-after"] == "60"
    assert len(served.kept) == 3


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ({"keep_error": RuntimeError(f"INSERT ... parameters: {STORY}")}, "RuntimeError"),
        ({"keep_error": ConfigurationError("Airflow knows no asset.")}, "Airflow knows no asset."),
        ({"secrets_error": ConfigurationError("There is no such connection.")}, "There is no such connection."),
        ({"secrets_error": RuntimeError("secret-of-the-app")}, "RuntimeError"),
    ],
    indirect=["served"],
)
def test_what_is_not_kept_is_503(served: ServedReceiver, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """If nothing was stored, Meta is asked to repeat; the log says why, without a secret or what was to be stored."""
    caplog.set_level(logging.INFO, logger="airflow_provider_iginsights")
    assert served.post(json.dumps(message()).encode()).status_code == 503
    assert served.kept == []
    assert said in caplog.text
    assert STORY not in caplog.text
    assert "secret-of-the-app" not in caplog.text


@pytest.mark.parametrize("served", [{"secrets_error": RuntimeError("secret-of-the-app")}], indirect=True)
def test_the_debug_log_has_no_secret_that_an_error_quotes(
    served: ServedReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    """It says where it came from: what a secrets backend raises may quote what it was to return."""
    caplog.set_level(logging.DEBUG)
    assert served.post(json.dumps(message()).encode()).status_code == 503
    ours = [record for record in caplog.records if record.name.startswith("airflow_provider_iginsights")]
    assert "raise self.secrets_error" in ours[-1].getMessage()
    assert "secret-of-the-app" not in caplog.text + str([record.__dict__ for record in ours])


@pytest.mark.parametrize(
    ("served", "line"),
    [
        ({}, "refused with 401: the signature is not that of the app"),
        ({"per_minute": 1}, "refused with 429"),
        ({"secrets_error": OSError()}, "secrets cannot be read"),
        ({"keep_error": OSError()}, "could not be kept"),
    ],
    indirect=["served"],
)
def test_the_log_cannot_be_flooded(served: ServedReceiver, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may call: each reason has six lines a minute at most, as docs/webhooks.md says."""
    signature = "sha256=00" if "401" in line else None
    for _ in range(20):
        served.post(json.dumps(message()).encode(), signature=signature)
    assert 6 <= len([record for record in caplog.records if line in record.getMessage()]) <= 7
    assert "six lines a minute" in find_section("Webhooks: the last numbers of every story")


def test_a_refused_message_is_taken_when_it_comes_again(served: ServedReceiver) -> None:
    """After trouble with the store, the same message is kept at its repetition."""
    body = json.dumps(message()).encode()
    served.keep_error = OSError()
    assert served.post(body).status_code == 503
    served.keep_error = None
    assert served.post(body).status_code == 200
    assert served.kept == [[message()]]


def test_limits_are_per_address_and_refill() -> None:
    """Each address has its own calls, which come back with time; thousands of addresses do not fill the memory."""
    now = 0.0
    limit = RateLimit(2, clock=lambda: now)
    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [True, True, False, True]
    now = 29.0
    assert not limit.take("a")
    now = 30.0
    assert limit.take("a")
    assert not limit.take("a")
    for number in range(10_000):
        assert limit.take(str(number))
    assert len(limit._buckets) <= 4096


def test_limits_are_those_of_a_process() -> None:
    """What docs and settings say: a deployment of two processes takes twice as many calls from an address."""
    processes = [RateLimit(1, clock=lambda: 0.0), RateLimit(1, clock=lambda: 0.0)]
    assert [each.take("a") for each in (*processes, *processes)] == [True, True, False, False]
    said = CONFIG["instagram"]["options"]["webhook_requests_per_minute"]["description"]
    assert "each process of the API server" in said
    assert "Each\n*process* of the API server" in find_section("Webhooks: the last numbers of every story")


def test_limits_hold_for_threads() -> None:
    """Of a hundred calls from ten threads at one moment, exactly as many pass as are allowed."""
    limit = RateLimit(37, clock=lambda: 0.0)
    passed: list[bool] = []
    threads = [threading.Thread(target=lambda: passed.extend(limit.take("a") for _ in range(10))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 37
