"""What a target is beside its columns: labels, encryption key, expirations; as its user wants them, table by table.

A target about whose expiration nothing is said does not expire, whatever its dataset's default. A new table inherits
that default, and a null in the request that creates it counts as silence (googleapis/python-bigquery issue 2403): only
a later change to null takes an expiration away. A task that is killed between the two leaves a table that is new, ours
and empty, by which the next one knows that it has to finish that.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.hash_salt import check_salt, note_salt
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, StateChanged
from airflow_provider_iginsights.errors import IncompatibleTable, LoadError

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

log: logging.Logger = logging.getLogger(__name__)

NEW = timedelta(days=1)
_DAY_MS = 24 * 3600 * 1000
_LEAST = "ALTER TABLE {path} SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL)"


def apply_options(target: TargetTable, *, found: Any, inherit: bool, session: BigQuerySession) -> None:
    """Give a target its labels and expirations, and see that it has them; warn of what differs and is left as it is.

    :param found: the target as google.cloud.bigquery.Table.
    :param inherit: leave a new target the expirations of its dataset about which its options say nothing.

    Raises IncompatibleTable if the table cannot have the options (HashSaltMismatch if it has hashes of another salt),
    LoadError if BigQuery refuses them.
    """
    read_before = found
    for attempt in session.retrier.attempts(doing=f"give the table {target.path} its options"):
        with attempt:
            found, read_before = read_before or _read(target, session=session), None
            check_salt(target, found=found)
            _check(target, found=found, session=session)
            clears = not inherit and _is_new(found, session=session)
            if changes := find_changes(target, found=found, clears=clears):
                _change(found, changes=changes, session=session)
                found = _read(target, session=session)
                _check_changed(target, found=found, clears=clears)
    _note_differences(target, found=found, inherit=inherit, session=session)
    note_salt(target, found=found, session=session)


def find_changes(target: TargetTable, *, found: Any, clears: bool) -> dict[str, Any]:
    """Return the new values of google.cloud.bigquery.Table's properties that are to change.

    :param clears: also take away the expirations about which the options say nothing.
    """
    from google.cloud.bigquery import TimePartitioning

    options, partitioning = target.options, found.time_partitioning
    changes: dict[str, Any] = {}
    labels, wanted = found.labels or {}, options.all_labels
    if any(labels.get(key) != text for key, text in wanted.items()):
        changes["labels"] = labels | wanted
    # Counted from the creation, as BigQuery does: an option that is set again tomorrow must not move the end.
    expires = found.created + timedelta(days=options.expiration_days) if options.expiration_days else None
    if found.expires != expires and (expires or clears):
        changes["expires"] = expires
    days = options.partition_expiration_days
    lifetime = days * _DAY_MS if days else None
    if partitioning and partitioning.expiration_ms != lifetime and (lifetime or clears):
        changes["time_partitioning"] = TimePartitioning(
            type_=partitioning.type_, field=partitioning.field, expiration_ms=lifetime
        )
    return changes


def expires(found: Any) -> bool:
    """Return whether a table, or each partition of it, expires."""
    return bool(found.expires or (found.time_partitioning and found.time_partitioning.expiration_ms))


def describe_expiration(found: Any) -> str:
    """Return what completes "The table ..." about a table's expirations."""
    partitioning = found.time_partitioning
    said = []
    if found.expires:
        said.append(f"expires at {found.expires.isoformat(timespec='seconds')}")
    if partitioning and partitioning.expiration_ms:
        days = timedelta(milliseconds=int(partitioning.expiration_ms)) / timedelta(days=1)
        said.append(f"drops each partition {days:g} days after its day")
    return " and ".join(said) or "does not expire"


def _check(target: TargetTable, *, found: Any, session: BigQuerySession) -> None:
    options, refusal = target.options, ""
    if options.expiration_days and found.created + timedelta(days=options.expiration_days) <= session.clock.now():
        refusal = f"is older than the {options.expiration_days} expiration_days: BigQuery would delete it at once"
    if options.partition_expiration_days and not found.time_partitioning:
        refusal = "is not partitioned, so its partitions cannot expire"
    if refusal:
        raise IncompatibleTable(
            f"The table {target.path} {refusal}. Nothing was fetched or changed. Change its table_options."
        )


def _note_differences(target: TargetTable, *, found: Any, inherit: bool, session: BigQuerySession) -> None:
    options, unasked = target.options, found.time_partitioning and found.time_partitioning.expiration_ms
    unasked = (unasked and not options.partition_expiration_days) or (found.expires and not options.expiration_days)
    if unasked and not inherit:
        session.note(
            f"The table {target.path} {describe_expiration(found)}: BigQuery deletes what is older, and a day "
            f"that is filled later at once. To keep it, run {_LEAST.format(path=quoted(target.path))}; if it is "
            "meant so, say it in table_options, or set inherit_expiration=True."
        )
    key = found.encryption_configuration.kms_key_name if found.encryption_configuration else None
    if options.kms_key_name and key != options.kms_key_name:
        session.note(
            f"The table {target.path} is encrypted with {key or 'a key of Google'}, not with "
            f"{options.kms_key_name}: a table has its key from its creation. Its staging tables have the key of "
            "table_options. To change the table's, copy it to a new table with the key."
        )


def _check_changed(target: TargetTable, *, found: Any, clears: bool) -> None:
    if find_changes(target, found=found, clears=clears):
        raise LoadError(
            f"The table {target.path} {describe_expiration(found)}, though this was changed just now. Nothing "
            "was fetched. A project without billing, or a policy, forces it: enable billing, or accept it "
            "(inherit_expiration=True)."
        )


def _read(target: TargetTable, *, session: BigQuerySession) -> Any:
    return session.client.get_table(target.path, retry=None, timeout=HTTP_TIMEOUT)


def _is_new(found: Any, *, session: BigQuerySession) -> bool:
    ours = "iginsights_table" in (found.labels or {})
    return ours and not found.num_rows and session.clock.now() - found.created < NEW


def _change(found: Any, *, changes: dict[str, Any], session: BigQuerySession) -> None:
    """Change the table as it was read. Raises StateChanged if somebody else has changed it meanwhile."""
    from google.api_core.exceptions import PreconditionFailed

    for name, value in changes.items():
        setattr(found, name, value)
    log.info("Changing %s of the table %s.", ", ".join(changes), found.full_table_id)
    try:
        # The request carries the etag that was read: BigQuery refuses it with 412 if the table was changed since.
        session.client.update_table(found, list(changes), retry=None, timeout=HTTP_TIMEOUT)
    except PreconditionFailed as changed:
        raise StateChanged("somebody else changed it after it was read") from changed
