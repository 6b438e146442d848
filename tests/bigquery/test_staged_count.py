"""A staging table that does not hold the file's rows: loaded once more, then given up, and nothing of it is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS
from airflow_provider_iginsights.errors import LoadError
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse

if TYPE_CHECKING:
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox

GIVEN = rows.rows(ACCOUNT_INSIGHTS, range(40))


class DeletingClient(Client):
    """A client beside which somebody deletes a row of a staging table, so many times, before its rows are counted."""

    times = 0

    def get_table(self, table: Any, *arguments: Any, **options: Any) -> Any:
        """Read a table; a staging table loses a row before."""
        if "__stg" in str(table) and self.times:
            self.times -= 1
            self.query(f"DELETE FROM `{table}` WHERE account_id = '{GIVEN[0]['account_id']}'").result()
        return super().get_table(table, *arguments, **options)


def load(sandbox: BigQuerySandbox, *, times: int) -> None:
    """Run one try of a task, beside whose client rows are deleted."""
    client = DeletingClient("p-1", credentials=AnonymousCredentials(), client_options={"api_endpoint": sandbox.url})
    client.times = times
    warehouse = Warehouse(name="sandbox", project="p-1", dataset="d", location="US", connect=lambda: client)
    with warehouse.loader(rows.identity()) as loader:
        target = rows.target(project="p-1", dataset="d")
        loader.ensure([target])
        row_file = loader.row_file(target)
        for row in GIVEN:
            row_file.write(row)
        loader.commit([row_file])


def stored(sandbox: BigQuerySandbox) -> list[tuple[object, ...]]:
    """Return what stands in the target."""
    client = sandbox.client()
    try:
        return rows.stored(client, rows.target(project="p-1", dataset="d"))
    finally:
        client.close()


def test_a_row_that_is_missing_is_loaded_again(sandbox: BigQuerySandbox) -> None:
    """A staging table that lacks a row of the file is loaded once more, so that the target has all of them."""
    load(sandbox, times=1)
    assert len([request for request in sandbox.log if request.path.startswith("/upload/")]) == 2
    assert stored(sandbox) == rows.truth(ACCOUNT_INSIGHTS, GIVEN)
    assert sandbox.tables("d") == ["instagram_account_insights"]


def test_rows_that_stay_away_are_an_error(sandbox: BigQuerySandbox) -> None:
    """Where rows are missing after each load, nothing is merged, the error has both numbers, and no staging is left."""
    with pytest.raises(LoadError, match=r"holds \d+ rows after 40 were loaded into it, \d times over\. Nothing was"):
        load(sandbox, times=100)
    assert stored(sandbox) == []
    assert sandbox.tables("d") == ["instagram_account_insights"]
