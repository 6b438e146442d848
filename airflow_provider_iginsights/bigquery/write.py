"""Writes one target from its staging table, and sees to it that no key stands there twice afterwards."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.duplicates import deduplicate_statement, duplicates_query
from airflow_provider_iginsights.bigquery.merge import (
    append_statement,
    changed_days_query,
    elsewhere_query,
    insert_statement,
    new_keys_query,
    replace_statement,
    update_statement,
)
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, MOST_PARTITIONS, PartitionRange, slices
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.target import LoadResult
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_iginsights.bigquery.job_ids import Verb
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
    sent = statements(row_file, staging=staged.path, load_mode=load_mode, span=reach.span, spared=spared)
    jobs = _run(sent, "merge", row_file=row_file, session=session)
    affected = sum(job.num_dml_affected_rows or 0 for job in jobs)
    if load_mode == "merge" and affected < row_file.rows:
        sent = corrections(row_file, staging=staged.path, span=reach.span, session=session)
        jobs += _run(sent, "correct", row_file=row_file, session=session)
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


def _run(sent: Iterable[str], verb: Verb, *, row_file: RowFile | StagedRows, session: BigQuerySession) -> list[Any]:
    """Run statements one after the other and return their jobs."""
    destination = row_file.destination
    doing = f"write {row_file.rows} rows into {destination.path}"
    return [
        # One statement is the rule, and its id holds the hash of the rows; further slices are told apart by their text.
        session.query(destination, verb=verb, sql=sql, payload="" if at else row_file.payload, doing=doing)
        for at, sql in enumerate(sent)
    ]


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
    """Yield the first statements of a load mode: one, or several where more days are held than one job may modify.

    For ``merge`` they only insert; :func:`corrections` follow.
    """
    destination = row_file.destination
    if load_mode == "append":
        yield append_statement(destination, staging=staging)
        return
    write = partial(replace_statement, spared=spared) if load_mode == "replace" else insert_statement
    for piece in _pieces(row_file):
        yield write(destination, staging=staging, span=span, source_span=piece)


def corrections(
    row_file: RowFile | StagedRows, *, staging: str, span: PartitionRange, session: BigQuerySession
) -> Iterator[str]:
    """Yield the statements that rewrite stored rows, over the days that hold such rows; none where no row differs."""
    destination = row_file.destination
    sql = changed_days_query(destination, staging=staging, span=span)
    found = session.read(destination, sql=sql, doing=f"look for changed rows in {destination.path}")
    days = sorted(row[0] for row in found)
    if not days:
        return
    changed = replace(span, start=days[0], end=days[0], besides=()).with_days(days[1:])
    for piece in _pieces(row_file):
        yield update_statement(destination, staging=staging, span=changed, source_span=piece)


def _pieces(row_file: RowFile | StagedRows) -> list[PartitionRange | None]:
    """Return the parts of the staged rows that one statement each writes; None = all of them."""
    return list(slices(row_file.days)) if len(row_file.days) > MOST_PARTITIONS else [None]


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
