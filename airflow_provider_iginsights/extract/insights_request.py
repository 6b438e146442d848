"""One question of an account's reading: which metrics, of what, and how it came to be asked."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_iginsights.catalog.plan import InsightsQuery

Kind = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightsRequest:
    """One question. ``group`` shares its refusals, ``whom`` names the object, ``about`` travels along.

    ``torn``: a single metric of a representative; ``named``: refused before, and less what the refusal named;
    ``waited``: refused before, and held back for representatives.
    """

    query: InsightsQuery
    group: str
    whom: str
    about: Any
    torn: bool = False
    named: bool = False
    waited: bool = False

    @property
    def kind(self) -> Kind:
        """Return what questions share that are refused for the same reason."""
        return self.group, self.query.period, self.query.breakdown, self.query.timeframe

    @property
    def same(self) -> Hashable:
        """Return what makes two accounts' questions the same one."""
        return *self.kind, self.query.names

    @property
    def what(self) -> str:
        """Return what is asked for, as the summary names it."""
        names = ", ".join(self.query.names)
        return f"{names} by {self.query.breakdown}" if self.query.breakdown else names

    def tear(self) -> Iterator[InsightsRequest]:
        """Yield one question per metric."""
        for part in self.query.split():
            yield replace(self, query=part, torn=True)
