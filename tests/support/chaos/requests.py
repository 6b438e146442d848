"""Both sandboxes with something that happens when a certain request arrives: a signal, a changed table, a repeat."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server, receive_body
from tests.support.sandboxes import Sandboxes, open_sandboxes

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

MAKES_A_JOB = r"(POST|PUT) .*/(jobs|queries)$"
BYPASS = "x-without-faults"
"""A header: such a request is from nobody of the play, so that it is neither counted nor hit."""


@dataclass(slots=True)
class AtRequest:
    """What happens before the request number ``index`` (from 0)."""

    index: int
    action: Callable[[], None]
    seen: int = 0


@dataclass(slots=True)
class RequestMiddleware:
    """The ASGI middleware around a sandbox's application. ``repeat``: which of the requests for a job comes twice."""

    app: Any
    plain: Any = None
    """What serves requests with the header BYPASS."""
    planned: list[AtRequest] = field(default_factory=list)
    repeat: int | None = None
    idle: threading.Condition = field(default_factory=threading.Condition)
    acting: int = 0
    """How many requests are on their way whose actions are not over."""
    jobs_seen: int = 0

    def plan(self, *planned: AtRequest, repeat: int | None = None) -> None:
        """Wait for the end of what happens now, forget what was planned, count from 0 again, and let this happen."""
        with self.idle:
            self.idle.wait_for(lambda: not self.acting)
            self.planned, self.repeat, self.jobs_seen = list(planned), repeat, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if any(name == BYPASS.encode() for name, _ in scope["headers"]):
            await self.plain({**scope, "state": {"fault": None}}, receive, send)
            return
        route = f"{scope['method']} {scope['path']}"
        if due := self._find_due():
            # An action may send requests to this very server, which must be free to answer them.
            await asyncio.to_thread(self._act, due)
        if not self._is_repeated(route):
            await self.app(scope, receive, send)
            return
        body = await receive_body(receive)

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def drop(_message: Any) -> None:
            """Let the first answer get lost on its way."""

        await self.app(dict(scope), again, drop)
        await self.app(scope, again, send)

    def _find_due(self) -> list[AtRequest]:
        due = []
        with self.idle:
            for each in self.planned:
                if each.seen == each.index:
                    due.append(each)
                each.seen += 1
            self.acting += bool(due)
        return due

    def _act(self, due: list[AtRequest]) -> None:
        try:
            for each in due:
                each.action()
        finally:
            with self.idle:
                self.acting -= 1
                self.idle.notify_all()

    def _is_repeated(self, route: str) -> bool:
        if not re.search(MAKES_A_JOB, route):
            return False
        with self.idle:
            self.jobs_seen += 1
            return self.jobs_seen - 1 == self.repeat


class PlannedGraph(GraphSandbox):
    """The Graph sandbox with a :class:`RequestMiddleware`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.middleware = RequestMiddleware(self._application)
        self._server = Server(self.middleware, name="planned-graph")


class PlannedBigQuery(BigQuerySandbox):
    """The BigQuery sandbox with a :class:`RequestMiddleware`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        faulty: Any = self._server._app
        self.middleware = RequestMiddleware(faulty, faulty._app)
        self._server = Server(self.middleware, name="planned-bigquery")

    @contextmanager
    def open_client(self) -> Iterator[Client]:
        """Connect a client whose requests no fault hits."""
        client = self.client()
        client._http.headers[BYPASS] = "1"
        try:
            yield client
        finally:
            client.close()


@contextmanager
def open_planned(world: World) -> Iterator[Sandboxes]:
    """Serve a world with both of them."""
    with open_sandboxes(world, ticks=False, graph_sandbox=PlannedGraph, bigquery_sandbox=PlannedBigQuery) as sandboxes:
        yield sandboxes


def drop_dataset(sandboxes: Sandboxes, dataset: str) -> None:
    """Drop a dataset of sandboxes of :func:`open_planned`, if there is one."""
    with sandboxes.bigquery.open_client() as client:  # type: ignore[attr-defined]
        client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)
