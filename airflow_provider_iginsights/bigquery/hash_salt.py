"""The salt of a table's hashes: its fingerprint is a label of the table, and hashes of another salt are refused.

The same text has one hash in a table, so that hashes can be compared and joined. A label is changed only as it was read
(its etag), so that of two tasks which bring different salts at the same moment one is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.target import SALT_LABEL
from airflow_provider_iginsights.errors import HashSaltMismatch

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

_SHOWN = 8  # characters of a fingerprint in a message


def mark_salt(target: TargetTable, fingerprint: str | None) -> TargetTable:
    """Return the target with the fingerprint of the salt whose hashes it gets; None = it gets none."""
    return replace(target, options=replace(target.options, hash_salt=fingerprint)) if fingerprint else target


def check_salt(target: TargetTable, *, found: Any) -> None:
    """Refuse to bring hashes of another salt into a table.

    :param found: the target as google.cloud.bigquery.Table.
    :raises HashSaltMismatch: it has a fingerprint, and another one than the target is to have.
    """
    kept, given = _read_fingerprint(found), target.options.hash_salt
    if kept and given and kept != given:
        raise HashSaltMismatch(
            f"The table {target.path} holds hashes of another salt: the fingerprint in its label {SALT_LABEL} is "
            f"{kept[:_SHOWN]}…, that of the salt given is {given[:_SHOWN]}…, and the same text would have two hashes. "
            "Nothing was fetched or written. Give the salt that was used before (hash_salt_conn_id or "
            "hash_salt_variable), or name another table id; docs/privacy.md says how to begin with a new salt."
        )


def note_salt(target: TargetTable, *, found: Any, session: BigQuerySession) -> None:
    """Note that a table which holds hashes is about to get rows without any: an argument may have been forgotten."""
    if _read_fingerprint(found) and not target.options.hash_salt:
        session.note(
            f"The table {target.path} holds hashes (label {SALT_LABEL}), and this task hashes no column of it: give it "
            "the hash_columns of the other tasks, or take the label away."
        )


def _read_fingerprint(found: Any) -> str:
    return (found.labels or {}).get(SALT_LABEL) or ""
