"""Lets the faults of a script happen: each kind of effect is armed in its own way."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.api_core.exceptions import NotFound

from airflow_provider_iginsights._compat import find
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import GraphFault
from tests.support.chaos.checks import list_tables
from tests.support.chaos.drops import Drop, note_drop
from tests.support.chaos.requests import MAKES_A_JOB, AtRequest, RequestMiddleware
from tests.support.chaos.scripts import (
    CLOCK_JUMPS,
    GRAPH_EFFECTS,
    JOB_COMES_TWICE,
    JOB_ENDINGS,
    LIMIT_USED_UP,
    REFUSALS,
    SHARE,
    SIGNALS,
    Fault,
    FaultScript,
)
from tests.support.mutation.waits import limit_account
from tests.support.sandboxes import KEYS, Sandboxes

TaskTimeout: Any = find(
    "AirflowTaskTimeout", ("airflow.sdk.exceptions:AirflowTaskTimeout", "airflow.exceptions:AirflowTaskTimeout")
)
SLOW_SECONDS = 0.2
SENT = {"execution_timeout": signal.SIGALRM, "SIGTERM": signal.SIGUSR1}
"""What is sent for an effect. A real SIGTERM is that of somebody who stops the command, and ends it."""


@dataclass(frozen=True, slots=True)
class Requests:
    """How many requests an undisturbed step makes: Graph calls and HTTP requests, BigQuery requests, and jobs."""

    calls: int
    graph: int
    bigquery: int
    jobs: int


def arm(script: FaultScript, sandboxes: Sandboxes, dataset: str, usual: Requests, *, drops: list[Drop]) -> None:
    """Let the faults of a script happen in the next try.

    :param drops: gets what the tables hold when they are changed.
    """
    planned: dict[str, list[AtRequest]] = {"graph": [], "bigquery": []}
    repeat = None
    for fault in script.faults:
        share = SHARE[fault.position]
        if fault.effect in GRAPH_EFFECTS:
            skip, effect = _skip(usual.calls, share), GRAPH_EFFECTS[fault.effect]
            sandboxes.graph.faults.add(GraphFault(effect=effect, skip=skip, times=fault.times))
        elif fault.effect in REFUSALS:
            _fail(sandboxes, fault, r"", _skip(usual.bigquery, share))
        elif fault.effect in JOB_ENDINGS:
            _fail(sandboxes, fault, MAKES_A_JOB, _skip(usual.jobs, share))
        elif fault.effect == JOB_COMES_TWICE:
            repeat = _skip(usual.jobs, share)
        else:
            index = _skip(getattr(usual, fault.room), share)
            action = find_action(fault.effect, script, sandboxes, dataset, drops=drops)
            planned[fault.room].append(AtRequest(index, action))
    graph: RequestMiddleware = sandboxes.graph.middleware  # type: ignore[attr-defined]
    bigquery: RequestMiddleware = sandboxes.bigquery.middleware  # type: ignore[attr-defined]
    graph.plan(*planned["graph"])
    bigquery.plan(*planned["bigquery"], repeat=repeat)


def disarm(sandboxes: Sandboxes) -> None:
    """Let nothing more happen."""
    sandboxes.graph.faults.clear()
    sandboxes.bigquery.faults.clear()
    sandboxes.graph.middleware.plan()  # type: ignore[attr-defined]
    sandboxes.bigquery.middleware.plan()  # type: ignore[attr-defined]


def _skip(requests: int, share: float) -> int:
    return int(share * max(requests - 1, 0))


def _fail(sandboxes: Sandboxes, fault: Fault, route: str, skip: int) -> None:
    effect: Any = fault.effect
    sandboxes.bigquery.faults.add(
        BigQueryFault(route=route, effect=effect, skip=skip, times=fault.times, seconds=SLOW_SECONDS)
    )


def find_action(
    effect: str, script: FaultScript, sandboxes: Sandboxes, dataset: str, *, drops: list[Drop]
) -> Callable[[], None]:
    """Return what happens when the request arrives."""
    if effect in SIGNALS:
        return partial(os.kill, os.getpid(), SENT[effect])
    if effect == CLOCK_JUMPS:
        return partial(sandboxes.move_worker, script.skew)
    if effect == LIMIT_USED_UP:
        return partial(limit_account, sandboxes, next(iter(sandboxes.world.accounts)))

    def change() -> None:
        drops.append(note_drop(sandboxes, dataset))
        _change_tables(sandboxes, dataset, CHANGES[effect])

    return change


def _change_tables(sandboxes: Sandboxes, dataset: str, change: Callable[[Any, str, list[str]], None]) -> None:
    with sandboxes.bigquery.open_client() as client, suppress(NotFound):  # type: ignore[attr-defined]
        change(client, f"{sandboxes.bigquery.project}.{dataset}", list_tables(sandboxes, dataset))


def _drop_targets(client: Any, path: str, tables: list[str]) -> None:
    for name in set(tables) & set(KEYS):
        client.delete_table(f"{path}.{name}", not_found_ok=True)


def _drop_staging(client: Any, path: str, tables: list[str]) -> None:
    for name in (each for each in tables if "__stg_" in each):
        client.delete_table(f"{path}.{name}", not_found_ok=True)


def _drop_dataset(client: Any, path: str, _tables: list[str]) -> None:
    client.delete_dataset(path, delete_contents=True, not_found_ok=True)


def _let_expire(client: Any, path: str, _tables: list[str]) -> None:
    dataset = client.get_dataset(path)
    dataset.default_table_expiration_ms = 3_600_000
    client.update_dataset(dataset, ["default_table_expiration_ms"])


def _add_column(client: Any, path: str, tables: list[str]) -> None:
    for name in set(tables) & set(KEYS):
        client.query(f"ALTER TABLE `{path}.{name}` ADD COLUMN IF NOT EXISTS note_of_another STRING").result()


def _change_type(client: Any, path: str, tables: list[str]) -> None:
    """Replace each target by one in which the instant of the fetch is a text."""
    from google.cloud.bigquery import SchemaField, Table

    for name in set(tables) & set(KEYS):
        table = client.get_table(f"{path}.{name}")
        schema = [
            SchemaField(each.name, "STRING", each.mode) if each.name == "fetched_at" else each for each in table.schema
        ]
        client.delete_table(table)
        client.create_table(Table(table.reference, schema))


def mend_tables(sandboxes: Sandboxes, dataset: str) -> None:
    """Drop the targets of which a column changed its type, as somebody does who reads the error."""

    def mend(client: Any, path: str, tables: list[str]) -> None:
        for name in set(tables) & set(KEYS):
            types = {each.name: each.field_type for each in client.get_table(f"{path}.{name}").schema}
            if types.get("fetched_at") == "STRING":
                client.delete_table(f"{path}.{name}")

    _change_tables(sandboxes, dataset, mend)


CHANGES: Mapping[str, Callable[[Any, str, list[str]], None]] = {
    "target vanishes": _drop_targets,
    "staging vanishes": _drop_staging,
    "dataset vanishes": _drop_dataset,
    "dataset lets tables expire": _let_expire,
    "a column is added": _add_column,
    "a column changes its type": _change_type,
}


@contextmanager
def stopped_as_by_airflow(operator: Any) -> Iterator[None]:
    """Do what Airflow's task runner does: ``on_kill`` where a script sends its SIGTERM, an exception at a timeout.

    The timeout of Airflow is the signal SIGALRM; here it comes earlier than by the clock.
    """
    running = True

    def end(_number: int, _frame: Any) -> None:
        if running:
            operator.on_kill()

    def time_out(_number: int, _frame: Any) -> None:
        if running:
            raise TaskTimeout("Timeout")

    before = {each: signal.signal(each, do) for each, do in ((SENT["SIGTERM"], end), (signal.SIGALRM, time_out))}
    try:
        yield
    except TaskTimeout:
        operator.on_kill()
        raise
    finally:
        running = False
        for each, handler in before.items():
            signal.signal(each, handler)


def has_fault(script: FaultScript, pattern: str) -> bool:
    """Tell whether an effect of the script has this in its name."""
    return any(re.search(pattern, fault.effect) for fault in script.faults)
