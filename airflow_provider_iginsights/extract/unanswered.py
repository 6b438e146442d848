"""Requests that Meta did not answer because of a server error, and how to repeat only them.

A server error says nothing about the metric, the media or the account. So the request is kept, repeated after all other
accounts were read, and repeated again when Airflow retries the task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.errors import InsightsError, RetriableGraphError, Throttled

MAX_SINGLE_METRICS = 50
"""Up to this number of unanswered requests of an account, each of their metrics is requested alone."""

RepeatParameters = Mapping[str, Any]
"""What a reader needs to repeat an unanswered request, JSON-able: ``{"profile": True}``, ``{"after": CURSOR}`` for the
rest of a listing, or a query's ``metrics``, ``period``, ``breakdown``, ``timeframe`` with ``days`` or ``media``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnansweredRequest:
    """A request for ``what`` (metrics, fields, a listing) of ``whom``, its ``error`` and how to ``repeat`` it."""

    whom: str
    what: str
    error: InsightsError
    repeat: RepeatParameters


class IncompleteAccount(Exception):
    """An account was read except for these requests. Raised after its last row; never raised to the user."""

    def __init__(self, unanswered: Iterable[UnansweredRequest]) -> None:
        super().__init__(tuple(unanswered))

    @property
    def unanswered(self) -> tuple[UnansweredRequest, ...]:
        """Return the unanswered requests, at least one."""
        return self.args[0]  # type: ignore[no-any-return]


def is_transient(error: InsightsError) -> bool:
    """Return whether an error comes from a server or the network and says nothing about the request."""
    return isinstance(error, RetriableGraphError) and not isinstance(error, Throttled)


def describe_query(query: InsightsQuery) -> dict[str, Any]:
    """Return the part of :data:`RepeatParameters` that names a query."""
    return {
        "metrics": list(query.names),
        "period": query.period,
        "breakdown": query.breakdown,
        "timeframe": query.timeframe,
    }


def select_unanswered(
    query: InsightsQuery, unanswered: Sequence[RepeatParameters], *, total: int = 0
) -> Iterator[InsightsQuery]:
    """Yield the parts of a planned query that were not answered: of its metrics, and of their totals alone.

    :param total: number of unanswered requests of the account.
    """
    for variant in (query, query.of_totals(query.names)):
        if variant is None:
            continue
        names = {
            name
            for repeat in unanswered
            if (repeat.get("period"), repeat.get("breakdown"), repeat.get("timeframe"))
            == (variant.period, variant.breakdown, variant.timeframe)
            for name in repeat.get("metrics") or ()
        }
        if part := variant.without(name for name in variant.names if name not in names):
            # Alone, a metric that never answers costs no other metric. With many requests it would cost many calls.
            yield from part.split() if total <= MAX_SINGLE_METRICS else (part,)
