"""Opens the dataset that the options name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.target import TargetTable


@dataclass(frozen=True, slots=True)
class ExistingTables:
    """A client and tables of a dataset. ``job_project`` None = the project of the dataset."""

    client: Client
    targets: tuple[TargetTable, ...]
    job_project: str | None


@contextmanager
def open_tables(options: argparse.Namespace) -> Iterator[ExistingTables]:
    """Connect as the options say, for the time of the block; whether the tables exist is not asked.

    :raises ConfigurationError: an id cannot be one, or there are no credentials, no connection or no project.
    """
    from airflow_provider_iginsights.bigquery.duplicate_check import default_targets
    from airflow_provider_iginsights.bigquery.identifiers import checked
    from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client

    job_project = checked(options.job_project, part="project") if options.job_project else None
    client = get_bigquery_client(
        gcp_conn_id=options.gcp_conn_id or None,
        impersonation_chain=options.impersonation_chain,
        project_id=options.project,
        location=options.location,
    )
    with closing(client):
        targets = default_targets(
            project=client.project, dataset=options.dataset, location=options.location, table_ids=options.table
        )
        yield ExistingTables(client, targets, job_project)


@contextmanager
def open_existing_tables(
    options: argparse.Namespace, *, names: Collection[str] | None = None
) -> Iterator[ExistingTables]:
    """Connect as :func:`open_tables` does, and keep the tables that exist; name the others.

    :param names: the tables that are wanted, by their names in the catalog; None = all.
    :raises ConfigurationError: see :func:`open_tables`.
    :raises DatasetUnavailable: the dataset does not exist, or a table that may not be missing.
    """
    from airflow_provider_iginsights.bigquery.existing import find_existing
    from airflow_provider_iginsights.cli.output import print_error

    with open_tables(options) as opened:
        wanted = [target for target in opened.targets if names is None or target.table.name in names]
        found = find_existing(opened.client, targets=wanted, skip_missing=options.skip_missing)
        paths = {target.path for target in found}
        missing = [each.path for each in wanted if each.path not in paths and not each.table.is_optional]
        if missing and not options.skip_missing:
            print_error(f"Left out, since there is no such table: {', '.join(missing)}.")
        yield ExistingTables(opened.client, found, opened.job_project)
