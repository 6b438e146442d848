"""A table that is made, loaded and merged into as a transfer does it, to see whether BigQuery lets us, and removed.

Its name is its own, and it expires an hour after it was made, so nothing stays of a process that was killed, either.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.merge import merge_statement
from airflow_provider_iginsights.bigquery.partition_range import PartitionRange
from airflow_provider_iginsights.bigquery.predecessors import drop, list_table_ids
from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.bigquery.stage import create_staging, load
from airflow_provider_iginsights.catalog.tables import STORY_POLLS
from airflow_provider_iginsights.errors import LoadError
from airflow_provider_iginsights.pacific import format_instant

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable

log: logging.Logger = logging.getLogger(__name__)

LIFETIME = timedelta(hours=1)
PREFIX = "iginsights_doctor_"
ROW = "0"
"""The account of the one row, which is nobody's."""


class ScratchTable:
    """A table beside the targets, with the columns of one of ours and one row.

    :param target: any table of the dataset.
    :param day: the day of the row.
    """

    def __init__(self, target: TargetTable, *, session: BigQuerySession, day: date) -> None:
        self._session = session
        self._day = day
        self._target = replace(target, table=STORY_POLLS, table_id=f"{PREFIX}{secrets.token_hex(8)}")

    @cached_property
    def path(self) -> str:
        """Create the table and return its path, ``project.dataset.table``. Raises LoadError."""
        return create_staging(self._target, payload=secrets.token_hex(8), session=self._session, lifetime=LIFETIME)

    def load(self) -> None:
        """Load the row. Raises LoadError."""
        now = format_instant(self._session.clock.now())
        with RowFile(self._target) as row_file:
            row_file.write({"account_id": ROW, "snapshot_date": self._day, "snapshot_at": now, "fetched_at": now})
            load(row_file, staging=self.path, session=self._session)

    @cached_property
    def merge_error(self) -> LoadError | None:
        """Merge the table into itself, which changes nothing; return what BigQuery says against it."""
        day = self._day.isoformat()
        scratch = replace(self._target, table_id=self.path.rpartition(".")[2])
        sql = merge_statement(scratch, staging=self.path, partitions=PartitionRange(start=day, end=day))
        try:
            self._session.query(scratch, verb="merge", sql=sql, doing="merge rows into a table of this dataset")
        except LoadError as error:
            return error
        return None

    def remove(self) -> None:
        """Drop the table, also one of which only the request is known. Where that fails, it expires by itself."""
        with suppress(LoadError):
            for table_id in list_table_ids(self._target.dataset_path, session=self._session):
                if table_id.startswith(self._target.table_id):
                    drop(self._target.beside(table_id), session=self._session)
