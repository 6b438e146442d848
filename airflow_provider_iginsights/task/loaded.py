"""The result of one try of a transfer. Steps return it; no operator keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.costs import Costs
    from airflow_provider_iginsights.bigquery.target import LoadResult
    from airflow_provider_iginsights.extract.account_pool import AccountResults
    from airflow_provider_iginsights.task.account_history import AccountHistory


@dataclass(frozen=True, slots=True)
class Loaded:
    """The results of the accounts, what was written, and what else the summary ought to say (JSON-able).

    ``quarantined``: accounts that were left out, or would have failed if they were not; the results have none of them.
    ``costs``: bytes of the statements.
    """

    results: AccountResults
    loads: Sequence[LoadResult]
    remarks: Mapping[str, Any]
    quarantined: Mapping[str, AccountHistory] = field(default_factory=dict)
    costs: Costs = field(default_factory=dict)
