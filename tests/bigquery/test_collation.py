"""Datasets whose default collation takes upper and lower case for one: our tables tell every text apart there, too."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from google.cloud.bigquery import Dataset, SchemaField
from google.cloud.bigquery import Table as BigQueryTable

from airflow_provider_iginsights.bigquery import schema
from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS, MEDIA, Table
from airflow_provider_iginsights.errors import IncompatibleTable
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from typing import Any

    from airflow_provider_iginsights.bigquery.target import LoadMode, TargetTable
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox

    Row = dict[str, Any]

CASE_INSENSITIVE = "und:ci"


def make_dataset(sandbox: BigQuerySandbox, collation: str = CASE_INSENSITIVE) -> None:
    """Create the dataset with a default collation."""
    resource = {"datasetReference": {"projectId": sandbox.project, "datasetId": "d"}, "defaultCollation": collation}
    with closing(sandbox.client()) as client:
        client.create_dataset(Dataset.from_api_repr(resource))


def load(sandbox: BigQuerySandbox, target: TargetTable, given: list[Row], *, run_id: str, mode: LoadMode) -> None:
    """Load rows as one task does."""
    with closing(sandbox.client()) as client, BigQueryLoader(client, identity=rows.identity(run_id=run_id)) as loader:
        loader.ensure([target], load_mode=mode)
        row_file = loader.row_file(target)
        for each in given:
            row_file.write(each)
        loader.commit([row_file], load_mode=mode)


CITIES = ("Paris, FR", "PARIS, FR", "paris, FR")


@pytest.mark.parametrize("mode", ["merge", "replace", "append"])
def test_keys_that_differ_in_case_alone_are_several(sandbox: BigQuerySandbox, mode: LoadMode) -> None:
    """Three cities whose names differ in case alone are three rows, whatever the dataset's collation."""
    make_dataset(sandbox)
    given = [
        rows.reach("1", "2026-11-01", number, fetched_at=rows.hour(1), breakdown="city", breakdown_value=city)
        for number, city in enumerate(CITIES)
    ]
    load(sandbox, rows.target(ACCOUNT_INSIGHTS), given, run_id="a", mode=mode)
    found = sandbox.rows("d", "instagram_account_insights")
    assert {(row["breakdown_value"], int(row["value"])) for row in found} == {(c, n) for n, c in enumerate(CITIES)}
    assert len(found) == len(CITIES)


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_a_text_that_changed_in_case_alone_is_written(sandbox: BigQuerySandbox, mode: LoadMode) -> None:
    """A biography that is written in capitals today is so in the table, whatever the dataset's collation."""
    make_dataset(sandbox)
    for number, text in enumerate(("all new", "ALL NEW")):
        given = [rows.row(ACCOUNTS, 1, fetched_at=rows.hour(number)) | {"biography": text, "followers_count": 5}]
        load(sandbox, rows.target(ACCOUNTS), given, run_id=str(number), mode=mode)
    assert [row["biography"] for row in sandbox.rows("d", "instagram_accounts")] == ["ALL NEW"]


@pytest.mark.parametrize(("table", "column"), [(ACCOUNT_INSIGHTS, "breakdown_value"), (MEDIA, "caption")])
def test_a_table_with_a_collation_is_refused_by_name(sandbox: BigQuerySandbox, table: Table, column: str) -> None:
    """Where an existing column takes upper and lower case for one, nothing is written, and the column is named."""
    make_dataset(sandbox, collation="")
    target = rows.target(table)
    fields = [
        {**field.to_api_repr(), "collation": CASE_INSENSITIVE} if field.name == column else field.to_api_repr()
        for field in schema.fields(table.columns)
    ]
    reference = {"projectId": "p-1", "datasetId": "d", "tableId": target.table_id}
    with closing(sandbox.client()) as client:
        client.create_table(BigQueryTable.from_api_repr({"tableReference": reference, "schema": {"fields": fields}}))
    with pytest.raises(IncompatibleTable, match=rf"column {column} .*und:ci.*Nothing was fetched"):
        load(sandbox, target, [], run_id="a", mode="merge")


@pytest.mark.parametrize("collation", ["", CASE_INSENSITIVE])
def test_the_sandbox_plays_the_collation_of_a_dataset(sandbox: BigQuerySandbox, collation: str) -> None:
    """As at Google, a column of a table that names no collation has its dataset's, and compares by it."""
    make_dataset(sandbox, collation=collation)
    with closing(sandbox.client()) as client:
        client.create_table(BigQueryTable("p-1.d.t", schema=[SchemaField("city", "STRING")]))
        client.query("INSERT INTO `p-1.d.t` (city) VALUES ('Paris'), ('paris')").result()
        [row] = client.query("SELECT COUNT(*) AS found FROM `p-1.d.t` WHERE city = 'PARIS'").result()
        [field] = client.get_table("p-1.d.t").schema
    assert row.found == (2 if collation else 0)
    assert field.to_api_repr().get("collation", "") == collation
