"""The settings of a Graph client: host, token, timeouts, retry limits. A host is checked before anything is sent."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph.answer_limits import AnswerLimits
from airflow_provider_iginsights.graph.hosts import DEFAULT_HOST, find_login, is_loopback, resolve_base_url
from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION, Login, parse_version

DEFAULT_BASE_URL = f"https://{DEFAULT_HOST}"
_QUOTES = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """Settings of one client. ``repr`` shows neither the token nor the app secret.

    :param token: access token of a user, a Page or a system user; sent as a header, in a batch in the body.
    :param base_url: a Graph host, as ``hosts.resolve_base_url`` accepts and completes it.
    :param api_version: the pinned Graph API version, such as ``v25.0``.
    :param app_secret: when set, ``appsecret_proof`` is sent with every call.
    :param connect_timeout: seconds to wait for a connection.
    :param read_timeout: seconds to wait for the next bytes of an answer.
    :param limits: total time and size of one answer.
    :param max_tries: number of tries of one request, the first one included. The pauses between seven tries add up to
        more than a minute; most server errors at Meta end within that time.
    :param max_wait: seconds after the first try of a request after which no other try starts.
    :param usage_threshold: percent of Meta's rate limit above which calls are slowed down.
    :param max_pause: the longest pause before one call, in seconds, reached where the limit is nearly used up.
    :raises ConfigurationError: for an invalid host, version or token.
    """

    token: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    api_version: str = DEFAULT_API_VERSION
    app_secret: str | None = field(default=None, repr=False)
    connect_timeout: float = 10
    read_timeout: float = 60
    limits: AnswerLimits = field(default_factory=AnswerLimits)
    max_tries: int = 7
    max_wait: float = 300
    usage_threshold: int = 80
    max_pause: float = 30

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", resolve_base_url(self.base_url))
        object.__setattr__(self, "app_secret", self.app_secret or None)
        parse_version(self.api_version)
        # Before the next check, which some of them would not pass.
        if self.token and {self.token[0], self.token[-1]} & set(_QUOTES):
            raise ConfigurationError(
                "The access token stands in quotes, which are no part of it: copy it into the connection's password"
                " again, without them."
            )
        # The HTTP libraries quote a header with a line break in their error, and so the token.
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise ConfigurationError(
                "The access token is empty, or contains blanks, line breaks or other characters that no token has:"
                " copy it into the connection's password again."
            )

    @property
    def login(self) -> Login:
        """Return the login of the host: Facebook Login or Instagram Login."""
        return find_login(self.base_url)

    @property
    def is_local(self) -> bool:
        """Return whether the host is this machine. Then no proxy is used, since the connection is not encrypted."""
        return is_loopback(self.base_url)

    @property
    def supports_batches(self) -> bool:
        """Return whether the host offers batch requests."""
        return self.login == "facebook"

    def make_appsecret_proof(self) -> str | None:
        """Return ``appsecret_proof``, the hex HMAC-SHA256 of the token under the app secret; None without one."""
        if self.app_secret is None:
            return None
        return hmac.new(self.app_secret.encode(), self.token.encode(), hashlib.sha256).hexdigest()
