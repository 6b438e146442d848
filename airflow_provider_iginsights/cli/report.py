"""Writes an account's insights of a period as an HTML file: ``report``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_result
from airflow_provider_iginsights.cli.target import open_tables

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.report.make import Report


def report(options: argparse.Namespace) -> ExitCode:
    """Write a report of each account that is named, or of the only one.

    :raises ConfigurationError: see :func:`.target.open_tables`; no row of an account, no such zone or period, or the
        extra ``report`` is missing.
    :raises LoadError: BigQuery refuses, or the dataset does not exist.
    """
    from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
    from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
    from airflow_provider_iginsights.report.make import ReportMaker, name_path
    from airflow_provider_iginsights.report.period import choose_period, parse_zone
    from airflow_provider_iginsights.window import RunDates

    now, zone = datetime.now(UTC), parse_zone(options.timezone)
    period = choose_period(options.since, options.until, days=options.days, zone=zone, run=RunDates(), now=now)
    accounts = options.account or [""]
    name_path(options.out, "", of=len(accounts))
    with open_tables(options) as opened:
        identity = manual_identity("report")
        session = open_session(opened.client, identity=identity, options=JobOptions(job_project=opened.job_project))
        maker = ReportMaker(session, opened.targets, period=period, charts=options.charts)
        for account in accounts:
            made = maker.make(account, now=now)
            path = name_path(options.out, made.account_id)
            _write(path, made, options)
            print_result(f"{path}: account {made.account_id}, {period.first} to {period.last}, {_tell_size(made)}.")
    return ExitCode.DONE


def _write(path: str, made: Report, options: argparse.Namespace) -> None:
    from airflow_provider_iginsights.hooks.cloud_storage import SCHEME, write_object
    from airflow_provider_iginsights.report.file import write_whole
    from airflow_provider_iginsights.report.make import MIME_TYPE

    if not path.startswith(SCHEME):
        write_whole(Path(path), made.content)
        return
    write_object(
        path,
        made.content,
        mime_type=MIME_TYPE,
        gcp_conn_id=options.gcp_conn_id or None,
        impersonation_chain=options.impersonation_chain,
    )


def _tell_size(made: Report) -> str:
    return f"{len(made.content):,} bytes"
