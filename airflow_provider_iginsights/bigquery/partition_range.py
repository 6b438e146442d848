"""Where in a target to look, as constants in SQL, so that BigQuery reads only what matters.

BigQuery prunes partitions and blocks by constants, not by the result of a subquery; days and accounts are therefore
taken from the rows while they are written. Every table is partitioned by a day and sorted by the account first. Where a
key can change its partition (``Table.moves``), its earlier days are looked up before it is written.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import literal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_provider_iginsights.catalog.tables import Table

# A job may modify 4,000 partitions; a restatement can touch a few besides those that are staged.
MOST_PARTITIONS = 3000
MOST_ACCOUNTS = 10_000
"""More are not named: a query's text may have 1 MB."""
MOST_DAYS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRange:
    """Days ``start`` to ``end``, ISO dates, both included, and the days ``besides``, of these accounts (none = all)."""

    start: str
    end: str
    besides: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()

    def with_days(self, days: Iterable[str]) -> PartitionRange:
        """Return the span with other days besides: each for itself, or where they are very many, all in between."""
        others = tuple(sorted(set(days)))
        if len(others) <= MOST_DAYS:
            return dataclasses.replace(self, besides=others)
        return dataclasses.replace(self, start=min(self.start, others[0]), end=max(self.end, others[-1]))


# Satisfies require_partition_filter, too.
ALL_DAYS = PartitionRange(start="0001-01-01", end="9999-12-31")


def condition(span: PartitionRange, *, table: Table, alias: str) -> str:
    """Return the SQL condition that a row of ``alias`` lies in the span."""
    day = f"{alias}.{quoted(table.partition_by)}"
    reach = f"{day} BETWEEN DATE '{span.start}' AND DATE '{span.end}'"
    if span.besides:
        first, last = min(span.start, span.besides[0]), max(span.end, span.besides[-1])
        listed = ", ".join(f"DATE '{each}'" for each in span.besides)
        reach = f"{day} BETWEEN DATE '{first}' AND DATE '{last}' AND ({reach} OR {day} IN ({listed}))"
    if not 0 < len(span.account_ids) <= MOST_ACCOUNTS:
        return reach
    return f"{reach} AND {alias}.`account_id` IN ({', '.join(map(literal, span.account_ids))})"


def outside(span: PartitionRange, *, table: Table, alias: str) -> str:
    """Return the SQL condition that a row of ``alias`` is the accounts', but of a day that is not in the span."""
    day = f"{alias}.{quoted(table.partition_by)}"
    anywhere = condition(dataclasses.replace(ALL_DAYS, account_ids=span.account_ids), table=table, alias=alias)
    return f"{anywhere} AND ({day} < DATE '{span.start}' OR {day} > DATE '{span.end}')"


def slices(days: Sequence[str], *, size: int = MOST_PARTITIONS) -> Iterator[PartitionRange]:
    """Cut ascending ISO days into spans of at most ``size`` of these days."""
    for at in range(0, len(days), size):
        piece = days[at : at + size]
        yield PartitionRange(start=piece[0], end=piece[-1])
