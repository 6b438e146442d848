"""The duplicate check that anyone can run: finds keys that stand in a target twice, and deletes older rows on request.

See :mod:`.duplicates` for how such keys can arise. The newest row by ``fetched_at`` is kept, with all its columns, in
one statement a table. A table that claims no primary key, or whose label says so, is left as it is:
``load_mode="append"`` keeps a history in it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.current_rows import announce_late_rows
from airflow_provider_iginsights.bigquery.duplicates import duplicates_query
from airflow_provider_iginsights.bigquery.ensure import MODE_LABEL, claims_key, find_table, holds_history
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.bigquery.target import TargetTable, TaskIdentity
from airflow_provider_iginsights.bigquery.write import remove_duplicates
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.retry import RetryBudget
    from airflow_provider_iginsights.bigquery.session import BigQuerySession


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateKeys:
    """What a check found in one table. ``doubled`` keys; None = the table does not exist.

    ``kept``: its rows were kept though deleting was asked for, because it claims no primary key, or because its label
    says that it holds a history.
    """

    target: TargetTable
    doubled: int | None
    deduplicated: bool = False
    kept: bool = False

    def __str__(self) -> str:
        """Return the finding as a sentence."""
        path = self.target.path
        if self.doubled is None:
            return f"{path}: there is no such table."
        if not self.doubled:
            return f"{path}: no key stands there twice."
        keys = "1 key stood" if self.doubled == 1 else f"{self.doubled} keys stood"
        found = (
            f"{path}: {keys} there more than once{'; the newest row of each was kept' if self.deduplicated else ''}."
        )
        return f"{found} {self._advice}" if self.kept else found

    @property
    def _advice(self) -> str:
        key = f"PRIMARY KEY ({', '.join(self.target.table.key)}) NOT ENFORCED"
        return (
            "They were kept: the table claims no primary key or has the label "
            f'{MODE_LABEL}:append, so it may be a history of all fetches (load_mode="append"). If it is none, run '
            f"ALTER TABLE `{self.target.path}` ADD {key}, remove the label, then deduplicate again."
        )


def default_targets(
    *, project: str, dataset: str, location: str | None = None, table_ids: Sequence[tuple[str, str]] = ()
) -> tuple[TargetTable, ...]:
    """Return the targets of a dataset.

    :param table_ids: catalog name and id of those that are called otherwise; a name can stand there several times.
    """
    return tuple(
        TargetTable(table=table, project=project, dataset=dataset, table_id=table_id, location=location)
        for table in ALL_TABLES
        for table_id in dict.fromkeys(given for name, given in table_ids if name == table.name) or (table.default_id,)
    )


def check(
    client: Client,
    *,
    targets: Iterable[TargetTable],
    deduplicate: bool = False,
    retry_budget: RetryBudget | None = None,
    job_project: str | None = None,
) -> Iterator[DuplicateKeys]:
    """Yield what each table holds; with ``deduplicate``, leave one row of each key that it claims. Raises LoadError."""
    session = open_session(
        client,
        identity=manual_identity("check"),
        options=JobOptions(retry_budget=retry_budget, job_project=job_project),
    )
    for target in targets:
        yield _finding(target, deduplicate=deduplicate, session=session)


def manual_identity(task_id: str) -> TaskIdentity:
    """Return the identity of something that is done by hand: each time another."""
    return TaskIdentity(
        deployment="by hand", dag_id="by hand", task_id=task_id, run_id=secrets.token_hex(8), map_index=-1, try_number=1
    )


def _finding(target: TargetTable, *, deduplicate: bool, session: BigQuerySession) -> DuplicateKeys:
    table = find_table(target, session=session)
    if table is None:
        return DuplicateKeys(target=target, doubled=None)
    # A history holds a key once per fetch: to deduplicate it would delete what it is kept for.
    if deduplicate and claims_key(table) and not holds_history(table):
        deduplicated = remove_duplicates(target, partitions=ALL_DAYS, among=None, session=session)
        if deduplicated:  # a row of any day can have other values now
            announce_late_rows(target, first_day=ALL_DAYS.start, deletes=True, session=session)
        return DuplicateKeys(target=target, doubled=deduplicated, deduplicated=deduplicated > 0)
    sql = duplicates_query(target, partitions=ALL_DAYS, among=None)
    [[doubled]] = session.read(target, sql=sql, doing=f"look for doubled keys in {target.path}")
    return DuplicateKeys(target=target, doubled=doubled, kept=deduplicate and bool(doubled))
