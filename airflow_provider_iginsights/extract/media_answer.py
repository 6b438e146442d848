"""What one answer said of one media, and which of its metrics are to be read from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.graph.messages import Answer

Media = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequestedMetrics:
    """The metrics that an answer is to bring.

    ``totals``: whose number without breakdown counts; ``expected``: of which no number at all is worth a note: all but
    those whose breakdown alone was asked here, and which have a total elsewhere.
    """

    names: frozenset[str] = frozenset()
    totals: frozenset[str] = frozenset()
    expected: frozenset[str] = frozenset()
    breakdown: str = ""

    @classmethod
    def by(cls, query: InsightsQuery | None) -> RequestedMetrics:
        """Return what a query asks for."""
        if query is None:
            return cls()
        alone = {metric.name for metric in query.metrics if metric.needs_breakdown}
        names = frozenset(query.names)
        return cls(names, query.totals & names, (query.totals | alone) & names, query.breakdown)


NOTHING = RequestedMetrics()


class MediaAnswer(NamedTuple):
    """What one answer said of one media, whose ``id`` is a text and whose other fields are as Meta sent them.

    ``entries``: the insights, unchecked; ``answer``: the page or the item they stood in; ``listed``: this is the
    listing itself.
    """

    media: Media
    entries: Any
    answer: Answer
    listed: bool
    wanted: RequestedMetrics


def keep_distinct_media(items: list[Media]) -> list[Media]:
    """Return one object per id, and none where different ones stand under an id: nobody can say whose it is."""
    if len({item["id"] for item in items}) == len(items):
        return items
    kept: dict[str, Media | None] = {}
    for item in items:
        if kept.setdefault(item["id"], item) != item:
            kept[item["id"]] = None
    return [item for item in kept.values() if item is not None]
