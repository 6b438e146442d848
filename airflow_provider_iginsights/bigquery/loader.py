"""What the other rooms use: rows in, exactly once, whatever happens.

::

    read_clock, ensure (dataset, tables, columns), check_statements (a dry run)   before anything is fetched
    row_file  rows -> temporary file                                      while fetching
    commit    end earlier tries -> stage all -> write each target -> delete duplicates -> drop staging
    create_views                                                          on demand, after the commit

``merge`` changes a target by a statement that inserts the new keys and, where stored rows differ, by one that rewrites
them; the other modes by one. Each happens wholly or not at all. What a kill leaves, and what the next try makes of it:

============  ==========================================  ==================================================
load_mode     killed before its statement was sent        killed later (BigQuery finishes the statement)
============  ==========================================  ==================================================
merge         target untouched; next try writes           whole; the next try finds its rows, changes nothing
  (between)   new keys are there; next try rewrites       (of the second statement) as above
replace       target untouched; next try writes           whole; the next try finds its rows, changes nothing
append        target untouched; next try writes           whole; the next try adds its rows beside them
============  ==========================================  ==================================================

A staging table that is left is dropped by the next try, or expires after 24 hours.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Self

from airflow_provider_iginsights.bigquery import dry_run, ensure, hash_salt, predecessors, stage, table_options, views
from airflow_provider_iginsights.bigquery.bytes_limit import check_bytes_limit
from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.bigquery.session import open_session
from airflow_provider_iginsights.bigquery.target import LoadResult
from airflow_provider_iginsights.bigquery.write import Staged, write_target
from airflow_provider_iginsights.clock import RunClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.session import BigQuerySession, JobOptions
    from airflow_provider_iginsights.bigquery.target import LoadMode, ProtectedGroups, TargetTable, TaskIdentity
    from airflow_provider_iginsights.bigquery.views import ViewResult

log: logging.Logger = logging.getLogger(__name__)


class BigQueryLoader:
    """Writes one task's rows. A context manager: leaving it discards row files that are still open.

    :param client: made by the caller with its credentials; its own retries are not used.
    :param create_dataset: create a dataset that does not exist, in the target's location.
    :param inherit_expiration: let new targets expire as their dataset's default says, where their options do not.
    :param options: labels, retry budget and project of the jobs.

    ``session`` is what it asks BigQuery with; ``clock`` is the run's, set once :meth:`read_clock` was called; ``notes``
    is what somebody should know, each once; ``results`` is what was done to targets up to now.
    """

    def __init__(
        self,
        client: Client,
        *,
        identity: TaskIdentity,
        create_dataset: bool = False,
        inherit_expiration: bool = False,
        options: JobOptions | None = None,
    ) -> None:
        self.notes: list[str] = []
        self.results: list[LoadResult] = []
        self.clock: RunClock = RunClock(note=self._note)
        self.session: BigQuerySession = open_session(
            client,
            identity=identity,
            options=options,
            clock=self.clock,
            note=self._note,
        )
        self._create_dataset = create_dataset
        self._inherit_expiration = inherit_expiration
        self._staging: list[str] = []
        self._row_files: list[RowFile] = []

    def read_clock(self, target: TargetTable) -> None:
        """Set the run's clock by BigQuery's, asked where the target's dataset lies; this bills no bytes.

        Raises DatasetUnavailable or LoadError.
        """
        self.session.set_clock(self._at(target))

    def ensure(self, targets: Sequence[TargetTable], *, load_mode: LoadMode | None = "merge") -> None:
        """Make sure that dataset and tables exist and fit; ``load_mode`` None = nobody else writes keys of these rows.

        Raises DatasetUnavailable, IncompatibleTable or LoadError, before anything is fetched.
        """
        # Before the first of them gets a label: hashes of a salt that another table refuses are in none of them.
        for target in (each for each in targets if each.options.hash_salt):
            if found := ensure.find_table(self._at(target), session=self.session):
                hash_salt.check_salt(target, found=found)
        for target in targets:
            found = ensure.ensure_table(self._at(target), session=self.session, load_mode=load_mode)
            table_options.apply_options(target, found=found, inherit=self._inherit_expiration, session=self.session)

    def check_statements(self, targets: Sequence[TargetTable], *, load_mode: LoadMode = "merge") -> None:
        """Ask BigQuery whether it would carry out the statements that write, before anything is fetched.

        Raises LoadError (or DatasetUnavailable), which names the role that is missing or the person to ask.
        """
        for target in targets:
            dry_run.run_dry(self._at(target), load_mode=load_mode, session=self.session)

    def row_file(self, target: TargetTable) -> RowFile:
        """Return an empty file for the rows of one table."""
        row_file = RowFile(target)
        self._row_files.append(row_file)
        return row_file

    def commit(
        self, row_files: Iterable[RowFile], *, load_mode: LoadMode = "merge", protected: ProtectedGroups = ()
    ) -> tuple[LoadResult, ...]:
        """Write the rows of all files and close them; return what was done, in their order.

        An empty file causes no job. Every staging table is loaded before the first target is written.

        :param protected: groups of rows of which ``replace`` deletes nothing.
        """
        row_files = tuple(row_files)
        full = tuple(row_file for row_file in row_files if row_file.rows)
        try:
            for row_file in full:
                row_file.target = self._at(row_file.target)
            predecessors.end_predecessors([row_file.target for row_file in full], session=self.session)
            # All or nothing for what can fail: a load that is refused leaves every target as it was.
            staged: dict[RowFile, Staged] = {}
            for row_file in full:
                staged[row_file] = self._stage(row_file, lifetime=stage.LIFETIME)
            results = {row_file: LoadResult(target=row_file.target, rows=0) for row_file in row_files}
            self.results += [each for row_file, each in results.items() if row_file not in staged]
            check_bytes_limit(staged.items(), load_mode=load_mode, session=self.session)
            for row_file, staging in staged.items():
                result = write_target(
                    row_file, staged=staging, load_mode=load_mode, protected=protected, session=self.session
                )
                results[row_file] = result
                self.results.append(result)
            return tuple(results.values())
        finally:
            self._drop_staging()
            for row_file in row_files:
                row_file.close()

    def create_views(self, targets: Iterable[TargetTable]) -> tuple[ViewResult, ...]:
        """Create or update the analysts' views of targets that exist; return what was done about each view.

        A view that needs a table which does not exist yet is not made.

        Raises IncompatibleTable where something that is no view has the name, DatasetUnavailable or LoadError, once all
        others are made.
        """
        return tuple(views.create_views([self._at(each) for each in targets], session=self.session))

    def cancel(self) -> None:
        """Stop: cancel the job under way, drop staging, discard rows. For ``on_kill``; never raises."""
        self.session.retrier.stop()
        with contextlib.suppress(Exception):
            self.session.jobs.cancel()
        self._drop_staging()
        self.close()

    def close(self) -> None:
        """Discard all rows that were not committed."""
        for row_file in self._row_files:
            row_file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, text: str) -> None:
        log.warning("%s", text)
        self.notes.append(text)

    def _stage(self, row_file: RowFile, *, lifetime: timedelta) -> Staged:
        staging = stage.create_staging(
            row_file.target, payload=row_file.payload, session=self.session, lifetime=lifetime
        )
        self._staging.append(staging)
        job = stage.load(row_file, staging=staging, session=self.session)
        log.info("Loaded %d rows for %s into staging (job %s).", row_file.rows, row_file.target.path, job.job_id)
        return Staged(path=staging, load_job_id=job.job_id)

    def _drop_staging(self) -> None:
        # Two threads may be here: the one that works, and the one that stops it.
        with contextlib.suppress(IndexError):
            while True:
                predecessors.drop(self._staging.pop(), session=self.session)

    def _at(self, target: TargetTable) -> TargetTable:
        """Return the target with its dataset's location, which is asked for once."""
        return ensure.ensure_dataset(target, session=self.session, create=self._create_dataset)
