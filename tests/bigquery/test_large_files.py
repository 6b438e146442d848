"""A file of any size goes to BigQuery in pieces, so that none of them is what a task needs memory for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.stage import CHUNK
from airflow_provider_iginsights.catalog.tables import MEDIA
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse


def test_an_upload_of_several_pieces_is_whole(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Rows of more than two pieces arrive once each, also when the answer to a piece is lost."""
    given = [rows.row(MEDIA, number) | {"caption": f"{number} {'x' * 60_000}"} for number in range(600)]
    destination = rows.target(MEDIA, project=sandbox.project, dataset=faulty.dataset)
    sandbox.faults.add(BigQueryFault(route="PUT .*/upload/", effect="answerLost", skip=1))
    with faulty.loader(rows.identity()) as loader:
        loader.ensure([destination])
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        pieces = -(-row_file.size // CHUNK)
        loader.commit([row_file])
    sent = [request for request in sandbox.log if request.method == "PUT"]
    assert len(sent) > pieces == 3
    stored = sandbox.rows(faulty.dataset, destination.table_id)
    assert sorted((row["media_id"], row["caption"]) for row in stored) == sorted(
        (row["media_id"], row["caption"]) for row in given
    )
