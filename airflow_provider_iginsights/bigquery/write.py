"""Writes one target from its staging table, and sees to it that no key stands there twice afterwards."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.duplicates import deduplicate_statement, duplicates_query
from airflow_provider_iginsights.bigquery.merge import (
    append_statement,
    elsewhere_query,
    merge_statement,
    new_keys_query,
    replace_statement,
)
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, MOST_PARTITIONS, PartitionRange, slices
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.target import LoadResult
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.staged_rows import StagedRows
    from airflow_provider_iginsights.bigquery.target import LoadMode, Spared, TargetTable

log: logging.Logger = logging.getLogger(__name__)

_MOST_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A filled staging table and the job that filled it."""

    path: str
    load_job_id: str


def write_target(
    row_file: RowFile | StagedRows, *, staged: Staged, load_mode: LoadMode, spared: Spared, session: BigQuerySession
) -> LoadResult:
    """Run the statements of the load mode, then look for twins (not for ``append``, which keeps all rows)."""
    destination = row_file.destination
    reach = Reach(span=row_file.span, looked_at=row_file.span)
    if load_mode != "append" and row_file.moves:
        reach = find_reach(row_file, staging=staged.path, session=session)
    texts = statements(row_file, staging=staged.path, load_mode=load_mode, span=reach.span, spared=spared)
    doing, jobs = f"write {row_file.rows} rows into {destination.path}", []
    for at, sql in enumerate(texts):
        # One statement is the rule, and its id holds the hash of the rows; further slices are told apart by their text.
        payload = "" if at else row_file.payload
        jobs.append(session.query(destination, verb="merge", sql=sql, payload=payload, doing=doing))
    affected = sum(job.num_dml_affected_rows or 0 for job in jobs)
    log.info("%s: %d rows sent, %d changed.", destination.path, row_file.rows, affected)
    return LoadResult(
        destination=destination,
        rows=row_file.rows,
        load_job_id=staged.load_job_id,
        merge_job_id=jobs[-1].job_id,
        affected=affected,
        deduplicated=0
        if load_mode == "append"
        else remove_duplicates(destination, span=reach.looked_at, among=staged.path, session=session),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the target can hold the staged keys now (``span``), and where twins can be once they are written."""

    span: PartitionRange
    looked_at: PartitionRange


def find_reach(row_file: RowFile | StagedRows, *, staging: str, session: BigQuerySession) -> Reach:
    """Look for the keys of a table whose keys can move: most stand where they stood, and only new ones are sought.

    The second question reads the key and the day alone, and only the blocks of the accounts that have new keys.
    """
    destination, span = row_file.destination, row_file.span
    doing = f"look for earlier rows in {destination.path}"
    sql = new_keys_query(destination, staging=staging, span=span)
    accounts = [row[0] for row in session.read(destination, sql=sql, doing=doing)]
    if not accounts:
        return Reach(span=span, looked_at=span)
    sql = elsewhere_query(destination, staging=staging, span=replace(span, account_ids=tuple(sorted(accounts))))
    days = [row[0] for row in session.read(destination, sql=sql, doing=doing)]
    return Reach(span=span.with_days(days), looked_at=replace(ALL_DAYS, account_ids=span.account_ids))


def statements(
    row_file: RowFile | StagedRows, *, staging: str, load_mode: LoadMode, span: PartitionRange, spared: Spared = ()
) -> Iterator[str]:
    """Yield the statements that write a spool: one, or several where it holds more days than one job may modify."""
    destination = row_file.destination
    if load_mode == "append":
        yield append_statement(destination, staging=staging)
        return
    pieces: list[PartitionRange | None] = [None]
    if len(row_file.days) > MOST_PARTITIONS:
        pieces = list(slices(row_file.days))
    write = partial(replace_statement, spared=spared) if load_mode == "replace" else merge_statement
    for piece in pieces:
        yield write(destination, staging=staging, span=span, source_span=piece)


def remove_duplicates(
    destination: TargetTable, *, span: PartitionRange, among: str | None, session: BigQuerySession
) -> int:
    """Delete older rows until no key (of ``among``) stands twice in the span; return how many did.

    See :mod:`.duplicates` for the why.
    """
    sql, doing = duplicates_query(destination, span=span, among=among), f"look for doubled keys in {destination.path}"
    nonce, deduplicated = secrets.token_hex(8), 0
    for at in range(_MOST_ROUNDS):
        payload = hashlib.sha256(f"{nonce}{at}".encode()).hexdigest()
        [[doubled]] = session.read(destination, sql=sql, payload=payload, doing=doing)
        if not doubled:
            return deduplicated
        log.warning("%d keys stand twice in %s, since tasks wrote them at once; healing.", doubled, destination.path)
        _delete_older(destination, span=span, among=among, payload=payload, session=session)
        deduplicated += doubled
    raise LoadError(
        f"Keys in {destination.path} stand there twice after {_MOST_ROUNDS} healings, since other tasks keep writing "
        "them. Give the tasks an Airflow pool with one slot, and run this one again."
    )


def _delete_older(
    destination: TargetTable, *, span: PartitionRange, among: str | None, payload: str, session: BigQuerySession
) -> None:
    doing = f"remove doubled keys from {destination.path}"
    read = partial(session.client.get_table, destination.path, retry=None, timeout=HTTP_TIMEOUT)
    target = session.retrier.call(read, doing=doing)
    columns = [field.name for field in target.schema]
    sql = deduplicate_statement(destination, columns=columns, span=span, among=among)
    session.query(destination, verb="deduplicate", sql=sql, payload=payload, doing=doing)
