"""Finds the targets that exist, for work by hand, so that a misspelt name is never taken for an empty table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
from airflow_provider_iginsights.bigquery.ensure import ensure_dataset, find_table
from airflow_provider_iginsights.bigquery.job_ids import STAGING_INFIX
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.bigquery.view_state import current_target
from airflow_provider_iginsights.catalog.views import find_views
from airflow_provider_iginsights.errors import DatasetUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.cloud.bigquery import Client
    from google.cloud.bigquery.table import TableListItem

    from airflow_provider_iginsights.bigquery.retry import RetryBudget
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable


def find_existing(
    client: Client,
    *,
    targets: Sequence[TargetTable],
    skip_missing: bool = False,
    retry_budget: RetryBudget | None = None,
) -> tuple[TargetTable, ...]:
    """Return the targets that exist, with the location of their dataset.

    A table with its default id may be missing, since not everybody uses all operators: as long as one of the tables
    exists, and no table of the dataset says by its label that it is this one under another id.

    :param targets: of one dataset.
    :param skip_missing: leave out all those that do not exist.
    :raises DatasetUnavailable: the dataset does not exist, or none of the tables, or one that may not be missing.
    :raises LoadError: BigQuery refuses.
    """
    session = open_session(
        client, identity=manual_identity("find tables"), options=JobOptions(retry_budget=retry_budget)
    )
    location = ensure_dataset(targets[0], session=session, create=False).location
    located = [dataclasses.replace(target, location=location) for target in targets]
    found = tuple(target for target in located if find_table(target, session=session) is not None)
    missing = [each for each in located if each not in found]
    if missing and not (found and skip_missing):
        others = _list_others(located, session=session) if found else {}
        refused = [each for each in missing if not found or not _has_default_id(each) or each.table.name in others]
        if refused:
            raise _refuse_missing(refused, others)
    return found


def _list_others(targets: Sequence[TargetTable], *, session: BigQuerySession) -> dict[str, list[str]]:
    """Return the ids of further tables of the dataset by the catalog name that their label says."""
    known, others = {target.table_id for target in targets}, dict[str, list[str]]()
    for table in _list_tables(targets[0], session=session):
        is_target = table.table_type == "TABLE" and STAGING_INFIX not in table.table_id
        if is_target and table.table_id not in known and (name := table.labels.get("iginsights_table")):
            others.setdefault(name, []).append(table.table_id)
    return others


def _has_default_id(target: TargetTable) -> bool:
    """Return whether nobody has named the table by another id; one that is named must exist."""
    return target.table_id == target.table.default_id


def _refuse_missing(missing: Sequence[TargetTable], others: Mapping[str, Sequence[str]]) -> DatasetUnavailable:
    # A misspelt id would otherwise be reported as a table without duplicates, or as one that holds nothing to erase.
    exist = "exists" if len(missing) == 1 else "exist"
    named = [
        f"--table {each.table.name}={table_id}" for each in missing for table_id in others.get(each.table.name, ())
    ]
    there = f" The dataset has such tables under other ids: {', '.join(named)}." if named else ""
    return DatasetUnavailable(
        f"There {exist} no table {', '.join(target.path for target in missing)}.{there} Name a table that has another "
        "id by --table NAME=TABLE_ID; --skip-missing leaves out those that do not exist, as long as one does."
    )


def _list_tables(target: TargetTable, *, session: BigQuerySession) -> list[TableListItem]:
    path = target.dataset_path
    return session.retrier.call(
        lambda: list(session.client.list_tables(path, retry=None, timeout=HTTP_TIMEOUT)),
        doing=f"list the tables of {path}",
    )


def find_staging(targets: Sequence[TargetTable], *, session: BigQuerySession) -> Iterator[TargetTable]:
    """Yield the staging tables that tasks left or are using, each as its target under another id.

    :param targets: of one dataset.
    """
    listed = [table.table_id for table in _list_tables(targets[0], session=session)]
    for target in targets:
        for table_id in listed:
            if table_id.startswith(f"{target.table_id}{STAGING_INFIX}"):
                yield dataclasses.replace(target, table_id=table_id)


def list_current(targets: Sequence[TargetTable]) -> list[TargetTable]:
    """Return the current tables of the views of these targets, whether they exist or not."""
    return [current for each in targets for view in find_views(each.table) if (current := current_target(view, each))]
