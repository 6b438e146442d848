"""One answer about one media, with the metrics that were requested in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_iginsights.catalog.plan import InsightsQuery
from airflow_provider_iginsights.graph.messages import Answer
from airflow_provider_iginsights.json_values import read_text

Media = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequestedMetrics:
    """The metrics of one request.

    ``totals``: their number without breakdown is stored. ``expected``: a missing number is noted. A metric whose
    total is in another request is not among them.
    """

    names: frozenset[str] = frozenset()
    totals: frozenset[str] = frozenset()
    expected: frozenset[str] = frozenset()
    breakdown: str = ""

    @classmethod
    def of(cls, query: InsightsQuery | None) -> RequestedMetrics:
        """Return the metrics of a query."""
        if query is None:
            return cls()
        # A metric that needs its breakdown has no total in another request, so its numbers are expected here.
        breakdown_only = {metric.name for metric in query.metrics if metric.needs_breakdown}
        names = frozenset(query.names)
        return cls(names, query.totals & names, (query.totals | breakdown_only) & names, query.breakdown)


NO_METRICS = RequestedMetrics()


class MediaAnswer(NamedTuple):
    """One answer about one media. Its ``id`` is a text; its other fields are as Meta sent them.

    ``entries``: the insights, unchecked; ``answer``: the page or batch item with the insights; ``is_listed``: the
    answer is a page of the listing itself.
    """

    media: Media
    entries: Any
    answer: Answer
    is_listed: bool
    requested: RequestedMetrics


def read_insights(media: Media) -> Any:
    """Return the insights inside a listed media; None where there are none."""
    insights = media.get("insights")
    entries = insights.get("data") if isinstance(insights, dict) else None
    return (isinstance(entries, list) and entries) or None


def read_product_type(media: Media) -> str | None:
    """Return the product type of a media, such as ``REELS``, as Meta spells it; None where there is none."""
    return read_text(media.get("media_product_type"))


def keep_distinct_media(items: list[Media]) -> list[Media]:
    """Return one object per id; none where different objects have the same id, since either may be wrong."""
    if len({item["id"] for item in items}) == len(items):
        return items
    kept: dict[str, Media | None] = {}
    for item in items:
        if kept.setdefault(item["id"], item) != item:
            kept[item["id"]] = None
    return [item for item in kept.values() if item is not None]
