"""Plays written answers as a Graph API on a loopback socket, and runs whole transfers against it.

An input is a JSON file in ``inputs``:

* ``answers``: what the Graph API says. ``path`` is a regular expression that matches the whole path without version;
  ``params`` maps a name to a value, ``"*"`` (any), ``null`` (absent) or ``"re:…"`` (a regular expression that is
  searched); ``status``; ``body``, or ``raw`` with ``$N`` for the number of the request; ``times``: only for the first
  so many calls. The first entry that fits wins, else ``{"data": []}``. Items of a batch are answered in the same way.
* ``second``: answers put before the others for a second run, half an hour later.
* ``run``: the operator and its arguments, and where it matters the token and the extras of the connection.
* ``right``: what must hold afterwards.

Waiting takes no time: a client that sleeps moves the one clock that Airflow, the Graph API and BigQuery share. BigQuery
may be shared by many tests, each with a dataset of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import time_machine

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.sandbox.bigquery import BigQueryError, BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server, receive_body
from airflow_provider_iginsights.testing import set_testing
from tests.support.sandboxes import DATASET, END, NOW, START, TRANSFERS, RecordingTaskInstance, Row

INPUTS = Path(__file__).parents[1] / "cases" / "inputs"
TOKEN = "EAAGplayer"
VERSION = re.compile(r"^/?(v\d+\.\d+)(?=/|$)")

_DATASETS = itertools.count(1)

Answer = dict[str, Any]
Left = dict[tuple[str, str], dict[str, Any]]


def read_input(name: str) -> dict[str, Any]:
    """Return an input of the folder by its name."""
    return dict(json.loads((INPUTS / f"{name}.json").read_text("utf-8")))


@dataclass(slots=True)
class ReceivedRequest:
    """One question that arrived: alone or as an item of a batch."""

    path: str
    params: Mapping[str, str]


@dataclass(slots=True)
class WrittenGraph:
    """The ASGI application that gives the written answers."""

    answers: Sequence[Answer]
    now: Callable[[], datetime]
    log: list[ReceivedRequest] = field(default_factory=list)
    _used: Counter[int] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        form = await _read_form(receive)
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        served = VERSION.match(scope["path"])
        if "batch" in form:
            status, text = 200, json.dumps([self._answer_item(item) for item in json.loads(form["batch"])])
        else:
            status, text = self._answer(scope["path"], {**query, **form})
        headers = {
            "content-type": "application/json; charset=UTF-8",
            "date": format_datetime(self.now().astimezone(UTC), usegmt=True),
            "facebook-api-version": served[1] if served else "v25.0",
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": text.encode()})

    def _answer_item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        address = urlsplit(str(item["relative_url"]))
        status, text = self._answer(address.path, dict(parse_qsl(address.query, keep_blank_values=True)))
        return {"code": status, "headers": [], "body": text}

    def _answer(self, path: str, params: Mapping[str, str]) -> tuple[int, str]:
        asked = ReceivedRequest(VERSION.sub("", path).strip("/"), params)
        self.log.append(asked)
        number = next(self._numbers)
        for place, answer in enumerate(self.answers):
            if _fits(answer, asked) and self._used[place] < answer.get("times", self._used[place] + 1):
                self._used[place] += 1
                text = str(answer["raw"]).replace("$N", str(number)) if "raw" in answer else json.dumps(answer["body"])
                return int(answer.get("status", 200)), text
        return 200, '{"data": []}'


@dataclass(slots=True)
class SharedTime:
    """The one time of a run. Whoever sleeps moves it; two that sleep side by side move it once."""

    clock: Clock
    traveller: time_machine.Traveller
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        until = self.clock.now() + timedelta(seconds=seconds)
        with self._lock:
            if until > self.clock.now():
                self.set(until)

    def set(self, instant: datetime) -> None:
        """Make it this instant for everybody; it ticks on from there."""
        self.clock.set(instant)
        self.traveller.move_to(instant)

    def seconds(self) -> float:
        """Return seconds that only grow."""
        return self.clock.now().timestamp()


@dataclass(slots=True)
class CaseRun:
    """What a run left: its summary, the error that ended it, and BigQuery."""

    graph: WrittenGraph
    bigquery: BigQuerySandbox
    dataset: str
    summary: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def left_out(self) -> Left:
        """What was left out, by thing and kind."""
        return {(str(each["what"]), str(each["kind"])): each for each in self.summary["left_out"]}

    @property
    def kinds(self) -> set[str]:
        """The kinds of what was left out."""
        return {kind for _, kind in self.left_out}

    def named(self, *words: str) -> bool:
        """Say whether one entry of left_out, or one note, holds all of these words."""
        texts = [json.dumps(each, ensure_ascii=False) for each in (*self.summary["left_out"], *self.summary["notes"])]
        return any(all(word in text for word in words) for text in texts)

    def rows(self, table_id: str) -> list[Row]:
        """Return what a table holds; nothing where there is none."""
        try:
            return self.bigquery.rows(self.dataset, table_id)
        except BigQueryError:
            return []

    def values(self, table_id: str, *columns: str) -> dict[tuple[Any, ...], Any]:
        """Return rows as columns -> value; columns that do not tell rows apart are an error."""
        found: dict[tuple[Any, ...], Any] = {}
        for row in self.rows(table_id):
            key = tuple(str(row[name]) for name in columns)
            assert key not in found, f"{table_id} holds {key} twice"
            found[key] = row["value"]
        return found


@contextmanager
def open_case(given: Mapping[str, Any], *, bigquery: BigQuerySandbox) -> Iterator[Callable[..., CaseRun]]:
    """Set the clock to NOW (it ticks on from there) and yield what runs the input's operator, each time it is called.

    Its second call is half an hour later, with the answers of ``second`` first. Arguments win over the input's.
    """
    run = given["run"]
    with ExitStack() as stack:
        traveller = stack.enter_context(time_machine.travel(NOW, tick=True))
        time = SharedTime(bigquery.clock, traveller)
        time.set(NOW)
        stack.enter_context(set_testing(sleep=time.sleep, clock=time.seconds))
        graph = WrittenGraph(given["answers"], now=bigquery.clock.now)
        server = stack.enter_context(Server(graph, name="written-answers"))
        connection = {"conn_type": "instagram", "host": server.url, "password": run.get("token", TOKEN)}
        connection["extra"] = run.get("extra", {})
        environment = {
            "BIGQUERY_EMULATOR_HOST": bigquery.url,
            "GOOGLE_CLOUD_PROJECT": bigquery.project,
            "AIRFLOW_CONN_INSTAGRAM_DEFAULT": json.dumps(connection),
        }
        stack.enter_context(patch.dict(os.environ, environment))
        calls, dataset = itertools.count(), f"{DATASET}_{next(_DATASETS)}"

        def once(**changes: Any) -> CaseRun:
            if next(calls) == 1:
                time.set(NOW + timedelta(minutes=30))
                graph.answers = [*given.get("second", []), *given["answers"]]
            return _run(run["operator"], {**run["arguments"], **changes}, CaseRun(graph, bigquery, dataset))

        yield once


def _run(kind: str, arguments: Mapping[str, Any], done: CaseRun) -> CaseRun:
    interval = arguments.get("interval", (START, END))
    options: dict[str, Any] = {"runs_table_id": None, "left_out_table_id": None}
    options |= {name: value for name, value in arguments.items() if name != "interval"}
    operator = TRANSFERS[kind](task_id=kind, dataset_id=done.dataset, gcp_conn_id=None, create_dataset=True, **options)
    instance = RecordingTaskInstance(task_id=kind)
    context: Any = {"ti": instance, "data_interval_start": interval[0], "data_interval_end": interval[1]}
    try:
        done.summary = operator.execute(context)
    except InsightsError as error:
        done.error, done.summary = error, instance.pushed.get("summary", {})
    return done


def _fits(answer: Answer, asked: ReceivedRequest) -> bool:
    return re.fullmatch(answer["path"], asked.path) is not None and all(
        _is_met(wanted, asked.params.get(name)) for name, wanted in answer.get("params", {}).items()
    )


def _is_met(wanted: str | None, given: str | None) -> bool:
    if wanted is None or given is None:
        return wanted is None and given is None
    if wanted.startswith("re:"):
        return re.search(wanted.removeprefix("re:"), given) is not None
    return wanted in ("*", given)


async def _read_form(receive: Receive) -> dict[str, str]:
    return dict(parse_qsl((await receive_body(receive)).decode(), keep_blank_values=True))
