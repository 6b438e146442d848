"""What the statements of a task cost: bytes, as BigQuery's job statistics tell them, added up by table and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_iginsights.bigquery.job_ids import Verb

Costs = dict[str, dict[str, dict[str, int]]]
"""Path of a table -> kind of statement (as in job ids) -> ``jobs``, ``bytes_processed``, ``bytes_billed``."""


class StatementCosts:
    """The costs so far. Bounded: one entry for each table and kind of statement."""

    def __init__(self) -> None:
        self._costs: Costs = {}

    def add(self, path: str, verb: Verb, job: Any) -> None:
        """Add a finished job (google.cloud.bigquery.QueryJob) about a table."""
        processed, billed = job.total_bytes_processed or 0, job.total_bytes_billed or 0
        _add(self._costs, path, verb, {"jobs": 1, "bytes_processed": processed, "bytes_billed": billed})

    def take(self) -> Costs:
        """Return the costs since they were last taken."""
        taken, self._costs = self._costs, {}
        return taken


def add_costs(*several: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Costs:
    """Return the sum of costs."""
    total: Costs = {}
    for costs in several:
        for path, kinds in costs.items():
            for kind, counts in kinds.items():
                _add(total, path, kind, counts)
    return total


def _add(total: Costs, path: str, kind: str, counts: Mapping[str, int]) -> None:
    known = total.setdefault(path, {}).setdefault(kind, dict.fromkeys(counts, 0))
    for name, count in counts.items():
        known[name] += count
