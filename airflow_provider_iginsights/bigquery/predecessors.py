"""Removes what earlier tries left: jobs that still run, staging tables.

A try that was killed may have a MERGE under way in BigQuery. It is cancelled, and awaited until it is over, before the
next try sends its own; should it have succeeded meanwhile, the next MERGE finds its rows. Such jobs are found by their
id's prefix among the running ones, and through the names of the staging tables that are left, which tell the job ids.
Dropping these tables also makes any MERGE fail that a process of an earlier try might still send.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.bigquery.failures import JOB_ROLE, LIST_ROLE
from airflow_provider_iginsights.bigquery.job_ids import USES_STAGING, job_prefix, staging_jobs, staging_prefix
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

log: logging.Logger = logging.getLogger(__name__)

# DML may wait 7 hours in BigQuery's queue and run for 6.
_OLDEST = timedelta(hours=24)
_MAX_SUFFIXES = 100


def end_predecessors(targets: Sequence[TargetTable], *, session: BigQuerySession, kept: Collection[str] = ()) -> None:
    """Cancel the jobs of earlier tries of this task instance, wait for their end, drop their staging tables.

    :param kept: paths of staging tables that stay, since another task is to write them.
    """
    left = list(_leftovers(targets, kept=kept, session=session))
    for project, group in _grouped(targets, by=session.project_of_jobs):
        prefixes = tuple(
            job_prefix(verb, ti=session.ti(each)) for each in group for verb in (*USES_STAGING, "deduplicate")
        )
        for job in _find_running(project, prefixes=prefixes, session=session):
            _end(job, session=session)
    # Jobs are listed only to those who have a role for it; the names of staging tables tell the jobs without one.
    for target, table_id in left:
        for first_id in staging_jobs(table_id, table_id=target.table_id, ti=session.ti(target)):
            for job in find_jobs(first_id, target=target, session=session):
                _end(job, session=session)
        drop(target.beside(table_id), session=session)


def drop(staging: str, *, session: BigQuerySession) -> None:
    """Drop a staging table. Only logs if that fails, since the table expires by itself."""
    try:
        session.retrier.call(
            lambda: session.client.delete_table(staging, not_found_ok=True, retry=None, timeout=HTTP_TIMEOUT),
            doing=f"drop the staging table {staging}",
        )
    except Exception:
        log.warning("The staging table %s could not be dropped; it expires by itself.", staging, exc_info=True)


def _leftovers(
    targets: Sequence[TargetTable], *, kept: Collection[str], session: BigQuerySession
) -> Iterator[tuple[TargetTable, str]]:
    for dataset, group in _grouped(targets, by=lambda each: each.dataset_path):
        for table_id in list_table_ids(dataset, session=session):
            for each in group:
                is_ours = table_id.startswith(staging_prefix(each.table_id, ti=session.ti(each)))
                if is_ours and each.beside(table_id) not in kept:
                    yield each, table_id


def _find_running(project: str, *, prefixes: tuple[str, ...], session: BigQuerySession) -> list[Any]:
    """Return the jobs that wait or run, of those whose ids begin so; none where jobs may not be listed."""
    from google.api_core.exceptions import Forbidden

    list_jobs = functools.partial(
        session.client.list_jobs,
        project,
        min_creation_time=session.clock.now() - _OLDEST,
        retry=None,
        timeout=HTTP_TIMEOUT,
    )
    doing = f"list the running jobs of project {project}"
    for attempt in session.retrier.attempts(doing=doing, role=LIST_ROLE):
        with attempt:
            try:
                listed = [job for state in ("pending", "running") for job in list_jobs(state_filter=state)]
            except Forbidden as error:
                if error_mapping.is_busy(error):
                    raise
                log.warning(
                    "The running jobs of %s may not be listed, so earlier tries are only known by their staging tables."
                    " Grant the role %s.",
                    project,
                    LIST_ROLE,
                )
                listed = []
    return [job for job in listed if job.job_id.startswith(prefixes)]


def find_jobs(first_id: str, *, target: TargetTable, session: BigQuerySession) -> Iterator[Any]:
    """Yield the jobs under an id and the suffixes that follow it, as long as there are any."""
    for suffix in ("", *(f"-{number}" for number in range(1, _MAX_SUFFIXES))):
        project = session.project_of_jobs(target)
        look = functools.partial(session.jobs.find, first_id + suffix, project=project, location=target.location)
        job = session.retrier.call(look, doing=f"look at job {first_id}{suffix}", role=JOB_ROLE)
        if job is None:
            return
        yield job


def _end(job: Any, *, session: BigQuerySession) -> None:
    from google.api_core.exceptions import NotFound

    if job.state == "DONE":
        return
    log.info("Ending job %s, which an earlier try of this task left running.", job.job_id)
    doing = f"cancel job {job.job_id} of an earlier try"
    for attempt in session.retrier.attempts(doing=doing, role=JOB_ROLE):
        with attempt, contextlib.suppress(NotFound):
            # The cancellation of a job is a request, not an order: only the state DONE says that it will change nothing
            # more.
            job.cancel(retry=None, timeout=HTTP_TIMEOUT)
            job.reload(retry=None, timeout=HTTP_TIMEOUT)
            session.jobs.wait(job)


def list_table_ids(dataset: str, *, session: BigQuerySession) -> list[str]:
    """Return the ids of a dataset's tables."""
    list_tables = functools.partial(session.client.list_tables, dataset, page_size=1000)
    for attempt in session.retrier.attempts(doing=f"list the tables of {dataset}"):
        with attempt:
            table_ids = [table.table_id for table in list_tables(retry=None, timeout=HTTP_TIMEOUT)]
    return table_ids


def _grouped(
    targets: Iterable[TargetTable], *, by: Callable[[TargetTable], str]
) -> Iterator[tuple[str, list[TargetTable]]]:
    groups: dict[str, list[TargetTable]] = {}
    for target in targets:
        groups.setdefault(by(target), []).append(target)
    yield from groups.items()
