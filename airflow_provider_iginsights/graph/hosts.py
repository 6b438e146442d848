"""The only hosts that a token is sent to: two hosts of Meta over https, and loopback with a port for the sandbox.

A host must match one strict pattern, and the URL is built from the matched parts, never from the text. ``urlsplit`` and
urllib3 parse unusual texts differently, so a text that one accepts may lead the other to another host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph_api import Login

META_HOSTS: Final[Mapping[str, Login]] = {"graph.facebook.com": "facebook", "graph.instagram.com": "instagram"}
"""The hosts of the Graph API, each with its login: Facebook Login or Instagram Login."""

LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
DEFAULT_HOST: Final = "graph.facebook.com"

_SEGMENT = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_ADDRESS = re.compile(
    r"(?:(?P<scheme>[a-z]+)://)?(?P<name>[a-z0-9.-]+|\[::1\])(?::(?P<port>[0-9]{1,5}))?"
    rf"(?P<path>(?:/{_SEGMENT})*)/?",
    re.IGNORECASE | re.ASCII,
)
_VERSION = re.compile(r"v?[0-9]{1,3}\.[0-9]{1,2}", re.ASCII)
_META_DOMAIN = re.compile(r"(?:.+\.)?(?:facebook|instagram|threads|fb|meta)\.(?:com|net)")

_HOW_TO_ENTER = (
    " Leave the host empty for graph.facebook.com, write graph.instagram.com for Instagram Login, or"
    " http://127.0.0.1:PORT for the sandbox. The token is sent to no other host."
)
_NOT_META = f"The connection's host is not a Graph API host.{_HOW_TO_ENTER}"
_WRONG_META_HOST = f"The connection's host is not a Graph API host, but another one of Meta's.{_HOW_TO_ENTER}"
_VERSIONED = (
    "The connection's host is not a Graph API host alone: it names a version or a path as well. Enter only the host,"
    f" and the version as the extra api_version, such as v25.0.{_HOW_TO_ENTER}"
)
_INSECURE = (
    "The connection's host is not a Graph API host as it must be reached: Meta's hosts are asked over https and port"
    f" 443 only. Enter the bare name, without scheme and port.{_HOW_TO_ENTER}"
)
_NO_PORT = f"The connection's host is not a Graph API host: loopback needs http and a port.{_HOW_TO_ENTER}"
_CONTRADICTION = (
    "The connection's fields host, port and schema contradict each other, so its host is not a Graph API host."
    f" Leave port and schema empty.{_HOW_TO_ENTER}"
)


def resolve_base_url(host: str | None, *, port: int | None = None, schema: str | None = None) -> str:
    """Return the base URL for a connection's host, without a trailing slash.

    None and ``""`` mean ``https://graph.facebook.com``. Accepted are graph.facebook.com and graph.instagram.com over
    https, and localhost, 127.0.0.1 and [::1] with a port over http. A path may follow a loopback host (the sandbox
    serves Instagram Login under ``/graph.instagram.com``). A missing scheme is added.

    :param port: the connection's field; it must not contradict the host.
    :param schema: the connection's field: http or https, or the path of a connection given as a URI.
    :raises ConfigurationError: for any other host, before a token is sent.
    """
    text = _join_fields((host or "").strip(), port, (schema or "").strip())
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigurationError(_NOT_META)
    scheme, name = (found["scheme"] or "").lower(), found["name"].lower()
    number = int(found["port"]) if found["port"] else None
    if name in META_HOSTS:
        return _resolve_meta(scheme, name, number, found["path"])
    if name in LOOPBACK_HOSTS:
        return _resolve_loopback(scheme, name, number, found["path"])
    raise ConfigurationError(_WRONG_META_HOST if _META_DOMAIN.fullmatch(name) else _NOT_META)


def is_loopback(base_url: str) -> bool:
    """Return whether a resolved base URL is on this machine."""
    return base_url.startswith("http://")


def find_login(base_url: str) -> Login:
    """Return the login of a resolved base URL: Facebook Login or Instagram Login."""
    return "instagram" if "graph.instagram.com" in base_url.split("/") else "facebook"


def _join_fields(host: str, port: int | None, schema: str) -> str:
    """Join the connection's three fields into one text, which is not checked yet."""
    if not host:
        if port not in (None, 0, 443) or schema.lower() not in ("", "https"):
            raise ConfigurationError(_CONTRADICTION)
        return f"https://{DEFAULT_HOST}"
    # A connection given as a URI has its parts in three fields, and Airflow does not compare them.
    host = host.removesuffix("/")
    if port:
        if "/" in host.partition("://")[2] or re.search(r":[0-9]*\Z", host):
            raise ConfigurationError(_CONTRADICTION)
        host = f"{host}:{port}"
    if schema.lower() in ("http", "https"):
        if "://" in host and not host.lower().startswith(f"{schema.lower()}://"):
            raise ConfigurationError(_CONTRADICTION)
        return host if "://" in host else f"{schema}://{host}"
    return f"{host}/{schema}" if schema else host


def _resolve_meta(scheme: str, name: str, port: int | None, path: str) -> str:
    if path:
        raise ConfigurationError(_VERSIONED)
    if scheme not in ("", "https") or port not in (None, 443):
        raise ConfigurationError(_INSECURE)
    return f"https://{name}"


def _resolve_loopback(scheme: str, name: str, port: int | None, path: str) -> str:
    if any(_VERSION.fullmatch(segment) for segment in path.split("/")):
        raise ConfigurationError(_VERSIONED)
    if scheme not in ("", "http") or port is None or not 0 < port < 65_536:
        raise ConfigurationError(_NO_PORT)
    return f"http://{name}:{port}{path}"
