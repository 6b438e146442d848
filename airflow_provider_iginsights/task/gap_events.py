"""Puts what polls for stories missed into the events of the assets that a task updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def add_gaps_to_asset_events(context: Mapping[str, Any], outlets: Sequence[Any], summary: Mapping[str, Any]) -> None:
    """Put the gaps, also where there are none, into the event of every asset that the task updates."""
    from airflow_provider_iginsights._compat import Asset

    # Only Airflow's task runner puts them into the context.
    events = context.get("outlet_events")
    if events is None:
        return
    for asset in (outlet for outlet in outlets if isinstance(outlet, Asset)):
        event = events[asset]
        event.extra = {**event.extra, "gaps": summary["gaps"], "captures": summary.get("captures", 1)}
