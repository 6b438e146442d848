"""What erases an account or a post: ``forget``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.confirmation import KEPT, is_confirmed
from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_error, print_result
from airflow_provider_iginsights.cli.target import open_existing_tables

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.bigquery.erasure import Erased, Erasure
    from airflow_provider_iginsights.catalog.columns import IdKind


def forget(options: argparse.Namespace) -> ExitCode:
    """Count the rows, ask, erase them, and count again.

    :raises ConfigurationError: see :func:`.target.open_tables`.
    :raises LoadError: BigQuery refuses, or the dataset or a table does not exist.
    """
    from airflow_provider_iginsights.bigquery.erasure import Erasure

    kind: IdKind = "account" if options.account else "media"
    named = f"{kind} {options.account or options.media}"
    with open_existing_tables(options) as existing:
        erasure = Erasure(
            existing.client,
            targets=existing.targets,
            kind=kind,
            object_id=options.account or options.media,
            job_project=existing.job_project,
        )
        held = list(erasure.count())
        print_result(*held)
        if not _sum(held):
            print_error(f"No table holds a row of {named}: there is nothing to erase. Is the id right?")
            return ExitCode.FOUND
        if not (options.yes or is_confirmed(f"Erase {_sum(held)} rows of {named} for good? [y/N] ")):
            print_error("Nothing was erased. Where no terminal can ask, --yes confirms it.")
            return ExitCode.NOT_DONE
        return _erase(erasure, held, named=named)


def _erase(erasure: Erasure, held: list[Erased], *, named: str) -> ExitCode:
    deleted = []
    for each in erasure.delete([each for each in held if each.rows]):
        print_result(f"{each} erased")
        deleted.append(each)
    print_result(f"Erased {_sum(deleted)} rows of {named}. {KEPT}")
    # A task that runs at the same time may load the account again; nobody should believe it gone.
    if left := _sum(list(erasure.count())):
        print_error(
            f"A task has meanwhile written {left} rows of {named}. Take the account out of the Dags or the connection, "
            "then run this again."
        )
        return ExitCode.FOUND
    return ExitCode.DONE


def _sum(tables: list[Erased]) -> int:
    return sum(table.rows for table in tables)
