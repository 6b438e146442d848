"""Keeps ``maximum_bytes_billed``: BigQuery refuses a statement that can bill more, and we ask before we write any.

A limit that stopped the second of several statements would leave half of the work. Before the first target is
written, every statement is therefore run dry, which bills nothing. The bytes that a dry run tells are the upper bound
that BigQuery holds against the limit: it does not know yet which blocks of a clustered table it will leave out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.dry_run import run_text_dry
from airflow_provider_iginsights.bigquery.duplicates import duplicates_query
from airflow_provider_iginsights.bigquery.merge import changed_days_query, update_statement
from airflow_provider_iginsights.bigquery.write import KeyRanges, find_key_ranges, statements
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.staged_rows import StagedRows
    from airflow_provider_iginsights.bigquery.target import LoadMode
    from airflow_provider_iginsights.bigquery.write import Staged


LEAST_BILLED = 2 * 10 * 2**20
"""A statement mentions two tables, target and staging; each is billed with 10 MiB at least ("BigQuery pricing")."""


def check_bytes_limit(
    staged: Iterable[tuple[RowFile | StagedRows, Staged]], *, load_mode: LoadMode, session: BigQuerySession
) -> None:
    """Make sure, before anything is written, that no statement can bill more than the limit, if there is one.

    :raises LoadError: one can; nothing was written.
    """
    limit = session.maximum_bytes_billed
    if limit is None:
        return
    for rows, staging in staged:
        path = rows.target.path
        for sql in _list_statements(rows, staging=staging.path, load_mode=load_mode, session=session):
            doing = f"tell what writing {rows.rows} rows into {path} would cost"
            most = run_text_dry(rows.target, sql=sql, doing=doing, session=session).total_bytes_processed or 0
            if most + LEAST_BILLED > limit:
                raise LoadError(
                    f"Nothing was written: a statement about {path} can bill {most + LEAST_BILLED} bytes, and "
                    f"maximum_bytes_billed is {limit}. Raise it, or read fewer days or accounts in one task."
                )


def _list_statements(
    rows: RowFile | StagedRows, *, staging: str, load_mode: LoadMode, session: BigQuerySession
) -> Iterator[str]:
    """Yield what can be sent to write the rows, with the widest reach that it can have."""
    target, ranges = rows.target, KeyRanges(stored=rows.partitions, checked=rows.partitions)
    if load_mode != "append" and rows.moves:
        ranges = find_key_ranges(rows, staging=staging, session=session)
    yield from statements(rows, staging=staging, load_mode=load_mode, partitions=ranges.stored)
    if load_mode == "merge":
        yield changed_days_query(target, staging=staging, partitions=ranges.stored)
        yield update_statement(target, staging=staging, partitions=ranges.stored)
    if load_mode != "append":
        yield duplicates_query(target, partitions=ranges.checked, among=staging)
