"""One HTTP exchange: sessions, headers, and what the network can do to an answer, told apart without a secret."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from http.client import RemoteDisconnected
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError
from urllib3.poolmanager import PoolManager

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.graph.answer_limits import (
    AnswerTooLarge,
    BoundedHTTPResponse,
    UndecodableAnswer,
    read_body,
)
from airflow_provider_iginsights.graph.messages import (
    Call,
    Reply,
    TransportProblem,
    read_reply,
    spell_path,
    spell_query,
)
from airflow_provider_iginsights.graph.redact import SECRET_PARAMETERS, escape, redact
from airflow_provider_iginsights.graph.settings import GraphSettings

_CUT: Final = (ProtocolError, requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)
_UNREACHED: Final = (
    NewConnectionError,
    ConnectTimeoutError,
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.SSLError,
)
_UNANSWERED: Final = (TimeoutError, requests.Timeout, ConnectionResetError)  # the last one: RemoteDisconnected as well

SEAL: Final = "X-Sealed-Query"
"""Name of the private header that holds a query which nobody but the server may see. It never reaches the wire.

Meta reads ``appsecret_proof`` from the query string, but the HTTP libraries write URLs into debug logs and exceptions.
So the URL they handle does not hold it: it waits in this header, and the connection moves it to the request line.
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
        self._proof = settings.prove()

    def send(self, call: Call) -> Reply:
        """Make one call and return what came of it; a network's trouble is a flaw of the reply, never an exception."""
        try:
            with self._request(call) as response:
                encoding = response.headers.get("content-encoding", "")
                content = read_body(response.raw, encoding=encoding, size=self._settings.limits.size)
            reply = read_reply(response.status_code, response.headers, content, call.shape)
            return replace(reply, detail=self.conceal(reply.detail)) if reply.problem else reply
        except AnswerTooLarge:
            return Reply(problem="too_large", detail=f"{self._host}: more than {self._settings.limits.size} bytes")
        except UndecodableAnswer:
            return Reply(problem="cut", detail=f"{self._host}: a body that is not encoded as its header says")
        except (requests.RequestException, HTTPError) as trouble:
            return Reply(problem=_find_flaw(trouble), detail=f"{self._host}: {self.conceal(_find_reason(trouble))}")

    def conceal(self, text: str) -> str:
        """Return foreign ``text`` without the secrets of this connection, and with nothing hidden in it."""
        return escape(redact(text, self._settings.token, self._settings.app_secret, self._proof))

    def close(self) -> None:
        """Close the sessions of all threads. A later call opens new ones."""
        with self._lock:
            sessions, self._sessions, self._local = self._sessions, [], threading.local()
        for session in sessions:
            session.close()

    def _request(self, call: Call) -> requests.Response:
        params = dict(call.request.params)
        sealed = {name: params.pop(name) for name in SECRET_PARAMETERS & params.keys()}
        # META-27: Meta wants the token of a batch among its fields; it takes the header for everything else.
        form = None if call.form is None else {**call.form, "access_token": self._settings.token}
        if self._proof is not None:
            (sealed if form is None else form)["appsecret_proof"] = self._proof
        path, query = spell_path(call.request, self._settings.api_version), spell_query(params)
        return self._session().request(
            call.method,
            f"{self._settings.base_url}/{path}{'?' if query else ''}{query}",
            data=form,
            headers={SEAL: spell_query(sealed)} if sealed else None,
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


class _Session(requests.Session):
    """A session for which nothing is a redirect: following one would carry the token to wherever it points."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Find no target."""


class _BearerToken(AuthBase):
    """Puts the token into its header. As session auth it also keeps ``requests`` from reading a netrc over it."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


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
    adapter = SealingAdapter(pool_connections=2, pool_maxsize=1, seconds=settings.limits.seconds)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _find_flaw(trouble: BaseException) -> TransportProblem:
    if isinstance(trouble, _CUT):
        return "cut"
    causes = list(_walk(trouble))
    if any(isinstance(cause, _UNREACHED) for cause in causes):
        return "no_answer"
    return "timed_out" if any(isinstance(cause, _UNANSWERED) for cause in causes) else "no_answer"


def _find_reason(trouble: BaseException) -> str:
    """Say why there is no answer in words that hold no URL: the HTTP libraries' own texts quote whole ones."""
    for cause in _walk(trouble):
        if isinstance(cause, (TimeoutError, requests.Timeout)):
            return "no answer in time"
        if isinstance(cause, RemoteDisconnected):
            return "the server hung up"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return cause.strerror
    return type(trouble).__name__


def _walk(trouble: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it wraps, in attributes, arguments or chains, each once."""
    seen: set[int] = set()
    pending: list[Any] = [trouble]
    while pending:
        found = pending.pop()
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            pending += [found.__context__, found.__cause__, getattr(found, "reason", None), *found.args]
