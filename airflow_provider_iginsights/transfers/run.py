"""What one try of a transfer works with, and what came of it: handed from step to step, kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.destination import LoadResult
    from airflow_provider_iginsights.extract.crowd import Outcome
    from airflow_provider_iginsights.extract.source import Source
    from airflow_provider_iginsights.hooks.instagram import InstagramHook
    from airflow_provider_iginsights.transfers.account_history import AccountHistory
    from airflow_provider_iginsights.transfers.target import OpenTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRun:
    """One try: what Airflow says of it, where it writes, whom it asks and what."""

    context: Context
    target: OpenTarget
    hook: InstagramHook
    source: Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """How the accounts fared, what was written, and what else the summary ought to say (JSON-able).

    ``quarantined``: accounts that were left out, or would have failed if they were not; the outcome has none of them.
    """

    outcome: Outcome
    results: Sequence[LoadResult]
    remarks: Mapping[str, Any]
    quarantined: Mapping[str, AccountHistory] = field(default_factory=dict)
