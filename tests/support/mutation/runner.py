"""Runs scenarios: a question is answered untouched, then again with one answer mutated, then once more untouched."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from airflow_provider_iginsights._compat import TaskDeferred
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.bigquery import BigQueryError
from airflow_provider_iginsights.sandbox.graph import Business, Media, World
from airflow_provider_iginsights.sandbox.graph.objects import APP_SECRET
from airflow_provider_iginsights.task.rate_limit_wait import ResumableOperator
from airflow_provider_iginsights.testing import set_testing
from tests.support.mutation.documents import Path, shape, walk, write
from tests.support.mutation.expected_tables import ExpectedTables
from tests.support.mutation.mutating_graph import AnswerRewrite, Document, Exchange, MutatingGraph, MutatingMiddleware
from tests.support.mutation.mutations import Mutation, mutate, names_for
from tests.support.mutation.questions import QUESTIONS, Question, choose_question
from tests.support.mutation.scenarios import Ending, Scenario, Spot, Tables, index, is_at_a_step
from tests.support.mutation.waits import MOST_STEPS, follow, lift_limits, limit_account
from tests.support.sandboxes import (
    DAY,
    END,
    KEYS,
    NOW,
    TRANSFERS,
    RecordingTaskInstance,
    Row,
    Sandboxes,
    TaskStateStore,
    open_sandboxes,
)

HALF_AN_HOUR = timedelta(minutes=30)
BODIES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": lambda body, dice: body[: dice.randrange(len(body))],
    "empty": lambda _body, _dice: b"",
    "a page of HTML": lambda _body, _dice: b"<!DOCTYPE html><html><body>502</body></html>",
    "no UTF-8": lambda body, _dice: body[:20] + b"\xff\xfe" + body[20:],
    "byte order mark": lambda body, _dice: b"\xef\xbb\xbf" + body,
    "something behind it": lambda body, _dice: body + b"}",
}
FURTHER = (0, 0, 0, 1, 2)  # how many more spots are mutated in the same run
RARELY_BODY = 12  # one in so many scenarios changes the bytes of a whole body instead of a value


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        if record.levelno >= logging.WARNING:
            self.warnings.append(self.lines[-1])


@dataclass(slots=True)
class ScenarioRunner:
    """The sandboxes in which scenarios run; what the clean runs answer is recorded once per question."""

    sandboxes: Sandboxes
    middleware: MutatingMiddleware
    number: int = 0
    recorded: dict[str, list[Exchange]] = field(default_factory=dict)
    shapes: dict[str, dict[str, list[tuple[int, Path]]]] = field(default_factory=dict)

    def run(self, seed: int, name: str | None = None) -> Scenario:
        """Run the scenario of a seed."""
        dice = random.Random(seed)
        chosen = choose_question(seed, dice)
        name = name or chosen  # the seed's own choice is made in any case, so that what follows is the same
        question = QUESTIONS[name]
        spot = self._choose(name, dice)
        start = self.sandboxes.now
        mutation, rewrite = _prepare(spot, dice)
        rewrites, more = [AnswerRewrite(spot.exchange.signature, rewrite, spot.times)], []
        for _ in range(dice.choice(FURTHER)):
            another = self._choose(name, dice)
            its_mutation, its_rewrite = _prepare(another, dice)
            rewrites.append(AnswerRewrite(another.exchange.signature, its_rewrite, another.times))
            more.append((another, its_mutation))
        self.middleware.rewrites = tuple(rewrites)
        try:
            mutated = self._run(question)
            run_id = self.sandboxes.instance.run_id
            self.middleware.rewrites = ()
            tables = after = self._tables(question)
            wanted = ExpectedTables(self.sandboxes.world).find(question, mutated, tables)
            clean, wanted_after = Ending(), wanted
            if not self._holds_truth(tables, wanted, mutated):
                self.sandboxes.travel(HALF_AN_HOUR)
                clean = self._run(replace(question, limited=False))
                after = self._tables(question)
                wanted_after = ExpectedTables(self.sandboxes.world).find(replace(question, limited=False), clean, after)
        finally:
            self.middleware.rewrites = ()
            self._forget()
            self.sandboxes.travel(start - self.sandboxes.now)
        return Scenario(
            seed, question, spot, mutation, mutated, clean, self.sandboxes.world, tables, after, wanted, wanted_after,
            (self.sandboxes.token, self._instagram_token, APP_SECRET), tuple(more), run_id, start,
        )  # fmt: skip

    def _holds_truth(self, tables: Mapping[str, list[Row]], wanted: Mapping[str, Tables], ending: Ending) -> bool:
        """Say whether nothing is amiss: a clean run after that is what every other test plays."""
        for table in {table for each in wanted.values() for table in each}:
            rows = tables.get(table, [])
            true = {key: row for each in wanted.values() for key, row in each.get(table, {}).items()}
            if index(table, rows) != true or len(rows) != len(true):
                return False
            if any(not is_at_a_step(row, ending) for row in rows):
                return False
        return True

    def _choose(self, name: str, dice: random.Random) -> Spot:
        """Choose evenly among the different shapes of paths, so that rare ones come up as often as common ones."""
        shapes = self.list_shapes(name)
        exchanges = self.recorded[name]
        times = dice.choice((None, None, 1))
        if not dice.randrange(RARELY_BODY):
            return Spot(dice.choice(exchanges), None, dice.choice(list(BODIES)), times)
        place, path = dice.choice(shapes[dice.choice(list(shapes))])
        return Spot(exchanges[place], path, dice.choice(names_for(exchanges[place].document, path)), times)

    def list_shapes(self, name: str) -> dict[str, list[tuple[int, Path]]]:
        """Return where a question's answers can be changed: an answer and a path, by what they have in common."""
        if name not in self.recorded:
            self.middleware.records, self.middleware.recorded, start = True, [], self.sandboxes.now
            ending = self._run(QUESTIONS[name])
            if QUESTIONS[name].waits:
                self.sandboxes.travel(start - self.sandboxes.now)
            if ending.error is not None:
                raise ending.error
            self.middleware.records = False
            recorded = sorted(self.middleware.recorded, key=lambda each: each.signature)
            self.recorded[name] = list({each.signature: each for each in recorded}.values())
            found: dict[str, list[tuple[int, Path]]] = {}
            for place, exchange in enumerate(self.recorded[name]):
                for path in walk(exchange.document):
                    if path and path not in (("status",), ("headers",)):
                        found.setdefault(f"{exchange.label} {shape(path)}", []).append((place, path))
            self.shapes[name] = found
            self._forget()
        return self.shapes[name]

    @property
    def _dataset(self) -> str:
        return f"scenario_{self.number}"

    def _run(self, question: Question) -> Ending:
        if question.login == "instagram":
            self.sandboxes.connect(host=self.sandboxes.graph.instagram_url, password=self._instagram_token)
        else:
            self.sandboxes.connect(extra={**self.sandboxes.extra, **question.extra})
        self.sandboxes.instance = instance = RecordingTaskInstance(
            task_id=question.kind, run_id=f"run at {self.sandboxes.now}"
        )
        ending, log = Ending(), _Log()
        self.middleware.steps = ending.steps
        root = logging.getLogger()
        level = root.level
        root.addHandler(log)
        root.setLevel(logging.DEBUG)
        wire = [logging.getLogger(name) for name in ("urllib3", "google", "requests")]  # what may tell of a request
        levels = [logger.level for logger in wire]
        for logger in wire:
            logger.setLevel(logging.DEBUG)
        try:
            ending.result = self._execute(question, instance, ending.steps)
        except (Exception, TaskDeferred) as error:  # Airflow's TaskDeferred is no Exception
            ending.error = error
        finally:
            root.removeHandler(log)
            root.setLevel(level)
            for logger, before in zip(wire, levels, strict=True):
                logger.setLevel(before)
            lift_limits(self.sandboxes)
        ending.log, ending.warnings = "\n".join(log.lines), tuple(log.warnings)
        pushed = instance.pushed.get("summary")
        ending.summary = ending.result if isinstance(ending.result, dict) else pushed or {}
        return ending

    def _execute(self, question: Question, instance: RecordingTaskInstance, steps: list[datetime]) -> Any:
        end = END - question.days_ago * DAY
        context: Any = {"ti": instance, "data_interval_start": end - DAY, "data_interval_end": end}
        if question.waits:
            context["task_state_store"] = TaskStateStore()
        if question.limited:
            limit_account(self.sandboxes, list(self.sandboxes.world.accounts)[1])
        if question.kind == "token":
            return InstagramHook().test_connection()
        if question.kind == "list":
            return InstagramListAccountsOperator(task_id="list", **question.arguments).execute(context)
        given = {} if question.discovers else {"account_ids": list(self.sandboxes.world.accounts)}
        options: dict[str, Any] = {"dataset_id": self._dataset, "gcp_conn_id": None, "create_dataset": True}
        options |= {"runs_table_id": None, "left_out_table_id": None, **given}
        make_operator = partial(TRANSFERS[question.kind], task_id=question.kind, **options, **question.arguments)
        return follow(self.sandboxes, make_operator, context, steps, limit=MOST_STEPS if question.waits else 1)

    def _tables(self, question: Question) -> dict[str, list[Row]]:
        found = {}
        for name in KEYS:
            with suppress(BigQueryError):
                rows = self.sandboxes.bigquery.rows(self._dataset, name)
                found[name] = _keep_latest(name, rows) if question.arguments.get("load_mode") == "append" else rows
        return found

    def _forget(self) -> None:
        self.sandboxes.bigquery.log.clear()
        self.sandboxes.graph.clear_log()
        client = self.sandboxes.bigquery.client()
        client.delete_dataset(self._dataset, delete_contents=True, not_found_ok=True)
        client.close()
        self.number += 1

    @property
    def _instagram_token(self) -> str:
        return self.sandboxes.world.instagram_token(next(iter(self.sandboxes.world.accounts)))


def _keep_latest(table: str, rows: list[Row]) -> list[Row]:
    """Return the rows of a history without those that a later fetch repeats. What one fetch brought twice stays."""
    latest: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        key = tuple(row[name] for name in KEYS[table])
        latest[key] = max(latest.get(key, row["fetched_at"]), row["fetched_at"])
    return [row for row in rows if latest[tuple(row[name] for name in KEYS[table])] == row["fetched_at"]]


def _prepare(spot: Spot, dice: random.Random) -> tuple[Mutation | None, Callable[[Document], Document | bytes]]:
    if spot.path is None:
        seed = dice.getrandbits(32)
        return None, lambda document: BODIES[spot.name](write(document["body"]).encode(), random.Random(seed))
    mutation = mutate(spot.exchange.document, spot.path, spot.name, dice)
    return mutation, lambda _document: mutation.after


def make_world() -> World:
    """Return three small accounts of a portfolio; a post is too old for insights, a story has too few viewers."""
    world = World.build(now=NOW, accounts=3, media_per_account=2, stories_per_account=1)
    accounts = list(world.accounts)
    posts = [
        Media(f"1798000000000{number}1", account_id, "VIDEO", "REELS", NOW - 2 * DAY, alt_text="What it shows")
        for number, account_id in enumerate(accounts)
    ]
    posts += [
        Media(f"1798000000000{number}2", account_id, "IMAGE", "FEED", NOW - 5 * DAY, shared_to_facebook=True)
        for number, account_id in enumerate(accounts)
    ]
    world.put(Business("7000000000000001", "Agency", owned=(accounts[0],), clients=tuple(accounts[1:])))
    posts.append(Media("17980000000000091", accounts[0], "IMAGE", "FEED", NOW - 9 * DAY, before_business=True))
    posts.append(Media("17980000000000092", accounts[0], "IMAGE", "STORY", NOW - DAY / 4, viewers=3))
    for post in posts:
        code = f"C{post.id[-4:]}"
        world.put(replace(post, caption=f"A {code}", shortcode=code, permalink=f"https://www.instagram.com/p/{code}/"))
    return world


@contextmanager
def open_runner() -> Iterator[ScenarioRunner]:
    """Serve the world with a mutating Graph API; no wait takes time."""
    waits: list[float] = []

    with ExitStack() as stack:
        # Airflow's own logger of a task filters and writes as it is configured; here every line is looked at.
        stack.enter_context(patch.object(ResumableOperator, "log", logging.getLogger("operator")))
        sandboxes = stack.enter_context(open_sandboxes(make_world(), graph_sandbox=MutatingGraph))
        stack.enter_context(set_testing(sleep=waits.append, clock=lambda: sum(waits)))
        middleware = sandboxes.graph.middleware  # type: ignore[attr-defined]
        yield ScenarioRunner(sandboxes, middleware)
