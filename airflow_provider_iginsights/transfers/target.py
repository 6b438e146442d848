"""Where a transfer writes: one BigQuery dataset, as whom, and what a kill has to cancel there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_iginsights._compat import BaseOperator
from airflow_provider_iginsights.links.bigquery import BigQueryTableLink
from airflow_provider_iginsights.transfers.arguments import parse_text
from airflow_provider_iginsights.transfers.identity import identify_task

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.destination import Destination
    from airflow_provider_iginsights.bigquery.warehouse import Warehouse
    from airflow_provider_iginsights.catalog.tables import Table

TARGET_FIELDS = ("gcp_conn_id", "impersonation_chain", "project_id", "dataset_id", "location", "table_id")
"""The arguments that say where to and as whom; all of them are templates."""


class WritesToBigQuery(BaseOperator):
    """An operator that writes to one dataset; its constructor assigns the arguments that stand here."""

    operator_extra_links = (BigQueryTableLink(),)
    ui_color = "#f7e1ef"

    gcp_conn_id: str | None
    impersonation_chain: str | Sequence[str] | None
    project_id: str | None
    dataset_id: str
    location: str | None
    table_id: str
    create_dataset: bool
    _warehouse: Warehouse | None = None

    def check_target(self) -> None:
        """Refuse what cannot name a place in BigQuery.

        :raises ConfigurationError: an argument is no text.
        """
        for name in ("dataset_id", "table_id"):
            parse_text(getattr(self, name), argument=name)
        for name in ("gcp_conn_id", "project_id", "location"):
            parse_text(getattr(self, name), argument=name, optional=True)

    def on_kill(self) -> None:
        """Cancel the BigQuery job under way and drop staging."""
        if self._warehouse:
            self._warehouse.cancel()

    @contextmanager
    def open_warehouse(self, context: Context) -> Iterator[tuple[Client, Warehouse]]:
        """Connect as the arguments say, for the time of the block; where nothing goes wrong, the link is kept."""
        from airflow_provider_iginsights.bigquery.warehouse import Warehouse
        from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client

        client = get_bigquery_client(
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            project_id=self.project_id,
            location=self.location,
        )
        with (
            closing(client),
            Warehouse(client, identity=identify_task(context), create_dataset=self.create_dataset) as warehouse,
        ):
            self._warehouse = warehouse
            yield client, warehouse
        BigQueryTableLink().persist(context, project=client.project, dataset=self.dataset_id, table_id=self.table_id)

    def make_destination(self, table: Table, *, project: str, table_id: str) -> Destination:
        """Return a table of the dataset."""
        from airflow_provider_iginsights.bigquery.destination import Destination

        return Destination(
            table=table, project=project, dataset=self.dataset_id, table_id=table_id, location=self.location
        )
