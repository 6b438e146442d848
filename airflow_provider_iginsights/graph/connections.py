"""Connections to the Graph API that limit the time of an answer, hide the secret query, and can be aborted together."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import Any, Final
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.poolmanager import PoolKey, PoolManager, key_fn_by_scheme

from airflow_provider_iginsights.graph.answer_limits import LimitedHTTPResponse

SECRET_QUERY_HEADER: Final = "X-Secret-Query"  # noqa: S105 - a name, no secret
"""A header for the secret part of the query. The connection moves it into the URL; it is never sent as a header.

Meta reads ``appsecret_proof`` from the query string, but the HTTP libraries write URLs into debug logs and exceptions.
So the URL that they handle does not contain it.
"""


class UnsupportedProxy(requests.RequestException):
    """The environment names a SOCKS proxy: its connections cannot keep the limits and the secret query."""


class OpenConnections:
    """The connections of one transport, of all its threads."""

    def __init__(self) -> None:
        self._connections: WeakSet[_LimitedConnection] = WeakSet()
        self._is_aborted = False

    def add(self, connection: _LimitedConnection) -> None:
        """Take a connection that is not connected yet."""
        self._connections.add(connection)

    def check(self, connection: _LimitedConnection) -> None:
        """Abort a connection that was only being opened when all were aborted."""
        if self._is_aborted:
            connection.abort()

    def abort(self) -> None:
        """Abort all: whoever waits for an answer gets an error at once."""
        self._is_aborted = True
        for connection in list(self._connections):
            connection.abort()


class _LimitedConnection:
    """Mixed into a connection class: limits the time of an answer and adds the secret query to the URL."""

    sock: socket.socket | None

    def __init__(self, *args: Any, answer_seconds: float, opened: OpenConnections, **options: Any) -> None:
        super().__init__(*args, **options)
        self.answer_seconds = answer_seconds
        self.opened = opened
        opened.add(self)

    def response_class(self, sock: socket.socket, *_: Any, method: str | None = None) -> LimitedHTTPResponse:
        self.opened.check(self)
        return LimitedHTTPResponse(sock, self.answer_seconds, method)

    def abort(self) -> None:
        """End what is read from it."""
        # Closing a socket does not wake a thread that reads from it; shutting it down does (POSIX, shutdown).
        with suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        sent_headers = dict(headers or {})
        if query := sent_headers.pop(SECRET_QUERY_HEADER, None):
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        super().request(method, url, body=body, headers=sent_headers, **options)  # type: ignore[misc]


class LimitedHTTPConnection(_LimitedConnection, HTTPConnection):  # type: ignore[misc]
    """A plain connection, to loopback only."""


class LimitedHTTPSConnection(_LimitedConnection, HTTPSConnection):  # type: ignore[misc]
    """A TLS connection, direct or through the tunnel of an HTTP proxy."""


class LimitedHTTPConnectionPool(HTTPConnectionPool):
    """A pool of plain connections."""

    ConnectionCls = LimitedHTTPConnection


class LimitedHTTPSConnectionPool(HTTPSConnectionPool):
    """A pool of TLS connections."""

    ConnectionCls = LimitedHTTPSConnection


_POOL_CLASSES: Final = {"http": LimitedHTTPConnectionPool, "https": LimitedHTTPSConnectionPool}


class LimitedAdapter(HTTPAdapter):
    """An adapter whose connections, direct or through an HTTP proxy, limit the time of an answer.

    :param answer_seconds: how long one answer may take in all.
    :param opened: the connections that can be aborted together.
    """

    def __init__(self, *, answer_seconds: float, opened: OpenConnections, **options: Any) -> None:
        self._answer_seconds = answer_seconds
        self._opened = opened
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Prepare the pools of direct connections."""
        super().init_poolmanager(*args, answer_seconds=self._answer_seconds, opened=self._opened, **options)
        _use_limited_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """Return the pools of connections through an HTTP proxy.

        :raises UnsupportedProxy: it is a SOCKS proxy.
        """
        if proxy.lower().startswith("socks"):
            raise UnsupportedProxy
        return _use_limited_pools(
            super().proxy_manager_for(proxy, answer_seconds=self._answer_seconds, opened=self._opened, **options)
        )


def _use_limited_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = _POOL_CLASSES
    manager.key_fn_by_scheme = dict.fromkeys(_POOL_CLASSES, partial(_make_pool_key))
    return manager


def _make_pool_key(context: dict[str, Any]) -> PoolKey:
    # urllib3 accepts only its own options in a key. All pools of one manager have the same ones of ours anyway.
    known = {name: value for name, value in context.items() if name not in ("answer_seconds", "opened")}
    return key_fn_by_scheme[context["scheme"]](known)
