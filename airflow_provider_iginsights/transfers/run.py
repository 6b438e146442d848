"""What one try of a transfer works with. Steps get it as an argument; no operator keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.task.source import Source
    from airflow_provider_iginsights.transfers.target import OpenDataset


class AccountFinder(Protocol):
    """What a transfer needs of the hook, whose own type ends in classes of Airflow that no type checker knows whole."""

    @property
    def max_workers(self) -> int:
        """The largest number of accounts to read at the same time."""

    def add_page_ids(self, found: Mapping[str, str]) -> None:
        """Keep the Pages through which another hook has found accounts."""

    def find_account_ids(self, given: object = None) -> tuple[str, ...]:
        """Return the accounts to read: those given, else the connection's, else all that the token sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRun:
    """One try: what Airflow says of it, where it writes, whom it asks and what."""

    context: Context
    dataset: OpenDataset
    hook: AccountFinder
    source: Source


Transfer = Callable[[TransferRun, Mapping[str, Any] | None], dict[str, Any]]
"""What a try does: it gets the progress that a deferral carried, and returns the summary; or waits, or fails."""
