"""The REST calls about jobs and the results of queries."""

from __future__ import annotations

import asyncio
import time

from starlette.concurrency import run_in_threadpool

from airflow_provider_iginsights.sandbox.bigquery.api_tables import JsonAnswer, TableCall, paged
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found
from airflow_provider_iginsights.sandbox.bigquery.job import RESULTS, Job
from airflow_provider_iginsights.sandbox.bigquery.jobs import JobRegistry
from airflow_provider_iginsights.sandbox.bigquery.results import read_page
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, TableRef

__all__ = ["JobsApi"]

# jobs.query takes a QueryRequest, which mixes the fields of the query's configuration with these of the call
# ("jobs.query").
_REQUEST_ONLY = {
    "formatOptions",
    "kind",
    "labels",
    "location",
    "maxResults",
    "requestId",
    "timeoutMs",
    "jobCreationMode",
}
# The default of timeoutMs ("jobs.query", "jobs.getQueryResults").
_DEFAULT_TIMEOUT_MS = 10_000
_LATENCY = 0.1
_LONGEST_PAUSE = 0.05


class JobsApi:
    """Handlers for /jobs and /queries."""

    def __init__(self, storage: Storage, jobs: JobRegistry) -> None:
        self._storage = storage
        self._jobs = jobs

    def insert(self, call: TableCall) -> JsonAnswer:
        """jobs.insert for a query; loads come with a file, through /upload."""
        return JsonAnswer(self._jobs.insert(call.project, call.body, fault=call.fault).resource)

    async def get(self, call: TableCall) -> JsonAnswer:
        """jobs.get; it takes its time, as over the internet, so that a small job is done at the first look."""
        job = self._find(call)
        await _wait(job, _LATENCY)
        return JsonAnswer(job.resource)

    def cancel(self, call: TableCall) -> JsonAnswer:
        """jobs.cancel."""
        job = self._find(call)
        self._jobs.cancel(job)
        return JsonAnswer({"kind": "bigquery#jobCancelResponse", "job": job.resource})

    def list(self, call: TableCall) -> JsonAnswer:
        """jobs.list, the newest first, by stateFilter, minCreationTime and maxCreationTime."""
        # The filter is in lower case where a job's own state is in upper case ("jobs.list").
        states = {state.upper() for state in call.query.get("stateFilter", "").split(",") if state}
        earliest = int(call.query.get("minCreationTime") or 0)
        latest = int(call.query.get("maxCreationTime") or 2**63)
        found = [
            job
            for job in self._jobs
            if job.project == call.project and earliest <= job.created <= latest and (not states or job.state in states)
        ]
        return paged((_listed(job) for job in reversed(found)), call, "jobs")

    def get_results_table(self, call: TableCall) -> JsonAnswer:
        """tables.get of the temporary table of what a query found."""
        table = TableRef(call.project, RESULTS, call.path["table"])
        outcome = next((job.outcome for job in self._jobs if job.results == table), None)
        if outcome is None or outcome.source is None:
            raise not_found("Table", str(table))
        total = read_page(self._storage, outcome.source, outcome.fields, {"maxResults": "0"}).total
        found: Resource = {"tableReference": table.resource, "type": "TABLE", "schema": outcome.schema}
        return JsonAnswer({**found, "numRows": str(total)})

    async def query(self, call: TableCall) -> JsonAnswer:
        """jobs.query: make the job, wait, and answer like getQueryResults; a requestId makes one job only."""
        request_id = call.body.get("requestId")
        query = {key: value for key, value in call.body.items() if key not in _REQUEST_ONLY}
        resource: Resource = {
            "configuration": {"query": query, "labels": call.body.get("labels", {})},
            "jobReference": {
                "location": call.body.get("location"),
                "jobId": f"job_{request_id}" if request_id else None,
            },
        }
        try:
            job = await run_in_threadpool(self._jobs.insert, call.project, resource, fault=call.fault)
        except BigQueryError as error:
            if error.reason != "duplicate":
                raise
            # A request that is sent again with its requestId gets the job of the first one ("jobs.query").
            job = next(job for job in self._jobs if job.project == call.project and job.id == f"job_{request_id}")
        asked: dict[str, str] = {key: str(call.body[key]) for key in ("maxResults", "timeoutMs") if key in call.body}
        answer = await self._results(job, asked)
        return JsonAnswer({**(answer.resource or {}), "kind": "bigquery#queryResponse"}, answer.page)

    async def results(self, call: TableCall) -> JsonAnswer:
        """jobs.getQueryResults: wait for timeoutMs at most, then a page of rows or word that it is not complete."""
        return await self._results(self._find(call), dict(call.query))

    async def _results(self, job: Job, parameters: dict[str, str]) -> JsonAnswer:
        # Not an error: the caller is to ask again, with the same job ("jobs.getQueryResults", jobComplete).
        if not await _wait(job, int(parameters.get("timeoutMs") or _DEFAULT_TIMEOUT_MS) / 1000):
            return JsonAnswer(
                {"kind": "bigquery#getQueryResultsResponse", "jobReference": job.reference, "jobComplete": False}
            )
        if job.error is not None:
            raise job.error
        return await run_in_threadpool(self._complete, job, parameters)

    def _complete(self, job: Job, parameters: dict[str, str]) -> JsonAnswer:
        resource: Resource = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job.reference,
            "jobComplete": True,
            "cacheHit": False,
        }
        resource["totalBytesProcessed"] = str(job.bill.processed)
        outcome = job.outcome
        if outcome is not None and outcome.stats is not None:
            resource["numDmlAffectedRows"] = str(outcome.stats.affected)
        if outcome is None or outcome.source is None:
            return JsonAnswer(resource)
        page = read_page(self._storage, outcome.source, outcome.fields, parameters)
        resource |= {"schema": outcome.schema, "totalRows": str(page.total)}
        # Google's client waits for a job in this way, before it reads the first page.
        if parameters.get("maxResults") == "0":
            return JsonAnswer(resource)
        return JsonAnswer(resource | ({"pageToken": page.next_token} if page.next_token else {}), page)

    def _find(self, call: TableCall) -> Job:
        return self._jobs.get(call.project, call.path["job"], call.query.get("location"))


async def _wait(job: Job, seconds: float) -> bool:
    """Wait for the job without holding a thread; whether it is done."""
    deadline, pause = time.monotonic() + seconds, 0.001
    while not job.done.is_set() and time.monotonic() < deadline:
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    return job.done.is_set()


def _listed(job: Job) -> Resource:
    """Return a job as jobs.list gives it."""
    resource = job.resource
    # jobs.list repeats the state beside the status ("jobs.list", ListFormatJob).
    return {**resource, "state": resource["status"]["state"]}
