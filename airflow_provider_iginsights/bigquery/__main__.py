"""``python -m airflow_provider_iginsights.bigquery --check [--heal] --project P --dataset D [--location L]``.

Uses the application default credentials, or the emulator that BIGQUERY_EMULATOR_HOST names. Ends with 0 if no key
stands twice (any more), 1 if some do, 2 if the check could not be made.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.check import check, default_destinations
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.errors import InsightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.bigquery import Client


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        destinations = default_destinations(
            project=options.project,
            dataset=options.dataset,
            location=options.location,
            table_ids=dict(options.table),
        )
        findings = check(_client(options.project), destinations=destinations, heal=options.heal)
        doubled = sum(_told(str(finding), finding.doubled, healed=finding.healed) for finding in findings)
    except InsightsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 1 if doubled else 0


def _told(sentence: str, doubled: int | None, *, healed: bool) -> int:
    sys.stdout.write(f"{sentence}\n")
    return 0 if healed else doubled or 0


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
        description="Look for keys that stand in a target table more than once.",
    )
    parser.add_argument("--check", action="store_true", required=True, help="look for doubled keys")
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
