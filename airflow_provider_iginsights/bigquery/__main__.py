"""``python -m airflow_provider_iginsights.bigquery (--check [--heal] | --views) --project P --dataset D``.

``--check`` looks for doubled keys, ``--views`` creates or updates the analysts' views of the tables that exist. Uses
the application default credentials, or the emulator that BIGQUERY_EMULATOR_HOST names. Ends with 0 if no key stands
twice (any more) or all views are made, 1 if some keys do, 2 if it could not be done.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.check import check, default_destinations
from airflow_provider_iginsights.bigquery.views import create_existing
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.errors import InsightsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.destination import Destination


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check, or make the views, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.heal and not options.check:
        parser.error("--heal goes with --check")
    try:
        destinations = default_destinations(
            project=options.project,
            dataset=options.dataset,
            location=options.location,
            table_ids=dict(options.table),
        )
        client = _client(options.project)
        if options.views:
            return _show_views(client, destinations)
        return _show_findings(client, destinations, heal=options.heal)
    except InsightsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _show_findings(client: Client, destinations: Iterable[Destination], *, heal: bool) -> int:
    doubled = False
    for finding in check(client, destinations=destinations, heal=heal):
        sys.stdout.write(f"{finding}\n")
        doubled = doubled or bool(finding.doubled and not finding.healed)
    return int(doubled)


def _show_views(client: Client, destinations: Iterable[Destination]) -> int:
    for result in create_existing(client, destinations=destinations):
        sys.stdout.write(f"{result}\n")
    return 0


def _client(project: str) -> Client:
    from google.cloud.bigquery import Client

    if os.environ.get("BIGQUERY_EMULATOR_HOST"):
        from google.auth.credentials import AnonymousCredentials

        return Client(project=project, credentials=AnonymousCredentials())
    return Client(project=project)


def _named(text: str) -> tuple[str, str]:
    name, _, table_id = text.partition("=")
    if name not in {table.name for table in TABLES} or not table_id:
        known = ", ".join(table.name for table in TABLES)
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=TABLE_ID with NAME one of {known}")
    return name, table_id


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_iginsights.bigquery",
        description="Look for keys that stand in a target table more than once, or make the views for analysts.",
    )
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="look for doubled keys")
    task.add_argument("--views", action="store_true", help="create or update the views of the tables that exist")
    parser.add_argument("--heal", action="store_true", help="keep the newest row of each doubled key")
    parser.add_argument("--project", required=True, help="Google Cloud project of the dataset")
    parser.add_argument("--dataset", required=True, help="BigQuery dataset")
    parser.add_argument("--location", help="location of the dataset, such as EU")
    parser.add_argument(
        "--table",
        type=_named,
        action="append",
        default=[],
        metavar="NAME=TABLE_ID",
        help="a table that has not its default id; can be repeated",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
