"""What takes texts out of what is stored: ``clear``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.confirmation import KEPT, is_confirmed
from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_error, print_result
from airflow_provider_iginsights.cli.target import open_existing_tables

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.bigquery.clearing import Clearing, StoredTexts
    from airflow_provider_iginsights.cli.target import ExistingTables
    from airflow_provider_iginsights.extract.column_protection import TextHasher
    from airflow_provider_iginsights.task.column_arguments import Columns

_FRAGMENTS: Mapping[str, frozenset[str]] = {"left_out": frozenset({"fragment"})}
"""Pieces of Meta's answers: which of them hold a text of a column cannot be told, so all of them go."""


def clear(options: argparse.Namespace) -> ExitCode:
    """Count the rows that hold texts in the columns, ask, set them to NULL or to hashes, and count again.

    :raises ConfigurationError: a column, or the salt, cannot be; see also :func:`.target.open_tables`.
    :raises LoadError: BigQuery refuses, or the dataset or a table does not exist.
    """
    columns = _read_columns(options.exclude or options.hash, argument="--exclude" if options.exclude else "--hash")
    hasher = _read_hasher(options) if options.hash else None
    with open_existing_tables(options, names={*columns, *_FRAGMENTS}) as existing:
        clearings = _open_clearings(existing, columns, hasher)
        held = [list(clearing.count()) for clearing in clearings]
        print_result(*chain(*held))
        if not (rows := _sum(chain(*held))):
            print_result(f"There is nothing to {'hash' if hasher else 'clear'}.")
            return ExitCode.DONE
        deed = "Replace texts by hashes" if hasher else "Set texts to NULL"
        if not (options.yes or is_confirmed(f"{deed} in {rows} rows for good? [y/N] ")):
            print_error("Nothing was changed. Where no terminal can ask, --yes confirms it.")
            return ExitCode.NOT_DONE
        return _clear(clearings, held, argument="hash_columns" if hasher else "exclude_columns")


def _open_clearings(existing: ExistingTables, columns: Columns, hasher: TextHasher | None) -> list[Clearing]:
    """Return what takes the texts out of the columns, and what empties the pieces of answers that may hold them."""
    from airflow_provider_iginsights.bigquery.clearing import Clearing

    client, job_project = existing.client, existing.job_project
    return [
        Clearing(
            client,
            targets=[each for each in existing.targets if each.table.name in names],
            columns=names,
            hasher=salted,
            job_project=job_project,
        )
        for names, salted in ((columns, hasher), (_FRAGMENTS, None))
    ]


def _clear(clearings: Sequence[Clearing], held: Sequence[Sequence[StoredTexts]], *, argument: str) -> ExitCode:
    for clearing, found in zip(clearings, held, strict=True):
        for each in clearing.clear([each for each in found if each.rows]):
            print_result(f"{each} changed")
    print_result(f"Done. {KEPT}")
    # A task that runs at the same time may write the texts again; nobody should believe them gone.
    if left := _sum(chain.from_iterable(clearing.count() for clearing in clearings)):
        print_error(
            f"A task has meanwhile written texts into {left} rows. Give all tasks that write to these tables the "
            f"argument {argument}, then run this again."
        )
        return ExitCode.FOUND
    return ExitCode.DONE


def _read_columns(given: Sequence[str], *, argument: str) -> Columns:
    from airflow_provider_iginsights.task.column_arguments import parse_columns

    found: Columns = {}
    for text in given:
        table, _, column = text.rpartition(".")
        for name, columns in parse_columns({table: [column]} if table else [column], argument=argument).items():
            found[name] = found.get(name, frozenset()) | columns
    return found


def _read_hasher(options: argparse.Namespace) -> TextHasher:
    from airflow_provider_iginsights.errors import ConfigurationError
    from airflow_provider_iginsights.hooks.hash_salt import read_hasher
    from airflow_provider_iginsights.task.column_arguments import parse_salt_conn_id, parse_salt_variable

    conn_id = parse_salt_conn_id(options.hash_salt_conn_id)
    variable = parse_salt_variable(options.hash_salt_variable)
    if bool(conn_id) == bool(variable):
        raise ConfigurationError(
            "--hash needs the salt of the tasks that hash: name it by --hash-salt-conn-id or by --hash-salt-variable."
        )
    return read_hasher(conn_id=conn_id, variable=variable)


def _sum(tables: Iterable[StoredTexts]) -> int:
    return sum(table.rows for table in tables)
