"""Asks BigQuery, before anything is fetched, whether it would carry out the statement that writes: by a dry run.

It bills nothing and changes nothing, and is refused as the statement itself would be: by billing, by access to the
table, by a policy tag, by the keeper of a perimeter or of a key. The target stands in for the staging table, which does
not exist yet and has the same columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import faults
from airflow_provider_iginsights.bigquery.calls import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.merge import append_statement, merge_statement
from airflow_provider_iginsights.bigquery.span import Span

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.destination import Destination, LoadMode
    from airflow_provider_iginsights.bigquery.wire import Wire


def rehearse(destination: Destination, *, load_mode: LoadMode, wire: Wire) -> None:
    """Run the statement of the load mode dry. Raises LoadError in words that name who can open the door."""
    from google.cloud.bigquery import QueryJobConfig

    sql = rehearsed_statement(destination, load_mode=load_mode, day=wire.clock.now().date().isoformat())
    config = QueryJobConfig(dry_run=True, use_legacy_sql=False, use_query_cache=False)

    def ask() -> Any:
        return wire.client.query(
            sql,
            job_config=config,
            project=wire.project_of_jobs(destination),
            location=destination.location,
            retry=None,
            job_retry=None,
            timeout=HTTP_TIMEOUT,
        )

    doing = f"write rows into {destination.path}, asked before anything is fetched"
    wire.calls(ask, doing=doing, role=faults.JOB_ROLE)


def rehearsed_statement(destination: Destination, *, load_mode: LoadMode, day: str) -> str:
    """Return the statement over one day (ISO), so that a table that requires a partition filter takes it."""
    path, span = destination.path, Span(start=day, end=day)
    if load_mode == "append":
        column = quoted(destination.table.partition_by)
        return f"{append_statement(destination, staging=path)}\nWHERE {column} = DATE '{day}'"
    return merge_statement(destination, staging=path, span=span, source_span=span)
