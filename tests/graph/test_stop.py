"""A client that is stopped ends what its threads are doing, and asks nothing more until it was closed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.session import ReadingStopped
from airflow_provider_iginsights.graph.settings import GraphSettings
from tests.support.raw_server import RawServer, answer_with

ASKED = GraphRequest("1", {"fields": "id"})
SOON = 2.0  # seconds; what would have been waited for takes a minute


@pytest.fixture
def waits() -> threading.Event:
    """Tell that the client waits for the server."""
    return threading.Event()


@pytest.fixture
def client(
    speak: Callable[..., RawServer], waits: threading.Event, request: pytest.FixtureRequest
) -> Iterator[GraphClient]:
    """Open a client, which sleeps really, for a server that does what the parameter says."""

    def begin(connection: socket.socket, said: bytes) -> None:
        connection.sendall(said)
        waits.set()
        connection.settimeout(60)
        assert not connection.recv(1), "a client that waits sends nothing"

    def busy(connection: socket.socket) -> None:
        body = b'{"error": {"code": 2, "message": "Service temporarily unavailable"}}'
        connection.sendall(answer_with(body, "Retry-After: 60"))
        waits.set()

    says = {
        "nothing": lambda connection: begin(connection, b""),
        "half a body": lambda connection: begin(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        "try again in a minute": busy,
    }
    answers = [says[request.param], answer_with(b'{"id": "1"}')]
    with GraphClient(GraphSettings(token="t", base_url=speak(*answers).url, read_timeout=60)) as opened:
        yield opened


@pytest.mark.parametrize("client", ["nothing", "half a body", "try again in a minute"], indirect=True)
def test_a_call_under_way_ends_at_once(client: GraphClient, waits: threading.Event) -> None:
    """Whether it waits for the head, the body or the next try; a later call asks nothing; a closed client is as new."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.get, ASKED)
        assert waits.wait(10)
        started = time.monotonic()
        client.stop()
        with pytest.raises(ReadingStopped):
            asked.result(10)
        assert time.monotonic() - started < SOON
    count = client.call_counts.http
    with pytest.raises(ReadingStopped):
        client.get(ASKED)
    assert client.call_counts.http == count
    client.close()
    assert client.get(ASKED).body == {"id": "1"}


@pytest.mark.parametrize("client", ["nothing"], indirect=True)
def test_a_connection_that_is_only_being_opened_ends_too(client: GraphClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop between the look and the connection is no minute of waiting."""
    from airflow_provider_iginsights.graph.connections import LimitedHTTPConnection

    connect = LimitedHTTPConnection.connect

    def stop_and_connect(connection: LimitedHTTPConnection) -> None:
        client.stop()
        connect(connection)

    monkeypatch.setattr(LimitedHTTPConnection, "connect", stop_and_connect)
    started = time.monotonic()
    with pytest.raises(ReadingStopped):
        client.get(ASKED)
    assert time.monotonic() - started < SOON
