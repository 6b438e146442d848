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
    from collections.abc import Iterator, Sequence

    from google.cloud.bigquery import Client

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

    :param targets: of one dataset.
    :param skip_missing: leave out those that do not exist.
    :raises DatasetUnavailable: the dataset does not exist, or none of the tables, or (unless they are to be left out)
        one of them.
    :raises LoadError: BigQuery refuses.
    """
    session = open_session(
        client, identity=manual_identity("find tables"), options=JobOptions(retry_budget=retry_budget)
    )
    location = ensure_dataset(targets[0], session=session, create=False).location
    located = [dataclasses.replace(target, location=location) for target in targets]
    # A misspelt id would otherwise be reported as a table without duplicates.
    found = tuple(target for target in located if find_table(target, session=session) is not None)
    missing = [each for each in located if each not in found and not (found and _may_be_missing(each))]
    if missing and not (found and skip_missing):
        paths = ", ".join(target.path for target in missing)
        exist = "exists" if len(missing) == 1 else "exist"
        raise DatasetUnavailable(
            f"There {exist} no table {paths}. Name a table that has another id by --table NAME=TABLE_ID; "
            "--skip-missing leaves out those that do not exist, as long as one does."
        )
    return found


def find_staging(targets: Sequence[TargetTable], *, session: BigQuerySession) -> Iterator[TargetTable]:
    """Yield the staging tables that tasks left or are using, each as its target under another id.

    :param targets: of one dataset.
    """
    listed = session.retrier.call(
        lambda: [
            table.table_id
            for table in session.client.list_tables(targets[0].dataset_path, retry=None, timeout=HTTP_TIMEOUT)
        ],
        doing=f"list the tables of {targets[0].dataset_path}",
    )
    for target in targets:
        for table_id in listed:
            if table_id.startswith(f"{target.table_id}{STAGING_INFIX}"):
                yield dataclasses.replace(target, table_id=table_id)


def list_current(targets: Sequence[TargetTable]) -> list[TargetTable]:
    """Return the current tables of the views of these targets, whether they exist or not."""
    return [current for each in targets for view in find_views(each.table) if (current := current_target(view, each))]


def _may_be_missing(target: TargetTable) -> bool:
    """Return whether a run may have had no reason to create the table; one that is named by its id must exist."""
    return target.table.is_optional and target.table_id == target.table.default_id
