"""Ranges of the partition column, as constants in SQL, so that BigQuery reads only the partitions that matter.

BigQuery prunes partitions by constants, not by the result of a subquery; the bounds are therefore taken from the rows
while they are written. A key never changes its partition: the date is part of the key, follows from it, or (media) is
the date of publication, which Meta does not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_iginsights.catalog.tables import Table

# A job may modify 4,000 partitions; a restatement can touch a few besides those that are staged.
MOST_PARTITIONS = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days ``start`` to ``end``, ISO dates, both included."""

    start: str
    end: str

    def covering(self, other: Span) -> Span:
        """Return the smallest span that holds both."""
        return Span(start=min(self.start, other.start), end=max(self.end, other.end))


# Satisfies require_partition_filter, too.
ALL_DAYS = Span(start="0001-01-01", end="9999-12-31")


def condition(span: Span, *, table: Table, alias: str) -> str:
    """Return the SQL condition that a row of ``alias`` lies in the span."""
    return f"{alias}.{quoted(table.partition_by)} BETWEEN DATE '{span.start}' AND DATE '{span.end}'"


def slices(days: Sequence[str], *, size: int = MOST_PARTITIONS) -> Iterator[Span]:
    """Cut ascending ISO days into spans of at most ``size`` of these days."""
    for at in range(0, len(days), size):
        piece = days[at : at + size]
        yield Span(start=piece[0], end=piece[-1])
