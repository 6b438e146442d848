"""Puts rows of numbers into the columns of a current table, and takes them out again. GoogleSQL as text."""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.catalog.current_tables import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_iginsights.catalog.current_tables import CurrentTable, NumberColumn


def gather(current: CurrentTable, rows: str) -> str:
    """Return the query for rows of the current table, given one for the newest row of each number.

    Whatever tells rows apart, beside the number and the moment of its fetch, makes them rows of the current table, too:
    so nothing is lost, and no number stands for another.
    """
    alone = [f"IF(R.`held_in` IS NULL, R.{quoted(name)}, NULL) AS {quoted(name)}" for name in OWN[:-1]]
    given = ", ".join(f"R.{quoted(name)}" for name in (*current.shared, "held_in", "value", "fetched_at"))
    grouped = ", ".join(f"N.{quoted(name)}" for name in (*current.shared, *OWN[:-1]))
    columns = ",\n  ".join(_gathered(current))
    return (
        f"SELECT {grouped},\n  {columns}\nFROM (\n"
        f"  SELECT {given}, {', '.join(alone)}\n  FROM (\n"
        f"    SELECT L.*, {_held_in(current)} AS `held_in`\n    FROM (\n{rows}\n    ) L\n  ) R\n) N\nGROUP BY {grouped}"
    )


def spread(current: CurrentTable, path: str, *, condition: str) -> str:
    """Return the query for the numbers of a current table, each in a row with the columns of the long table.

    :param condition: of the rows of the current table, whose alias is C.
    """
    own = [f"C.{quoted(name)} AS {quoted(name)}" for name in (*OWN, "fetched_at")]
    numbers = [
        f"({literal(each.metric)}, {literal(each.breakdown)}, {literal(each.breakdown_value)}, "
        f"CAST(C.{quoted(each.name)} AS NUMERIC), C.{quoted(each.fetched_at)})"
        for each in current.numbers
    ]
    taken = {name: f"N.{quoted(name)}" for name in OWN}
    taken["fetched_at"] = "IFNULL(N.`fetched_at`, C.`fetched_at`) AS `fetched_at`"
    columns = ", ".join(taken.get(name, f"C.{quoted(name)}") for name in current.of.column_names)
    listed = ",\n    ".join([f"STRUCT({', '.join(own)})", *numbers])
    return (
        f"SELECT {columns}\n  FROM {quoted(path)} C CROSS JOIN UNNEST([\n    {listed}\n  ]) N\n"
        f"  WHERE {condition} AND N.`value` IS NOT NULL"
    )


def _gathered(current: CurrentTable) -> Iterator[str]:
    # What most numbers are read with is asked first, and what few posts have after it.
    first = "MIN(N.`fetched_at`)"
    yield "MAX(IF(N.`held_in` IS NULL, N.`value`, NULL)) AS `value`"
    yield f"{first} AS `fetched_at`"
    for each in current.numbers:
        is_it = f"N.`held_in` = {literal(each.name)}"
        yield f"MAX(IF({is_it}, {_as_type('N.`value`', each.type)}, NULL)) AS {quoted(each.name)}"
        yield f"NULLIF(MAX(IF({is_it}, N.`fetched_at`, NULL)), {first}) AS {quoted(each.fetched_at)}"


# A fraction, or a number beyond 64 bits, would be another one in an INT64.
def _held_in(current: CurrentTable) -> str:
    """Return the expression for the name of the column that holds the number of a row L; NULL = it has none."""
    fits = f"{_as_type('L.`value`', 'INT64')} = L.`value`"
    cases = []
    for (metric, breakdown, type_), numbers in _alike(current).items():
        total = "L.`breakdown` = '' AND L.`breakdown_value` = '' AND L.`metric`"
        part = f"L.`metric` = {literal(metric)} AND L.`breakdown` = {literal(breakdown)} AND L.`breakdown_value`"
        texts = ", ".join(literal(each.breakdown_value or each.metric) for each in numbers)
        name = "CONCAT(L.`metric`, '_', L.`breakdown_value`)" if metric else "L.`metric`"
        checked = "" if type_ == "NUMERIC" else f" AND {fits}"
        cases.append(f"WHEN {part if metric else total} IN ({texts}){checked} THEN {name}")
    return "\n      ".join(("CASE", *cases, "END"))


def _alike(current: CurrentTable) -> dict[tuple[str, str, str], list[NumberColumn]]:
    """Return the columns that one condition can tell: all totals of a type, and the values of each breakdown."""
    found: dict[tuple[str, str, str], list[NumberColumn]] = {}
    for each in current.numbers:
        metric = each.metric if each.breakdown else ""
        found.setdefault((metric, each.breakdown, each.type), []).append(each)
    return found


def _as_type(value: str, type_: Literal["INT64", "NUMERIC"]) -> str:
    return value if type_ == "NUMERIC" else f"SAFE_CAST({value} AS INT64)"
