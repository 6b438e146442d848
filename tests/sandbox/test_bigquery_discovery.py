"""What goes to BigQuery, and what the local BigQuery answers, against Google's own description of the REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.cloud import bigquery

from airflow_provider_iginsights.bigquery.clearing import clear_statement
from airflow_provider_iginsights.bigquery.freshness import make_freshness_view, read_freshness
from airflow_provider_iginsights.catalog.tables import MEDIA, TABLES
from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
from tests.support.bigquery import rows
from tests.support.bigquery.discovery import Discovery, Exchange, read_discovery
from tests.support.bigquery.warehouses import Warehouse, connect_to_emulator

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("googleapiclient", reason="google-api-python-client, which has the description, is not installed.")


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    """Return all requests and answers of loads, views, checks and lists."""
    found: list[Exchange] = []
    with BigQuerySandbox(project="p-1") as sandbox:

        def connect() -> bigquery.Client:
            client = connect_to_emulator("p-1", sandbox.url)
            client._http.hooks["response"].append(keep(found))
            return client

        warehouse = Warehouse(name="sandbox", project="p-1", dataset="d", location="US", connect=connect)
        for version in range(2):
            load(warehouse, version=version)
        with connect() as client:
            look_around(client)
    return found


def keep(found: list[Exchange]) -> Callable[..., None]:
    """Return what keeps each answer with its request."""

    def keep_one(response: requests.Response, *_: Any, **__: Any) -> None:
        request = response.request
        found.append(
            Exchange(
                method=str(request.method), url=str(request.url), body=_read(request.body), status=response.status_code,
                answer=_read(response.content),
            )
        )  # fmt: skip

    return keep_one


def _read(body: Any) -> Any:
    """Return what stands in a body of JSON, and None for any other body."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def load(warehouse: Warehouse, *, version: int) -> None:
    """Write all tables and make all views."""
    targets = [rows.target(table) for table in TABLES]
    with warehouse.loader(rows.identity(run_id=f"manual__{version}"), labels={"team": "a"}) as loader:
        loader.read_clock(targets[0])
        loader.ensure(targets)
        loader.check_statements(targets, load_mode="merge")
        files = [loader.row_file(target) for target in targets]
        for file, table in zip(files, TABLES, strict=True):
            for row in rows.rows(table, range(20), version=version):
                file.write(row)
        loader.commit(files, load_mode="merge")
        loader.create_views(targets)


def look_around(client: bigquery.Client) -> None:
    """Ask for what the commands and the doctor ask for."""
    targets = [rows.target(table) for table in TABLES]
    make_freshness_view(client, targets=targets)
    read_freshness(client, targets=targets)
    client.query(clear_statement(rows.target(MEDIA), MEDIA.protectable)).result()
    client.query_and_wait(clear_statement(rows.target(MEDIA), MEDIA.protectable))
    list(client.list_datasets())
    list(client.list_tables("d"))
    list(client.list_routines("d"))
    list(client.list_jobs(max_results=20))
    list(client.list_rows(rows.target(MEDIA).path, max_results=5))
    client.copy_table(rows.target(MEDIA).path, "p-1.d.copied").result()
    client.delete_table("p-1.d.copied")


@pytest.fixture(scope="module")
def discovery() -> Iterator[Discovery]:
    """Return Google's description."""
    return read_discovery()


def test_requests_and_answers_are_as_google_describes_them(exchanges: list[Exchange], discovery: Discovery) -> None:
    """No request has a field that Google does not know, and no answer one that it does not give, or another type."""
    assert len(exchanges) > 100
    assert sorted({fault for each in exchanges for fault in discovery.find_faults(each)}) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"method": "PUT", "url": "http://x/bigquery/v2/projects/p/queries"}, "PUT projects/p/queries: no such method"),
        ({"url": "http://x/bigquery/v2/projects/p/queries?colour=red"}, "bigquery.jobs.query: no parameter colour"),
        ({"body": {"query": "SELECT 1", "colour": "red"}}, "bigquery.jobs.query <-: no field colour"),
        ({"body": {"query": 5}}, "bigquery.jobs.query <-.query: 5 is no string"),
        ({"answer": {"totalRows": 5}}, "bigquery.jobs.query ->.totalRows: 5 is no string"),
        ({"answer": {"jobComplete": 1}}, "bigquery.jobs.query ->.jobComplete: 1 is no boolean"),
        ({"answer": {"rows": {}}}, "bigquery.jobs.query ->.rows: {} is no array"),
    ],
)
def test_google_would_object(discovery: Discovery, changed: dict[str, Any], fault: str) -> None:
    """The comparison is no yes-man: it names what no such request or answer has."""
    plain = {"method": "POST", "url": "http://x/bigquery/v2/projects/p/queries", "body": None, "answer": None}
    assert list(discovery.find_faults(Exchange(**{**plain, "status": 200, **changed}))) == [fault]
