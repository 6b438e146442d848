"""Erases what a dataset holds of one account or of one post: Meta's platform terms and data protection ask for that.

One DELETE a table, one for each staging table that a task left or is using, so that nothing comes back from there, and
one for each current table of a view.
BigQuery itself keeps what was deleted for up to 7 days of time travel and 7 more of fail-safe ("Data retention with
time travel and fail-safe" in Google's documentation).
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
from airflow_provider_iginsights.bigquery.ensure import find_table
from airflow_provider_iginsights.bigquery.existing import find_staging, list_current
from airflow_provider_iginsights.bigquery.identifiers import literal, quoted
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, condition
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT
from airflow_provider_iginsights.errors import ConfigurationError, IncompatibleTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.retry import RetryBudget
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.columns import IdKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows a table held, or how many were deleted from it."""

    target: TargetTable
    rows: int

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.target.path}: {self.rows} row{'' if self.rows == 1 else 's'}"


class Erasure:
    """Counts and deletes the rows of one account or of one post (or reel, or story).

    :param targets: the tables of one dataset, which exist, with its location.
    :param kind: whose id ``object_id`` is.
    :param retry_budget: how long to wait for a busy or silent BigQuery.
    :param job_project: project that runs and pays for the jobs; None = that of the dataset.
    :raises ConfigurationError: the id is blank.
    """

    def __init__(
        self,
        client: Client,
        *,
        targets: Sequence[TargetTable],
        kind: IdKind,
        object_id: str,
        retry_budget: RetryBudget | None = None,
        job_project: str | None = None,
    ) -> None:
        if not object_id.strip():
            raise ConfigurationError(f"The id of the {kind} is blank. Name the one to erase.")
        self._kind: IdKind = kind
        self._id = object_id.strip()
        self._targets = [each for each in targets if each.table.id_column(kind) or each.table == LEFT_OUT]
        self._derived = list_current(targets)
        self._session = open_session(
            client,
            identity=manual_identity("erase"),
            options=JobOptions(retry_budget=retry_budget, job_project=job_project),
        )

    def count(self) -> Iterator[Erased]:
        """Yield how many rows each table holds; a staging table and the current table of a view only if it holds any.

        :raises IncompatibleTable: what has the name of a table is none.
        :raises LoadError: BigQuery refuses.
        """
        for target in self._targets:
            # What was left out is seldom about one post, so it is named only where it is.
            if (rows := self._number_of(target)) or target.table.id_column(self._kind):
                yield Erased(target=target, rows=rows)
        # The current tables last: a task may be filling them from the tables.
        for other in (*find_staging(self._targets, session=self._session), *self._derived):
            if rows := self._number_of(other):
                yield Erased(target=other, rows=rows)

    def delete(self, held: Sequence[Erased]) -> Iterator[Erased]:
        """Delete the rows of the tables that hold any, and yield how many BigQuery deleted.

        :raises LoadError: BigQuery refuses; what was yielded before is deleted.
        """
        for target in (each.target for each in held):
            # Rows that were streamed in the last 30 minutes cannot be deleted ("DML: limitations"); ours are loaded by
            # jobs.
            sql = f"DELETE {self._rows_of(target)}"
            doing = f"delete the rows of {self._kind} {self._id} from {target.path}"
            job = self._session.query(target, verb="erase", sql=sql, doing=doing)
            yield Erased(target=target, rows=job.num_dml_affected_rows or 0)

    def _number_of(self, target: TargetTable) -> int:
        found = find_table(target, session=self._session)
        if found is None:
            return 0
        if found.table_type != "TABLE":
            raise IncompatibleTable(
                f"{target.path} is a {found.table_type.lower().replace('_', ' ')}, and no row can be deleted from "
                "it. Nothing was erased. Name the table by --table NAME=TABLE_ID."
            )
        sql = f"SELECT COUNT(*) AS held {self._rows_of(target)}"
        # Asked anew each time: under the same job id, the answer would be the one of before the deletion.
        payload = secrets.token_hex(8)
        doing = f"count the rows of {self._kind} {self._id} in {target.path}"
        [[rows]] = self._session.read(target, sql=sql, payload=payload, doing=doing)
        return int(rows)

    def _rows_of(self, target: TargetTable) -> str:
        """Return FROM and WHERE. The days are named for tables that require a filter on their partition."""
        inside = condition(ALL_DAYS, table=target.table, alias="T")
        return f"FROM {quoted(target.path)} T WHERE {inside} AND ({' OR '.join(self._list_conditions(target))})"

    def _list_conditions(self, target: TargetTable) -> Iterator[str]:
        """Yield by what a row is known; what was left out tells in its texts of whom it is, too."""
        if column := target.table.id_column(self._kind):
            yield f"T.{quoted(column)} = {literal(self._id)}"
        if target.table == LEFT_OUT:
            named = literal(rf"(^|\W){re.escape(self._id)}(\W|$)")
            for column in ("object", "fragment"):
                yield f"REGEXP_CONTAINS(T.{quoted(column)}, {named})"
