"""Runs a BigQuery job under an id of our own, so that sending it again never does it twice.

BigQuery refuses a job id that it has seen with 409. We then look at the job that holds the id: if it is the one we
mean (same type, destination and text), we wait for that one; if it failed, or is another, the id is burnt and the next
suffix is taken. A failed job changed nothing, since every job here is a single statement or a single load. A lost
answer is settled in the same way: look for the job first, send it only if BigQuery never saw it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.calls import Calls

log: logging.Logger = logging.getLogger(__name__)

_MOST_IDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job: its first id, how to send it under a ``job_id``, how to recognise it, and what it does in words."""

    job_id: str
    project: str
    location: str | None
    submit: Callable[..., Any]
    fits: Callable[[Any], bool]
    doing: str


class JobRunner:
    """Runs jobs one after the other. ``running`` is the one under way, for :meth:`cancel`."""

    def __init__(self, client: Client, *, calls: Calls) -> None:
        self._client = client
        self._calls = calls
        self._running: tuple[str, str, str | None] | None = None

    def run(self, work: Work) -> Any:
        """Return the finished, successful job. Raises LoadError with BigQuery's words."""
        attempt = _Attempt(work)
        try:
            return self._calls(partial(self._once, attempt), doing=work.doing, role=error_mapping.JOB_ROLE)
        finally:
            self._running = None

    def look(self, job_id: str, *, project: str, location: str | None) -> Any | None:
        """Return the job that holds this id, None if BigQuery never saw it. One request, no patience."""
        from google.api_core.exceptions import NotFound

        try:
            return self._client.get_job(job_id, project=project, location=location, retry=None, timeout=HTTP_TIMEOUT)
        except NotFound:
            return None

    def wait(self, job: Any) -> None:
        """Wait until BigQuery says DONE, however long it queues or runs. One request a look, no patience."""
        pause = self._calls.patience.first_poll
        while job.state != "DONE":
            self._calls.sleep(pause)
            pause = min(pause * 1.5, self._calls.patience.longest_poll)
            job.reload(retry=None, timeout=HTTP_TIMEOUT)

    def cancel(self) -> None:
        """Ask BigQuery to cancel the job under way, if there is one. Raises what the client raises."""
        if self._running:
            job_id, project, location = self._running
            self._client.cancel_job(job_id, project=project, location=location, retry=None, timeout=HTTP_TIMEOUT)

    def _once(self, attempt: _Attempt) -> Any:
        """Send the job, or find the one that was sent, and wait for its end. One request a step, no patience."""
        from google.api_core.exceptions import Conflict

        work, job = attempt.work, None
        while job is None:
            self._running = (attempt.job_id, work.project, work.location)
            job = self._adopted(attempt) if attempt.sent else None
            if job is not None:
                break
            attempt.sent = True
            try:
                job = work.submit(job_id=attempt.job_id)
            except Conflict:
                attempt.refused = True
                log.info("BigQuery has already seen job %s; looking at it.", attempt.job_id)
        self.wait(job)
        if job.error_result:
            raise error_mapping.JobFailed(job)
        return job

    def _adopted(self, attempt: _Attempt) -> Any | None:
        job = self.look(attempt.job_id, project=attempt.work.project, location=attempt.work.location)
        if job is not None and not job.error_result and attempt.work.fits(job):
            return job
        if job is not None or attempt.refused:
            attempt.burn()
        return None


class _Attempt:
    """The id that is tried now. ``sent`` = BigQuery may have seen it; ``refused`` = it has, says a 409."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._burnt = 0
        self._begin(work.job_id)

    def burn(self) -> None:
        self._burnt += 1
        if self._burnt >= _MOST_IDS:
            raise LoadError(f"The attempt to {self.work.doing} was given up: {_MOST_IDS} job ids in a row were in use.")
        self._begin(f"{self.work.job_id}-{self._burnt}")

    def _begin(self, job_id: str) -> None:
        self.job_id = job_id
        self.sent = self.refused = False
