"""Table functions: what is kept of them, and what a call of one stands for.

Of all routines only the table function in SQL is known ("Table functions" in BigQuery's documentation).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence

import duckdb
from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, TableRef

__all__ = ["Routines", "arguments_of", "call"]


class Routines:
    """The table functions of all datasets, kept where the tables are."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        engine.execute("CREATE TABLE IF NOT EXISTS routines (project TEXT, dataset TEXT, name TEXT, resource TEXT)")
        stored = engine.execute("SELECT project, dataset, name, resource FROM routines").fetchall()
        self._found: dict[TableRef, Resource] = {TableRef(*ref): json.loads(text) for *ref, text in stored}

    def find(self, ref: TableRef) -> Resource | None:
        """Return the REST resource of a routine, None if there is none."""
        return self._found.get(ref)

    def all(self, project: str, dataset: str) -> list[Resource]:
        """Return the routines of a dataset, by name."""
        return [resource for ref, resource in sorted(self._found.items()) if ref[:2] == (project, dataset)]

    def save(self, ref: TableRef, resource: Resource | None) -> None:
        """Keep a routine under its name; None = drop it."""
        with self._lock, self._engine.cursor() as cursor:
            cursor.execute("DELETE FROM routines WHERE project = ? AND dataset = ? AND name = ?", list(ref))
            self._found.pop(ref, None)
            if resource is not None:
                cursor.execute("INSERT INTO routines VALUES (?, ?, ?, ?)", [*ref, json.dumps(resource)])
                self._found[ref] = resource

    def drop_all(self, project: str, dataset: str) -> None:
        """Drop the routines of a dataset."""
        for ref in [ref for ref in self._found if ref[:2] == (project, dataset)]:
            self.save(ref, None)


def arguments_of(resource: Mapping[str, object]) -> dict[str, str]:
    """Return the arguments of a table function: type by name, in their order. Raises BigQueryError for other kinds."""
    if (resource.get("routineType"), resource.get("language", "SQL")) != ("TABLE_VALUED_FUNCTION", "SQL"):
        raise not_supported(f"A routine of the type {resource.get('routineType')}", reason="notImplemented")
    declared: Sequence[Resource] = resource.get("arguments") or ()  # type: ignore[assignment]
    kinds = {str(each["name"]).lower(): (each.get("dataType") or {}).get("typeKind") for each in declared}
    untyped = [name for name, kind in kinds.items() if not kind]
    if untyped:
        raise not_supported(f"The argument {untyped[0]} of any type", reason="notImplemented")
    return {name: str(kind) for name, kind in kinds.items()}


def call(body: exp.Expression, *, arguments: Mapping[str, str], given: Sequence[exp.Expression]) -> exp.Expression:
    """Return the query of a table function with the given values in it; ``body`` is used up."""
    if len(given) != len(arguments):
        raise BigQueryError("invalidQuery", f"A table function takes {len(arguments)} arguments, {len(given)} given.")
    values = {
        name: exp.cast(value.copy(), exp.DataType.build(kind, dialect="bigquery"))
        for (name, kind), value in zip(arguments.items(), given, strict=True)
    }
    for column in list(body.find_all(exp.Column)):
        if not column.table and column.name.lower() in values:
            column.replace(values[column.name.lower()].copy())
    return body
