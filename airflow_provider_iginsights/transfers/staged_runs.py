"""Writes what became of the accounts that mapped tasks read, once the task that writes has written their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT, RUNS
from airflow_provider_iginsights.graph.redact import escape, redact
from airflow_provider_iginsights.transfers.run_log import LONGEST_MESSAGE, add_tries, noting_refusal, write_rows

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_iginsights.bigquery.staged_rows import StagedPart
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.transfers.target import OpenDataset

LOADED = ("done", "not_whole")
"""Of such accounts there are rows."""


def write_staged_runs(
    dataset: OpenDataset,
    targets: Sequence[TargetTable],
    parts: Sequence[StagedPart],
    *,
    error: Exception | None,
) -> None:
    """Write the rows of all tasks; what BigQuery refuses is noted, since the data itself is not concerned.

    :param targets: the tables of runs and of what was left out, as far as they are wanted.
    :param parts: all that was staged; the rows of other tables are left alone.
    :param error: why the data could not be written; None = it is.
    """
    loader = dataset.loader
    wanted = [(target, [part for part in parts if part.table == target.table.name]) for target in targets]
    wanted = [(target, mine) for target, mine in wanted if mine]
    if loader.session.retrier.is_stopped:
        return
    for target, mine in wanted:
        with noting_refusal(loader):
            loader.ensure([target])
            rows = (row for part in mine for row in loader.read_staged(part))
            write_rows(loader, target, _FINISHED[target.table](rows, error, dataset.clock.now()))


def _finish_runs(
    rows: Iterable[Mapping[str, Any]], error: Exception | None, now: datetime
) -> Iterator[Mapping[str, Any]]:
    for row in join_tries(rows):
        yield _finish(row, error) | {"finished_at": now, "fetched_at": now}


def _finish_left_out(
    rows: Iterable[Mapping[str, Any]],
    error: Exception | None,  # noqa: ARG001 - of the runs
    now: datetime,
) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        yield {**row, "fetched_at": now}


_FINISHED = {RUNS: _finish_runs, LEFT_OUT: _finish_left_out}


def join_tries(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per account and mapped task: the last, with what the tries before it came to."""
    joined: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda each: each["fetched_at"]):
        key = tuple(row[name] for name in RUNS.key)
        joined[key] = add_tries(joined.get(key), row)
    return list(joined.values())


def _finish(row: Mapping[str, Any], error: Exception | None) -> dict[str, Any]:
    if error is None or row["status"] not in LOADED:
        return dict(row)
    said = {"reason": type(error).__name__, "message": escape(redact(str(error)))[:LONGEST_MESSAGE]}
    return {**row, "status": "not_loaded", **said}
