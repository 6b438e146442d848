"""Which partitions and accounts of a target a statement reads, as constants in its SQL.

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
MAX_PARTITIONS = 3000
MAX_ACCOUNTS = 10_000
"""More are not named: a query's text may have 1 MB."""
MAX_DAYS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRange:
    """Days ``start`` to ``end``, ISO dates, both included, and the days ``besides``, of these accounts (none = all)."""

    start: str
    end: str
    besides: tuple[str, ...] = ()
    account_ids: tuple[str, ...] = ()

    def with_days(self, days: Iterable[str]) -> PartitionRange:
        """Return the range with other days besides: each for itself, or where they are very many, all in between."""
        others = tuple(sorted(set(days)))
        if len(others) <= MAX_DAYS:
            return dataclasses.replace(self, besides=others)
        return dataclasses.replace(self, start=min(self.start, others[0]), end=max(self.end, others[-1]))


# Satisfies require_partition_filter, too.
ALL_DAYS = PartitionRange(start="0001-01-01", end="9999-12-31")


def condition(partitions: PartitionRange, *, table: Table, alias: str) -> str:
    """Return the SQL condition that a row of ``alias`` lies in these partitions."""
    day = f"{alias}.{quoted(table.partition_by)}"
    inside = f"{day} BETWEEN DATE '{partitions.start}' AND DATE '{partitions.end}'"
    if partitions.besides:
        first, last = min(partitions.start, partitions.besides[0]), max(partitions.end, partitions.besides[-1])
        listed = ", ".join(f"DATE '{each}'" for each in partitions.besides)
        inside = f"{day} BETWEEN DATE '{first}' AND DATE '{last}' AND ({inside} OR {day} IN ({listed}))"
    # account_id is the first clustering column, so a constant list of accounts reads only their blocks ("Querying
    # clustered tables").
    if not 0 < len(partitions.account_ids) <= MAX_ACCOUNTS:
        return inside
    return f"{inside} AND {alias}.`account_id` IN ({', '.join(map(literal, partitions.account_ids))})"


def outside(partitions: PartitionRange, *, table: Table, alias: str) -> str:
    """Return the SQL condition that a row of ``alias`` is the accounts', but of a day outside of them."""
    day = f"{alias}.{quoted(table.partition_by)}"
    anywhere = condition(dataclasses.replace(ALL_DAYS, account_ids=partitions.account_ids), table=table, alias=alias)
    return f"{anywhere} AND ({day} < DATE '{partitions.start}' OR {day} > DATE '{partitions.end}')"


def slices(days: Sequence[str], *, size: int = MAX_PARTITIONS) -> Iterator[PartitionRange]:
    """Cut ascending ISO days into ranges of at most ``size`` of these days."""
    for at in range(0, len(days), size):
        piece = days[at : at + size]
        yield PartitionRange(start=piece[0], end=piece[-1])
