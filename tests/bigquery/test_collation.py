"""Datasets whose default collation takes upper and lower case for one: our tables tell every text apart there, too."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from google.cloud.bigquery import Client, Dataset, LoadJobConfig, SchemaField
from google.cloud.bigquery import Table as BigQueryTable

from airflow_provider_iginsights.bigquery import schema
from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS, MEDIA, Table
from airflow_provider_iginsights.errors import IncompatibleTable
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Callable
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


def make_table(sandbox: BigQuerySandbox, target: TargetTable, *, without: str, default: str) -> None:
    """Create a table that lacks a column, as an older release left it, with a default collation for what is added."""
    columns = [column for column in target.table.columns if column.name != without]
    reference = {"projectId": "p-1", "datasetId": "d", "tableId": target.table_id}
    # Its columns name a collation, so the default is only for later ones.
    stored = [{**field.to_api_repr(), "collation": ""} for field in schema.fields(columns)]
    resource = {"tableReference": reference, "schema": {"fields": stored}, "defaultCollation": default}
    with closing(sandbox.client()) as client:
        client.create_table(BigQueryTable.from_api_repr(resource))


def test_a_text_column_is_not_added_with_a_collation(sandbox: BigQuerySandbox) -> None:
    """Where a table's default would give a new text column a collation, the column is named and nothing is changed."""
    make_dataset(sandbox, collation="")
    target = rows.target(ACCOUNTS)
    make_table(sandbox, target, without="website", default=CASE_INSENSITIVE)
    with pytest.raises(IncompatibleTable, match=r"column website .* default collation und:ci.* SET DEFAULT COLLATE ''"):
        load(sandbox, target, [], run_id="a", mode="merge")
    with closing(sandbox.client()) as client:
        assert "website" not in {field.name for field in client.get_table(target.path).schema}


def test_a_number_is_added_whatever_the_default(sandbox: BigQuerySandbox) -> None:
    """Only texts have a collation: a missing column of numbers is added."""
    make_dataset(sandbox, collation="")
    target = rows.target(ACCOUNTS)
    make_table(sandbox, target, without="media_count", default=CASE_INSENSITIVE)
    load(sandbox, target, [], run_id="a", mode="merge")
    with closing(sandbox.client()) as client:
        assert "media_count" in {field.name for field in client.get_table(target.path).schema}


ADDITIONS = {
    "by a statement": lambda client: client.query("ALTER TABLE `p-1.d.t` ADD COLUMN town STRING").result(),
    "by a load": lambda client: client.load_table_from_json(
        [{"town": "Paris"}],
        "p-1.d.t",
        job_config=LoadJobConfig(
            schema=[SchemaField("city", "STRING"), SchemaField("town", "STRING")],
            schema_update_options=["ALLOW_FIELD_ADDITION"],
            write_disposition="WRITE_APPEND",
        ),
    ).result(),
}


@pytest.mark.parametrize("add", ADDITIONS.values(), ids=ADDITIONS)
def test_the_sandbox_gives_added_columns_the_table_s_collation(
    sandbox: BigQuerySandbox, add: Callable[[Client], object]
) -> None:
    """As at Google, the default holds for a column that is added later; one that was there keeps its own."""
    make_dataset(sandbox, collation="")
    reference = {"projectId": "p-1", "datasetId": "d", "tableId": "t"}
    fields = [{"name": "city", "type": "STRING", "collation": ""}]
    resource = {"tableReference": reference, "schema": {"fields": fields}, "defaultCollation": CASE_INSENSITIVE}
    with closing(sandbox.client()) as client:
        client.create_table(BigQueryTable.from_api_repr(resource))
        add(client)
        assert collations(client.get_table("p-1.d.t")) == {"city": "", "town": CASE_INSENSITIVE}


def collations(table: BigQueryTable) -> dict[str, str]:
    """Return each column's collation, from the resource: not every client's SchemaField keeps it."""
    return {field["name"]: field.get("collation", "") for field in table.to_api_repr()["schema"]["fields"]}


@pytest.mark.parametrize("collation", ["", CASE_INSENSITIVE])
def test_the_sandbox_plays_the_collation_of_a_dataset(sandbox: BigQuerySandbox, collation: str) -> None:
    """As at Google, a column of a table that names no collation has its dataset's, and compares by it."""
    make_dataset(sandbox, collation=collation)
    with closing(sandbox.client()) as client:
        client.create_table(BigQueryTable("p-1.d.t", schema=[SchemaField("city", "STRING")]))
        client.query("INSERT INTO `p-1.d.t` (city) VALUES ('Paris'), ('paris')").result()
        [row] = client.query("SELECT COUNT(*) AS found FROM `p-1.d.t` WHERE city = 'PARIS'").result()
        assert collations(client.get_table("p-1.d.t")) == {"city": collation}
    assert row.found == (2 if collation else 0)
