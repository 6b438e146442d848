"""Asks BigQuery, before anything is fetched, whether it would carry out the statement that writes: by a dry run.

It bills nothing and changes nothing, and is refused as the statement itself would be: by billing, by access to the
table, by a policy tag, by a service perimeter or an encryption key. The statement reads the target instead of the
staging table, which does not exist yet and has the same columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.failures import JOB_ROLE
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.merge import append_statement, merge_statement
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import LoadMode, TargetTable


def run_dry(target: TargetTable, *, load_mode: LoadMode, session: BigQuerySession) -> None:
    """Run the statement of the load mode dry. Raises LoadError in words that name who can help."""
    sql = dry_run_statement(target, load_mode=load_mode, day=session.clock.now().date().isoformat())
    run_text_dry(
        target, sql=sql, doing=f"write rows into {target.path}, asked before anything is fetched", session=session
    )


def run_text_dry(target: TargetTable, *, sql: str, doing: str, session: BigQuerySession) -> Any:
    """Run a statement about a target dry and return its job. Parameters as in BigQuerySession.query."""
    from google.cloud.bigquery import QueryJobConfig

    # A dry run checks syntax, columns and permissions, and bills nothing ("Estimate and control costs").
    config = QueryJobConfig(dry_run=True, use_legacy_sql=False, use_query_cache=False)
    submit = session.prepare_query(target, sql=sql, config=config)
    return session.retrier.call(submit, doing=doing, role=JOB_ROLE)


def dry_run_statement(target: TargetTable, *, load_mode: LoadMode, day: str) -> str:
    """Return the statement over one day (ISO), so that a table that requires a partition filter takes it."""
    path, partitions = target.path, PartitionRange(start=day, end=day)
    if load_mode == "append":
        column = quoted(target.table.partition_by)
        return f"{append_statement(target, staging=path)}\nWHERE {column} = DATE '{day}'"
    return merge_statement(target, staging=path, partitions=partitions, source_partitions=partitions)
