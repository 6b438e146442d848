"""Copies what several tasks staged for one target into one staging table, so that one statement writes it.

A copy job bills nothing, and is carried out whole or not at all. A statement over all the staging tables would bill at
least 10 MB for each of them, and may name no more than 1,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.jobs import JobRequest
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.stage import count_rows
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.staged_rows import StagedPart, StagedRows
    from airflow_provider_iginsights.bigquery.target import TargetTable

MAX_SOURCES = 1200
"""BigQuery's limit of source tables in one copy job ("Quotas and limits: copy jobs")."""
_ROUNDS = 3


def combine(staged: StagedRows, *, staging: str, session: BigQuerySession) -> Any:
    """Copy the parts into the staging table and return the last job, once the table holds exactly their rows."""
    groups = [staged.parts[at : at + MAX_SOURCES] for at in range(0, len(staged.parts), MAX_SOURCES)]
    for again in range(_ROUNDS):
        for place, group in enumerate(groups):
            name = session.job_id(staged.target, verb="copy", payload=staged.payload)
            name += f"-x{again}-{place}" if again or place else ""
            work = _work(staged.target, group, staging=staging, session=session, job_id=name, adds=place > 0)
            job = session.jobs.run(work)
        # As after a load: not a retry of a request, but a check that the table holds what was sent to it.
        found = count_rows(staging, session=session)
        if found == staged.rows:
            return job
    raise LoadError(
        f"The staging table {staging} holds {found} rows after {staged.rows} were copied into it, {_ROUNDS} times "
        f"over. Nothing was written to {staged.target.path}. Run the task again."
    )


def _work(
    target: TargetTable,
    parts: Sequence[StagedPart],
    *,
    staging: str,
    session: BigQuerySession,
    job_id: str,
    adds: bool,
) -> JobRequest:
    from google.cloud.bigquery import TableReference

    sources = [TableReference.from_string(part.path) for part in parts]
    reference = TableReference.from_string(staging)

    def submit(*, job_id: str) -> Any:
        return session.client.copy_table(
            sources,
            reference,
            job_id=job_id,
            project=session.project_of_jobs(target),
            location=target.location,
            job_config=_config(target, adds=adds, labels=session.try_labels(target)),
            retry=None,
            timeout=HTTP_TIMEOUT,
        )

    return JobRequest(
        job_id=job_id,
        project=session.project_of_jobs(target),
        location=target.location,
        submit=submit,
        matches=lambda job: job.job_type == "copy" and job.destination == reference and list(job.sources) == sources,
        doing=f"copy {len(sources)} staging tables into {staging}",
        target=target,
        verb="copy",
    )


def _config(target: TargetTable, *, adds: bool, labels: dict[str, str]) -> Any:
    from google.cloud.bigquery import CopyJobConfig, CreateDisposition, EncryptionConfiguration, WriteDisposition

    key = target.options.kms_key_name
    return CopyJobConfig(
        destination_encryption_configuration=EncryptionConfiguration(kms_key_name=key) if key else None,
        create_disposition=CreateDisposition.CREATE_NEVER,
        write_disposition=WriteDisposition.WRITE_APPEND if adds else WriteDisposition.WRITE_TRUNCATE,
        labels=labels,
    )
