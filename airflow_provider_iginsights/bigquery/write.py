"""Writes one target from its staging table, and sees to it that no key stands there twice afterwards."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.destination import LoadResult
from airflow_provider_iginsights.bigquery.heal import doubled_query, heal_statement
from airflow_provider_iginsights.bigquery.merge import append_statement, merge_statement, replace_statement
from airflow_provider_iginsights.bigquery.span import MOST_PARTITIONS, Span, slices
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_iginsights.bigquery.destination import Destination, LoadMode, Scope
    from airflow_provider_iginsights.bigquery.spool import Spool
    from airflow_provider_iginsights.bigquery.wire import Wire

log = logging.getLogger(__name__)

_MOST_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A filled staging table and the job that filled it."""

    path: str
    load_job_id: str


def write_target(spool: Spool, *, staged: Staged, load_mode: LoadMode, scope: Scope | None, wire: Wire) -> LoadResult:
    """Run the statements of the load mode, then look for twins (not for ``append``, which keeps all rows)."""
    destination = spool.destination
    jobs = [
        # One statement is the rule, and its id holds the hash of the rows; further slices are told apart by their text.
        wire.query(
            destination,
            verb="merge",
            sql=sql,
            payload="" if at else spool.payload,
            doing=f"write {spool.rows} rows into {destination.path}",
        )
        for at, sql in enumerate(statements(spool, staging=staged.path, load_mode=load_mode, scope=scope))
    ]
    span = _reach(spool, scope=scope)
    return LoadResult(
        destination=destination,
        rows=spool.rows,
        load_job_id=staged.load_job_id,
        merge_job_id=jobs[-1].job_id,
        affected=sum(job.num_dml_affected_rows or 0 for job in jobs),
        healed=0 if load_mode == "append" else make_single(destination, span=span, among=staged.path, wire=wire),
    )


def statements(spool: Spool, *, staging: str, load_mode: LoadMode, scope: Scope | None) -> Iterator[str]:
    """Yield the statements that write a spool: one, or several where it holds more days than one job may modify."""
    destination = spool.destination
    if load_mode == "append":
        yield append_statement(destination, staging=staging)
        return
    span = _reach(spool, scope=scope)
    pieces: list[Span | None] = [None]
    if len(spool.days) > MOST_PARTITIONS:
        pieces = list(slices(spool.days))
    for piece in pieces:
        if scope is None:
            yield merge_statement(destination, staging=staging, span=span, source_span=piece)
        else:
            yield replace_statement(destination, staging=staging, span=span, scope=scope, source_span=piece)


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


def _reach(spool: Spool, *, scope: Scope | None) -> Span:
    if scope is None:
        return spool.span
    return spool.span.covering(Span(start=scope.start.isoformat(), end=scope.end.isoformat()))
