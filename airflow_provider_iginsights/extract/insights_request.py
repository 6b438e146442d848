"""One request for insights of an object, and what happened to it before."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from airflow_provider_iginsights.catalog.plan import InsightsQuery

RefusalKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightsRequest:
    """A query about one object.

    :param group: objects of one group refuse the same metrics: a product type, or the account itself.
    :param whom: the object, as messages name it.
    :param scope: what the caller needs to read the answer: the days, or the media.
    :param is_probe: the request has a single metric, to find out whether the group refuses it.
    :param is_reduced: Meta refused the request before and named metrics; these were removed.
    :param was_held: the request was refused and waited for the answers to probes.
    """

    query: InsightsQuery
    group: str
    whom: str
    scope: Any
    is_probe: bool = False
    is_reduced: bool = False
    was_held: bool = False

    @property
    def refusal_key(self) -> RefusalKey:
        """Return a key that is equal for requests which Meta refuses for the same reason."""
        return self.group, self.query.period, self.query.breakdown, self.query.timeframe

    @property
    def retry_key(self) -> Hashable:
        """Return a key that is equal for the same request about two objects or accounts."""
        return *self.refusal_key, self.query.names

    @property
    def what(self) -> str:
        """Return the metrics, as the summary names them."""
        names = ", ".join(self.query.names)
        return f"{names} by {self.query.breakdown}" if self.query.breakdown else names

    def make_probes(self) -> Iterator[InsightsRequest]:
        """Yield one request per metric."""
        for part in self.query.split():
            yield replace(self, query=part, is_probe=True)
