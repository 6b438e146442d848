"""How questions are spelt in Meta's query language."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_iginsights.catalog.plan import InsightsQuery


def spell_insights(query: InsightsQuery) -> dict[str, str]:
    """Return the parameters of ``/insights`` for a query, without its window.

    A media's period is always lifetime and stays unsaid.
    """
    spoken = {
        "metric": ",".join(query.names),
        "period": query.period if query.metrics[0].level == "account" else "",
        "metric_type": query.metric_type or "",
        "breakdown": query.breakdown,
        "timeframe": query.timeframe,
    }
    return {name: value for name, value in spoken.items() if value}


def spell_media_fields(fields: Iterable[str], core: InsightsQuery | None) -> str:
    """Return ``fields`` of a media listing, with the insights that all its media share inside it."""
    return ",".join((*fields, _expand_insights(core)) if core else fields)


def spell_listed_insights(query: InsightsQuery) -> str:
    """Return ``fields`` of a media listing that brings nothing but insights."""
    return f"id,{_expand_insights(query)}"


def _expand_insights(query: InsightsQuery) -> str:
    return f"insights.metric({','.join(query.names)})"
