"""One page of an account's media or stories, and what is to be requested beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_iginsights.catalog.plan import InsightsQuery, MediaPlan
from airflow_provider_iginsights.graph.messages import Answer
from airflow_provider_iginsights.json_values import read_id, read_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaPage:
    """One page of the edge.

    :param core: the query inside the page.
    :param parts: queries that were answered by other listings of the same media.
    :param request_alone: missing metrics that are requested one by one.
    :param maybe_refused: missing metrics of which Meta refuses some; it did not say which, and for which media.
    :param refused: metrics that some media of the page refuse.
    :param holds_for_later_pages: later pages will refuse them, too.
    """

    answer: Answer
    core: InsightsQuery | None = None
    parts: tuple[tuple[InsightsQuery, Answer], ...] = ()
    request_alone: frozenset[str] = frozenset()
    maybe_refused: frozenset[str] = frozenset()
    refused: tuple[str, ...] = ()
    holds_for_later_pages: bool = False

    @property
    def answered(self) -> frozenset[str]:
        """The metrics that arrived for all media of the page."""
        queries = (self.core, *(query for query, _ in self.parts))
        return frozenset(name for query in queries if query for name in query.names)

    def find_rest(self, plan: MediaPlan, product_type: str) -> tuple[InsightsQuery, ...]:
        """Return the queries beside the page for media of a product type.

        Metrics that the page could not bring join the first plain query, or stand alone.
        """
        extras = plan.extras.get(product_type, ())
        missing = plan.core.without(self.answered) if plan.core else None
        if missing is None:
            return extras
        singles = tuple(query for query in missing.split() if query.names[0] in self.request_alone)
        together = missing.without(self.request_alone)
        if together and extras and not extras[0].breakdown and not extras[0].metrics[0].alone:
            return (*singles, together.join(extras[0]), *extras[1:])
        return (*singles, *((together,) if together else ()), *extras)


def index_media(page: Answer) -> dict[str, Mapping[str, Any]]:
    """Return the media of a page by id. Items without a usable id are left out; the first of two with one id counts."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in read_objects(page.body.get("data")) or ():
        if (media_id := read_id(item.get("id"))) is not None:
            found.setdefault(media_id, item if item["id"] == media_id else {**item, "id": media_id})
    return found
