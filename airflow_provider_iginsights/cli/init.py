"""Writes a Dag file for the accounts that a token sees: ``init``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.dag_file import DagArguments, write_dag_file
from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_error, print_result
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_iginsights.extract.discovery import DiscoveredAccount


def init(options: argparse.Namespace) -> ExitCode:
    """Write the file, or print it where no file is named.

    :raises ConfigurationError: the file exists, an id cannot be one, or Airflow does not know the connection.
    """
    output: Path | None = options.output
    if output is not None and output.exists() and not options.force:
        raise ConfigurationError(f"There is a file {output} already. Name another one, or let --force overwrite it.")
    arguments = _read_arguments(options)
    found = list(_find_accounts(options))
    readable = [(each.id, each.username) for each in found if each.refused is None]
    refused = [each for each in found if each.refused is not None]
    if refused:
        print_error(*(f"{each.id} is left out. {each.refused}" for each in refused))
    if not readable:
        print_error("No account can be read, so nothing was written. `airflow instagram doctor` says what to do.")
        return ExitCode.FOUND
    text = write_dag_file(readable, arguments=arguments, now=datetime.now(UTC))
    if output is None:
        print_result(text.rstrip("\n"))
    else:
        _write(output, text, overwrite=options.force)
        print_result(
            f"Wrote {output}: the Dags instagram_daily and instagram_stories of {len(readable)} accounts.",
            "Put it into your Dags folder; `airflow dags test instagram_daily` runs it once.",
        )
    return ExitCode.FOUND if refused else ExitCode.DONE


def _read_arguments(options: argparse.Namespace) -> DagArguments:
    from airflow_provider_iginsights.bigquery.identifiers import checked

    return DagArguments(
        conn_id=options.conn_id,
        dataset=checked(options.dataset, part="dataset"),
        cron=_check_cron(options.cron),
        gcp_conn_id=options.gcp_conn_id or None,
        project=checked(options.project, part="project") if options.project else None,
        location=options.location,
    )


def _check_cron(cron: str) -> str:
    from airflow.exceptions import AirflowTimetableInvalid
    from airflow.timetables.interval import CronDataIntervalTimetable

    try:
        CronDataIntervalTimetable(cron, timezone="UTC").validate()
    except AirflowTimetableInvalid as error:
        raise ConfigurationError(
            f"--cron {cron!r} is no schedule that Airflow knows: {str(error).rstrip('.')}. Write five fields, such as "
            "'0 3 * * *' for three o'clock every night."
        ) from error
    return cron


def _find_accounts(options: argparse.Namespace) -> Iterator[DiscoveredAccount]:
    from airflow_provider_iginsights.extract.discovery import describe_accounts, discover_accounts
    from airflow_provider_iginsights.hooks.instagram import InstagramHook

    hook = InstagramHook(options.conn_id, api_version=options.api_version)
    with hook.get_conn() as client:
        named = hook.find_named_account_ids()
        yield from describe_accounts(client, named) if named else discover_accounts(client)


def _write(output: Path, text: str, *, overwrite: bool) -> None:
    try:
        # Whoever wrote the file a moment ago keeps it.
        with output.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"The file {output} cannot be written: {error.strerror}.") from error
