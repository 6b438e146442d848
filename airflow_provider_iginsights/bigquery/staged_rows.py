"""Rows that several tasks staged for one target, and that one task writes with one statement.

A part is what one try of a task staged: a table of its own, whole, and what a statement over its rows must know. The
task that writes gets parts as JSON, from the tasks that staged them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.partition_range import PartitionRange

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedPart:
    """The staging table ``path`` holds ``rows`` rows of the catalog's ``table`` for ``target``, of these ISO ``days``.

    ``payload``: hash of the rows, in hex digits.
    """

    table: str
    target: str
    path: str
    rows: int
    days: tuple[str, ...]
    payload: str
    load_job_id: str = ""

    @property
    def key(self) -> str:
        """Return a short name that no other part of any task has."""
        return hashlib.sha256(self.path.encode()).hexdigest()[:16]

    def pack(self) -> dict[str, Any]:
        """Return JSON-able values; days in a row are told by the first and the last, as an ISO 8601 interval."""
        return {
            "table": self.table,
            "target": self.target,
            "path": self.path,
            "rows": self.rows,
            "days": list(_pack_days(self.days)),
            "payload": self.payload,
            "load_job_id": self.load_job_id,
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> StagedPart:
        """Return the part that :meth:`pack` was called on."""
        days = tuple(day for interval in packed["days"] for day in _unpack_days(interval))
        return cls(**{**packed, "days": days})


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRows:
    """All that was staged for one target, as the statements ask for it. There must be a part.

    ``account_ids``: of which accounts there can be rows.
    """

    target: TargetTable
    parts: Sequence[StagedPart]
    account_ids: Sequence[str]

    @property
    def rows(self) -> int:
        """Return how many rows were staged."""
        return sum(part.rows for part in self.parts)

    @property
    def moves(self) -> bool:
        """Return whether a key may stand in any day."""
        return self.target.table.moves

    @property
    def payload(self) -> str:
        """Return a hash of what was staged and where, in hex digits."""
        return hashlib.sha256("|".join(sorted(part.path for part in self.parts)).encode()).hexdigest()

    @property
    def days(self) -> list[str]:
        """Return the distinct partition days of the rows, ISO, ascending."""
        return sorted({day for part in self.parts for day in part.days})

    @property
    def partitions(self) -> PartitionRange:
        """Return the days and accounts of which the target can hold the rows' keys."""
        days = self.days
        return PartitionRange(start=days[0], end=days[-1], account_ids=tuple(sorted(set(self.account_ids))))


def _pack_days(days: Sequence[str]) -> Iterator[str]:
    """Yield ``2026-11-01`` or ``2026-11-01/2026-11-04`` for ascending days."""
    numbered = ((date.fromisoformat(day), place) for place, day in enumerate(days))
    for _, run in groupby(numbered, key=lambda each: each[0].toordinal() - each[1]):
        first, *others = (day.isoformat() for day, _ in run)
        yield f"{first}/{others[-1]}" if others else first


def _unpack_days(interval: str) -> Iterator[str]:
    first, _, last = interval.partition("/")
    day, end = date.fromisoformat(first), date.fromisoformat(last or first)
    while day <= end:
        yield day.isoformat()
        day += _DAY
