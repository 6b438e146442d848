"""Secrets in a query, kept from everybody but the server.

Meta reads ``appsecret_proof`` from the query string, but the HTTP libraries write URLs into debug logs and exceptions.
So the URL they handle does not hold it: it waits in a private header, and the connection moves it to the request line.
"""

from __future__ import annotations

import socket
from functools import cache
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.poolmanager import PoolManager

from airflow_provider_iginsights.graph.answer_limits import BoundedHTTPResponse

SEAL: Final = "X-Sealed-Query"
"""Name of the private header. It never reaches the wire."""


class SealingAdapter(HTTPAdapter):
    """An adapter whose connections, direct or through any proxy, open the seal, and wait so long for an answer.

    :param seconds: how long one answer may take in all.
    """

    def __init__(self, *, seconds: float, **options: Any) -> None:
        self._seconds = seconds
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Prepare the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        _seal(self.poolmanager, self._seconds)

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """Return the pools of connections through ``proxy``."""
        return _seal(super().proxy_manager_for(proxy, **options), self._seconds)


class _Sealed:
    """Mixed into a connection class."""

    seconds: float

    def response_class(self, sock: socket.socket, *_: Any, method: str | None = None) -> BoundedHTTPResponse:
        return BoundedHTTPResponse(sock, self.seconds, method)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        opened = dict(headers or {})
        if query := opened.pop(SEAL, None):
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        super().request(method, url, body=body, headers=opened, **options)  # type: ignore[misc]


def _seal(pools: PoolManager, seconds: float) -> PoolManager:
    classes = pools.pool_classes_by_scheme
    pools.pool_classes_by_scheme = {scheme: _derive(pool, seconds) for scheme, pool in classes.items()}
    return pools


@cache
def _derive(pool: Any, seconds: float) -> type[HTTPConnectionPool]:
    """Return a subclass of a pool class whose connections open the seal; the class itself where they do already."""
    if issubclass(pool.ConnectionCls, _Sealed):
        return pool  # type: ignore[no-any-return]
    connection = type(f"Sealed{pool.ConnectionCls.__name__}", (_Sealed, pool.ConnectionCls), {"seconds": seconds})
    return type(f"Sealed{pool.__name__}", (pool,), {"ConnectionCls": connection})
