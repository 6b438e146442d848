"""Finds the targets that exist, for work by hand, so that a misspelt name is never taken for an empty table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
from airflow_provider_iginsights.bigquery.ensure import ensure_dataset, find_table
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.errors import DatasetUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.retry import RetryBudget
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


def _may_be_missing(target: TargetTable) -> bool:
    """Return whether a run may have had no reason to create the table; one that is named by its id must exist."""
    return target.table.is_optional and target.table_id == target.table.default_id
