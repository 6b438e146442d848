"""The socket under a sandbox: serves any ASGI application on a free loopback port from a daemon thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

import uvicorn

__all__ = ["ASGIApp", "Server", "cut_connection", "receive_body"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

logger: logging.Logger = logging.getLogger(__name__)

_STOP_SECONDS = 5.0
_TRANSPORT = "sandbox.transport"


class Server:
    """Serve an ASGI application on ``http://127.0.0.1:PORT`` until it is stopped.

    The port is bound in ``start`` and accepts connections as soon as that returns. Several servers live side by side in
    one process. Usable as a context manager; ``start`` and ``stop`` may be repeated, each start takes a port anew
    (the one asked for, or a free one when ``port`` is 0).
    """

    def __init__(self, app: ASGIApp, *, port: int = 0, name: str = "sandbox") -> None:
        """Prepare to serve ``app``; nothing is bound yet. ``name`` names the thread."""
        self._app = app
        self._port = port
        self._name = name
        self._socket: socket.socket | None = None
        self._serving: _Serving | None = None
        self._thread: threading.Thread | None = None
        self._crash: BaseException | None = None

    @property
    def port(self) -> int:
        """The port in use. Raises RuntimeError when the server is not running."""
        if self._socket is None:
            raise RuntimeError(f"The {self._name} server is not running: call start() or use it in a with statement.")
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address without a trailing slash. Raises RuntimeError when the server is not running."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether the serving thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Self:
        """Bind, serve in a daemon thread, and return once connections are accepted. Raises OSError for a taken port."""
        if self.is_running:
            return self
        self._socket = _bind(self._port)
        self._crash = None
        started = threading.Event()
        self._serving = _Serving(_config(self._app), started)
        self._thread = threading.Thread(
            target=self._run, args=(self._serving, self._socket), name=f"{self._name}-server", daemon=True
        )
        self._thread.start()
        started.wait()
        return self._check()

    def stop(self) -> None:
        """Stop serving, cut the connections that are still open, and wait for the thread. Does nothing when stopped."""
        if self._serving is not None:
            self._serving.end()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        if self._socket is not None:
            self._socket.close()
        self._serving = self._thread = self._socket = None

    def __enter__(self) -> Self:
        """Start, and return the server itself."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _check(self) -> Self:
        if self._crash is not None:
            self.stop()
            raise RuntimeError(f"The {self._name} server could not start.") from self._crash
        return self

    def _run(self, serving: _Serving, listening: socket.socket) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(serving.serve(sockets=[listening]))
        except BaseException as error:
            self._crash = error
        finally:
            serving.announce.set()


async def receive_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def cut_connection(scope: Scope, *, flush: bool = False) -> None:
    """Close the connection that a request came on, as a network does: now, or after what was sent got out (``flush``).

    The application returns after it without another word. ``scope`` is the request's ASGI scope under ``Server``.
    """
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
    if flush:
        transport.close()
    else:
        transport.abort()
    # connection_lost is called on the loop's next turn; only then does uvicorn know that no answer is due.
    await asyncio.sleep(0)


class _Serving(uvicorn.Server):
    """A uvicorn server that says when it accepts connections, stops at once, and leaves nothing open behind it."""

    def __init__(self, config: uvicorn.Config, announce: threading.Event) -> None:
        super().__init__(config)
        self.announce = announce
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    def end(self) -> None:
        """Ask the server, from another thread, to stop."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.announce.set()

    async def main_loop(self) -> None:
        # uvicorn looks every 100 ms whether it should stop; this is woken up.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), timeout=1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, asyncio.sleep(0), return_exceptions=True)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        _with_transport(app),
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
    )


def _with_transport(app: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI has no word for hanging up; uvicorn's request cycle, whose method `receive` is, holds the transport.
        cycle: Any = getattr(receive, "__self__", None)
        scope["extensions"] = {**scope.get("extensions", {}), _TRANSPORT: cycle.transport}

        async def send_dated(message: MutableMapping[str, Any]) -> None:
            # uvicorn's own Date cannot be replaced by that of an application with a clock of its own.
            if message["type"] == "http.response.start":
                names = {name for name, _ in message.get("headers", ())}
                given = [] if b"date" in names else [(b"date", formatdate(usegmt=True).encode())]
                message = {**message, "headers": [*message.get("headers", ()), *given]}
            await send(message)

        try:
            await app(scope, receive, send_dated)
        except Exception:
            logger.exception("The sandbox application failed on %s %s.", scope.get("method"), scope.get("path"))
            raise

    return serve


def _bind(port: int) -> socket.socket:
    # asyncio sends without delay (TCP_NODELAY) only on sockets whose protocol is spelt out; otherwise each answer
    # waits some 40 ms for the client's acknowledgement of its headers.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.close()
        raise
    return listening
