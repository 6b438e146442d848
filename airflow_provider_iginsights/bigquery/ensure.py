"""Makes sure, before anything is fetched, that the rows will have a place: dataset, table, columns.

Several tasks may do this at once. Creations that come second find what the first made and check it; columns are added
by one ``ALTER TABLE ... ADD COLUMN IF NOT EXISTS``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.failures import DATASET_ROLE
from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.bigquery.primary_key import has_former_key, replace_key
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.schema import fields, missing_columns
from airflow_provider_iginsights.errors import DatasetUnavailable, IncompatibleTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import LoadMode, TargetTable
    from airflow_provider_iginsights.catalog.tables import Column

log: logging.Logger = logging.getLogger(__name__)

MODE_LABEL = "iginsights_mode"
"""The label that tells a table of raw history (``append``) from one that holds each key once (none)."""


def ensure_dataset(target: TargetTable, *, session: BigQuerySession, create: bool) -> TargetTable:
    """Return the target with its dataset's location; create the dataset if asked to.

    Raises DatasetUnavailable if there is none, if it may not be read, or if it lies in another location.
    """
    path, location = target.dataset_path, target.location
    if path in session.locations:
        return dataclasses.replace(target, location=session.locations[path])
    doing = f"read the dataset {path}"
    found = session.find(session.client.get_dataset, path, doing=doing)
    if found is None and create:
        _create_dataset(target, session=session)
        found = session.find(session.client.get_dataset, path, doing=doing)
    if found is None:
        raise DatasetUnavailable(
            f"The dataset {path} does not exist. Create it, check the project and dataset ids, "
            "or let an operator create it (create_dataset=True)."
        )
    if location and found.location and location.lower() != found.location.lower():
        raise DatasetUnavailable(
            f"The dataset {path} lies in {found.location}, not in {location}. "
            "Leave the location out, or name another dataset: a dataset cannot be moved."
        )
    session.locations[path] = found.location or location
    return dataclasses.replace(target, location=session.locations[path])


def ensure_table(target: TargetTable, *, session: BigQuerySession, load_mode: LoadMode | None = "merge") -> Any:
    """Create the table, or add missing nullable columns to it; raise IncompatibleTable if our rows can never fit.

    Returns google.cloud.bigquery.Table, as it was found or created.

    :param load_mode: None = whatever the table is: rows whose keys nobody else writes.
    """
    found = find_table(target, session=session)
    if found is None and (created := _create_table(target, session=session, load_mode=load_mode)):
        return created
    # None again: the table existed (409), and was deleted before it was read.
    found = found or find_table(target, session=session)
    if found is None:
        raise DatasetUnavailable(f"The table {target.path} was deleted just now by somebody. Run the task again.")
    check_kind(target, found=found)
    _check_mode(target, found=found, load_mode=load_mode)
    missing = missing_columns(target, existing=found)
    if missing:
        log.info("Adding the columns %s to %s.", ", ".join(column.name for column in missing), target.path)
        sql = add_columns_statement(target, columns=missing)
        # The etag: should the column vanish again, the same statement is not taken for the one that was done.
        payload = hashlib.sha256(f"{sql}{found.etag}".encode()).hexdigest()
        session.query(target, verb="alter", sql=sql, payload=payload, doing=f"add columns to {target.path}")
    if has_former_key(target, found=found):
        replace_key(target, found=found, session=session)
    return found


def holds_history(found: Any) -> bool:
    """Return whether a table keeps every row that ``append`` wrote, as its label says."""
    return (found.labels or {}).get(MODE_LABEL) == "append"


def claims_key(found: Any) -> bool:
    """Return whether a table claims a primary key."""
    return found.table_constraints is not None and found.table_constraints.primary_key is not None


def find_table(target: TargetTable, *, session: BigQuerySession) -> Any | None:
    """Return the target as google.cloud.bigquery.Table, None if there is none. Raises LoadError."""
    return session.find(session.client.get_table, target.path, doing=f"read the table {target.path}")


# A column that is added later can only be NULLABLE: the stored rows have no value for it ("Modifying table schemas").
# One ALTER for all of them, since a table may be altered 5 times in 10 seconds ("Quotas: metadata updates").
def add_columns_statement(target: TargetTable, *, columns: Sequence[Column]) -> str:
    """Return the one statement that adds nullable columns, whether or not another task has added them meanwhile."""
    additions = ",\n".join(
        f"ADD COLUMN IF NOT EXISTS {quoted(c.name)} {c.type} OPTIONS (description = {literal(c.description)})"
        for c in columns
    )
    return f"ALTER TABLE {quoted(target.path)}\n{additions}"


def describe_table(target: TargetTable, *, table_id: str, labels: dict[str, str], description: str) -> dict[str, Any]:
    """Return what a target and its staging table have in common, as the REST resource of a table."""
    reference = {"projectId": target.project, "datasetId": target.dataset, "tableId": table_id}
    columns = [column.to_api_repr() for column in fields(target.table.columns)]
    key = target.options.kms_key_name
    return {
        "tableReference": reference,
        "schema": {"fields": columns},
        "labels": labels,
        "description": description,
        # A dataset may take upper and lower case for one by default; keys and texts of ours are told apart by it.
        "defaultCollation": "",
        **({"encryptionConfiguration": {"kmsKeyName": key}} if key else {}),
    }


def describe_target(target: TargetTable, *, labels: dict[str, str], load_mode: LoadMode | None) -> dict[str, Any]:
    """Return the REST resource of a new target.

    BigQuery's optimizer trusts an unenforced primary key, so a table of raw history (append) does not claim one.
    """
    table = target.table
    resource = describe_table(target, table_id=target.table_id, labels=labels, description=table.description)
    # By day: 10,000 partitions a table hold 27 years. At most four columns cluster, the first one prunes best.
    resource["timePartitioning"] = {"type": "DAY", "field": table.partition_by}
    resource["clustering"] = {"fields": list(table.cluster_by)}
    if load_mode == "append":
        resource["labels"] = labels | {MODE_LABEL: "append"}
    elif table.claims_key:
        resource["tableConstraints"] = {"primaryKey": {"columns": list(table.key)}}
    return resource


def _create_dataset(target: TargetTable, *, session: BigQuerySession) -> None:
    from google.cloud.bigquery import Dataset

    dataset = Dataset(target.dataset_path)
    if target.location:
        dataset.location = target.location
    dataset.description = "Instagram insights."
    session.retrier.call(
        lambda: session.client.create_dataset(dataset, exists_ok=True, retry=None, timeout=HTTP_TIMEOUT),
        doing=f"create the dataset {target.dataset_path}",
        role=DATASET_ROLE,
    )


def _create_table(target: TargetTable, *, session: BigQuerySession, load_mode: LoadMode | None) -> Any | None:
    """Create and return the target; None if it is there already, made by another task or by a lost request."""
    from google.api_core.exceptions import Conflict
    from google.cloud.bigquery import Table

    labels = session.target_labels(target) | target.options.all_labels
    table = Table.from_api_repr(describe_target(target, labels=labels, load_mode=load_mode))

    def create() -> Any | None:
        try:
            created = session.client.create_table(table, retry=None, timeout=HTTP_TIMEOUT)
        except Conflict:
            return None
        log.info("Created the table %s.", target.path)
        return created

    return session.retrier.call(create, doing=f"create the table {target.path}")


def check_kind(target: TargetTable, *, found: Any) -> None:
    """Raise IncompatibleTable if it is no table, or requires a partition filter that our statements do not have."""
    table = target.table
    if found.table_type != "TABLE":
        raise IncompatibleTable(
            f"{target.path} is a {found.table_type.lower().replace('_', ' ')}, and a table is needed. "
            "Nothing was fetched or written. Name another table id."
        )
    partitioning = found.time_partitioning
    # A table that is partitioned by the hour of its load has no field.
    if partitioning and (partitioning.field or "").lower() == table.partition_by:
        return
    if found.require_partition_filter:
        raise IncompatibleTable(
            f"The table {target.path} requires a filter on its partition, which is not {table.partition_by}, "
            "the only one our statements have. Nothing was fetched or written. Set require_partition_filter to false."
        )
    log.info("%s is not partitioned by %s: each load reads the whole table.", target.path, table.partition_by)


def _check_mode(target: TargetTable, *, found: Any, load_mode: LoadMode | None) -> None:
    """Refuse to mix a table that holds each key once with a history of all fetches: either would destroy the other."""
    if load_mode == "append" and claims_key(found):
        raise IncompatibleTable(
            f"The table {target.path} claims a primary key, so each key stands there once, and "
            'load_mode="append" would add a second row of it. Nothing was fetched or written. '
            'Use load_mode="merge", or name another table id for the history.'
        )
    if load_mode in ("merge", "replace") and holds_history(found):
        raise IncompatibleTable(
            f'The table {target.path} holds the history that load_mode="append" wrote, and '
            f'load_mode="{load_mode}" would overwrite it. Nothing was fetched or written. Use load_mode="append", or '
            "name another table id."
        )
