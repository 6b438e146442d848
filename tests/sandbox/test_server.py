"""The sandbox server: a socket that opens quickly, closes quickly and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Iterator

import pytest
import requests
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server, cut_connection, receive_body


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    path = Request(scope).url.path
    if path == "/wait":
        await asyncio.sleep(60)
    if path == "/cut":
        return await cut_connection(scope)
    if path == "/length":
        path = str(len(await receive_body(receive)))
    if path == "/half":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        return await cut_connection(scope, flush=True)
    if path == "/nodelay":
        connection = scope["extensions"]["sandbox.transport"].get_extra_info("socket")
        path = str(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
    return await PlainTextResponse(path)(scope, receive, send)


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server."""
    with Server(_application, name="test") as running:
        yield running


def test_answers_on_a_free_loopback_port(server: Server) -> None:
    """A started server answers at its address, on the loopback interface."""
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert requests.get(f"{server.url}/hello", timeout=5).text == "/hello"


def test_starting_twice_is_starting_once(server: Server) -> None:
    """A second start changes nothing."""
    port = server.port
    assert server.start().port == port


def test_a_body_arrives_whole(server: Server) -> None:
    """However many pieces it comes in."""
    for body in (b"", b"x" * 3_000_000, (b"x" * size for size in (1, 70_000, 2))):
        length = 70_003 if not isinstance(body, bytes) else len(body)
        assert requests.post(f"{server.url}/length", data=body, timeout=5).text == str(length)


def test_several_live_side_by_side(server: Server) -> None:
    """Two servers in one process have two ports and answer independently."""
    with Server(_application) as other:
        assert other.port != server.port
        assert {requests.get(f"{each.url}/x", timeout=5).text for each in (server, other)} == {"/x"}


def test_keeps_a_connection_alive(server: Server) -> None:
    """One session's requests travel on one connection."""
    with requests.Session() as session:
        ports = set()
        for _ in range(3):
            with session.get(f"{server.url}/x", timeout=5, stream=True) as answer:
                ports.add(answer.raw._connection.sock.getsockname()[1])
                assert answer.content
    assert len(ports) == 1


def test_answers_are_sent_without_delay(server: Server) -> None:
    """Small packets are not held back for the client's acknowledgement."""
    assert requests.get(f"{server.url}/nodelay", timeout=5).text == "True"


def test_stop_frees_the_port_and_the_thread() -> None:
    """After stop the thread is gone, the port refuses, and the server can be started again."""
    server = Server(_application, name="stopped").start()
    port = server.port
    server.stop()
    server.stop()
    assert not server.is_running
    assert "stopped-server" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.url
    with server:
        assert requests.get(f"{server.url}/again", timeout=5).text == "/again"


def test_stop_leaves_no_open_transport_behind() -> None:
    """Stopping under an idle connection and a request in flight leaks neither sockets nor tasks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        server = Server(_application).start()
        idle = requests.Session()
        assert idle.get(f"{server.url}/x", timeout=5).ok
        hanging = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        hanging.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.get(f"{server.url}/x", timeout=5).ok
        server.stop()
        assert b"200" not in hanging.recv(1000)
        hanging.close()
        idle.close()
        gc.collect()


def test_refuses_a_port_that_is_taken(server: Server) -> None:
    """Asking for a port in use is an OSError, at once."""
    with pytest.raises(OSError, match="in use"):
        Server(_application, port=server.port).start()


@pytest.mark.parametrize(
    ("path", "error"),
    [("/cut", requests.ConnectionError), ("/half", requests.exceptions.ChunkedEncodingError)],
)
def test_an_application_can_hang_up(server: Server, path: str, error: type[Exception]) -> None:
    """A cut connection looks to the client like a broken network, before the answer or in its middle."""
    with pytest.raises(error):
        requests.get(f"{server.url}{path}", timeout=5)
    assert requests.get(f"{server.url}/still-there", timeout=5).ok
