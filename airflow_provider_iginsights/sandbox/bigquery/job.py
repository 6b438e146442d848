"""A job: what was asked for, how it stands, and the REST resource that says so."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_iginsights.sandbox.bigquery.billing import Bill
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from airflow_provider_iginsights.sandbox.bigquery.load import target_of
from airflow_provider_iginsights.sandbox.bigquery.statements import StatementResult
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, TableRef

State = Literal["PENDING", "RUNNING", "DONE"]
JobType = Literal["LOAD", "COPY", "QUERY"]

RESULTS = "_sandbox_results"
"""The hidden dataset of the temporary tables."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as a test wants to see it. ``statement`` is the SQL of a query job; ``error`` the reason it failed for."""

    id: str
    type: JobType
    state: State
    location: str
    target: TableRef | None
    labels: Mapping[str, str]
    statement: str | None
    error: str | None
    bytes_processed: int = 0
    bytes_billed: int = 0


@dataclass(slots=True, eq=False)
class Job:
    """A job under way or done. ``configuration`` is the REST resource it was asked for with."""

    project: str
    location: str
    id: str
    configuration: Resource
    fault: BigQueryFault | None = None
    state: State = "PENDING"
    error: BigQueryError | None = None
    outcome: StatementResult | None = None
    bill: Bill = field(default_factory=Bill)
    loaded_rows: int = 0
    created: int = 0
    started: int | None = None
    ended: int | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def type(self) -> JobType:
        """LOAD, COPY or QUERY."""
        if "load" in self.configuration:
            return "LOAD"
        return "COPY" if "copy" in self.configuration else "QUERY"

    @property
    def target(self) -> TableRef | None:
        """The table a load, a copy or a statement writes."""
        return written_table(self.configuration) or (self.outcome.target if self.outcome else None)

    @property
    def results(self) -> TableRef | None:
        """The temporary table of what a query found ("Write query results", temporary tables); None = it has none."""
        has_rows = self.outcome is not None and self.outcome.source is not None
        return TableRef(self.project, RESULTS, f"anon_{self.id}") if has_rows else None

    @property
    def record(self) -> JobRecord:
        """The job as it is now."""
        labels, reason = self.configuration.get("labels", {}), self.error.reason if self.error else None
        sql = self.configuration.get("query", {}).get("query")
        costs = (self.bill.processed, self.bill.billed) if self.outcome else (0, 0)
        return JobRecord(self.id, self.type, self.state, self.location, self.target, labels, sql, reason, *costs)

    @property
    def reference(self) -> dict[str, str]:
        """The REST JobReference."""
        return {"projectId": self.project, "jobId": self.id, "location": self.location}

    @property
    def resource(self) -> Resource:
        """The REST Job."""
        status: Resource = {"state": self.state}
        if self.error is not None and self.state == "DONE":
            status |= {"errorResult": self.error.proto(), "errors": self.error.protos()}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.id}",
            "jobReference": self.reference,
            "configuration": self._configuration(),
            "status": status,
            "statistics": self._statistics(),
            "user_email": "sandbox@localhost",
        }

    def _configuration(self) -> Resource:
        written = self.target or self.results
        if self.type != "QUERY" or written is None:
            return {**self.configuration, "jobType": self.type}
        query = {**self.configuration["query"], "destinationTable": written.resource}
        return {**self.configuration, "query": query, "jobType": self.type}

    def _statistics(self) -> Resource:
        times = {"creationTime": self.created, "startTime": self.started, "endTime": self.ended}
        statistics: Resource = {key: str(moment) for key, moment in times.items() if moment is not None}
        if self.type == "LOAD" and self.state == "DONE" and self.error is None:
            statistics["load"] = {"outputRows": str(self.loaded_rows)}
        if self.type == "COPY" and self.state == "DONE" and self.error is None:
            statistics["copy"] = {"copiedRows": str(self.loaded_rows)}
        if self.configuration.get("dryRun"):
            statistics |= {"totalBytesProcessed": str(self.bill.at_most), "query": self.bill.forecast}
        if self.outcome is not None:
            statistics |= {"totalBytesProcessed": str(self.bill.processed)}
            query: Resource = {"statementType": self.outcome.statement_type, "cacheHit": False, **self.bill.statistics}
            if (stats := self.outcome.stats) is not None:
                query |= {"numDmlAffectedRows": str(stats.affected), "dmlStats": stats.resource}
            if self.outcome.source is not None:
                query["schema"] = self.outcome.schema
            statistics["query"] = query
        return statistics


def written_table(configuration: Resource) -> TableRef | None:
    """Return the table that a load or a copy writes."""
    return next((target_of(configuration[kind]) for kind in ("load", "copy") if kind in configuration), None)
