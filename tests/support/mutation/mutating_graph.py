"""A Graph API of which some answers are changed on their way: they are recorded first, and rewritten in a later run."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_iginsights.sandbox.graph import GraphSandbox
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server, receive_body
from tests.support.mutation.documents import open_texts, write

Document = dict[str, Any]
Signature = tuple[str, ...]

EXTRA_HEADERS = {"retry-after": "1", "date": "Sat, 21 Nov 2026 20:00:10 GMT"}
"""Headers that Meta sends at times; they are there to be mutated."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, told from others by what it asks, and its answer."""

    signature: Signature
    label: str
    document: Document


@dataclass(slots=True)
class AnswerRewrite:
    """Which request's answer is replaced: ``rewrite`` gets the tree of the answer; ``times`` None = each time."""

    signature: Signature
    rewrite: Callable[[Document], Document | bytes]
    times: int | None = None
    applied: int = 0

    def applies(self, signature: Signature) -> bool:
        """Say whether this request's answer is to be changed, and count it."""
        if signature != self.signature or (self.times is not None and self.applied >= self.times):
            return False
        self.applied += 1
        return True


@dataclass(slots=True)
class MutatingMiddleware:
    """The ASGI middleware around the Graph API: it records its answers, or rewrites some of them."""

    app: Any
    recorded: list[Exchange] = field(default_factory=list)
    rewrites: tuple[AnswerRewrite, ...] = ()
    records: bool = False
    steps: Sequence[datetime] = ()
    """When the task began, and when it went on after each wait."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = await receive_body(receive)
        signature = sign(scope, asked)
        if len(self.steps) > 1:
            # Later, the same request gets another answer: a step is told by when it begins, in tens of minutes.
            tens = (self.steps[-1] - self.steps[0]) // timedelta(minutes=10)
            signature = (*signature, f"step {tens}")
        plain = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
        said: list[dict[str, Any]] = []

        async def repeat() -> dict[str, Any]:
            return {"type": "http.request", "body": asked, "more_body": False}

        async def keep(message: dict[str, Any]) -> None:
            said.append(message)

        await self.app(plain, repeat, keep)
        if not said:
            return
        document = _read_document(said)
        with self.lock:
            if self.records:
                self.recorded.append(Exchange(signature, label(signature), document))
            found = next((each for each in self.rewrites if each.applies(signature)), None)
        await _send(send, said, found.rewrite(document) if found else None)


class MutatingGraph(GraphSandbox):
    """The Graph sandbox with a :class:`MutatingMiddleware` around its application."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.middleware = MutatingMiddleware(self._application)
        self._server = Server(self.middleware, name="mutating-graph")


def sign(scope: Scope, asked: bytes) -> Signature:
    """Return what a request asks, without its token: method, path, parameters; for a batch, its items."""
    form = dict(parse_qsl(asked.decode(), keep_blank_values=True))
    items = tuple(str(item.get("relative_url")) for item in json.loads(form.get("batch", "[]")))
    return (str(scope["method"]), str(scope["path"]), scope["query_string"].decode(), *items)


def label(signature: Signature) -> str:
    """Return what kind of question a signature is: the edge that is asked, with ids taken out."""
    method, path, query, *items = signature
    if method == "POST":
        return "batch of " + ", ".join(sorted({_name(item) for item in items}))
    return f"{method} {_name(f'{path}?{query}')}"


def _name(address: str) -> str:
    parts = urlsplit(address)
    path = re.sub(r"^/?v[\d.]+/", "", parts.path).strip("/")
    query = dict(parse_qsl(parts.query))
    inside = "+insights" if "insights" in query.get("fields", "") else ""
    total = "+total" if query.get("metric_type") == "total_value" else ""
    return re.sub(r"\d+", "#", path) + inside + total + ("+breakdown" if "breakdown" in query else "")


def _read_document(said: list[dict[str, Any]]) -> Document:
    body = b"".join(message.get("body", b"") for message in said)
    headers = {name.decode(): value.decode("latin-1") for name, value in said[0]["headers"]}
    headers.pop("content-length", None)
    return {
        "status": said[0]["status"],
        "headers": open_texts(EXTRA_HEADERS | headers),
        "body": open_texts(json.loads(body)),
    }


async def _send(send: Send, said: list[dict[str, Any]], changed: Document | bytes | None) -> None:
    start = said[0]
    body = b"".join(message.get("body", b"") for message in said)
    headers: list[tuple[bytes, bytes]] = [pair for pair in start["headers"] if pair[0] != b"content-length"]
    if isinstance(changed, bytes):
        body = changed
    elif changed is not None:
        body = write(changed["body"]).encode()
        headers = _write_headers(changed["headers"])
    headers.append((b"content-length", str(len(body)).encode()))
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _write_headers(headers: Any) -> list[tuple[bytes, bytes]]:
    """Return what a mutated tree of headers is on the wire; what a socket cannot carry is left out of a value."""
    pairs = getattr(headers, "pairs", None) or (headers.items() if isinstance(headers, dict) else ())
    written = []
    for name, value in pairs:
        text = value if isinstance(value, str) else write(getattr(value, "value", value))
        clean = re.sub(r"[^\t\x20-\x7e\x80-\xff]", "?", text)[:8000].strip()
        if EXTRA_HEADERS.get(name) != clean:  # else Meta did not send it, and it was not mutated
            written.append((name.encode(), clean.encode("latin-1")))
    return written
