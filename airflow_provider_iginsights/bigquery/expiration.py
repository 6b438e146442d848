"""Targets that do not expire, whatever their dataset's default; and a warning about those that do.

A new table inherits the default expirations of its dataset, and a null in the request that creates it counts as silence
(googleapis/python-bigquery issue 2403): only a later change to null takes an expiration away. A task that is killed
between the two leaves a table that is new, ours and empty, by which the next one knows that it has to finish that.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.destination import Destination
    from airflow_provider_iginsights.bigquery.wire import Wire

log: logging.Logger = logging.getLogger(__name__)

NEW = timedelta(days=1)
_MOST_LOOKS = 10
_LEAST = "ALTER TABLE {path} SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL)"


def settle_expiration(destination: Destination, *, found: Any, wire: Wire) -> None:
    """Take the inherited expirations off a target that is new, and see that they are gone; warn of any other's.

    :param found: the target as google.cloud.bigquery.Table.

    Raises LoadError if BigQuery refuses, or if the target still expires.
    """
    for _ in range(_MOST_LOOKS):
        said = describe_expiration(found)
        if not said:
            return
        if not _is_new(found, wire=wire):
            wire.note(
                f"The table {destination.path} {said}: BigQuery deletes what is older, and a day that is filled later "
                f"at once. To keep it, run {_LEAST.format(path=quoted(destination.path))}; if it is meant so, set "
                "inherit_expiration=True."
            )
            return
        if _free(destination, found=found, wire=wire):
            break
        found = _look(destination, wire=wire)
    if still := describe_expiration(_look(destination, wire=wire)):
        raise LoadError(
            f"The new table {destination.path} {still}, though its expiration was taken away. Nothing was fetched. "
            "A project without billing, or a policy, forces it: enable billing, or accept it (inherit_expiration=True)."
        )
    log.info("The table %s does not inherit the expiration of its dataset.", destination.path)


def describe_expiration(found: Any) -> str:
    """Return what completes "The table ..." about a table that expires; '' for one that does not."""
    partitioning = found.time_partitioning
    said = []
    if found.expires:
        said.append(f"expires at {found.expires.isoformat(timespec='seconds')}")
    if partitioning and partitioning.expiration_ms:
        days = timedelta(milliseconds=int(partitioning.expiration_ms)) / timedelta(days=1)
        said.append(f"drops each partition {days:g} days after its day")
    return " and ".join(said)


def _look(destination: Destination, *, wire: Wire) -> Any:
    doing = f"read the table {destination.path}"
    return wire.calls(lambda: wire.client.get_table(destination.path, retry=None, timeout=HTTP_TIMEOUT), doing=doing)


def _is_new(found: Any, *, wire: Wire) -> bool:
    ours = "iginsights_table" in (found.labels or {})
    return ours and not found.num_rows and wire.clock.now() - found.created < NEW


def _free(destination: Destination, *, found: Any, wire: Wire) -> bool:
    """Take the expirations away; return False where somebody else has changed the table meanwhile."""
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.bigquery import TimePartitioning

    changed = ["expires"] if found.expires else []
    found.expires = None
    if found.time_partitioning and found.time_partitioning.expiration_ms:
        kept = found.time_partitioning
        found.time_partitioning = TimePartitioning(type_=kept.type_, field=kept.field, expiration_ms=None)
        changed.append("time_partitioning")

    def free() -> bool:
        try:
            wire.client.update_table(found, changed, retry=None, timeout=HTTP_TIMEOUT)
        except PreconditionFailed:
            return False
        return True

    return wire.calls(free, doing=f"keep the new table {destination.path} from expiring")
