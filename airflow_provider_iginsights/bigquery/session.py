"""What every step of a load needs at hand: the client, patience, the task's identity and labels, and how to run SQL."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import error_mapping
from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT, Calls, RetryBudget, get_default_patience
from airflow_provider_iginsights.bigquery.identifiers import sanitised_labels
from airflow_provider_iginsights.bigquery.job_ids import job_id, task_hash
from airflow_provider_iginsights.bigquery.jobs import JobRunner, Work
from airflow_provider_iginsights.clock import RunClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.job_ids import Verb
    from airflow_provider_iginsights.bigquery.target import TargetTable, TaskIdentity

log: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How the jobs of a task run.

    :param labels: put on jobs and new tables beside our own; brought into BigQuery's grammar.
    :param patience: how long to wait for a busy or silent BigQuery; by default 15 and 2 minutes.
    :param job_project: project that runs and pays for the jobs; None = that of each target.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    patience: RetryBudget | None = None
    job_project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BigQuerySession:
    """What one task asks BigQuery with. Made by :func:`open_session`."""

    client: Client
    identity: TaskIdentity
    calls: Calls
    jobs: JobRunner
    labels: Mapping[str, str] = field(default_factory=dict)
    clock: RunClock = field(default_factory=RunClock)
    job_project: str | None = None
    note: Callable[[str], None] = log.warning
    """Takes what somebody should know about a target, in whole sentences."""

    def project_of_jobs(self, destination: TargetTable) -> str:
        """Return the project that runs and pays for the jobs about a target: the target's unless another was named."""
        return self.job_project or destination.project

    def ti(self, destination: TargetTable) -> str:
        """Return the hash of this task instance and this target."""
        return task_hash(self.identity, destination=destination)

    def target_labels(self, destination: TargetTable) -> dict[str, str]:
        """Return the labels of a target table: what it is, who made it, the caller's."""
        task = {"airflow-dag": self.identity.dag_id, "airflow-task": self.identity.task_id}
        return sanitised_labels({"iginsights_table": destination.table.name, **task, **self.labels})

    def passing_labels(self, destination: TargetTable) -> dict[str, str]:
        """Return the labels of what belongs to one try: jobs and staging tables."""
        run = {"airflow-run": self.identity.run_id, "iginsights_ti": self.ti(destination)}
        return self.target_labels(destination) | sanitised_labels(run)

    def query(self, destination: TargetTable, *, verb: Verb, sql: str, payload: str = "", doing: str) -> Any:
        """Run one statement about a target and return its finished job.

        :param payload: hash in hex digits that tells this statement from others of the same try; '' = of the text.
        :param doing: completes "BigQuery refused to ..."
        """
        from google.cloud.bigquery import QueryJobConfig

        labels = self.passing_labels(destination)
        submit = partial(
            self.client.query,
            sql,
            job_config=QueryJobConfig(use_legacy_sql=False, use_query_cache=False, labels=labels),
            project=self.project_of_jobs(destination),
            location=destination.location,
            retry=None,
            job_retry=None,
            timeout=HTTP_TIMEOUT,
        )
        return self.jobs.run(
            Work(
                job_id=self.job_id(destination, verb=verb, payload=payload or hashlib.sha256(sql.encode()).hexdigest()),
                project=self.project_of_jobs(destination),
                location=destination.location,
                submit=submit,
                fits=lambda job: job.job_type == "query" and job.query == sql,
                doing=doing,
            )
        )

    def number(self, destination: TargetTable, *, sql: str, payload: str, doing: str) -> int:
        """Run a query that returns one row with one integer, and return it."""
        return int(self.values(destination, sql=sql, payload=payload, doing=doing)[0])

    def values(self, destination: TargetTable, *, sql: str, payload: str = "", doing: str) -> list[Any]:
        """Run a query and return the first column of its rows."""
        job = self.query(destination, verb="verify", sql=sql, payload=payload, doing=doing)
        return self.calls(
            lambda: [row[0] for row in job.result(retry=None, job_retry=None, timeout=HTTP_TIMEOUT)],
            doing=doing,
            role=error_mapping.JOB_ROLE,
        )

    def job_id(self, destination: TargetTable, *, verb: Verb, payload: str) -> str:
        """Return the job id of this try for one payload."""
        return job_id(verb, ti=self.ti(destination), try_number=self.identity.try_number, payload=payload)


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
    calls = Calls(options.patience or get_default_patience())
    return BigQuerySession(
        client=client,
        identity=identity,
        calls=calls,
        jobs=JobRunner(client, calls=calls),
        labels=dict(options.labels),
        clock=clock or RunClock(),
        job_project=options.job_project,
        note=note,
    )
