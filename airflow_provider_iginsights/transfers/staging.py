"""What a transfer with ``load="stage"`` hands to the task that writes: where its rows are, and all that they depend on.

It is handed over in one piece, by XCom, once everything is staged. A try that dies before hands nothing over, and the
next one stages its own rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_iginsights.bigquery.fan_in import StagingLoader
from airflow_provider_iginsights.bigquery.refused_rows import write_row
from airflow_provider_iginsights.bigquery.staged_rows import StagedPart
from airflow_provider_iginsights.catalog.run_tables import RUN_TABLES
from airflow_provider_iginsights.catalog.tables import ACCOUNT_STATUS, STORY_POLLS
from airflow_provider_iginsights.stories.staged_polls import STAGED_POLLS, pack_poll
from airflow_provider_iginsights.task.arguments import parse_boolean

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.fan_in import FanInLoader
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.target import LoadMode
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.extract.account_pool import AccountResults
    from airflow_provider_iginsights.task.arguments import OnAccountError
    from airflow_provider_iginsights.transfers.run import TransferRun


class StagingTransfer(Protocol):
    """A transfer, as far as the task that writes must know it."""

    load_mode: LoadMode
    create_views: bool
    on_account_error: OnAccountError
    status_table_id: str

    def read_optional(self, argument: str) -> str | None:
        """Return an argument that may be left out."""

    @property
    def tables(self) -> Mapping[Table, str]:
        """The tables that it writes, each with its table id."""


def take_up_staged(loader: FanInLoader, summary: Mapping[str, Any] | None) -> None:
    """Go on with what an earlier step of the task staged, as its summary says; nothing where the task writes itself."""
    if isinstance(loader, StagingLoader):
        loader.parts = [StagedPart.unpack(part) for part in (summary or {}).get("staged", {}).get("parts", ())]


def hand_over(
    run: TransferRun,
    operator: StagingTransfer,
    *,
    account_ids: Sequence[str],
    before: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what the task that writes must know, JSON-able.

    :param account_ids: all that the task reads.
    :param before: summary of an earlier step of the task.
    """
    loader, earlier = run.dataset.loader, (before or {}).get("staged", {})
    assert isinstance(loader, StagingLoader)  # noqa: S101 - open_dataset made it
    no_data = run.source.no_data_metrics
    missing = {account_id: sorted(metrics) for account_id, metrics in no_data.metrics.items()}
    finality = getattr(operator, "finality", None)
    # Only replace deletes, so only it must know which groups an unreadable answer leaves open.
    protected = (
        [dict(group) for group in run.source.left_out_log.list_unreadable()] if operator.load_mode == "replace" else []
    )
    return {
        "parts": [part.pack() for part in loader.parts],
        "tables": {table.name: table_id for table, table_id in operator.tables.items()} | _name_others(operator),
        "hash_salts": _list_salts(run, operator),
        "excluded": _list_columns(run.source.protection.excluded),
        "hashed": _list_columns(run.source.protection.hashed),
        "login": run.source.client.settings.login,
        "map_index": run.context["ti"].map_index,
        "account_ids": list(account_ids),
        "load_mode": operator.load_mode,
        "create_views": parse_boolean(operator.create_views, argument="create_views"),
        "protected": [*earlier.get("protected", ()), *protected],
        "no_data": {**earlier.get("no_data", {}), **missing},
        "no_data_until": max(earlier.get("no_data_until", ""), no_data.last_day.isoformat()),
        "finality": [each.total_seconds() for each in (finality.at_once, finality.at_most)] if finality else None,
    }


def _list_salts(run: TransferRun, operator: StagingTransfer) -> dict[str, str]:
    """Return the fingerprint of the salt of each table whose staged rows hold hashes."""
    found = {table.name: run.source.protection.find_fingerprint(table.name) for table in operator.tables}
    return {name: fingerprint for name, fingerprint in found.items() if fingerprint}


def _list_columns(columns: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    return {table: sorted(names) for table, names in columns.items()}


def _name_others(operator: StagingTransfer) -> dict[str, str]:
    """Return the table ids of what is written beside the data, as far as it is wanted, by catalog name."""
    named: dict[str, str | None] = {
        table.name: operator.read_optional(f"{table.name}_table_id") for table in RUN_TABLES
    }
    if operator.on_account_error == "quarantine":
        named[ACCOUNT_STATUS.name] = operator.status_table_id
    return {name: table_id for name, table_id in named.items() if table_id}


def stage_polls(run: TransferRun, results: AccountResults, row_files: dict[str, RowFile]) -> None:
    """Stage the polls of the accounts that were read to the end, for one task to compare all with the earlier ones."""
    polls = dataclasses.replace(row_files[STORY_POLLS.name].target, table=STAGED_POLLS)
    row_files["staged_polls"] = run.dataset.loader.row_file(polls)
    for poll in run.source.polls.of(results.done):
        write_row(row_files["staged_polls"], pack_poll(poll), run.source.left_out_log)
