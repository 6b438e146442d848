"""Gives a table that claims the primary key of an earlier release today's, before anything is written by it.

BigQuery's optimizer trusts a key that it does not enforce: one that no longer holds makes joins wrong.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, StateChanged
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

log: logging.Logger = logging.getLogger(__name__)

_CONSTRAINTS = "tableConstraints"


def has_former_key(target: TargetTable, *, found: Any) -> bool:
    """Return whether a table claims the primary key of an earlier release. A key of the user's own is left alone."""
    constraints = found.table_constraints
    if constraints is None or constraints.primary_key is None:
        return False
    claimed = {name.lower() for name in constraints.primary_key.columns}
    return any(claimed == set(key) for key in target.table.former_keys)


def replace_key(target: TargetTable, *, found: Any, session: BigQuerySession) -> None:
    """Replace the key in one step: never is there none, and other tasks may do the same at the same moment.

    GoogleSQL's grammar takes both actions in one ALTER; BigQuery's reference shows them in two. Where it refuses, the
    table's metadata is updated instead, which BigQuery does as one step, too. Raises LoadError.
    """
    log.info("%s claims the key of an earlier release; it gets the key of this one.", target.path)
    sql, doing = replace_key_statement(target), f"replace the key of {target.path}"
    # The etag: should the former key come back, the same statement is not taken for the one that was done.
    payload = hashlib.sha256(f"{sql}{found.etag}".encode()).hexdigest()
    try:
        session.query(target, verb="alter", sql=sql, payload=payload, doing=doing)
    except LoadError as refusal:
        log.info("One ALTER cannot do it (%s); the table's metadata are updated.", refusal)
        session.retrier.call(lambda: _update(target, session=session), doing=doing)


def replace_key_statement(target: TargetTable) -> str:
    """Return the one statement that gives a table today's key, whatever another task has done to it meanwhile."""
    keys = ", ".join(quoted(name) for name in target.table.key)
    return f"ALTER TABLE {quoted(target.path)}\nDROP PRIMARY KEY IF EXISTS,\nADD PRIMARY KEY ({keys}) NOT ENFORCED"


def _update(target: TargetTable, *, session: BigQuerySession) -> None:
    """Update the metadata of the table as it is now. Raises StateChanged if another task was faster."""
    from google.api_core.exceptions import PreconditionFailed
    from google.cloud.bigquery import Table

    found = session.client.get_table(target.path, retry=None, timeout=HTTP_TIMEOUT)
    if not has_former_key(target, found=found):
        return
    # The library can set constraints since 3.28 only. It takes the whole resource of a table, whatever its version, and
    # sends the etag with it, so that BigQuery refuses the update of a table that has changed ("tables.patch").
    resource = found.to_api_repr()
    resource[_CONSTRAINTS] |= {"primaryKey": {"columns": list(target.table.key)}}
    try:
        table = Table.from_api_repr(resource)
        session.client.update_table(table, [_CONSTRAINTS], retry=None, timeout=HTTP_TIMEOUT)
    except PreconditionFailed as changed:
        raise StateChanged("somebody else changed it after it was read") from changed
