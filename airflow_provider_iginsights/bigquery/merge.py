"""The statements that move staged rows into a target. Text only: each is one statement, and therefore all or nothing.

``merge``: a new key is inserted; a stored row is rewritten only by a fetch that is not older, and only when a measure
differs, so that a look-back of unchanged days rewrites no partition. A row whose numbers did not change keeps the
``fetched_at`` of the fetch that first saw them, and so does not know that it was confirmed: of three fetches that saw
A, B and A again, the one that saw B can overwrite the last A if it is written after it. The next fetch puts that right.
Only rewriting every confirmed row would rule it out; doing so now and then would not, since what is written late was
fetched only minutes or hours before.

``replace``: the same, and stored rows go that the new fetch no longer has. A row goes only if its *group* was answered:
the same cluster columns (account, metric) and every moment that is part of the key (the day, the snapshot). Numbers
that were not asked for again, such as older demographics, older story snapshots or another metric, are never deleted,
because Meta cannot give them back; nor is anything that was fetched later than the new rows.

``append``: every staged row is added as it is. The job id keeps a repeated request from adding twice.

Staged rows hold each key once per statement (the newest), since BigQuery refuses two source rows for one target row.
"""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.bigquery.span import Span, condition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_iginsights.bigquery.destination import Destination, Scope
    from airflow_provider_iginsights.catalog.tables import Table

GONE = "iginsights_gone"


def merge_statement(destination: Destination, *, staging: str, span: Span, source_span: Span | None = None) -> str:
    """Return the MERGE by key.

    :param staging: path of the staging table.
    :param span: where the target can hold these keys.
    :param source_span: the part of the staged rows to merge; None = all.
    """
    table = destination.table
    source = f"SELECT * FROM ({_newest(table, staging=staging, span=source_span)})"
    return "\n".join((*_head(destination, source=source, span=span), _update(table, also=""), _insert(table, also="")))


def replace_statement(
    destination: Destination, *, staging: str, span: Span, scope: Scope, source_span: Span | None = None
) -> str:
    """Return the MERGE that also deletes what the scope's accounts no longer have. Parameters as in merge_statement."""
    table = destination.table
    names = _listed(table.column_names)
    source = (
        f"SELECT {names}, FALSE AS {GONE} FROM ({_newest(table, staging=staging, span=source_span)})\n"
        f"  UNION ALL\n  SELECT {names}, TRUE FROM ({_vanished(destination, staging=staging, scope=scope, span=span)})"
    )
    return "\n".join(
        (
            *_head(destination, source=source, span=span),
            f"WHEN MATCHED AND S.{GONE} THEN DELETE",
            _update(table, also=f" AND NOT S.{GONE}"),
            _insert(table, also=f" AND NOT S.{GONE}"),
        )
    )


def append_statement(destination: Destination, *, staging: str) -> str:
    """Return the INSERT of all staged rows."""
    names = _listed(destination.table.column_names)
    return f"INSERT INTO {quoted(destination.path)} ({names})\nSELECT {names} FROM {quoted(staging)}"


def same(columns: Iterable[str], *, left: str, right: str) -> str:
    """Return the condition that two aliases agree in these columns."""
    return " AND ".join(f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in columns)


def numbered(columns: Iterable[str]) -> str:
    """Return the window function that numbers the rows of one key, the newest first."""
    return f"ROW_NUMBER() OVER (PARTITION BY {_listed(columns)} ORDER BY `fetched_at` DESC)"


def group_columns(table: Table) -> tuple[str, ...]:
    """Return what identifies the group of rows that one answer of Meta states completely."""
    moments = {column.name for column in table.columns if column.type in ("DATE", "TIMESTAMP")}
    return tuple(dict.fromkeys((*table.cluster_by, *(name for name in table.key if name in moments))))


def _head(destination: Destination, *, source: str, span: Span) -> tuple[str, ...]:
    table = destination.table
    return (
        f"MERGE {quoted(destination.path)} T",
        f"USING (\n  {source}\n) S",
        f"ON {same(table.key, left='T', right='S')}\n   AND {condition(span, table=table, alias='T')}",
    )


def _newest(table: Table, *, staging: str, span: Span | None) -> str:
    kept = condition(span, table=table, alias="A") if span else "TRUE"
    return f"SELECT * FROM {quoted(staging)} A WHERE {kept} QUALIFY {numbered(table.key)} = 1"


def _vanished(destination: Destination, *, staging: str, scope: Scope, span: Span) -> str:
    table = destination.table
    days = Span(start=max(span.start, scope.start.isoformat()), end=min(span.end, scope.end.isoformat()))
    accounts = ", ".join(literal(account_id) for account_id in scope.account_ids)
    answered = f"{same(group_columns(table), left='A', right='O')} AND A.`fetched_at` >= O.`fetched_at`"
    return (
        f"SELECT * FROM {quoted(destination.path)} O\n"
        f"    WHERE {condition(days, table=table, alias='O')} AND O.`account_id` IN UNNEST([{accounts}])\n"
        f"      AND EXISTS (SELECT 1 FROM {quoted(staging)} A WHERE {answered})\n"
        f"      AND NOT EXISTS (SELECT 1 FROM {quoted(staging)} B WHERE {same(table.key, left='B', right='O')})\n"
        f"    QUALIFY {numbered(table.key)} = 1"
    )


def _update(table: Table, *, also: str) -> str:
    changed = " OR ".join(f"S.{quoted(name)} IS DISTINCT FROM T.{quoted(name)}" for name in table.measures)
    assignments = ", ".join(f"{quoted(name)} = S.{quoted(name)}" for name in table.values)
    return f"WHEN MATCHED{also} AND S.`fetched_at` >= T.`fetched_at` AND ({changed})\n  THEN UPDATE SET {assignments}"


def _insert(table: Table, *, also: str) -> str:
    values = ", ".join(f"S.{quoted(name)}" for name in table.column_names)
    return f"WHEN NOT MATCHED BY TARGET{also} THEN INSERT ({_listed(table.column_names)}) VALUES ({values})"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in columns)
