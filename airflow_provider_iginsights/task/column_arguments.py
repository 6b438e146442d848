"""Reads the arguments that keep values out of the tables: columns to exclude or to hash, and where the salt is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_iginsights.catalog.tables import TABLES, Table
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.task.arguments import is_not_given, parse_names, parse_text, read_object

Columns = dict[str, frozenset[str]]
"""Table name -> some of its columns."""

_BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}
# Airflow masks a Variable by its name alone (DEFAULT_SENSITIVE_FIELDS of its secrets masker).
HIDING_WORDS = ("secret", "password", "passphrase", "token")


def parse_columns(value: Any, *, argument: str) -> Columns:
    """Return the columns of each table, from a list for all tables that have them, or from a mapping by table.

    :param value: names, a comma string, or table name -> these; also the text of it, as JSON or Python.
    :raises ConfigurationError: there is no such table or column, or the column cannot be protected.
    """
    if is_not_given(value):
        return {}
    written = read_object(value) if isinstance(value, str) and value.strip()[0] in "[{" else value
    found: defaultdict[str, set[str]] = defaultdict(set)
    pairs = _read_mapping(written, argument) if isinstance(written, Mapping) else _read_list(value, argument)
    for table, column in pairs:
        found[table.name].add(_check_column(table, column, argument=argument))
    return {name: frozenset(columns) for name, columns in found.items()}


def check_columns(
    *,
    exclude_columns: object = None,
    hash_columns: object = None,
    hash_salt_conn_id: object = None,
    hash_salt_variable: object = None,
) -> tuple[Columns, Columns]:
    """Return the columns to be left empty and those to be hashed. Nobody is asked for the salt.

    :raises ConfigurationError: an argument cannot be, or they do not fit together.
    """
    excluded = parse_columns(exclude_columns, argument="exclude_columns")
    hashed = parse_columns(hash_columns, argument="hash_columns")
    _check_disjoint(excluded, hashed)
    conn_id, variable = parse_salt_conn_id(hash_salt_conn_id), parse_salt_variable(hash_salt_variable)
    _check_salt_is_named(hashed, conn_id=conn_id, variable=variable)
    return excluded, hashed


def parse_salt_variable(value: Any) -> str | None:
    """Return the name of the Airflow Variable that holds the salt; None where none is given.

    :raises ConfigurationError: it is no name, or one whose value Airflow would show.
    """
    name = parse_text(value, argument="hash_salt_variable", optional=True)
    if name and not any(word in name.lower() for word in HIDING_WORDS):
        raise ConfigurationError(
            f"hash_salt_variable must name a Variable whose name contains {', '.join(HIDING_WORDS[:-1])} or "
            f"{HIDING_WORDS[-1]}, not {quote_value(value)}: by such a word Airflow hides its value in the UI and in "
            "logs. Give the name of a Variable, not the salt itself."
        )
    return name


def parse_salt_conn_id(value: Any) -> str | None:
    """Return the id of the Airflow connection whose password is the salt; None where none is given.

    :raises ConfigurationError: it is no name.
    """
    return parse_text(value, argument="hash_salt_conn_id", optional=True)


def describe_protectable(tables: Sequence[Table] = TABLES) -> str:
    """Return which columns of the tables can be excluded or hashed, for a message."""
    return "; ".join(f"{table.name}: {', '.join(table.protectable)}" for table in tables if table.protectable)


def _read_mapping(value: Mapping[Any, Any], argument: str) -> Iterator[tuple[Table, str]]:
    for name, columns in value.items():
        table = _BY_NAME.get(name) if isinstance(name, str) else None
        if table is None:
            raise ConfigurationError(
                f"{argument} does not know the table {quote_value(name)}. It may have {', '.join(_BY_NAME)}."
            )
        for column in parse_names(columns, argument=f"{argument}[{name!r}]") or ():
            yield table, column


def _read_list(value: Any, argument: str) -> Iterator[tuple[Table, str]]:
    for column in parse_names(value, argument=argument) or ():
        having = [table for table in TABLES if column in table.column_names]
        if not having:
            raise ConfigurationError(
                f"{argument} names the column {quote_value(column)}, which no table has. These columns can be excluded "
                f"or hashed: {describe_protectable()}."
            )
        for table in having:
            yield table, column


def _check_column(table: Table, name: str, *, argument: str) -> str:
    if name in table.protectable:
        return name
    allowed = ", ".join(table.protectable)
    raise ConfigurationError(
        f"{argument} names column {quote_value(name)} of table {table.name}, {_find_reason(table, name)}. "
        + (f"Of this table, {allowed} can be excluded or hashed." if allowed else "No column of this table can be.")
    )


def _find_reason(table: Table, name: str) -> str:
    """Return why a column cannot be protected, as the rest of a sentence."""
    column = next((each for each in table.columns if each.name == name), None)
    if column is None:
        return "which has no such column"
    reasons = (
        (name in table.key, "which is a part of its key"),
        (name == table.partition_by, "which is its partition"),
        (name in table.cluster_by, "by which it is clustered"),
        (column.type != "STRING", f"which is no text but {column.type}"),
        (column.required, "which is REQUIRED"),
        (True, "which tells how the row came to be"),
    )
    return next(reason for holds, reason in reasons if holds)


def _check_disjoint(excluded: Columns, hashed: Columns) -> None:
    for name, columns in excluded.items():
        if both := sorted(columns & hashed.get(name, frozenset())):
            raise ConfigurationError(
                f"Column {both[0]} of table {name} stands in exclude_columns and in hash_columns. Name it in one of "
                "them: it is left empty, or its hash is stored."
            )


def _check_salt_is_named(hashed: Columns, *, conn_id: str | None, variable: str | None) -> None:
    if conn_id and variable:
        raise ConfigurationError(
            "hash_salt_conn_id and hash_salt_variable are both given. Give one of them: there is one salt."
        )
    if hashed and not (conn_id or variable):
        raise ConfigurationError(
            "hash_columns needs a salt, which must be secret. Name the Airflow connection whose password it is "
            "(hash_salt_conn_id), or the Variable that holds it (hash_salt_variable)."
        )
