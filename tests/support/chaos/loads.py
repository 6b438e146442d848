"""BigQuery's part of the fault scripts, on any emulator: loads that build on one another, each hit and then repeated.

Between the loader and the emulator stands a server that refuses requests, loses answers, sends jobs twice, and lets
tables vanish or change: so an emulator that nobody here wrote meets the same faults as the sandbox.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import requests

from airflow_provider_iginsights.bigquery.target import LoadMode
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA, MEDIA_INSIGHTS, Table
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault, BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryRequest, FaultMiddleware, Faults
from airflow_provider_iginsights.sandbox.server import Receive, Scope, Send, Server, receive_body
from airflow_provider_iginsights.testing import set_testing
from tests.support.bigquery import rows
from tests.support.bigquery.killed_loads import PROJECT
from tests.support.bigquery.warehouses import Warehouse, connect_to_emulator, find_local_bigquery, serve_local_bigquery
from tests.support.chaos.arming import CHANGES
from tests.support.chaos.checks import check_error
from tests.support.chaos.outcomes import Outcome, PartUnavailable, Play, Violation
from tests.support.chaos.requests import AtRequest, RequestMiddleware
from tests.support.chaos.scripts import JOB_COMES_TWICE, POSITIONS, REFUSALS, SHARE
from tests.support.sandboxes import DAY

TABLES: tuple[Table, ...] = (ACCOUNT_INSIGHTS, MEDIA, MEDIA_INSIGHTS)
MODES: tuple[LoadMode, ...] = ("merge", "merge", "replace")
VERSIONS, ROWS, NEW = 3, 60, 20
MOST_TRIES = 4
NOT_FORWARDED = {b"host", b"content-length", b"transfer-encoding", b"connection", b"accept-encoding"}
OF_LOADS = ("staging vanishes", "a column is added")
"""A target or dataset that vanishes takes earlier versions with it: the scripts play that with whole tasks."""


@dataclass(frozen=True, slots=True)
class LoadFault:
    """One thing that goes wrong in one version's load: at which share of its requests, and how often."""

    effect: str
    share: float
    times: int
    tries: int


class Forwarding:
    """An ASGI application that passes requests on to another server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back."""
        import asyncio

        body = await receive_body(receive)
        query = scope["query_string"].decode()
        url = f"{self._url}{scope['path']}" + (f"?{query}" if query else "")
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name not in NOT_FORWARDED}
        ask = partial(self._session.request, scope["method"], url, data=body, headers=headers, timeout=60)
        answer = await asyncio.to_thread(ask)
        dropped = {"content-length", "transfer-encoding", "connection", "content-encoding"}
        kept = [
            (name.encode(), value.encode()) for name, value in answer.headers.items() if name.lower() not in dropped
        ]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": answer.content})


@dataclass(slots=True)
class LoadPlayer:
    """An emulator behind faults; each play writes some versions into a dataset of its own."""

    url: str
    plain_url: str
    faults: Faults
    log: list[BigQueryRequest]
    middleware: RequestMiddleware
    part: str
    usual: dict[tuple[str, str], int] = field(default_factory=dict)
    number: int = 0

    def play(self, seed: int) -> Outcome:
        """Write the versions of a seed, one of them under faults, and compare the target after each."""
        dice = random.Random(seed)
        table, mode = dice.choice(TABLES), dice.choice(MODES)
        hit, faults = dice.randrange(1, VERSIONS), [_draw(dice) for _ in range(dice.choice((1, 1, 2)))]
        self.number += 1
        violations: list[Violation] = []
        errors: list[str] = []
        expiring: set[str] = set()
        load = partial(self._load, table, mode, f"loads_{self.number}_{seed}")
        for version in range(VERSIONS):
            self.log.clear()
            self._disarm()
            for number in range(1, 1 + MOST_TRIES):
                tried = [each for each in faults if number <= each.tries] if version == hit else []
                self._arm(tried, usual=self.usual.get((table.name, mode), 20), dataset=f"loads_{self.number}_{seed}")
                error = load(version, number)
                self._disarm()
                violations += check_error(error, passes=())
                if error is None:
                    break
                errors.append(type(error).__name__)
                if not tried:
                    violations.append(Violation(f"failed undisturbed: {type(error).__name__}", str(error)))
            else:
                violations.append(Violation("never came to its end", str(error)))
            if version == hit - 1:
                self.usual[table.name, mode] = len(self.log)
            violations += self._compare(table, f"loads_{self.number}_{seed}", version)
            violations += self._find_left(table, f"loads_{self.number}_{seed}", is_hit=bool(tried), expiring=expiring)
        with connect_to_emulator(PROJECT, self.plain_url) as client:
            client.delete_dataset(f"loads_{self.number}_{seed}", delete_contents=True, not_found_ok=True)
        said = ", ".join(f"{each.effect} x{each.times} at {each.share:.0%} in {each.tries} tries" for each in faults)
        ending = ", ".join(dict.fromkeys(errors)) or "well at once"
        what = f"{table.name}, {mode}, version {hit}: {said}"
        return Outcome(part=self.part, seed=seed, what=what, ending=ending, violations=tuple(violations))

    def _load(self, table: Table, mode: LoadMode, dataset: str, version: int, number: int) -> BaseException | None:
        """Write a version as one try of a task; return what ended it, None if it ended well."""
        warehouse = Warehouse(
            name=self.plain_url,
            project=PROJECT,
            dataset=dataset,
            location="US",
            connect=lambda: connect_to_emulator(PROJECT, self.url),
        )
        target = rows.target(table, project=PROJECT, dataset=dataset)
        try:
            with warehouse.loader(rows.identity(run_id=f"run-{version}", try_number=number)) as loader:
                loader.ensure([target], load_mode=mode)
                row_file = loader.row_file(target)
                for row in give(table, version):
                    row_file.write(row)
                loader.commit([row_file], load_mode=mode)
        except Exception as error:
            return error
        return None

    def _arm(self, faults: list[LoadFault], *, usual: int, dataset: str) -> None:
        planned: list[AtRequest] = []
        repeat = None
        for fault in faults:
            index = int(fault.share * max(usual - 1, 0))
            if fault.effect == JOB_COMES_TWICE:
                repeat = int(fault.share * 5)
            elif fault.effect in OF_LOADS:
                planned.append(AtRequest(index, partial(self._change, CHANGES[fault.effect], dataset)))
            else:
                effect: Any = fault.effect
                self.faults.add(BigQueryFault(route="", effect=effect, skip=index, times=fault.times))
        self.middleware.plan(*planned, repeat=repeat)

    def _disarm(self) -> None:
        self.faults.clear()
        self.middleware.plan()

    def _change(self, change: Callable[[Any, str, list[str]], None], dataset: str) -> None:
        from google.api_core.exceptions import GoogleAPIError

        with connect_to_emulator(PROJECT, self.plain_url) as client, suppress(GoogleAPIError):
            path = f"{PROJECT}.{dataset}"
            change(client, path, [each.table_id for each in client.list_tables(path)])

    def _compare(self, table: Table, dataset: str, version: int) -> Iterator[Violation]:
        """Compare the target with the truth of all versions so far: the newest row of each key."""
        target = rows.target(table, project=PROJECT, dataset=dataset)
        given = [row for each in range(version + 1) for row in give(table, each)]
        expected = rows.truth(table, given)
        with connect_to_emulator(PROJECT, self.plain_url) as client:
            found = rows.stored(client, target)
        if len(found) != len(set(found)):
            yield Violation(f"doubled: {table.name}", f"{len(found) - len(set(found))} rows")
        if missing := set(expected) - set(found):
            yield Violation(f"lost: {table.name}", f"{len(missing)} rows")
        if others := set(found) - set(expected):
            yield Violation(f"another value: {table.name}", f"{len(others)} rows, such as {next(iter(others))}")

    def _find_left(self, table: Table, dataset: str, *, is_hit: bool, expiring: set[str]) -> Iterator[Violation]:
        """Find staging tables that nobody will drop.

        :param is_hit: whether BigQuery refused requests of the last try, such as that for the drop. What is left then
            has to expire within a day, and is added to ``expiring``.
        """
        target = rows.target(table, project=PROJECT, dataset=dataset)
        with connect_to_emulator(PROJECT, self.plain_url) as client:
            left = [name for name in rows.staging_left(client, target) if name not in expiring]
            for name in left if is_hit else ():
                expires = client.get_table(f"{target.dataset_path}.{name}").expires
                if expires is not None and expires <= datetime.now(UTC) + DAY:
                    expiring.add(name)
        if staying := sorted({*left} - expiring):
            yield Violation("staging left", str(staying))


def give(table: Table, version: int) -> list[dict[str, object]]:
    """Return the rows of a version: most keys are those of the version before, with newer values; some are new."""
    return rows.rows(table, range(version * NEW, version * NEW + ROWS), version=version)


def _draw(dice: random.Random) -> LoadFault:
    effect = dice.choice((*REFUSALS, JOB_COMES_TWICE, *OF_LOADS))
    share = dice.choice((SHARE[dice.choice(POSITIONS)], dice.random()))
    return LoadFault(effect, share, dice.choice((1, 1, 3, 1000)), dice.choice((1, 1, 2)))


@contextmanager
def open_loads() -> Iterator[Play]:
    """Serve the sandbox behind faults."""
    with BigQuerySandbox(project=PROJECT) as sandbox, _open_player(sandbox.url, part="loads") as play:
        yield play


@contextmanager
def open_referee_loads() -> Iterator[Play]:
    """Serve local-bigquery behind faults. Raises PartUnavailable where it is not installed."""
    executable = find_local_bigquery()
    if executable is None:
        raise PartUnavailable("The part referee needs local-bigquery, which is not installed. Run make referee.")
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_local_bigquery(executable, data=Path(folder) / "data", project=PROJECT) as url,
        _open_player(url, part="referee") as play,
    ):
        yield play


@contextmanager
def _open_player(url: str, *, part: str) -> Iterator[Play]:
    faults, log = Faults(), list[BigQueryRequest]()
    middleware = RequestMiddleware(FaultMiddleware(Forwarding(url), faults, log))
    with ExitStack() as stack:
        server = stack.enter_context(Server(middleware, name="faulty-bigquery"))
        stack.enter_context(set_testing())
        yield LoadPlayer(server.url, url, faults, log, middleware, part).play
