"""The buttons on a task instance that lead into the BigQuery console: to a table that was written, and to a job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar
from urllib.parse import urlencode

import attrs

from airflow_provider_iginsights.links.stored_link import StoredLink

CONSOLE = "https://console.cloud.google.com/bigquery"


def table_url(*, project: str, dataset: str, table_id: str) -> str:
    """Return the address of a table in the Google Cloud console."""
    return f"{CONSOLE}?{urlencode({'project': project, 'p': project, 'd': dataset, 't': table_id, 'page': 'table'})}"


def job_url(*, project: str, location: str, job_id: str) -> str:
    """Return the address of a job in the Google Cloud console."""
    # As the links of Airflow's Google provider have it (BIGQUERY_JOB_DETAIL_LINK).
    return f"{CONSOLE}?{urlencode({'project': project, 'ws': f'!1m5!1m4!1m3!1s{project}!2s{job_id}!3s{location}'})}"


@attrs.define
class BigQueryTableLink(StoredLink):
    """Link "BigQuery table", or "BigQuery table (posts)" where a task writes several tables."""

    title: ClassVar[str] = "BigQuery table"
    key: ClassVar[str] = "bigquery_table_link"


@attrs.define
class BigQueryLoadJobLink(StoredLink):
    """Link "Load job": the job that brought the rows into a staging table, or combined what others staged."""

    title: ClassVar[str] = "Load job"
    key: ClassVar[str] = "bigquery_load_job_link"


@attrs.define
class BigQueryMergeJobLink(StoredLink):
    """Link "MERGE job": the latest statement that wrote to the table, also where it failed."""

    title: ClassVar[str] = "MERGE job"
    key: ClassVar[str] = "bigquery_merge_job_link"


def list_links(contents: Iterable[str]) -> tuple[StoredLink, ...]:
    """Return the links of an operator: to table, load job and MERGE job for each content; "" = the main table."""
    kinds = (BigQueryTableLink, BigQueryLoadJobLink, BigQueryMergeJobLink)
    return tuple(kind(content=content) for content in contents for kind in kinds)
