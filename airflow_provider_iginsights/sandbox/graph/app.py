"""The HTTP shell of the local Graph API: reads requests, applies faults to the answers, keeps the log."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers

from airflow_provider_iginsights.sandbox.graph.api import GraphAnswer, GraphAPI, HttpRequest
from airflow_provider_iginsights.sandbox.graph.auth import Login
from airflow_provider_iginsights.sandbox.graph.batch import answer_batch
from airflow_provider_iginsights.sandbox.graph.effects import (
    DropAfterHeaders,
    DropConnection,
    HtmlBody,
    Slow,
    TruncatedBody,
)
from airflow_provider_iginsights.sandbox.graph.record import InFlight, Received
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, cut_connection, receive_body

__all__ = ["GraphApplication"]

INSTAGRAM_PREFIX = "/graph.instagram.com"
# Small answers come as they are: a client has to read both forms.
_GZIP_FROM = 1000
_ENVELOPE = re.compile(r"^/(v\d+\.\d+/?)?$")


@dataclass(frozen=True, slots=True)
class _Incoming:
    request: HttpRequest
    path: str
    query: dict[str, str]
    form: dict[str, str]
    has_bearer: bool
    accepts_gzip: bool

    @property
    def is_batch(self) -> bool:
        return self.request.method == "POST" and "batch" in self.form and _ENVELOPE.match(self.request.path) is not None


class GraphApplication:
    """The ASGI application. ``latency`` seconds are waited before each answer, without holding up other requests."""

    def __init__(self, api: GraphAPI, *, latency: float, record: Callable[[Received], None], load: InFlight) -> None:
        self._api = api
        self.latency = latency
        self._record = record
        self._load = load

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        self._load.enter()
        try:
            incoming = await _read(scope, receive)
            answer, calls = self._answer(incoming)
            await asyncio.sleep(self.latency + sum(each.seconds for each in answer.effects if isinstance(each, Slow)))
        finally:
            self._load.leave()
        is_cut = any(isinstance(effect, DropConnection) for effect in answer.effects)
        self._log(incoming, answer, calls, is_cut=is_cut)
        if is_cut:
            return await cut_connection(scope)
        return await _send(scope, send, answer, accepts_gzip=incoming.accepts_gzip)

    def _answer(self, incoming: _Incoming) -> tuple[GraphAnswer, int]:
        # No source shows that graph.instagram.com takes batches: so it does not here.
        if incoming.request.login == "facebook" and incoming.is_batch:
            answer = answer_batch(self._api, incoming.request, incoming.form)
            # Each item of a batch counts as a call ("Batch requests"); a batch that is refused as a whole is one.
            return answer, len(answer.body) if answer.status == 200 else 1
        return self._api.answer(incoming.request), 1

    def _log(self, incoming: _Incoming, answer: GraphAnswer, calls: int, *, is_cut: bool) -> None:
        html = [effect.status for effect in answer.effects if isinstance(effect, HtmlBody)]
        self._record(
            Received(
                method=incoming.request.method,
                path=incoming.path,
                query=incoming.query,
                has_bearer=incoming.has_bearer,
                token_in_url="access_token" in incoming.query,
                calls=calls,
                status=None if is_cut else (*html, answer.status)[0],
                at=self._api.clock.now(),
                items=_items(incoming),
            )
        )


def _items(incoming: _Incoming) -> tuple[str, ...]:
    try:
        items = json.loads(incoming.form.get("batch", "[]"))
    except json.JSONDecodeError:
        return ()
    return tuple(str(item.get("relative_url", "")) for item in items if isinstance(item, dict))


async def _read(scope: Scope, receive: Receive) -> _Incoming:
    headers = Headers(scope=scope)
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    form = dict(parse_qsl((await receive_body(receive)).decode(errors="replace"), keep_blank_values=True))
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    has_bearer = kind.lower() in ("bearer", "oauth") and bool(bearer)
    path, host = scope["path"], headers.get("host", "")
    login: Login = "instagram" if path.startswith(INSTAGRAM_PREFIX) else "facebook"
    # A batch needs its token as a parameter, a header does not count there.
    token = form.get("access_token") or query.get("access_token")
    if not token and has_bearer and "batch" not in form:
        token = bearer
    params = {name: value for name, value in {**query, **form}.items() if name != "access_token"}
    request = HttpRequest(
        method=scope["method"],
        path=path.removeprefix(INSTAGRAM_PREFIX) or "/",
        params=params,
        token=token,
        login=login,
        root=f"http://{host}{INSTAGRAM_PREFIX if login == 'instagram' else ''}",
    )
    return _Incoming(request, path, query, form, has_bearer, "gzip" in headers.get("accept-encoding", ""))


async def _send(scope: Scope, send: Send, answer: GraphAnswer, *, accepts_gzip: bool) -> None:
    body, headers = json.dumps(answer.body, ensure_ascii=True).encode(), dict(answer.headers)
    headers["content-type"] = "application/json; charset=UTF-8"
    status = answer.status
    for effect in answer.effects:
        if isinstance(effect, HtmlBody):
            status, headers = effect.status, {"content-type": "text/html; charset=utf-8"}
            body = f"<!DOCTYPE html><html><body><h1>{effect.status} Error</h1></body></html>".encode()
    if accepts_gzip and len(body) >= _GZIP_FROM:
        body = gzip.compress(body, compresslevel=1)
        headers["content-encoding"] = "gzip"
    headers["content-length"] = str(len(body))
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    cut = next((len(body) // 2 for effect in answer.effects if isinstance(effect, TruncatedBody)), None)
    if any(isinstance(effect, DropAfterHeaders) for effect in answer.effects):
        # The headers are out, so the client has a status and no body.
        cut = 0
    await send({"type": "http.response.body", "body": body[:cut], "more_body": cut is not None})
    if cut is not None:
        await cut_connection(scope, flush=True)
