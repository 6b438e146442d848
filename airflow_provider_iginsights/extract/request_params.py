"""Formats queries as parameters of the Graph API."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_iginsights.catalog.fields import format_fields
from airflow_provider_iginsights.catalog.plan import InsightsQuery


def format_insights_params(query: InsightsQuery) -> dict[str, str]:
    """Return the parameters of ``/insights`` for a query, without ``since`` and ``until``."""
    params = {
        "metric": ",".join(query.names),
        # The period of media metrics is always lifetime, which is the default.
        "period": query.period if query.metrics[0].level == "account" else "",
        "metric_type": query.metric_type or "",
        # META-14: the catalog has the names that Meta accepts, not those of its reference.
        "breakdown": query.breakdown,
        "timeframe": query.timeframe,
    }
    return {name: value for name, value in params.items() if value}


def format_media_fields(fields: Iterable[str], core: InsightsQuery | None) -> str:
    """Return ``fields`` of a media listing, with the insights of ``core`` inside."""
    return ",".join((format_fields(fields), *((_expand_insights(core),) if core else ())))


def format_insights_field(query: InsightsQuery) -> str:
    """Return ``fields`` of a media listing with insights and ids only."""
    return f"id,{_expand_insights(query)}"


def _expand_insights(query: InsightsQuery) -> str:
    return f"insights.metric({','.join(query.names)})"
