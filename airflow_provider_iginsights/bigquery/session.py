"""What every step of a load needs at hand: the client, retries, the task's identity and labels, and how to run SQL."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.bigquery.costs import StatementCosts
from airflow_provider_iginsights.bigquery.failures import JOB_ROLE
from airflow_provider_iginsights.bigquery.identifiers import sanitised_labels
from airflow_provider_iginsights.bigquery.job_ids import job_id, task_hash
from airflow_provider_iginsights.bigquery.jobs import JobRequest, JobRunner
from airflow_provider_iginsights.bigquery.retry import (
    HTTP_TIMEOUT,
    BigQueryRetrier,
    RetryBudget,
    get_default_retry_budget,
)
from airflow_provider_iginsights.clock import RunClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.cloud.bigquery import Client, QueryJobConfig

    from airflow_provider_iginsights.bigquery.job_ids import Verb
    from airflow_provider_iginsights.bigquery.target import TargetTable, TaskIdentity

log: logging.Logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How the jobs of a task run.

    :param labels: put on jobs and new tables beside our own; brought into BigQuery's grammar.
    :param retry_budget: how long to wait for a busy or silent BigQuery; by default 15 and 2 minutes.
    :param job_project: project that runs and pays for the jobs; None = that of each target.
    :param maximum_bytes_billed: BigQuery refuses a query or statement that can bill more; None = no limit.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    retry_budget: RetryBudget | None = None
    job_project: str | None = None
    maximum_bytes_billed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BigQuerySession:
    """What one task asks BigQuery with. Made by :func:`open_session`."""

    client: Client
    identity: TaskIdentity
    retrier: BigQueryRetrier
    jobs: JobRunner
    labels: Mapping[str, str] = field(default_factory=dict)
    clock: RunClock = field(default_factory=RunClock)
    job_project: str | None = None
    maximum_bytes_billed: int | None = None
    costs: StatementCosts = field(default_factory=StatementCosts)
    locations: dict[str, str | None] = field(default_factory=dict)
    """Where the datasets lie that were read already, by ``project.dataset``."""
    note: Callable[[str], None] = log.warning
    """Takes what somebody should know about a target, in whole sentences."""

    def set_clock(self, target: TargetTable) -> None:
        """Set the clock by BigQuery's, asked where the target's dataset lies; this bills no bytes. Raises LoadError."""
        payload = secrets.token_hex(16)  # asked anew each time
        [[instant]] = self.read(target, sql="SELECT CURRENT_TIMESTAMP()", payload=payload, doing="tell the time")
        self.clock.set_by_bigquery(instant)

    def project_of_jobs(self, target: TargetTable) -> str:
        """Return the project that runs and pays for the jobs about a target: the target's unless another was named."""
        return self.job_project or target.project

    def ti(self, target: TargetTable) -> str:
        """Return the hash of this task instance and this target."""
        return task_hash(self.identity, target=target)

    def target_labels(self, target: TargetTable) -> dict[str, str]:
        """Return the labels of a target table: what it is, who made it, the caller's."""
        task = {"airflow-dag": self.identity.dag_id, "airflow-task": self.identity.task_id}
        return sanitised_labels({"iginsights_table": target.table.name, **task, **self.labels})

    def try_labels(self, target: TargetTable) -> dict[str, str]:
        """Return the labels of what belongs to one try: jobs and staging tables."""
        run = {"airflow-run": self.identity.run_id, "iginsights_ti": self.ti(target)}
        return self.target_labels(target) | sanitised_labels(run)

    def query(self, target: TargetTable, *, verb: Verb, sql: str, payload: str = "", doing: str) -> Any:
        """Run one statement about a target and return its finished job.

        :param payload: hash in hex digits that tells this statement from others of the same try; '' = of the text.
        :param doing: completes "BigQuery refused to ..."
        """
        job = self.jobs.run(self._request_query(target, verb=verb, sql=sql, payload=payload, doing=doing))
        self.costs.add(target.path, verb, job)
        return job

    def read(self, target: TargetTable, *, sql: str, payload: str = "", doing: str) -> list[Any]:
        """Run a query about a target and return its rows: tuples that are mappings, too. Parameters as in query."""
        job = self.jobs.run(self._request_query(target, verb="verify", sql=sql, payload=payload, doing=doing))
        self.costs.add(target.path, "verify", job)
        for attempt in self.retrier.attempts(doing=doing, role=JOB_ROLE):
            with attempt:
                # Reading the result is repeated by itself: the job is done, and its result stays readable for 24 hours.
                rows = list(job.result(retry=None, job_retry=None, timeout=HTTP_TIMEOUT))
        return rows

    def find(self, read: Callable[..., T], path: str, *, doing: str) -> T | None:
        """Return what the client's method ``read`` finds at a path, None if BigQuery has nothing there."""
        from google.api_core.exceptions import NotFound

        found: T | None = None
        for attempt in self.retrier.attempts(doing=doing):
            with attempt:
                try:
                    found = read(path, retry=None, timeout=HTTP_TIMEOUT)
                except NotFound as error:
                    # What does not come from BigQuery says nothing about what is there.
                    if error_mapping.is_page(error):
                        raise
        return found

    def prepare_query(self, target: TargetTable, *, sql: str, config: QueryJobConfig) -> Callable[..., Any]:
        """Return the function that sends a query or statement about a target, once; it takes ``job_id``."""
        # The library would send a failed query again under another id (job_retry), so that neither a lost answer nor a
        # cancellation could find it.
        return partial(
            self.client.query,
            sql,
            job_config=config,
            project=self.project_of_jobs(target),
            location=target.location,
            retry=None,
            job_retry=None,
            timeout=HTTP_TIMEOUT,
        )

    def _request_query(self, target: TargetTable, *, verb: Verb, sql: str, payload: str, doing: str) -> JobRequest:
        from google.cloud.bigquery import QueryJobConfig

        # A cached result is up to 24 hours old ("Using cached query results").
        config = QueryJobConfig(use_legacy_sql=False, use_query_cache=False, labels=self.try_labels(target))
        if self.maximum_bytes_billed is not None:
            config.maximum_bytes_billed = self.maximum_bytes_billed
        return JobRequest(
            job_id=self.job_id(target, verb=verb, payload=payload or hashlib.sha256(sql.encode()).hexdigest()),
            project=self.project_of_jobs(target),
            location=target.location,
            submit=self.prepare_query(target, sql=sql, config=config),
            matches=lambda job: job.job_type == "query" and job.query == sql,
            doing=doing,
            target=target,
            verb=verb,
        )

    def job_id(self, target: TargetTable, *, verb: Verb, payload: str) -> str:
        """Return the job id of this try for one payload."""
        return job_id(verb, ti=self.ti(target), try_number=self.identity.try_number, payload=payload)


def open_session(
    client: Client,
    *,
    identity: TaskIdentity,
    options: JobOptions | None = None,
    clock: RunClock | None = None,
    note: Callable[[str], None] = log.warning,
) -> BigQuerySession:
    """Return a session over this client."""
    options = options or JobOptions()
    retrier = BigQueryRetrier(options.retry_budget or get_default_retry_budget())
    return BigQuerySession(
        client=client,
        identity=identity,
        retrier=retrier,
        jobs=JobRunner(client, retrier=retrier),
        labels=dict(options.labels),
        clock=clock or RunClock(),
        job_project=options.job_project,
        maximum_bytes_billed=options.maximum_bytes_billed,
        note=note,
    )
