"""The Airflow asset of a BigQuery table, for a transfer's ``outlets`` and for the schedule of Dags that use it."""

from __future__ import annotations

from typing import Any

from airflow_provider_iginsights._compat import Asset

PARTITION_KEY = "partition_key"
PACIFIC_DAY = "pacific_day"
"""Value of :data:`PARTITION_KEY` in the extra of an asset whose events are to be partitioned."""


def table_asset(project: str, dataset: str, table: str, *, by_day: bool = False) -> Asset:
    """Return the asset of a table, the same as that of Airflow's Google provider: ``bigquery://project/dataset/table``.

    :param by_day: let each event have the Pacific day of its rows as its partition key, one event a day (Airflow 3.3 or
        newer), for Dags with a ``PartitionedAssetTimetable``. Such events start no other Dag.
    :raises ConfigurationError: a part is no name that BigQuery knows.
    """
    from airflow_provider_iginsights.bigquery.identifiers import checked

    parts = (checked(project, part="project"), checked(dataset, part="dataset"), checked(table, part="table"))
    extra: dict[str, Any] = {PARTITION_KEY: PACIFIC_DAY} if by_day else {}
    return Asset(uri=f"bigquery://{'/'.join(parts)}", extra=extra)
