"""Writes one target from its staging table, and leaves no key there twice."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.current_rows import announce_late_rows
from airflow_provider_iginsights.bigquery.duplicates import deduplicate_statement, duplicates_query
from airflow_provider_iginsights.bigquery.merge import (
    append_statement,
    changed_days_query,
    correct_statement,
    insert_statement,
    moved_keys_query,
    new_keys_query,
    replace_statement,
)
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, MAX_PARTITIONS, PartitionRange, slices
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.target import LoadResult
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_iginsights.bigquery.job_ids import Verb
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.staged_rows import StagedRows
    from airflow_provider_iginsights.bigquery.target import LoadMode, ProtectedGroups, TargetTable

log: logging.Logger = logging.getLogger(__name__)

_MAX_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A filled staging table and the job that filled it."""

    path: str
    load_job_id: str


def write_target(
    row_file: RowFile | StagedRows,
    *,
    staged: Staged,
    load_mode: LoadMode,
    protected: ProtectedGroups,
    session: BigQuerySession,
) -> LoadResult:
    """Run the statements of the load mode, then look for duplicate keys (not for ``append``, which keeps all rows)."""
    target = row_file.target
    announce_late_rows(target, first_day=row_file.days[0], deletes=load_mode == "replace", session=session)
    ranges = KeyRanges(stored=row_file.partitions, checked=row_file.partitions)
    if load_mode != "append" and row_file.moves:
        ranges = find_key_ranges(row_file, staging=staged.path, session=session)
    sent = statements(row_file, staging=staged.path, load_mode=load_mode, partitions=ranges.stored, protected=protected)
    jobs = _run(sent, "merge", row_file=row_file, session=session)
    affected = sum(job.num_dml_affected_rows or 0 for job in jobs)
    if load_mode == "merge" and (affected < row_file.rows or target.table.is_state):
        corrected = list(
            corrections(row_file, staging=staged.path, partitions=ranges.stored, protected=protected, session=session)
        )
        jobs += _run(corrected, "correct", row_file=row_file, session=session)
        affected = sum(job.num_dml_affected_rows or 0 for job in jobs)
    log.info("%s: %d rows sent, %d changed.", target.path, row_file.rows, affected)
    return LoadResult(
        target=target,
        rows=row_file.rows,
        load_job_id=staged.load_job_id,
        merge_job_id=jobs[-1].job_id,
        affected=affected,
        deduplicated=0
        if load_mode == "append"
        else remove_duplicates(target, partitions=ranges.checked, among=staged.path, session=session),
    )


def _run(sent: Iterable[str], verb: Verb, *, row_file: RowFile | StagedRows, session: BigQuerySession) -> list[Any]:
    """Run statements one after the other and return their jobs."""
    target = row_file.target
    doing = f"write {row_file.rows} rows into {target.path}"
    jobs: dict[int, Any] = {}
    for at, sql in enumerate(sent):
        # One statement is the rule, and its id holds the hash of the rows; further slices are told apart by their text.
        payload = "" if at else row_file.payload
        jobs[at] = session.query(target, verb=verb, sql=sql, payload=payload, doing=doing)
    return list(jobs.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRanges:
    """Where the target can hold the staged keys now, and where duplicates can be once they are written."""

    stored: PartitionRange
    checked: PartitionRange


def find_key_ranges(row_file: RowFile | StagedRows, *, staging: str, session: BigQuerySession) -> KeyRanges:
    """Find the stored rows of a table whose keys can change their day: most have not, and only new keys are looked up.

    The second query reads the key and the day alone, and only the blocks of the accounts that have new keys.
    """
    target, partitions = row_file.target, row_file.partitions
    doing = f"look for earlier rows in {target.path}"
    sql = new_keys_query(target, staging=staging, partitions=partitions)
    accounts = [row[0] for row in session.read(target, sql=sql, doing=doing)]
    if not accounts:
        return KeyRanges(stored=partitions, checked=partitions)
    sql = moved_keys_query(target, staging=staging, partitions=replace(partitions, account_ids=tuple(sorted(accounts))))
    days = [row[0] for row in session.read(target, sql=sql, doing=doing)]
    return KeyRanges(stored=partitions.with_days(days), checked=replace(ALL_DAYS, account_ids=partitions.account_ids))


def statements(
    row_file: RowFile | StagedRows,
    *,
    staging: str,
    load_mode: LoadMode,
    partitions: PartitionRange,
    protected: ProtectedGroups = (),
) -> Iterator[str]:
    """Yield the first statements of a load mode: one, or several where more days are held than one job may modify.

    For ``merge`` they only insert; :func:`corrections` follow.
    """
    target = row_file.target
    if load_mode == "append":
        yield append_statement(target, staging=staging)
        return
    write = partial(replace_statement, protected=protected) if load_mode == "replace" else insert_statement
    for piece in _pieces(row_file):
        yield write(target, staging=staging, partitions=partitions, source_partitions=piece)


def corrections(
    row_file: RowFile | StagedRows,
    *,
    staging: str,
    partitions: PartitionRange,
    protected: ProtectedGroups,
    session: BigQuerySession,
) -> Iterator[str]:
    """Yield the statements that rewrite stored rows, over the days that hold such rows; none where no row differs."""
    target = row_file.target
    sql = changed_days_query(target, staging=staging, partitions=partitions, protected=protected)
    found = session.read(target, sql=sql, doing=f"look for changed rows in {target.path}")
    days = sorted(row[0] for row in found)
    if not days:
        return
    changed = replace(partitions, start=days[0], end=days[0], besides=()).with_days(days[1:])
    for piece in _pieces(row_file):
        yield correct_statement(
            target, staging=staging, partitions=changed, source_partitions=piece, protected=protected
        )


def _pieces(row_file: RowFile | StagedRows) -> list[PartitionRange | None]:
    """Return the parts of the staged rows that one statement each writes; None = all of them."""
    return list(slices(row_file.days)) if len(row_file.days) > MAX_PARTITIONS else [None]


def remove_duplicates(
    target: TargetTable, *, partitions: PartitionRange, among: str | None, session: BigQuerySession
) -> int:
    """Delete older rows until no key (of ``among``) stands twice in these partitions; return how many did.

    See :mod:`.duplicates` for the why.
    """
    sql, doing = duplicates_query(target, partitions=partitions, among=among), f"look for doubled keys in {target.path}"
    nonce, deduplicated = secrets.token_hex(8), 0
    # Not a retry: each round checks what the round before changed, and other tasks may write between two rounds.
    for at in range(_MAX_ROUNDS):
        payload = hashlib.sha256(f"{nonce}{at}".encode()).hexdigest()
        [[doubled]] = session.read(target, sql=sql, payload=payload, doing=doing)
        if not doubled:
            return deduplicated
        log.warning(
            "%d keys stand twice in %s, since tasks wrote them at once; older rows are deleted.", doubled, target.path
        )
        _delete_older(target, partitions=partitions, among=among, payload=payload, session=session)
        deduplicated += doubled
    raise LoadError(
        f"Keys in {target.path} stand there twice after {_MAX_ROUNDS} deletions of older rows, since other tasks keep "
        "writing them. Give the tasks an Airflow pool with one slot, and run this one again."
    )


def _delete_older(
    target: TargetTable, *, partitions: PartitionRange, among: str | None, payload: str, session: BigQuerySession
) -> None:
    doing = f"remove doubled keys from {target.path}"
    read = partial(session.client.get_table, target.path, retry=None, timeout=HTTP_TIMEOUT)
    columns = [field.name for field in session.retrier.call(read, doing=doing).schema]
    sql = deduplicate_statement(target, columns=columns, partitions=partitions, among=among)
    session.query(target, verb="deduplicate", sql=sql, payload=payload, doing=doing)
