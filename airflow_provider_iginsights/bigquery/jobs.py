"""Runs a BigQuery job under an id of our own, so that sending it again never does it twice.

BigQuery refuses a job id that it has seen with 409. We then read the job that has the id: if it is the one we mean
(same type, destination and text), we wait for that one; if it failed, or is another, its id is of no more use, and the
next suffix is taken. A failed job changed nothing, since every job here is a single statement or a single load. A lost
answer is settled in the same way: read the job first, send it only if BigQuery never saw it.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.bigquery.failures import JOB_ROLE
from airflow_provider_iginsights.bigquery.retry import CANCEL_TIMEOUT, HTTP_TIMEOUT, StateChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.job_ids import Verb
    from airflow_provider_iginsights.bigquery.retry import BigQueryRetrier
    from airflow_provider_iginsights.bigquery.target import TargetTable

log: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """One job: its first id, how to send it under a ``job_id``, how to recognise it, and what it does in words.

    ``target`` and ``verb``: the table and kind under which :class:`JobRunner` remembers it; None = not at all.
    """

    job_id: str
    project: str
    location: str | None
    submit: Callable[..., Any]
    matches: Callable[[Any], bool]
    doing: str
    target: TargetTable | None = None
    verb: Verb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentJob:
    """A job that BigQuery has got, about a table. ``is_done``: it ended well."""

    target: TargetTable
    verb: Verb | None
    job_id: str
    project: str
    location: str | None
    is_done: bool = False


class JobRunner:
    """Runs jobs one after the other; :meth:`cancel` ends the one under way.

    ``sent``: the latest job of each kind about each table, by path and kind; also those that failed.
    """

    def __init__(self, client: Client, *, retrier: BigQueryRetrier) -> None:
        self._client = client
        self._retrier = retrier
        self._running: tuple[str, str, str | None] | None = None
        self.sent: dict[tuple[str, Verb | None], SentJob] = {}

    def run(self, request: JobRequest) -> Any:
        """Return the finished, successful job. Raises LoadError with BigQuery's words."""
        from google.api_core.exceptions import Conflict

        ids = _JobIds(request)
        try:
            for attempt in self._retrier.attempts(doing=request.doing, role=JOB_ROLE):
                with attempt:
                    job = self._find_sent(ids) if ids.sent else None
                    if job is None:
                        self._running = (ids.current, request.project, request.location)
                        # Set before the request: an answer that is lost says nothing about whether the job was created
                        # ("Running jobs programmatically": a client that makes its own job id can ask for that id).
                        ids.sent = True
                        self._remember(request, ids.current)
                        try:
                            job = request.submit(job_id=ids.current)
                        except Conflict as conflict:
                            # A job id is used up in its project and location as soon as a job has it, also a failed
                            # one.
                            ids.refused = True
                            raise StateChanged(f"BigQuery has already seen job {ids.current}") from conflict
                    for pause in self._find_pauses(job):
                        self._retrier.sleep(pause)
                        job.reload(retry=None, timeout=HTTP_TIMEOUT)
                    self._running = None
                    # error_result is the reason of a failed job; errors also lists what a successful one only warned
                    # of.
                    if job.error_result:
                        raise error_mapping.JobFailed(job)
        finally:
            self._leave()
        self._remember(request, ids.current, is_done=True)
        return job

    def find(self, job_id: str, *, project: str, location: str | None) -> Any | None:
        """Return the job that has this id, None if BigQuery never saw it. One request, no retry."""
        from google.api_core.exceptions import NotFound

        try:
            return self._client.get_job(job_id, project=project, location=location, retry=None, timeout=HTTP_TIMEOUT)
        except NotFound:
            return None

    def wait(self, job: Any) -> None:
        """Wait until BigQuery says DONE, however long it queues or runs. One request a poll, no retry."""
        for pause in self._find_pauses(job):
            self._retrier.sleep(pause)
            job.reload(retry=None, timeout=HTTP_TIMEOUT)

    def cancel(self) -> None:
        """Ask BigQuery to cancel the job under way, if there is one. Raises what the client raises."""
        if self._running:
            job_id, project, location = self._running
            # BigQuery returns at once and cancels when it can; a statement that is over by then stays done
            # (jobs.cancel).
            self._client.cancel_job(job_id, project=project, location=location, retry=None, timeout=CANCEL_TIMEOUT)

    def _remember(self, request: JobRequest, job_id: str, *, is_done: bool = False) -> None:
        if request.target:
            self.sent[request.target.path, request.verb] = SentJob(
                target=request.target,
                verb=request.verb,
                job_id=job_id,
                project=request.project,
                location=request.location,
                is_done=is_done,
            )

    def _leave(self) -> None:
        """Cancel the job if it may still run: Airflow's timeout, for one, is raised in the midst of the waiting."""
        # The caller drops the staging table that the job reads. An error of ours would hide the one that ends this.
        with contextlib.suppress(Exception):
            self.cancel()
        self._running = None

    def _find_pauses(self, job: Any) -> Iterator[float]:
        """Yield the seconds until the next poll, as long as the job is not done."""
        pause = self._retrier.budget.first_poll
        while job.state != "DONE":
            yield pause
            pause = min(pause * 1.5, self._retrier.budget.longest_poll)

    def _find_sent(self, ids: _JobIds) -> Any | None:
        """Return the job that was sent if it is alive or well; else take the next id where this one is of no use."""
        request = ids.request
        job = self.find(ids.current, project=request.project, location=request.location)
        if job is not None and not job.error_result and request.matches(job):
            return job
        # "Already exists" although it is not found: an id is unique in a project and location, and the job may lie in
        # another one ("Running jobs programmatically" in BigQuery's documentation).
        if job is not None or ids.refused:
            log.info("BigQuery has already seen job %s; the next id is taken.", ids.current)
            ids.take_next()
        return None


class _JobIds:
    """The id that is tried now. ``sent`` = BigQuery may have seen it; ``refused`` = it has, says a 409."""

    def __init__(self, request: JobRequest) -> None:
        self.request = request
        self._number = 0
        self._begin(request.job_id)

    def take_next(self) -> None:
        self._number += 1
        self._begin(f"{self.request.job_id}-{self._number}")

    def _begin(self, job_id: str) -> None:
        self.current = job_id
        self.sent = self.refused = False
