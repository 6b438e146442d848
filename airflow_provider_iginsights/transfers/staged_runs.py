"""Writes what became of the accounts that mapped tasks read, once the task that writes has written their rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.catalog.run_tables import RUNS
from airflow_provider_iginsights.graph.redact import escape, redact
from airflow_provider_iginsights.transfers.run_log import LONGEST_MESSAGE, add_tries

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.staged_rows import StagedPart
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.transfers.target import OpenDataset

LOADED = ("done", "not_whole")
"""Of such accounts there are rows."""


def write_staged_runs(
    dataset: OpenDataset, target: TargetTable, parts: Sequence[StagedPart], *, error: Exception | None
) -> None:
    """Write the rows of all tasks; what BigQuery refuses is noted, since the data itself is not concerned.

    :param error: why the data could not be written; None = it is.
    """
    loader = dataset.loader
    if not parts or loader.session.retrier.is_stopped:
        return
    try:
        loader.ensure([target])
        with loader.row_file(target) as row_file:
            for row in join_tries(row for part in parts for row in loader.read_staged(part)):
                row_file.write(_finish(row, error) | dict.fromkeys(("finished_at", "fetched_at"), dataset.clock.now()))
            loader.commit([row_file])
    except Exception as refusal:
        said = escape(redact(str(refusal)))
        loader.session.note(f"{target.path} says nothing of this run, whose data is not concerned: {said}")


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
