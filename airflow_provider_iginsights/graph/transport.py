"""HTTP to one Graph host: sessions, headers, limits of one answer, and network errors without secrets in their text."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.client import RemoteDisconnected
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.cassettes.recorder import ReceivedAnswer, SentCall, open_recorder
from airflow_provider_iginsights.graph.answer_limits import (
    AnswerTooLarge,
    UndecodableAnswer,
    read_body,
)
from airflow_provider_iginsights.graph.connections import (
    SECRET_QUERY_HEADER,
    LimitedAdapter,
    OpenConnections,
    UnsupportedProxy,
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
# The URL of a call is made of checked parts, so an address that cannot be read is a proxy's.
_BAD_PROXY: Final = (UnsupportedProxy, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
_NOT_ANSWERED: Final = (TimeoutError, requests.Timeout, ConnectionResetError)  # RemoteDisconnected is a reset as well.


class Transport:
    """The connections to one Graph host: a keep-alive session per thread, all closed by ``close``."""

    def __init__(self, settings: GraphSettings) -> None:
        self._settings = settings
        self._host = urlsplit(settings.base_url).netloc
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._opened = OpenConnections()
        self._auth = _BearerToken(settings.token)
        self._proof = settings.make_appsecret_proof()
        self._recorder = open_recorder(hide=self._redact)

    def send(self, call: Call) -> Reply:
        """Send one call and return the reply. A network error is a ``problem`` of the reply, never an exception."""
        content = b""
        try:
            with self._request(call) as response:
                encoding = response.headers.get("content-encoding", "")
                content = read_body(response.raw, encoding=encoding, size=self._settings.limits.size)
            reply = read_reply(response.status_code, response.headers, content, call.body_type)
            reply = replace(reply, detail=self.redact_text(reply.detail)) if reply.problem else reply
        except AnswerTooLarge:
            reply = Reply(problem="too_large", detail=f"{self._host}: more than {self._settings.limits.size} bytes")
        except UndecodableAnswer:
            reply = Reply(problem="cut", detail=f"{self._host}: a body that is not encoded as its header says")
        except _BAD_PROXY as error:
            reply = Reply(problem="unsupported_proxy", detail=f"{self._host}: {type(error).__name__}")
        except (requests.RequestException, HTTPError) as error:
            detail = f"{self._host}: {self.redact_text(_describe_network_error(error))}"
            reply = Reply(problem=_classify_network_error(error), detail=detail)
        self._record(call, reply, content)
        return reply

    def redact_text(self, text: str) -> str:
        """Return ``text`` without the secrets of this connection, and with its control characters escaped."""
        return escape(self._redact(text))

    def abort(self) -> None:
        """Cut the connections of all threads: a call that waits for its answer ends at once, with a problem."""
        self._opened.abort()

    def close(self) -> None:
        """Close the sessions of all threads. A later call opens new ones."""
        with self._lock:
            sessions, self._sessions, self._local = self._sessions, [], threading.local()
            self._opened = OpenConnections()
        for session in sessions:
            session.close()

    def _redact(self, text: str) -> str:
        return redact(text, self._settings.token, self._settings.app_secret, self._proof)

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

    def _record(self, call: Call, reply: Reply, content: bytes) -> None:
        if self._recorder is not None:
            self._recorder.record(
                SentCall(
                    login=self._settings.login,
                    version=self._settings.api_version,
                    path=call.request.path,
                    params=call.request.params,
                    form=call.form,
                ),
                ReceivedAnswer(status=reply.status, headers=reply.headers, content=content, problem=reply.problem),
            )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _open_session(self._auth, self._settings, self._opened)
            with self._lock:
                self._sessions.append(session)
        return session


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


def _open_session(auth: AuthBase, settings: GraphSettings, opened: OpenConnections) -> requests.Session:
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
    adapter = LimitedAdapter(pool_connections=2, pool_maxsize=1, answer_seconds=settings.limits.seconds, opened=opened)
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
