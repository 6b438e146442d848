"""HTTP to one Graph host: sessions, headers, limits of one answer, and network errors without secrets in their text."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.client import RemoteDisconnected
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError
from urllib3.poolmanager import PoolKey, PoolManager, key_fn_by_scheme

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.graph.answer_limits import (
    AnswerTooLarge,
    LimitedHTTPResponse,
    UndecodableAnswer,
    read_body,
)
from airflow_provider_iginsights.graph.messages import (
    Call,
    Reply,
    TransportProblem,
    format_path,
    format_query,
    read_reply,
)
from airflow_provider_iginsights.graph.redact import SECRET_PARAMETERS, escape, redact
from airflow_provider_iginsights.graph.settings import GraphSettings

_CUT: Final = (ProtocolError, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
_NOT_CONNECTED: Final = (
    NewConnectionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.SSLError,
)
_NOT_ANSWERED: Final = (TimeoutError, requests.Timeout, ConnectionResetError)  # RemoteDisconnected is a reset as well.

SECRET_QUERY_HEADER: Final = "X-Secret-Query"  # noqa: S105 - a name, no secret
"""A header for the secret part of the query. The connection moves it into the URL; it is never sent as a header.

Meta reads ``appsecret_proof`` from the query string, but the HTTP libraries write URLs into debug logs and exceptions.
So the URL that they handle does not contain it.
"""


class Transport:
    """The connections to one Graph host: a keep-alive session per thread, all closed by ``close``."""

    def __init__(self, settings: GraphSettings) -> None:
        self._settings = settings
        self._host = urlsplit(settings.base_url).netloc
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._auth = _BearerToken(settings.token)
        self._proof = settings.make_appsecret_proof()

    def send(self, call: Call) -> Reply:
        """Send one call and return the reply. A network error is a ``problem`` of the reply, never an exception."""
        try:
            with self._request(call) as response:
                encoding = response.headers.get("content-encoding", "")
                content = read_body(response.raw, encoding=encoding, size=self._settings.limits.size)
            reply = read_reply(response.status_code, response.headers, content, call.body_type)
            return replace(reply, detail=self.redact_text(reply.detail)) if reply.problem else reply
        except AnswerTooLarge:
            return Reply(problem="too_large", detail=f"{self._host}: more than {self._settings.limits.size} bytes")
        except UndecodableAnswer:
            return Reply(problem="cut", detail=f"{self._host}: a body that is not encoded as its header says")
        except UnsupportedProxy:
            return Reply(problem="unsupported_proxy", detail=f"{self._host}: a SOCKS proxy in the environment")
        except (requests.RequestException, HTTPError) as error:
            detail = f"{self._host}: {self.redact_text(_describe_network_error(error))}"
            return Reply(problem=_classify_network_error(error), detail=detail)

    def redact_text(self, text: str) -> str:
        """Return ``text`` without the secrets of this connection, and with its control characters escaped."""
        return escape(redact(text, self._settings.token, self._settings.app_secret, self._proof))

    def close(self) -> None:
        """Close the sessions of all threads. A later call opens new ones."""
        with self._lock:
            sessions, self._sessions, self._local = self._sessions, [], threading.local()
        for session in sessions:
            session.close()

    def _request(self, call: Call) -> requests.Response:
        params = dict(call.request.params)
        secrets = {name: params.pop(name) for name in SECRET_PARAMETERS & params.keys()}
        # META-27: Meta wants the token of a batch among its fields; it takes the header for everything else.
        form = None if call.form is None else {**call.form, "access_token": self._settings.token}
        if self._proof is not None:
            (secrets if form is None else form)["appsecret_proof"] = self._proof
        path, query = format_path(call.request, self._settings.api_version), format_query(params)
        return self._session().request(
            call.method,
            f"{self._settings.base_url}/{path}{'?' if query else ''}{query}",
            data=form,
            headers={SECRET_QUERY_HEADER: format_query(secrets)} if secrets else None,
            stream=True,
            timeout=(self._settings.connect_timeout, self._settings.read_timeout),
        )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _open_session(self._auth, self._settings)
            with self._lock:
                self._sessions.append(session)
        return session


class UnsupportedProxy(requests.RequestException):
    """The environment names a SOCKS proxy: its connections cannot keep the limits and the secret query."""


class _Session(requests.Session):
    """A session that follows no redirect: it would send the token to any address that the answer names."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find no target."""


class _BearerToken(AuthBase):
    """Puts the token into its header. As session auth it also stops ``requests`` from using a netrc file instead."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _LimitedConnection:
    """Mixed into a connection class: limits the time of an answer and adds the secret query to the URL."""

    def __init__(self, *args: Any, answer_seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self.answer_seconds = answer_seconds

    def response_class(self, sock: socket.socket, *_: Any, method: str | None = None) -> LimitedHTTPResponse:
        return LimitedHTTPResponse(sock, self.answer_seconds, method)

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
    """

    def __init__(self, *, answer_seconds: float, **options: Any) -> None:
        self._answer_seconds = answer_seconds
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Prepare the pools of direct connections."""
        super().init_poolmanager(*args, answer_seconds=self._answer_seconds, **options)
        _use_limited_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """Return the pools of connections through an HTTP proxy.

        :raises UnsupportedProxy: it is a SOCKS proxy.
        """
        if proxy.lower().startswith("socks"):
            raise UnsupportedProxy
        return _use_limited_pools(super().proxy_manager_for(proxy, answer_seconds=self._answer_seconds, **options))


def _use_limited_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = _POOL_CLASSES
    manager.key_fn_by_scheme = dict.fromkeys(_POOL_CLASSES, partial(_make_pool_key))
    return manager


def _make_pool_key(context: dict[str, Any]) -> PoolKey:
    # urllib3 accepts only its own options in a key. All pools of one manager have the same answer_seconds anyway.
    known = {name: value for name, value in context.items() if name != "answer_seconds"}
    return key_fn_by_scheme[context["scheme"]](known)


def _open_session(auth: AuthBase, settings: GraphSettings) -> requests.Session:
    session = _Session()
    session.auth = auth
    # A proxy of the environment would see the token of a plain connection.
    session.trust_env = not settings.is_local
    session.headers.update(
        {
            "User-Agent": f"airflow-provider-iginsights/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
    )
    # One thread talks to one host, one call at a time.
    adapter = LimitedAdapter(pool_connections=2, pool_maxsize=1, answer_seconds=settings.limits.seconds)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _classify_network_error(error: BaseException) -> TransportProblem:
    if isinstance(error, _CUT):
        return "cut"
    causes = list(_list_causes(error))
    if any(isinstance(cause, _NOT_CONNECTED) for cause in causes):
        return "no_answer"
    return "timed_out" if any(isinstance(cause, _NOT_ANSWERED) for cause in causes) else "no_answer"


def _describe_network_error(error: BaseException) -> str:
    """Return why there is no answer, without a URL: the HTTP libraries' own texts quote whole URLs."""
    for cause in _list_causes(error):
        if isinstance(cause, (TimeoutError, requests.Timeout)):
            return "no answer in time"
        if isinstance(cause, RemoteDisconnected):
            return "the server closed the connection"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
    return type(error).__name__


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps, in attributes, arguments or chains, each once."""
    seen: set[int] = set()
    pending: list[Any] = [error]
    while pending:
        found = pending.pop()
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            pending += [found.__context__, found.__cause__, getattr(found, "reason", None), *found.args]
