"""Removes what earlier tries left: jobs that still run, staging tables.

A try that was killed may have a MERGE under way in BigQuery. It is cancelled, and awaited until it is over, before the
next try sends its own; should it have succeeded meanwhile, the next MERGE finds its rows. Such jobs are found by their
id's prefix among the running ones, and through the names of the staging tables that are left, which tell the job ids.
Dropping these tables also makes any MERGE fail that a forgotten process (a zombie) might still send.
"""

from __future__ import annotations

import functools
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import faults
from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.identifiers import job_prefix, staging_jobs, staging_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow_provider_iginsights.bigquery.destination import Destination
    from airflow_provider_iginsights.bigquery.wire import Wire

log: logging.Logger = logging.getLogger(__name__)

# DML may wait 7 hours in BigQuery's queue and run for 6.
_OLDEST = timedelta(hours=24)
_MOST_SUFFIXES = 100


def end_predecessors(destinations: Sequence[Destination], *, wire: Wire) -> None:
    """Cancel the jobs of earlier tries of this task instance, wait for their end, drop their staging tables."""
    left = list(_leftovers(destinations, wire=wire))
    for project, group in _grouped(destinations, by=wire.project_of_jobs):
        prefixes = tuple(job_prefix(verb, ti=wire.ti(each)) for each in group for verb in ("load", "merge", "heal"))
        for job in _listed(project, prefixes=prefixes, wire=wire):
            _end(job, wire=wire)
    for destination, table_id in left:
        for first_id in staging_jobs(table_id, table_id=destination.table_id, ti=wire.ti(destination)):
            for job in _under(first_id, destination=destination, wire=wire):
                _end(job, wire=wire)
        drop(destination.beside(table_id), wire=wire)


def drop(staging: str, *, wire: Wire) -> None:
    """Drop a staging table. Only logs if that fails, since the table expires by itself."""
    try:
        wire.calls(
            lambda: wire.client.delete_table(staging, not_found_ok=True, retry=None, timeout=HTTP_TIMEOUT),
            doing=f"drop the staging table {staging}",
        )
    except Exception:
        log.warning("The staging table %s could not be dropped; it expires by itself.", staging, exc_info=True)


def _leftovers(destinations: Sequence[Destination], *, wire: Wire) -> Iterator[tuple[Destination, str]]:
    for dataset, group in _grouped(destinations, by=lambda each: each.dataset_path):
        for table_id in _table_ids(dataset, wire=wire):
            for each in group:
                if table_id.startswith(staging_prefix(each.table_id, ti=wire.ti(each))):
                    yield each, table_id


def _listed(project: str, *, prefixes: tuple[str, ...], wire: Wire) -> list[Any]:
    from google.api_core.exceptions import Forbidden

    since = wire.clock.now() - _OLDEST

    def listed() -> list[Any]:
        try:
            return [job for state in ("pending", "running") for job in jobs(state) if job.job_id.startswith(prefixes)]
        except Forbidden as error:
            if faults.is_busy(error):
                raise
            log.warning(
                "The running jobs of %s may not be listed, so earlier tries are only known by their staging tables. "
                "Grant the role %s.",
                project,
                faults.LIST_ROLE,
            )
            return []

    def jobs(state: str) -> Iterable[Any]:
        found: Iterable[Any] = wire.client.list_jobs(
            project, state_filter=state, min_creation_time=since, retry=None, timeout=HTTP_TIMEOUT
        )
        return found

    return wire.calls(listed, doing=f"list the running jobs of project {project}", role=faults.LIST_ROLE)


def _under(first_id: str, *, destination: Destination, wire: Wire) -> Iterator[Any]:
    """Yield the jobs under an id and the suffixes that follow it, as long as there are any."""
    for suffix in ("", *(f"-{number}" for number in range(1, _MOST_SUFFIXES))):
        project = wire.project_of_jobs(destination)
        look = functools.partial(wire.jobs.look, first_id + suffix, project=project, location=destination.location)
        job = wire.calls(look, doing=f"look at job {first_id}{suffix}", role=faults.JOB_ROLE)
        if job is None:
            return
        yield job


def _end(job: Any, *, wire: Wire) -> None:
    from google.api_core.exceptions import NotFound

    def end() -> None:
        try:
            job.cancel(retry=None, timeout=HTTP_TIMEOUT)
            job.reload(retry=None, timeout=HTTP_TIMEOUT)
        except NotFound:
            return
        wire.jobs.wait(job)

    if job.state == "DONE":
        return
    log.info("Ending job %s, which an earlier try of this task left running.", job.job_id)
    wire.calls(end, doing=f"cancel job {job.job_id} of an earlier try", role=faults.JOB_ROLE)


def _table_ids(dataset: str, *, wire: Wire) -> list[str]:
    def listed() -> list[str]:
        tables = wire.client.list_tables(dataset, page_size=1000, retry=None, timeout=HTTP_TIMEOUT)
        return [table.table_id for table in tables]

    return wire.calls(listed, doing=f"list the tables of {dataset}")


def _grouped(
    destinations: Iterable[Destination], *, by: Callable[[Destination], str]
) -> Iterator[tuple[str, list[Destination]]]:
    groups: dict[str, list[Destination]] = {}
    for destination in destinations:
        groups.setdefault(by(destination), []).append(destination)
    yield from groups.items()
