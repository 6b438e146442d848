"""Looks up what a target already holds: few groups, few rows, from the last partitions only.

A question is a table, a range of partition days and conditions on columns; the answer is a list of plain dicts. One
question is one query job, however many accounts it is about.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.bigquery.ensure import ensure_dataset
from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange, condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

MAX_VALUES = 10_000
"""More values of a column are not named: a query's text may have 1 MB ("Quotas and limits: query jobs")."""

Value = str | bool | datetime
Operator = Literal["=", "<", ">", ">="]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which rows: partition days ``start`` to ``end`` (both included), any of the values, and comparisons."""

    start: date
    end: date
    among: Mapping[str, Sequence[str]]
    compare: Sequence[tuple[str, Operator, Value]] = ()


@dataclass(frozen=True, slots=True)
class Pick:
    """The largest or smallest value of a column in a group, among the rows that meet all of ``where`` (column, value).

    NULL, hence None, where no row does.
    """

    function: Literal["MAX", "MIN"]
    column: str
    where: tuple[tuple[str, Value], ...] = ()


class Lookup:
    """Asks on behalf of one task.

    :param session: that of the loader whose task asks.
    """

    def __init__(self, session: BigQuerySession) -> None:
        self._session = session

    def find_groups(
        self, target: TargetTable, *, by: Sequence[str], picks: Mapping[str, Pick], where: Where
    ) -> list[dict[str, Any]]:
        """Return one dict per distinct values of the columns ``by``: these and each pick under its name.

        :param by: holds each column of which more than MAX_VALUES values are wanted.
        :raises LoadError: BigQuery refuses.
        """
        target = ensure_dataset(target, session=self._session, create=False)
        sql = groups_query(target, by=by, picks=picks, where=where)
        return _select_wanted(self._session.read(target, sql=sql, **_describe(target)), where)

    def find_rows(self, target: TargetTable, *, where: Where) -> list[dict[str, Any]]:
        """Return the rows with all columns of our table.

        :raises LoadError: BigQuery refuses.
        """
        target = ensure_dataset(target, session=self._session, create=False)
        sql = rows_query(target, where=where)
        return _select_wanted(self._session.read(target, sql=sql, **_describe(target)), where)


def _describe(target: TargetTable) -> dict[str, str]:
    """Return what :meth:`BigQuerySession.read` wants to know of a lookup besides its text."""
    # Asked anew each time: an answer of a moment ago under the same job id would be the old one.
    return {"payload": secrets.token_hex(16), "doing": f"look up earlier rows in {target.path}"}


def _select_wanted(found: Iterable[Mapping[str, Any]], where: Where) -> list[dict[str, Any]]:
    """Return the rows that have one of the wanted values in each column whose values the query does not name."""
    unnamed = {name: frozenset(values) for name, values in where.among.items() if len(values) > MAX_VALUES}
    return [dict(row) for row in found if all(row[name] in values for name, values in unnamed.items())]


def groups_query(target: TargetTable, *, by: Sequence[str], picks: Mapping[str, Pick], where: Where) -> str:
    """Return the query of :meth:`Lookup.find_groups`."""
    chosen = ",\n  ".join(f"{_picked(pick)} AS {quoted(name)}" for name, pick in picks.items())
    columns = ", ".join(f"T.{quoted(name)}" for name in by)
    return (
        f"SELECT {_list_named(by)},\n  {chosen}\nFROM {quoted(target.path)} T\n"
        f"WHERE {_conditions(target, where=where)}\nGROUP BY {columns}"
    )


def rows_query(target: TargetTable, *, where: Where) -> str:
    """Return the query of :meth:`Lookup.find_rows`."""
    names = _list_named(target.table.column_names)
    return f"SELECT {names}\nFROM {quoted(target.path)} T\nWHERE {_conditions(target, where=where)}"


# A table that somebody made may write its columns in other case; the answer is read by these names.
def _list_named(columns: Iterable[str]) -> str:
    return ", ".join(f"T.{quoted(name)} AS {quoted(name)}" for name in columns)


def _picked(pick: Pick) -> str:
    column = f"T.{quoted(pick.column)}"
    if not pick.where:
        return f"{pick.function}({column})"
    test = " AND ".join(f"T.{quoted(name)} = {_literal(value)}" for name, value in pick.where)
    return f"{pick.function}(IF({test}, {column}, NULL))"


def _conditions(target: TargetTable, *, where: Where) -> str:
    days = PartitionRange(start=where.start.isoformat(), end=where.end.isoformat())
    among = [
        f"T.{quoted(name)} IN UNNEST([{', '.join(map(literal, values))}])"
        for name, values in where.among.items()
        if len(values) <= MAX_VALUES
    ]
    compare = [f"T.{quoted(name)} {operator} {_literal(value)}" for name, operator, value in where.compare]
    return "\n  AND ".join((condition(days, table=target.table, alias="T"), *among, *compare))


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return f"TIMESTAMP '{value.isoformat()}'" if isinstance(value, datetime) else literal(value)
