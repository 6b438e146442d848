"""Checks all that a run needs: ``doctor``."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import describe_stop, print_result

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.doctor.check import CheckResult, Status
    from airflow_provider_iginsights.doctor.setup import SetupOptions

_WIDTH = 100
"""Characters of a line where there is no terminal."""


def doctor(options: argparse.Namespace) -> ExitCode:
    """Print what each check found, as soon as it is known, or all at once as JSON.

    :raises ConfigurationError: the project of the jobs cannot be one.
    """
    from airflow_provider_iginsights.doctor.check import find_worst, run_checks
    from airflow_provider_iginsights.doctor.checks import CHECKS
    from airflow_provider_iginsights.doctor.setup import Setup
    from airflow_provider_iginsights.doctor.table import describe_as_json, describe_count

    results = []
    with Setup(_read_options(options), now=datetime.now(UTC)) as setup:
        for result in run_checks(CHECKS, setup, describe_error=partial(describe_stop, what="check")):
            results.append(result)
            if not options.json:
                _print_row(result)
    print_result(describe_as_json(results) if options.json else describe_count(results))
    return _CODES[find_worst(results)]


_CODES: dict[Status, ExitCode] = {"ok": ExitCode.DONE, "warning": ExitCode.WARNED, "failed": ExitCode.FOUND}


def _print_row(result: CheckResult) -> None:
    from airflow_provider_iginsights.doctor.checks import CHECKS
    from airflow_provider_iginsights.doctor.table import describe_as_rows

    width = shutil.get_terminal_size((_WIDTH, 0)).columns
    print_result(*describe_as_rows(result, names=[check.name for check in CHECKS], width=width))


def _read_options(options: argparse.Namespace) -> SetupOptions:
    from airflow_provider_iginsights.bigquery.identifiers import checked
    from airflow_provider_iginsights.doctor.setup import SetupOptions

    return SetupOptions(
        conn_id=options.conn_id,
        api_version=options.api_version,
        dataset=options.dataset,
        project=options.project,
        job_project=checked(options.job_project, part="project") if options.job_project else None,
        location=options.location,
        gcp_conn_id=options.gcp_conn_id or None,
        impersonation_chain=options.impersonation_chain,
        table_ids=tuple(options.table),
    )
