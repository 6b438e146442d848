"""The one door of this ring: rows in, exactly once, whatever happens.

::

    read_clock, ensure (dataset, tables, columns), rehearse (a dry run)   before anything is fetched
    spool     rows -> temporary file                                      while fetching
    commit    end earlier tries -> stage all -> write each target -> look for twins -> drop staging
    create_views                                                          on demand, after the commit

Each target changes by one statement, hence wholly or not at all. What a kill leaves, and what the next try makes of it:

============  ==========================================  ==================================================
load_mode     killed before its statement was sent        killed later (BigQuery finishes the statement)
============  ==========================================  ==================================================
merge         target untouched; next try writes           whole; the next try finds its rows, changes nothing
replace       target untouched; next try writes           whole; the next try finds its rows, changes nothing
append        target untouched; next try writes           whole; the next try adds its rows beside them
============  ==========================================  ==================================================

A staging table that is left is dropped by the next try, or expires after 24 hours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery import ensure, rehearsal, stage, table_options, tidy, views
from airflow_provider_iginsights.bigquery.destination import LoadResult
from airflow_provider_iginsights.bigquery.spool import Spool
from airflow_provider_iginsights.bigquery.wire import connected
from airflow_provider_iginsights.bigquery.write import Staged, write_target
from airflow_provider_iginsights.clock import RunClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.calls import Patience
    from airflow_provider_iginsights.bigquery.destination import Destination, LoadMode, Spared, TaskIdentity
    from airflow_provider_iginsights.bigquery.views import ViewResult

log: logging.Logger = logging.getLogger(__name__)


class Warehouse:
    """One task's door to BigQuery. A context manager: leaving it discards spools that are still open.

    :param client: made by the caller with its credentials; its own retries are not used.
    :param create_dataset: create a dataset that does not exist, in the destination's location.
    :param inherit_expiration: let new targets expire as their dataset's default says, where their options do not.
    :param labels: put on jobs and new tables beside our own; brought into BigQuery's grammar.
    :param patience: how long to wait for a busy or silent BigQuery; by default 15 and 2 minutes.
    :param job_project: project that runs and pays for the jobs; None = that of each target.

    ``clock`` is the run's, set once :meth:`read_clock` was called; ``notes`` is what somebody should know, each once.
    """

    def __init__(
        self,
        client: Client,
        *,
        identity: TaskIdentity,
        create_dataset: bool = False,
        inherit_expiration: bool = False,
        labels: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        job_project: str | None = None,
    ) -> None:
        self.notes: list[str] = []
        self.clock: RunClock = RunClock(note=self._note)
        self._wire = connected(
            client,
            identity=identity,
            labels=labels,
            patience=patience,
            clock=self.clock,
            job_project=job_project,
            note=self._note,
        )
        self._create_dataset = create_dataset
        self._inherit_expiration = inherit_expiration
        self._located: dict[str, Destination] = {}
        self._staging: list[str] = []
        self._spools: list[Spool] = []

    def read_clock(self, destination: Destination) -> None:
        """Set the run's clock by BigQuery's, asked where the destination's dataset lies; this bills no bytes.

        Raises DatasetUnavailable or LoadError.
        """
        at, payload = self._at(destination), secrets.token_hex(16)  # asked anew each time
        (instant,) = self._wire.values(at, sql="SELECT CURRENT_TIMESTAMP()", payload=payload, doing="tell the time")
        self.clock.set_by_bigquery(instant)

    def ensure(self, destinations: Sequence[Destination], *, load_mode: LoadMode | None = "merge") -> None:
        """Make sure that dataset and tables exist and fit; ``load_mode`` None = nobody else writes keys of these rows.

        Raises DatasetUnavailable, IncompatibleTable or LoadError, before anything is fetched.
        """
        for destination in destinations:
            found = ensure.ensure_table(self._at(destination), wire=self._wire, load_mode=load_mode)
            table_options.settle_options(destination, found=found, inherit=self._inherit_expiration, wire=self._wire)

    def rehearse(self, destinations: Sequence[Destination], *, load_mode: LoadMode = "merge") -> None:
        """Ask BigQuery whether it would carry out the statements that write, before anything is fetched.

        Raises LoadError (or DatasetUnavailable), which names the role that is missing or the person to ask.
        """
        for destination in destinations:
            rehearsal.rehearse(self._at(destination), load_mode=load_mode, wire=self._wire)

    def spool(self, destination: Destination) -> Spool:
        """Return an empty spool for the rows of one table."""
        spool = Spool(destination)
        self._spools.append(spool)
        return spool

    def commit(
        self, spools: Iterable[Spool], *, load_mode: LoadMode = "merge", spared: Spared = ()
    ) -> tuple[LoadResult, ...]:
        """Write all spools and close them; return what was done, in their order.

        An empty spool causes no job. Every staging table is loaded before the first target is written.

        :param spared: groups of rows of which ``replace`` deletes nothing.
        """
        spools = tuple(spools)
        full = tuple(spool for spool in spools if spool.rows)
        try:
            for spool in full:
                spool.destination = self._at(spool.destination)
            tidy.end_predecessors([spool.destination for spool in full], wire=self._wire)
            staged: dict[Spool, Staged] = {}
            for spool in full:
                staged[spool] = self._stage(spool)
            results = {spool: LoadResult(destination=spool.destination, rows=0) for spool in spools}
            for spool in full:
                result = write_target(spool, staged=staged[spool], load_mode=load_mode, spared=spared, wire=self._wire)
                log.info("%s: %d rows sent, %d changed.", spool.destination.path, result.rows, result.affected)
                results[spool] = result
            return tuple(results.values())
        finally:
            self._drop_staging()
            for spool in spools:
                spool.close()

    def create_views(self, destinations: Iterable[Destination]) -> tuple[ViewResult, ...]:
        """Create or update the analysts' views of targets that exist; return what was done about each view.

        Raises IncompatibleTable where something that is no view has the name, DatasetUnavailable or LoadError.
        """
        return tuple(result for each in destinations for result in views.create_views(self._at(each), wire=self._wire))

    def cancel(self) -> None:
        """Stop: cancel the job under way, drop staging, discard rows. For ``on_kill``; never raises."""
        self._wire.calls.stop()
        with contextlib.suppress(Exception):
            self._wire.jobs.cancel()
        self._drop_staging()
        self.close()

    def close(self) -> None:
        """Discard all rows that were not committed."""
        for spool in self._spools:
            spool.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, text: str) -> None:
        log.warning("%s", text)
        self.notes.append(text)

    def _stage(self, spool: Spool) -> Staged:
        staging = stage.create_staging(spool.destination, payload=spool.payload, wire=self._wire)
        self._staging.append(staging)
        job = stage.load(spool, staging=staging, wire=self._wire)
        log.info("Loaded %d rows for %s into staging (job %s).", spool.rows, spool.destination.path, job.job_id)
        return Staged(path=staging, load_job_id=job.job_id)

    def _drop_staging(self) -> None:
        while self._staging:
            tidy.drop(self._staging.pop(), wire=self._wire)

    def _at(self, destination: Destination) -> Destination:
        """Return the destination with its dataset's location, which is asked for once."""
        key = destination.dataset_path
        if key not in self._located:
            self._located[key] = ensure.ensure_dataset(destination, wire=self._wire, create=self._create_dataset)
        return dataclasses.replace(destination, location=self._located[key].location)
