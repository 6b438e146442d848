"""Checks the tables and makes their views: ``tables``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_result
from airflow_provider_iginsights.cli.target import open_existing_tables

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.cli.target import ExistingTables


def tables(options: argparse.Namespace) -> ExitCode:
    """Look for doubled keys or missing days, remove the former, or make the views.

    :raises ConfigurationError: see :func:`.target.open_tables`.
    :raises LoadError: BigQuery refuses, or the dataset or a table does not exist.
    """
    with open_existing_tables(options) as existing:
        if options.complete:
            return _find_missing(existing, days=options.days, as_json=options.json)
        return _make_views(existing) if options.views else _check(existing, deduplicate=options.deduplicate)


def _check(existing: ExistingTables, *, deduplicate: bool) -> ExitCode:
    from airflow_provider_iginsights.bigquery.duplicate_check import check

    code = ExitCode.DONE
    for finding in check(
        existing.client, targets=existing.targets, deduplicate=deduplicate, job_project=existing.job_project
    ):
        print_result(finding)
        # What was deduplicated is no finding any more; what stands there is, also where nothing was to be done.
        if finding.doubled and not finding.deduplicated:
            code = ExitCode.FOUND
    return code


def _make_views(existing: ExistingTables) -> ExitCode:
    from airflow_provider_iginsights.bigquery.freshness import make_freshness_view
    from airflow_provider_iginsights.bigquery.views import create_views_of_existing

    try:
        for result in create_views_of_existing(
            existing.client, targets=existing.targets, job_project=existing.job_project
        ):
            print_result(result)
    finally:
        # It reads tables alone, so it is made also where a view is refused.
        print_result(make_freshness_view(existing.client, targets=existing.targets, job_project=existing.job_project))
    return ExitCode.DONE


def _find_missing(existing: ExistingTables, *, days: int, as_json: bool) -> ExitCode:
    from airflow_provider_iginsights.bigquery.freshness import read_freshness

    found = read_freshness(existing.client, targets=existing.targets, days=days, job_project=existing.job_project)
    if as_json:
        print_result(json.dumps([each.describe() for each in found], indent=2))
    else:
        print_result(*(found or ("No account has a row in any of the tables.",)))
    return ExitCode.FOUND if not found or any(each.missing for each in found) else ExitCode.DONE
