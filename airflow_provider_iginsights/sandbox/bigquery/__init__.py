"""A local BigQuery for tests and demos: the REST calls of Google's client over DuckDB, with a script of faults.

It is no general emulator: it does what a loader and its readers need, and refuses the rest in words.
"""

from __future__ import annotations

from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault, BigQueryRequest
from airflow_provider_iginsights.sandbox.bigquery.job import JobRecord
from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.switches import Switches

__all__ = ["BigQueryError", "BigQueryFault", "BigQueryRequest", "BigQuerySandbox", "JobRecord", "Switches"]
