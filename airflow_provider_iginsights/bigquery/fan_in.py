"""One table, one statement, many tasks: each of them stages what it read, and one task writes what all of them staged.

::

    stage        end earlier tries -> stage all, for a week            in each of the tasks that read
    find_staged, find_written   what is there, what was written before  in the task that writes
    write_staged end earlier tries -> copy into one staging table a target -> write each target, as ``commit`` does
    finish_staged   note what was written -> drop what was staged

A try is handed on by what ``stage`` returns, and so only once it is staged whole: what a kill leaves is nobody's, and
expires. ``write_staged`` drops nothing of it, so that it can be repeated; what it repeats finds its rows and changes
nothing. What the tasks that read stage again (a retry, a clear) takes the place of what they staged before.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery import predecessors, stage
from airflow_provider_iginsights.bigquery.bytes_limit import check_bytes_limit
from airflow_provider_iginsights.bigquery.combine import combine
from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.staged_rows import StagedPart
from airflow_provider_iginsights.bigquery.target import LoadResult
from airflow_provider_iginsights.bigquery.write import Staged, write_target
from airflow_provider_iginsights.bigquery.written_parts import find_written, record_written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.staged_rows import StagedRows
    from airflow_provider_iginsights.bigquery.target import LoadMode, ProtectedGroups, TargetTable
    from airflow_provider_iginsights.bigquery.views import ViewResult

log: logging.Logger = logging.getLogger(__name__)

READ_AT_ONCE = 1000  # rows of a staging table that are in memory at once


class FanInLoader(BigQueryLoader):
    """A loader that can also stage for another task, and write what other tasks staged."""

    def stage(self, row_files: Iterable[RowFile], *, kept: Sequence[StagedPart] = ()) -> tuple[StagedPart, ...]:
        """Stage all files for another task to write, and close them; return what holds their rows, in their order.

        The staging tables stay for a week. An empty file has none. What earlier tries staged is dropped.

        :param kept: what this task staged before, and what is to be written, too.
        """
        row_files = tuple(row_files)
        try:
            for row_file in row_files:
                row_file.target = self._at(row_file.target)
            paths = {part.path for part in kept}
            predecessors.end_predecessors([each.target for each in row_files], session=self.session, kept=paths)
            parts = tuple(self._stage_part(row_file) for row_file in row_files if row_file.rows)
            # Staged for another task: from here on only that task drops them, or their expiration.
            self._staging.clear()
            return parts
        finally:
            self._drop_staging()
            for row_file in row_files:
                row_file.close()

    def find_staged(self, parts: Iterable[StagedPart]) -> frozenset[str]:
        """Return the paths of the parts that are still there: not expired, not written and dropped."""
        wanted = {part.path for part in parts}
        datasets = sorted({path.rpartition(".")[0] for path in wanted})
        return frozenset(
            path
            for dataset in datasets
            for table_id in predecessors.list_table_ids(dataset, session=self.session)
            if (path := f"{dataset}.{table_id}") in wanted
        )

    def read_staged(self, part: StagedPart) -> Iterator[dict[str, Any]]:
        """Yield the rows of a part; reading a table by pages bills nothing."""
        listed = self.session.retrier.call(
            lambda: self.session.client.list_rows(part.path, page_size=READ_AT_ONCE, retry=None, timeout=HTTP_TIMEOUT),
            doing=f"read the staging table {part.path}",
        )
        return (dict(row) for row in listed)

    def write_staged(
        self,
        staged: Iterable[StagedRows],
        *,
        load_mode: LoadMode = "merge",
        protected: ProtectedGroups = (),
        kept: Sequence[StagedPart] = (),
    ) -> tuple[LoadResult, ...]:
        """Write what this and other tasks staged, one statement a target, in this order; drop none of it.

        :param kept: what this task itself staged.
        """
        located = [dataclasses.replace(each, target=self._at(each.target)) for each in staged]
        paths = {part.path for part in kept}
        try:
            predecessors.end_predecessors([each.target for each in located], session=self.session, kept=paths)
            combined = [(each, self._combine(each)) for each in located]
            check_bytes_limit(combined, load_mode=load_mode, session=self.session)
            for each, staging in combined:
                self.results.append(
                    write_target(each, staged=staging, load_mode=load_mode, protected=protected, session=self.session)
                )
            return tuple(self.results[len(self.results) - len(combined) :])
        finally:
            self._drop_staging()

    def find_written(self, target: TargetTable) -> frozenset[str]:
        """Return the keys of the staged parts that this task has written in earlier tries."""
        return find_written(self._at(target), session=self.session)

    def end_earlier_tries(self, targets: Iterable[TargetTable]) -> None:
        """Drop the staging tables that earlier tries of this task left, where this one has nothing to write."""
        predecessors.end_predecessors([self._at(each) for each in targets], session=self.session)

    def finish_staged(self, target: TargetTable, parts: Sequence[StagedPart]) -> None:
        """Note that the parts are written, then drop them."""
        if not parts:
            return
        record_written(self._at(target), parts, session=self.session)
        for part in parts:
            predecessors.drop(part.path, session=self.session)

    def _stage_part(self, row_file: RowFile) -> StagedPart:
        staged = self._stage(row_file, lifetime=stage.LIFETIME_FOR_ANOTHER)
        return StagedPart(
            table=row_file.target.table.name,
            target=row_file.target.path,
            path=staged.path,
            rows=row_file.rows,
            days=tuple(row_file.days),
            payload=row_file.payload,
            load_job_id=staged.load_job_id,
        )

    def _combine(self, staged: StagedRows) -> Staged:
        staging = stage.create_staging(
            staged.target, payload=staged.payload, session=self.session, lifetime=stage.LIFETIME
        )
        self._staging.append(staging)
        job = combine(staged, staging=staging, session=self.session)
        log.info("Copied %d staging tables, %d rows, for %s.", len(staged.parts), staged.rows, staged.target.path)
        return Staged(path=staging, load_job_id=job.job_id)


class StagingLoader(FanInLoader):
    """The loader of a task that only stages: where others write, it leaves the rows for the task that does.

    ``parts``: what is to be written, of this try and of those that it goes on with.
    """

    def __init__(self, client: Client, **options: Any) -> None:
        super().__init__(client, **options)
        self.parts: list[StagedPart] = []

    def commit(
        self,
        row_files: Iterable[RowFile],
        *,
        load_mode: LoadMode = "merge",  # noqa: ARG002 - the task that writes knows it
        protected: ProtectedGroups = (),  # noqa: ARG002
    ) -> tuple[LoadResult, ...]:
        """Stage the rows of all files; nothing is changed in a target."""
        row_files = tuple(row_files)
        new = self.stage(row_files, kept=self.parts)
        self.parts += new
        jobs = iter(part.load_job_id for part in new)
        results = tuple(
            LoadResult(target=each.target, rows=each.rows, load_job_id=next(jobs) if each.rows else None)
            for each in row_files
        )
        self.results.extend(results)
        return results

    def create_views(self, targets: Iterable[TargetTable]) -> tuple[ViewResult, ...]:  # noqa: ARG002
        """Leave the views to the task that writes."""
        return ()
