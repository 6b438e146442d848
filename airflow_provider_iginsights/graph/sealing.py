"""Secrets in a query, kept from everybody but the server.

Meta reads ``appsecret_proof`` from the query string, but the HTTP libraries write URLs into debug logs and exceptions.
So the URL they handle does not hold it: it waits in a private header, and the connection moves it to the request line.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.poolmanager import PoolManager

SEAL: Final = "X-Sealed-Query"
"""Name of the private header. It never reaches the wire."""


class SealingAdapter(HTTPAdapter):
    """An adapter whose connections, direct or through any proxy, open the seal."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Prepare the pools of direct connections."""
        super().init_poolmanager(*args, **options)
        _seal(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """Return the pools of connections through ``proxy``."""
        return _seal(super().proxy_manager_for(proxy, **options))


class _Sealed:
    """Mixed into a connection class."""

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        opened = dict(headers or {})
        if query := opened.pop(SEAL, None):
            url = f"{url}{'&' if '?' in url else '?'}{query}"
        super().request(method, url, body=body, headers=opened, **options)  # type: ignore[misc]


def _seal(pools: PoolManager) -> PoolManager:
    pools.pool_classes_by_scheme = {scheme: _derive(pool) for scheme, pool in pools.pool_classes_by_scheme.items()}
    return pools


@cache
def _derive(pool: Any) -> type[HTTPConnectionPool]:
    """Return a subclass of a pool class whose connections open the seal; the class itself where they do already."""
    if issubclass(pool.ConnectionCls, _Sealed):
        return pool  # type: ignore[no-any-return]
    connection = type(f"Sealed{pool.ConnectionCls.__name__}", (_Sealed, pool.ConnectionCls), {})
    return type(f"Sealed{pool.__name__}", (pool,), {"ConnectionCls": connection})
