"""Where the client goes, as whom, and how patient it is. Nothing leaves for a host that was not approved here."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from airflow_provider_iginsights.errors import ConfigurationError

DEFAULT_BASE_URL = "https://graph.facebook.com"
DEFAULT_API_VERSION = "v25.0"
META_DOMAINS = ("facebook.com", "instagram.com")

Login = Literal["facebook", "instagram"]

_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_LOOPBACK_PATH = re.compile(r"(/[A-Za-z0-9._-]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """What a client needs to know. ``repr`` shows neither the token nor the app secret.

    :param token: access token of a user, a Page or a system user; it travels in the Authorization header only.
    :param base_url: a Graph host, as ``resolve_base_url`` accepts and completes it.
    :param api_version: the pinned Graph API version, such as ``v25.0``.
    :param app_secret: when set, ``appsecret_proof`` goes with every call.
    :param connect_timeout: seconds until a connection must stand.
    :param read_timeout: seconds that the server may stay silent.
    :param max_tries: how often one request is sent at most, the first time included.
    :param max_wait: seconds that all tries of one request may take before the next try is given up.
    :param usage_threshold: percent of Meta's rate limit above which calls are slowed down.
    :param max_pause: the longest pause before one call, in seconds, reached where the limit is nearly used up.
    :raises ConfigurationError: for a host, version or token that cannot be.
    """

    token: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    api_version: str = DEFAULT_API_VERSION
    app_secret: str | None = field(default=None, repr=False)
    connect_timeout: float = 10
    read_timeout: float = 60
    max_tries: int = 5
    max_wait: float = 120
    usage_threshold: int = 80
    max_pause: float = 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", resolve_base_url(self.base_url))
        object.__setattr__(self, "app_secret", self.app_secret or None)
        if not _VERSION.fullmatch(self.api_version):
            raise ConfigurationError(
                f"The Graph API version {self.api_version!r} is not one: write it like {DEFAULT_API_VERSION}."
            )
        # An HTTP library that meets a line break in a header quotes the whole header in its error.
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise ConfigurationError(
                "The access token is empty, or holds blanks, line breaks or other characters that no token has:"
                " copy it into the connection's password again."
            )

    @property
    def login(self) -> Login:
        """Return which of Meta's two products the host belongs to: Facebook Login or Instagram Login."""
        return "instagram" if "graph.instagram.com" in self.base_url else "facebook"

    @property
    def batches(self) -> bool:
        """Return whether the host is known to offer batch requests."""
        return self.login == "facebook"

    def prove(self) -> str | None:
        """Return ``appsecret_proof``, the hex HMAC-SHA256 of the token under the app secret; None without one."""
        if self.app_secret is None:
            return None
        return hmac.new(self.app_secret.encode(), self.token.encode(), hashlib.sha256).hexdigest()


def resolve_base_url(host: str | None) -> str:
    """Return the base URL for a connection's host, without a trailing slash.

    None and ``""`` mean ``https://graph.facebook.com``. Accepted are ``https`` hosts under facebook.com and
    instagram.com, and loopback addresses with a port over ``http`` (the sandbox; a path may follow). A missing scheme
    is completed.

    :raises ConfigurationError: for any other host, so that no token ever leaves for it.
    """
    text = (host or "").strip().rstrip("/")
    if not text:
        return DEFAULT_BASE_URL
    url = _split(text)
    if url is None or url.query or url.fragment or "@" in url.netloc or not (_is_meta(url) or _is_loopback(url)):
        raise ConfigurationError(
            "The connection's host is not a Graph API host. Leave it empty for graph.facebook.com, write"
            " graph.instagram.com for Instagram Login, or http://127.0.0.1:PORT for the sandbox."
            " The token goes nowhere else."
        )
    return f"{url.scheme}://{url.netloc.lower()}{url.path}"


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text if "://" in text else f"//{text}")
        _ = url.port
    except ValueError:
        return None
    if url.scheme:
        return url
    return url._replace(scheme="http" if _names_loopback(url) else "https")


def _is_meta(url: SplitResult) -> bool:
    name = url.hostname or ""
    under = any(name == domain or name.endswith(f".{domain}") for domain in META_DOMAINS)
    return under and url.scheme == "https" and url.port in (None, 443) and not url.path and name.isascii()


def _is_loopback(url: SplitResult) -> bool:
    plain = url.scheme == "http" and bool(url.port)
    return plain and _names_loopback(url) and _LOOPBACK_PATH.fullmatch(url.path) is not None


def _names_loopback(url: SplitResult) -> bool:
    name = url.hostname or ""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
