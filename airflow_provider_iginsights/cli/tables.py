"""What looks after the tables: ``tables``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import say
from airflow_provider_iginsights.cli.target import open_tables

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.cli.target import OpenTables


def tables(options: argparse.Namespace) -> ExitCode:
    """Look for doubled keys, remove them, or make the views.

    :raises ConfigurationError: see :func:`.target.open_tables`.
    :raises LoadError: BigQuery refuses, or the dataset or a table does not exist.
    """
    with open_tables(options) as target:
        return _make_views(target) if options.views else _check(target, deduplicate=options.deduplicate)


def _check(target: OpenTables, *, deduplicate: bool) -> ExitCode:
    from airflow_provider_iginsights.bigquery.duplicate_check import check

    code = ExitCode.DONE
    for finding in check(
        target.client, destinations=target.destinations, deduplicate=deduplicate, job_project=target.job_project
    ):
        say(finding)
        if finding.doubled and not finding.deduplicated:
            code = ExitCode.FOUND
    return code


def _make_views(target: OpenTables) -> ExitCode:
    from airflow_provider_iginsights.bigquery.views import create_existing

    for result in create_existing(target.client, destinations=target.destinations):
        say(result)
    return ExitCode.DONE
