"""Load, copy and query jobs in threads of their own, from PENDING to DONE, under ids that are burnt for good."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from airflow_provider_iginsights.sandbox.bigquery.billing import Bill
from airflow_provider_iginsights.sandbox.bigquery.copy import copy
from airflow_provider_iginsights.sandbox.bigquery.dml import Concurrency
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found
from airflow_provider_iginsights.sandbox.bigquery.expirations import free_tier
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from airflow_provider_iginsights.sandbox.bigquery.job import Job, written_table
from airflow_provider_iginsights.sandbox.bigquery.job_options import check_configuration
from airflow_provider_iginsights.sandbox.bigquery.limits import DmlQueue, LoadQuota
from airflow_provider_iginsights.sandbox.bigquery.load import load, target_of
from airflow_provider_iginsights.sandbox.bigquery.query import Session, location_of
from airflow_provider_iginsights.sandbox.bigquery.statements import (
    check_statement,
    is_dml,
    mutated_table,
    price_statement,
    run_statement,
)
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.switches import Switches
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, TableRef

__all__ = ["JobRegistry"]


class JobRegistry:
    """All jobs of a sandbox."""

    def __init__(self, storage: Storage, switches: Switches) -> None:
        self._storage = storage
        self._switches = switches
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str, str], Job] = {}
        self._queue = DmlQueue(switches)
        self._quota = LoadQuota(switches, storage.clock)

    def __iter__(self) -> Iterator[Job]:
        """Return the jobs in the order they were made."""
        with self._lock:
            return iter(list(self._jobs.values()))

    def insert(
        self, project: str, resource: Resource, *, upload: Path | None = None, fault: BigQueryFault | None = None
    ) -> Job:
        """Make a job and start it. Raises BigQueryError for a burnt id (409), and for a load's dataset (404, 403)."""
        configuration, reference = resource["configuration"], resource.get("jobReference") or {}
        # A job without a location runs where its table lies ("Specify locations").
        location = reference.get("location") or self._location(project, configuration)
        check_configuration(configuration, has_file=upload is not None)
        if (written := written_table(configuration)) is not None:
            self._storage.dataset(written.project, written.dataset, location=location)
        job_id = reference.get("jobId") or f"job_{uuid.uuid4().hex}"
        job = Job(project, location, job_id, configuration, fault, created=int(self._storage.now_ms()))
        # A dry run takes no id: jobs.get would not find it ("jobs.insert", dryRun).
        if configuration.get("dryRun"):
            return self._dry_run(job)
        # An id is unique in a project and a location, and stays used up when its job fails ("Running jobs
        # programmatically").
        key = (project, location.upper(), job.id)
        with self._lock:
            if key in self._jobs:
                raise BigQueryError("duplicate", f"Already Exists: Job {project}:{location}.{job.id}")
            self._jobs[key] = job
        self._start(job, upload)
        job.done.wait(self._switches.insert_seconds)
        return job

    def get(self, project: str, job_id: str, location: str | None) -> Job:
        """Return the job; without a location only US and EU are searched. Raises BigQueryError (404)."""
        # "jobs.get", location: needed where it is neither US nor EU.
        for region in (location,) if location else ("US", "EU"):
            job = self._jobs.get((project, region.upper(), job_id))
            if job is not None:
                return job
        raise not_found("Job", f"{project}:{location or 'US'}.{job_id}")

    def cancel(self, job: Job) -> None:
        """Ask the job to stop: at once while it waits, in mid-statement while it runs, in vain once it is done."""
        job.cancelled.set()
        self._queue.wake()
        if job.thread is not None and job.thread.ident is not None and not job.done.is_set():
            self._storage.interrupt(job.thread.ident)

    def close(self) -> None:
        """Cancel what still runs and wait for it."""
        for job in self:
            self.cancel(job)
        for job in self:
            if job.thread is not None:
                job.thread.join()

    def _location(self, project: str, configuration: Resource) -> str:
        if (written := written_table(configuration)) is not None:
            return self._storage.dataset(written.project, written.dataset).location
        query = configuration.get("query", {})
        return location_of(self._storage, project, query.get("query", ""), query.get("defaultDataset"))

    def _start(self, job: Job, upload: Path | None) -> None:
        """Count the job against quota and queue in the order of arrival, then let a thread do the rest."""
        place: tuple[TableRef, object] | None = None
        try:
            if job.type == "LOAD":
                # A load that fails counts as well ("Quotas and limits", load jobs).
                self._quota.use(target_of(job.configuration["load"]))
            elif (ref := self._mutated(job)) is not None:
                place = ref, self._queue.admit(ref)
        except BigQueryError as error:
            job.error = error
        job.thread = threading.Thread(target=self._run, args=(job, upload, place), name=f"job-{job.id}", daemon=True)
        job.thread.start()

    def _run(self, job: Job, upload: Path | None, place: tuple[TableRef, object] | None) -> None:
        try:
            with ExitStack() as turn:
                if place is not None:
                    turn.enter_context(self._queue.turn(*place, job.cancelled))
                job.started, job.state = int(self._storage.now_ms()), "RUNNING"
                self._work(job, upload)
        except BigQueryError as error:
            job.error = error
        except Exception as error:
            job.error = BigQueryError("notImplemented", f"The sandbox failed on this job: {error!r}")
        finally:
            if upload is not None:
                upload.unlink(missing_ok=True)
            job.ended, job.state = int(self._storage.now_ms()), "DONE"
            job.done.set()

    def _work(self, job: Job, upload: Path | None) -> None:
        if job.fault is not None:
            job.cancelled.wait(job.fault.seconds)
            job.error = job.error or job.fault.job_error()
        if job.cancelled.is_set():
            raise BigQueryError("stopped", "Job execution was cancelled: User requested cancellation")
        if job.error is not None:
            return
        if upload is not None:
            job.loaded_rows = load(self._storage, job.configuration["load"], upload, location=job.location)
            return
        if job.type == "COPY":
            job.loaded_rows = copy(self._storage, job.configuration["copy"], location=job.location)
            return
        query = job.configuration["query"]
        self._check_billing(job)
        job.bill = self._price(job)
        # Before the statement runs: a query over the limit fails without a charge ("Estimate and control costs").
        job.bill.check(query.get("maximumBytesBilled"))
        pause = Concurrency(self._switches.insert_race, lambda: _pause(job, self._switches.snapshot_seconds))
        job.outcome = run_statement(self._session(job), query["query"], query.get("queryParameters") or [], pause)

    def _dry_run(self, job: Job) -> Job:
        """Return a job that was looked through and not run; it is not kept, and its id stays free."""
        if job.fault is not None and (error := job.fault.job_error()):
            raise error
        self._check_billing(job)
        query = job.configuration["query"]
        check_statement(self._session(job), query["query"], query.get("queryParameters") or [])
        job.bill = self._price(job)
        job.state = "DONE"
        job.done.set()
        return job

    def _price(self, job: Job) -> Bill:
        """Return what the job's statement costs, as the tables are now."""
        if not self._switches.pricing:
            return Bill()
        sql, parameters = job.configuration["query"]["query"], job.configuration["query"].get("queryParameters") or []
        return price_statement(self._session(job), sql, parameters, block_bytes=self._switches.block_bytes)

    def _check_billing(self, job: Job) -> None:
        if not self._switches.billing and is_dml(job.configuration["query"]["query"]):
            raise free_tier(
                "DML queries are not allowed in the free tier. Set up a billing account to remove this restriction."
            )

    def _mutated(self, job: Job) -> TableRef | None:
        sql = job.configuration.get("query", {}).get("query")
        return mutated_table(self._session(job), sql) if sql else None

    def _session(self, job: Job) -> Session:
        return Session(self._storage, job.project, job.location, job.configuration["query"].get("defaultDataset"))


def _pause(job: Job, seconds: float) -> None:
    if job.cancelled.wait(seconds):
        raise BigQueryError("stopped", "Job execution was cancelled: User requested cancellation")
