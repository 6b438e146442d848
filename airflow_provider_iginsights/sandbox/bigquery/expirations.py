"""When tables and partitions expire: what they inherit from their dataset, and what a project without billing allows.

Only one of a dataset's two defaults counts for a new table: ``defaultPartitionExpirationMs`` for a partitioned one,
else ``defaultTableExpirationMs``; what the table says itself wins. A null at creation says nothing; only a later change
to null takes an expiration away. Without billing everything expires after 60 days at the latest, which the REST API
says and DDL does without a word.
"""

from __future__ import annotations

import datetime as dt

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, milliseconds

__all__ = ["changed", "created", "free_tier", "of_dataset", "shortened"]

# "Use the BigQuery sandbox", limits: tables and partitions expire after 60 days at most.
LONGEST_MS = 60 * 24 * 3600 * 1000
_DEFAULTS = ("defaultTableExpirationMs", "defaultPartitionExpirationMs")


def free_tier(what: str) -> BigQueryError:
    """Return the refusal of a project without billing."""
    return BigQueryError(
        "billingNotEnabled",
        "Billing has not been enabled for this project. Enable billing at https://console.cloud.google.com/billing. "
        f"{what}",
    )


def of_dataset(resource: Resource, *, billing: bool) -> Resource:
    """Return a new dataset's resource with its default expirations."""
    kept = {key: value for key, value in resource.items() if key not in _DEFAULTS or value}
    if billing:
        return kept
    if any(int(kept.get(name, LONGEST_MS)) > LONGEST_MS for name in _DEFAULTS):
        raise free_tier(
            "Datasets must have a default expiration time and default partition expiration time of less than 60 days "
            "while in sandbox mode."
        )
    return {**dict.fromkeys(_DEFAULTS, str(LONGEST_MS)), **kept}


def created(resource: Resource, defaults: Resource, *, now: dt.datetime, billing: bool) -> Resource:
    """Return a new table's or view's resource with what it inherits. Raises BigQueryError (403) without billing."""
    declared = {key: value for key, value in resource.items() if value is not None}
    partitioning = {key: value for key, value in (declared.get("timePartitioning") or {}).items() if value is not None}
    partitions, tables = (defaults.get(name) for name in reversed(_DEFAULTS))
    if partitioning:
        if partitions:
            partitioning = {"expirationMs": str(partitions), **partitioning}
        declared["timePartitioning"] = partitioning
    # A partitioned table takes the default of partitions alone ("Managing partitioned tables", "Update default table
    # expiration").
    if tables and not (partitioning and partitions) and not declared.get("view"):
        declared = {"expirationTime": str(milliseconds(now) + int(tables)), **declared}
    return changed(declared, now=now, billing=billing)


def changed(resource: Resource, *, now: dt.datetime, billing: bool) -> Resource:
    """Return a table's resource as it may be kept: nulls gone. Raises BigQueryError (403) without billing."""
    partitioning = {key: value for key, value in (resource.get("timePartitioning") or {}).items() if value is not None}
    if partitioning:
        resource = {**resource, "timePartitioning": partitioning}
    if billing or resource.get("view"):
        return resource
    ends, lasts = resource.get("expirationTime"), partitioning.get("expirationMs")
    if partitioning and (lasts is None or int(lasts) > LONGEST_MS):
        raise free_tier("Partition expiration time must be less than 60 days while in sandbox mode.")
    if (ends is None and not partitioning) or (ends is not None and int(ends) > milliseconds(now) + LONGEST_MS):
        raise free_tier("Table expiration time must be less than 60 days while in sandbox mode.")
    return resource


def shortened(changes: Resource, partitioning: Resource, *, now: dt.datetime) -> Resource:
    """Return the changes of an ALTER TABLE in a project without billing: null becomes 60 days, without a word."""
    if "timePartitioning" in changes and changes["timePartitioning"].get("expirationMs") is None:
        changes = {**changes, "timePartitioning": {**partitioning, "expirationMs": str(LONGEST_MS)}}
    if "expirationTime" in changes and changes["expirationTime"] is None:
        changes = {**changes, "expirationTime": str(milliseconds(now) + LONGEST_MS)}
    return changes
