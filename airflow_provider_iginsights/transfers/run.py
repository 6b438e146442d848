"""What one try of a transfer works with. Steps get it as an argument; no operator keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.hooks.instagram import InstagramHook
    from airflow_provider_iginsights.task.source import Source
    from airflow_provider_iginsights.transfers.target import OpenDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRun:
    """One try: what Airflow says of it, where it writes, whom it asks and what."""

    context: Context
    dataset: OpenDataset
    hook: InstagramHook
    source: Source


Transfer = Callable[[TransferRun, Mapping[str, Any] | None], dict[str, Any]]
"""What a try does: it gets the progress that a deferral carried, and returns the summary; or waits, or fails."""
