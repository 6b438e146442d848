"""Loads the rows of a file into a staging table of this try's own: one table, one load job.

The staging table lies beside its target, has the target's columns in our types, expires after 24 hours, and is named
after the task instance, the try and a random suffix, so that no two tries ever share one.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.ensure import describe_table
from airflow_provider_iginsights.bigquery.job_ids import staging_id
from airflow_provider_iginsights.bigquery.jobs import JobRequest
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT, UPLOAD_TIMEOUT
from airflow_provider_iginsights.bigquery.schema import fields
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

LIFETIME = timedelta(hours=24)
LIFETIME_FOR_ANOTHER = timedelta(days=7)
"""Rows that wait for another task, which may wait for the retries of many: storage for a week costs next to nothing."""
CHUNK = 16 * 1024 * 1024
"""Bytes of the file that an upload holds in memory."""
_LOADS = 3


def create_staging(target: TargetTable, *, payload: str, session: BigQuerySession, lifetime: timedelta) -> str:
    """Create an empty staging table, which expires after its ``lifetime``, and return its path."""
    from google.cloud.bigquery import Table

    ti, try_number = session.ti(target), session.identity.try_number
    table_id = staging_id(target.table_id, ti=ti, try_number=try_number, payload=payload, nonce=secrets.token_hex(4))
    labels = session.try_labels(target)
    description = f"Rows on their way to {target.table_id}. Deletes itself."
    resource = describe_table(target, table_id=table_id, labels=labels, description=description)
    # Staging of a task that is killed must go by itself; storage that expires costs nothing afterwards.
    expires = session.clock.now() + lifetime
    table = Table.from_api_repr(resource | {"expirationTime": str(int(expires.timestamp() * 1000))})
    session.retrier.call(
        # The name is ours alone: if it exists, it is our own request whose answer was lost.
        lambda: session.client.create_table(table, exists_ok=True, retry=None, timeout=HTTP_TIMEOUT),
        doing=f"create the staging table {target.beside(table_id)}",
    )
    return target.beside(table_id)


def load(row_file: RowFile, *, staging: str, session: BigQuerySession) -> Any:
    """Load the file into the staging table and return the job, once the table holds exactly the file's rows."""
    for again in range(_LOADS):
        job = session.jobs.run(
            _load_work(row_file, staging=staging, session=session, suffix=f"-{'x' * again}" if again else "")
        )
        # Not a retry of a request: a load job that is found again after a lost answer is known by its destination, and
        # only the number of rows shows that it loaded this very file. A further round loads under a new id.
        found = count_rows(staging, session=session)
        if found == row_file.rows:
            return job
    raise LoadError(
        f"The staging table {staging} holds {found} rows after {row_file.rows} were loaded into it, {_LOADS} times "
        f"over. Nothing was written to {row_file.target.path}. Run the task again."
    )


def count_rows(staging: str, *, session: BigQuerySession) -> int:
    """Return how many rows a staging table holds."""
    read = partial(session.client.get_table, staging, retry=None, timeout=HTTP_TIMEOUT)
    return int(session.retrier.call(read, doing=f"read the staging table {staging}").num_rows)


def _load_work(row_file: RowFile, *, staging: str, session: BigQuerySession, suffix: str) -> JobRequest:
    from google.cloud.bigquery import TableReference

    target, client = row_file.target, session.client
    reference = TableReference.from_string(staging)

    _take_small_chunks()
    submit = partial(
        client.load_table_from_file,
        row_file.reading(),
        reference,
        rewind=True,
        size=row_file.size,
        num_retries=0,
        project=session.project_of_jobs(target),
        location=target.location,
        job_config=_load_config(target, labels=session.try_labels(target)),
        timeout=UPLOAD_TIMEOUT,
    )
    return JobRequest(
        job_id=session.job_id(target, verb="load", payload=row_file.payload) + suffix,
        project=session.project_of_jobs(target),
        location=target.location,
        submit=submit,
        matches=lambda job: job.job_type == "load" and job.destination == reference,
        doing=f"load {row_file.rows} rows into {staging}",
        target=target,
        verb="load",
    )


def _take_small_chunks() -> None:
    """Bound what an upload holds in memory to :data:`CHUNK`; the library's own chunks have 100 MB."""
    # The one private name of a library that the package sets. load_table_from_file makes the resumable upload itself
    # and reads each chunk into memory as a whole; neither it nor the client has an argument for the size (3.20 to
    # 3.47). The public classes below it (google.resumable_media) would need the client's own HTTP session, which is
    # private, too.
    from google.cloud.bigquery import client as library

    library._DEFAULT_CHUNKSIZE = CHUNK


def _load_config(target: TargetTable, *, labels: dict[str, str]) -> Any:
    from google.cloud.bigquery import (
        CreateDisposition,
        EncryptionConfiguration,
        LoadJobConfig,
        SourceFormat,
        WriteDisposition,
    )

    key = target.options.kms_key_name
    return LoadJobConfig(
        destination_encryption_configuration=EncryptionConfiguration(kms_key_name=key) if key else None,
        # WRITE_TRUNCATE gives the table the schema of the job.
        schema=fields(target.table.columns),
        # Newline-delimited JSON takes nested quotes, line breaks and any Unicode in a text, which CSV does only by
        # options.
        source_format=SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=WriteDisposition.WRITE_TRUNCATE,
        # A table that the job created itself would have no expiration, and would stay if the task is killed.
        create_disposition=CreateDisposition.CREATE_NEVER,
        # One bad row fails the whole job: a load that leaves rows out would look like a whole one.
        autodetect=False,
        max_bad_records=0,
        ignore_unknown_values=False,
        labels=labels,
    )
