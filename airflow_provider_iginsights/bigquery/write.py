"""Writes one target from its staging table, and sees to it that no key stands there twice afterwards."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.destination import LoadResult
from airflow_provider_iginsights.bigquery.heal import doubled_query, heal_statement
from airflow_provider_iginsights.bigquery.merge import (
    append_statement,
    elsewhere_query,
    merge_statement,
    new_keys_query,
    replace_statement,
)
from airflow_provider_iginsights.bigquery.span import ALL_DAYS, MOST_PARTITIONS, Span, slices
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_iginsights.bigquery.destination import Destination, LoadMode, Spared
    from airflow_provider_iginsights.bigquery.spool import Spool
    from airflow_provider_iginsights.bigquery.wire import Wire

log: logging.Logger = logging.getLogger(__name__)

_MOST_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A filled staging table and the job that filled it."""

    path: str
    load_job_id: str


def write_target(spool: Spool, *, staged: Staged, load_mode: LoadMode, spared: Spared, wire: Wire) -> LoadResult:
    """Run the statements of the load mode, then look for twins (not for ``append``, which keeps all rows)."""
    destination = spool.destination
    reach = Reach(span=spool.span, looked_at=spool.span)
    if load_mode != "append" and spool.moves:
        reach = find_reach(spool, staging=staged.path, wire=wire)
    jobs = [
        # One statement is the rule, and its id holds the hash of the rows; further slices are told apart by their text.
        wire.query(
            destination,
            verb="merge",
            sql=sql,
            payload="" if at else spool.payload,
            doing=f"write {spool.rows} rows into {destination.path}",
        )
        for at, sql in enumerate(
            statements(spool, staging=staged.path, load_mode=load_mode, span=reach.span, spared=spared)
        )
    ]
    return LoadResult(
        destination=destination,
        rows=spool.rows,
        load_job_id=staged.load_job_id,
        merge_job_id=jobs[-1].job_id,
        affected=sum(job.num_dml_affected_rows or 0 for job in jobs),
        healed=0
        if load_mode == "append"
        else make_single(destination, span=reach.looked_at, among=staged.path, wire=wire),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the target can hold the staged keys now (``span``), and where twins can be once they are written."""

    span: Span
    looked_at: Span


def find_reach(spool: Spool, *, staging: str, wire: Wire) -> Reach:
    """Look for the keys of a table whose keys can move: most stand where they stood, and only new ones are sought.

    The second question reads the key and the day alone, and only the blocks of the accounts that have new keys.
    """
    destination, span = spool.destination, spool.span
    doing = f"look for earlier rows in {destination.path}"
    sql = new_keys_query(destination, staging=staging, span=span)
    accounts = wire.values(destination, sql=sql, doing=doing)
    if not accounts:
        return Reach(span=span, looked_at=span)
    sql = elsewhere_query(destination, staging=staging, span=replace(span, account_ids=tuple(sorted(accounts))))
    days = wire.values(destination, sql=sql, doing=doing)
    return Reach(span=span.with_days(days), looked_at=replace(ALL_DAYS, account_ids=span.account_ids))


def statements(spool: Spool, *, staging: str, load_mode: LoadMode, span: Span, spared: Spared = ()) -> Iterator[str]:
    """Yield the statements that write a spool: one, or several where it holds more days than one job may modify."""
    destination = spool.destination
    if load_mode == "append":
        yield append_statement(destination, staging=staging)
        return
    pieces: list[Span | None] = [None]
    if len(spool.days) > MOST_PARTITIONS:
        pieces = list(slices(spool.days))
    write = partial(replace_statement, spared=spared) if load_mode == "replace" else merge_statement
    for piece in pieces:
        yield write(destination, staging=staging, span=span, source_span=piece)


def make_single(destination: Destination, *, span: Span, among: str | None, wire: Wire) -> int:
    """Heal until no key (of ``among``) stands twice in the span; return how many did. See :mod:`.heal` for the why."""
    sql, doing = doubled_query(destination, span=span, among=among), f"look for doubled keys in {destination.path}"
    nonce, healed = secrets.token_hex(8), 0
    for at in range(_MOST_ROUNDS):
        payload = hashlib.sha256(f"{nonce}{at}".encode()).hexdigest()
        doubled = wire.number(destination, sql=sql, payload=payload, doing=doing)
        if not doubled:
            return healed
        log.warning("%d keys stand twice in %s, since tasks wrote them at once; healing.", doubled, destination.path)
        _heal(destination, span=span, among=among, payload=payload, wire=wire)
        healed += doubled
    raise LoadError(
        f"Keys in {destination.path} stand there twice after {_MOST_ROUNDS} healings, since other tasks keep writing "
        "them. Give the tasks an Airflow pool with one slot, and run this one again."
    )


def _heal(destination: Destination, *, span: Span, among: str | None, payload: str, wire: Wire) -> None:
    doing = f"remove doubled keys from {destination.path}"
    target = wire.calls(lambda: wire.client.get_table(destination.path, retry=None, timeout=HTTP_TIMEOUT), doing=doing)
    columns = [field.name for field in target.schema]
    sql = heal_statement(destination, columns=columns, span=span, among=among)
    wire.query(destination, verb="heal", sql=sql, payload=payload, doing=doing)
