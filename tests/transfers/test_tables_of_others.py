"""Tables that somebody made by hand before the first run: other order and case of columns, and columns of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.cloud.bigquery import SchemaField, TimePartitioning
from google.cloud.bigquery import Table as BigQueryTable

from airflow_provider_iginsights.bigquery.schema import fields
from airflow_provider_iginsights.catalog.run_tables import RUN_TABLES
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.catalog.views import VIEWS
from tests.support.sandboxes import DATASET, DAY, END, START, Sandboxes

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.catalog.tables import Table

OF_RUN = ("run_id", "fetched_at", "last_seen_at", "previous_poll_at")
KINDS = ("account", "media", "story")
OWN = "own"
"""The dataset whose tables the runs make; the other one has those that somebody made before."""
FOREIGN = [SchemaField("Region", "STRING"), SchemaField("day", "STRING"), SchemaField("Checked", "BOOLEAN")]


def make_by_hand(client: Client, table: Table) -> None:
    """Make a table with its columns in upper case and from the last to the first, between columns of somebody else."""
    ours = [SchemaField(each.name.upper(), each.field_type, mode=each.mode) for each in fields(table.columns)]
    made = BigQueryTable(f"{client.project}.{DATASET}.{table.default_id}", [*FOREIGN[:1], *ours[::-1], *FOREIGN[1:]])
    made.time_partitioning = TimePartitioning(field=table.partition_by.upper())
    made.require_partition_filter = True
    client.create_table(made)


def shown(client: Client, dataset: str, name: str, columns: list[str]) -> list[list[str]]:
    """Return what a table or view has in these columns, but for what tells runs apart."""
    listed = ", ".join(f"`{each}`" for each in columns if each not in OF_RUN)
    days = next((f"`{each}` >= '0001-01-01'" for each in columns if each.endswith(("_date", "day"))), "TRUE")
    sql = f"SELECT {listed} FROM `{client.project}.{dataset}.{name}` WHERE {days}"
    return sorted([str(each).partition("?")[0] for each in row.values()] for row in client.query(sql).result())


def test_such_tables_hold_and_show_what_ours_do(small_sandboxes: Sandboxes) -> None:
    """Two runs of each transfer, with views, into both datasets: the same rows and the same views."""
    sandboxes, client = small_sandboxes, small_sandboxes.bigquery.client()
    for name in (DATASET, OWN):
        client.create_dataset(name)
    for table in (*TABLES, *RUN_TABLES):
        make_by_hand(client, table)
    options: dict[str, Any] = {"create_views": True, "runs_table_id": "instagram_runs"}
    for start, end in ((START, END), (START + DAY, END + DAY)):
        for kind in KINDS:
            for dataset in (DATASET, OWN):
                sandboxes.run(kind, interval=(start, end), dataset_id=dataset, **options)
        sandboxes.travel(timedelta(days=1))
    for table in TABLES:
        if table.default_id not in sandboxes.bigquery.tables(OWN):
            continue
        columns = [*table.column_names]
        found = [shown(client, dataset, table.default_id, columns) for dataset in (DATASET, OWN)]
        assert found[0] == found[1], table.name
    for view in VIEWS:
        if not view.parameters:
            columns = [each.name for each in view.columns]
            found = [shown(client, dataset, view.view_id(view.table.default_id), columns) for dataset in (DATASET, OWN)]
            assert found[0] == found[1], view.name
    client.close()
