"""What the tests of the Graph client share: a sandbox, a server of scripted answers, a clock that tests move."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server
from tests.support.raw_server import Line, RawServer

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def world() -> World:
    """Build two accounts with 30 posts each."""
    return World.build(now=NOW)


@pytest.fixture
def sandbox(world: World) -> Iterator[GraphSandbox]:
    """Run a Graph sandbox without faults."""
    with GraphSandbox(world) as running:
        yield running


@pytest.fixture
def account_id(world: World) -> str:
    """Return the first account."""
    return next(iter(world.accounts))


@pytest.fixture
def pauses() -> list[float]:
    """Collect the seconds that the client slept, each sleep an entry."""
    return []


@pytest.fixture
def moment() -> list[float]:
    """Be the client's monotonic clock: the one entry is now; sleeping moves it on."""
    return [1000.0]


@pytest.fixture
def connect(pauses: list[float], moment: list[float], world: World) -> Iterator[Callable[..., GraphClient]]:
    """Open a client for a base URL and further settings; it never really sleeps."""
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            pauses.append(seconds)
            moment[0] += seconds

    with ExitStack() as clients:

        def open_client(base_url: str, **settings: Any) -> GraphClient:
            chosen = {"token": world.system_user_token, "base_url": base_url, **settings}
            return clients.enter_context(GraphClient(GraphSettings(**chosen), sleep=sleep, clock=lambda: moment[0]))

        yield open_client


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    """Collect what the server was asked: method, url, headers, port of the connection, body."""
    return []


@pytest.fixture
def perform(seen: list[dict[str, Any]]) -> Iterator[Callable[..., str]]:
    """Serve the given (status, headers, body) answers in turn, the last one for ever, and return the server's URL."""
    with ExitStack() as servers:

        def serve(*answers: tuple[int, dict[str, str], str]) -> str:
            script = list(answers)

            async def answer_next(scope: Scope, receive: Receive, send: Send) -> None:
                request = Request(scope, receive)
                seen.append(
                    {
                        "method": request.method,
                        "url": str(request.url),
                        "query": dict(request.query_params),
                        "headers": dict(request.headers),
                        "port": scope["client"][1],
                        "body": (await request.body()).decode(),
                    }
                )
                status, headers, body = script.pop(0) if len(script) > 1 else script[0]
                await Response(body, status, headers)(scope, receive, send)

            return servers.enter_context(Server(answer_next, name="scripted")).url

        yield serve


@pytest.fixture
def speak() -> Iterator[Callable[..., RawServer]]:
    """Start a server that says the given bytes in turn, the last ones for ever."""
    with ExitStack() as servers:

        def start(*lines: Line) -> RawServer:
            server = RawServer(*lines)
            servers.callback(server.stop)
            return server

        yield start


@pytest.fixture
def perform_by(seen: list[dict[str, Any]]) -> Iterator[Callable[..., str]]:
    """Serve what a function of each request returns, a status and a JSON body, and return the server's URL."""
    with ExitStack() as servers:

        def serve(answer: Callable[[dict[str, Any]], tuple[int, Any]]) -> str:
            async def answer_next(scope: Scope, receive: Receive, send: Send) -> None:
                request = Request(scope, receive)
                call = {"query": dict(request.query_params), "body": (await request.body()).decode()}
                seen.append(call)
                status, body = answer(call)
                await Response(json.dumps(body), status)(scope, receive, send)

            return servers.enter_context(Server(answer_next, name="scripted")).url

        yield serve
