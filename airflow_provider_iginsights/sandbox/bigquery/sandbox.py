"""The sandbox as one object: start it, point google-cloud-bigquery at it, look into it, stop it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_iginsights.sandbox.bigquery.app import build_app
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryRequest, FaultMiddleware, Faults
from airflow_provider_iginsights.sandbox.bigquery.job import JobRecord
from airflow_provider_iginsights.sandbox.bigquery.jobs import JobRegistry
from airflow_provider_iginsights.sandbox.bigquery.results import python_rows
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.switches import Switches
from airflow_provider_iginsights.sandbox.bigquery.tables import TableRef
from airflow_provider_iginsights.sandbox.bigquery.uploads import Uploads
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.server import Server

if TYPE_CHECKING:
    from google.cloud import bigquery

__all__ = ["BigQuerySandbox"]


class BigQuerySandbox:
    """A local BigQuery on a loopback port, in memory or in a folder. A context manager; ``start`` and ``stop`` do too.

    It does what a loader and its readers need, as strictly as BigQuery does it, and refuses the rest in words: it is no
    general emulator. ``faults`` scripts what goes wrong, ``switches`` sets the limits, ``log`` has every request.
    """

    def __init__(
        self,
        *,
        project: str = "sandbox-project",
        location: str = "US",
        storage: Path | None = None,
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a sandbox. ``location`` is for datasets that name none, ``storage`` a folder to keep them in.

        ``clock`` is what CURRENT_TIMESTAMP, the times of jobs and all expirations follow; None = the real time.
        """
        self.project = project
        self.faults: Faults = Faults()
        self.switches: Switches = Switches()
        self.log: list[BigQueryRequest] = []
        self.clock: Clock = clock or Clock()
        self._storage = Storage(storage, location=location, clock=self.clock, switches=self.switches)
        self._jobs = JobRegistry(self._storage, self.switches)
        self._uploads = Uploads()
        app = build_app(self._storage, self._jobs, self._uploads)
        self._server = Server(FaultMiddleware(app, self.faults, self.log), port=port, name="bigquery")

    @property
    def url(self) -> str:
        """The value for BIGQUERY_EMULATOR_HOST, with its scheme."""
        return self._server.url

    @property
    def jobs(self) -> list[JobRecord]:
        """Every job so far, the oldest first."""
        return [job.record for job in self._jobs]

    def start(self) -> Self:
        """Serve. Raises OSError for a taken port, and is stopped then."""
        try:
            self._server.start()
        except OSError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop serving, cancel what still runs, and close. A stopped sandbox is not started again."""
        self._server.stop()
        self._jobs.close()
        self._storage.close()
        self._uploads.close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def client(self) -> bigquery.Client:
        """Return a google-cloud-bigquery client of this sandbox, without credentials."""
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        options = ClientOptions(api_endpoint=self.url)
        return bigquery.Client(project=self.project, credentials=AnonymousCredentials(), client_options=options)

    def rows(self, dataset: str, table: str) -> list[dict[str, Any]]:
        """All rows of a table as Python values, read past the REST API. Raises BigQueryError for a missing table."""
        return python_rows(self._storage, self._storage.table(TableRef(self.project, dataset, table)))

    def tables(self, dataset: str) -> list[str]:
        """Return the names of the dataset's tables and views."""
        return [entry.ref.table for entry in self._storage.tables(self.project, dataset)]
