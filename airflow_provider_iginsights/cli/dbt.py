"""Writes a dbt project: ``dbt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_result
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse


def dbt(options: argparse.Namespace) -> ExitCode:
    """Write the files, but over none that somebody edited.

    :raises ConfigurationError: an id cannot be one, or not in dbt, or two are the same; a name is of no table, a
        file was edited, or the folder is none.
    """
    from airflow_provider_iginsights.bigquery.identifiers import checked
    from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
    from airflow_provider_iginsights.dbt.marked_files import write_files
    from airflow_provider_iginsights.dbt.project import write_project
    from airflow_provider_iginsights.dbt.tables import find_dbt_tables

    known = [table.name for table in ALL_TABLES]
    if unknown := [name for name in options.without if name not in known]:
        raise ConfigurationError(f"There is no table {', '.join(unknown)}. The tables are {', '.join(known)}.")
    project = checked(options.project, part="project") if options.project else None
    tables = find_dbt_tables(table_ids=options.table, without=options.without)
    for table_id in tables.tables:
        if " " in checked(table_id, part="table"):
            raise ConfigurationError(f"dbt takes no names with spaces, and a table is called {table_id!r}. Rename it.")
    texts = write_project(tables, project=project, dataset=checked(options.dataset, part="dataset"))
    files = write_files(options.directory, texts, force=options.force)
    print_result(*files)
    return ExitCode.FOUND if any(file.state == "left over" for file in files) else ExitCode.DONE
