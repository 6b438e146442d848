"""Targets before anything is fetched: created when missing, extended when old, refused by name when unfit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from google.cloud.bigquery import SchemaField
from google.cloud.bigquery import Table as BigQueryTable

from airflow_provider_iginsights.bigquery.schema import fields, missing_columns
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS, MEDIA, TABLES, Table
from airflow_provider_iginsights.errors import ConfigurationError, DatasetUnavailable, IncompatibleTable, LoadError
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse

ACCOUNTS_DDL = {
    "account_id": "STRING NOT NULL",
    "snapshot_date": "DATE NOT NULL",
    "username": "STRING",
    "name": "STRING",
    "biography": "STRING",
    "website": "STRING",
    "followers_count": "INT64",
    "follows_count": "INT64",
    "media_count": "INT64",
    "fetched_at": "TIMESTAMP NOT NULL",
    "run_id": "STRING",
}


def accounts(warehouse: Warehouse) -> TargetTable:
    """Return the accounts table of the warehouse's dataset."""
    return rows.target(ACCOUNTS, project=warehouse.project, dataset=warehouse.dataset, location=warehouse.location)


def made_by_user(
    warehouse: Warehouse, changes: dict[str, str | None], *, tail: str = "PARTITION BY snapshot_date"
) -> None:
    """Create dataset and accounts table as a user might, with columns changed, added or (None) left out."""
    columns = {name: kind for name, kind in (ACCOUNTS_DDL | changes).items() if kind}
    listed = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    with warehouse.connect() as client:
        client.create_dataset(warehouse.dataset, exists_ok=True)
        client.query(f"CREATE TABLE `{accounts(warehouse).path}` ({listed}) {tail}").result()


def ensure(warehouse: Warehouse, *destinations: TargetTable, **options: object) -> None:
    """Run the check of one task."""
    with warehouse.loader(rows.identity(), **options) as loader:
        loader.ensure(destinations or [accounts(warehouse)])


@pytest.mark.referee
def test_new_targets_are_complete(warehouse: Warehouse) -> None:
    """A new table has its partition, clusters, key, descriptions, labels and modes."""
    destinations = [rows.target(table, project=warehouse.project, dataset=warehouse.dataset) for table in TABLES]
    ensure(warehouse, *destinations, labels={"Cost Centre": "Marketing/EU"})
    with warehouse.connect() as client:
        for destination in destinations:
            table, found = destination.table, client.get_table(destination.path)
            assert (found.time_partitioning.type_, found.time_partitioning.field) == ("DAY", table.partition_by)
            assert tuple(found.clustering_fields) == table.cluster_by
            assert tuple(found.table_constraints.primary_key.columns) == table.key
            assert found.description == table.description
            assert found.labels == {
                "iginsights_table": table.name,
                "airflow-dag": "brand",
                "airflow-task": "load",
                "cost_centre": "marketing_eu",
            }
            described = [(field.name, field.mode, field.description) for field in found.schema]
            assert described == [
                (column.name, "REQUIRED" if column.required else "NULLABLE", column.description)
                for column in table.columns
            ]


def test_raw_history_claims_no_key(warehouse: Warehouse) -> None:
    """BigQuery's optimizer trusts a declared key, so a table that keeps every version declares none."""
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([accounts(warehouse)], load_mode="append")
    with warehouse.connect() as client:
        assert client.get_table(accounts(warehouse).path).table_constraints is None


def test_an_old_table_gets_the_new_columns(warehouse: Warehouse) -> None:
    """Missing nullable columns are added in one statement; the user's own column, order and rows stay."""
    made_by_user(warehouse, {"website": None, "media_count": None, "note": "STRING"})
    ensure(warehouse)
    ensure(warehouse)
    with warehouse.connect() as client:
        found = client.get_table(accounts(warehouse).path).schema
    assert [field.name for field in found][-6:] == [
        "note",
        "website",
        "media_count",
        "profile_picture_url",
        "page_id",
        "connection_id",
    ]
    assert next(field.description for field in found if field.name == "website")


FORMER = [(table, key) for table in TABLES for key in table.former_keys]


def claims(warehouse: Warehouse, table: Table, key: Sequence[str] | None) -> TargetTable:
    """Create a table of ours whose primary key is another, or none."""
    destination = rows.target(table, project=warehouse.project, dataset=warehouse.dataset)
    ensure(warehouse, destination)
    with warehouse.connect() as client:
        client.query(f"ALTER TABLE `{destination.path}` DROP PRIMARY KEY").result()
        if key:
            client.query(f"ALTER TABLE `{destination.path}` ADD PRIMARY KEY ({', '.join(key)}) NOT ENFORCED").result()
    return destination


def claimed(warehouse: Warehouse, destination: TargetTable) -> tuple[str, ...] | None:
    """Return the primary key that a table claims."""
    with warehouse.connect() as client:
        found = client.get_table(destination.path).table_constraints
    return tuple(found.primary_key.columns) if found and found.primary_key else None


@pytest.mark.parametrize(("table", "former"), FORMER, ids=lambda value: getattr(value, "name", ""))
def test_a_former_key_is_replaced_once(
    sandbox: BigQuerySandbox, faulty: Warehouse, table: Table, former: tuple[str, ...]
) -> None:
    """A table of an earlier release claims today's key after one ALTER, and is not altered again."""
    destination = claims(faulty, table, former)
    before = len(_alterations(sandbox))
    ensure(faulty, destination)
    ensure(faulty, destination)
    assert claimed(faulty, destination) == table.key
    assert len(_alterations(sandbox)) - before == 1


def _alterations(sandbox: BigQuerySandbox) -> list[str]:
    with sandbox.client() as client:
        return [job.query for job in client.list_jobs() if job.job_type == "query" and job.query.startswith("ALTER")]


@pytest.mark.parametrize("key", [None, ("run_id",), ("account_id", "media_id", "run_id")], ids=str)
def test_another_key_is_the_users(warehouse: Warehouse, key: tuple[str, ...] | None) -> None:
    """A key that no release of ours claimed, or none, stays."""
    destination = claims(warehouse, MEDIA, key)
    ensure(warehouse, destination)
    assert claimed(warehouse, destination) == key


@pytest.mark.parametrize(("table", "former"), FORMER, ids=lambda value: getattr(value, "name", ""))
def test_a_former_key_is_replaced_where_the_alter_is_refused(
    sandbox: BigQuerySandbox, faulty: Warehouse, table: Table, former: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A BigQuery that takes one action at a time has the key replaced by an update, also if another was faster."""
    destination = claims(faulty, table, former)
    text = f"ALTER TABLE `{destination.path}` DROP PRIMARY KEY, and what is no SQL"
    monkeypatch.setattr("airflow_provider_iginsights.bigquery.primary_key.replace_key_statement", lambda _: text)
    sandbox.faults.add(BigQueryFault(route=r"PATCH .*/tables/", effect="answerLost"))
    ensure(faulty, destination)
    assert claimed(faulty, destination) == table.key


@pytest.mark.referee
def test_many_tasks_replace_a_key_at_once(warehouse: Warehouse) -> None:
    """Tasks that see the former key at the same moment all succeed, also where one ALTER does not take both actions."""
    destination = claims(warehouse, MEDIA, ("media_id",))
    with ThreadPoolExecutor(4) as pool:
        succeeded = list(pool.map(lambda _: _ensure_or_conflict(warehouse, destination), range(4)))
    assert any(succeeded)
    assert claimed(warehouse, destination) == MEDIA.key
    ensure(warehouse, destination)


def _ensure_or_conflict(warehouse: Warehouse, destination: TargetTable) -> bool:
    """Return whether it succeeded; what fails on local-bigquery fails by a conflict that BigQuery does not have."""
    try:
        ensure(warehouse, destination)
    except LoadError as refusal:
        # These are the words of DuckDB, which local-bigquery keeps its tables in: of two transactions that update a row
        # at once, the second one fails (duckdb/duckdb issue 15662). BigQuery answers 412, and the table is read again.
        if warehouse.name != "local-bigquery" or "Conflict on update!" not in str(refusal):
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"username": "INT64"}, ["column username is INT64, and STRING is needed"]),
        ({"followers_count": "FLOAT64"}, ["column followers_count is FLOAT64, and INT64 is needed"]),
        ({"account_id": None}, ["column account_id STRING is missing", "REQUIRED"]),
        ({"tenant": "STRING NOT NULL"}, ["column tenant STRING is REQUIRED, and our rows do not have it"]),
        ({"website": "STRING NOT NULL"}, ["column website is REQUIRED, and our rows can leave it NULL"]),
        ({"username": "INT64", "fetched_at": "STRING"}, ["column username", "column fetched_at is STRING"]),
    ],
    ids=str,
)
def test_unfit_tables_are_refused_by_name(
    warehouse: Warehouse, changes: dict[str, str | None], said: list[str]
) -> None:
    """The message names table, column and both types; the table is untouched."""
    made_by_user(warehouse, changes)
    with warehouse.connect() as client:
        before = client.get_table(accounts(warehouse).path).schema
        with pytest.raises(IncompatibleTable) as refusal:
            ensure(warehouse)
        assert client.get_table(accounts(warehouse).path).schema == before
    for text in (accounts(warehouse).path, "Nothing was fetched or written", *said):
        assert text in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "tail"),
    [
        ({"account_id": "STRING"}, "PARTITION BY snapshot_date"),
        ({"followers_count": "NUMERIC"}, "PARTITION BY snapshot_date"),
        ({"tenant": "STRING"}, ""),
    ],
    ids=["nullable key", "wider number", "own column, no partition"],
)
def test_looser_tables_are_used(warehouse: Warehouse, changes: dict[str, str | None], tail: str) -> None:
    """A table that can hold our rows is taken as it is, and a load into it works."""
    made_by_user(warehouse, changes, tail=tail)
    given = rows.rows(ACCOUNTS, range(3))
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([accounts(warehouse)])
        row_file = loader.row_file(accounts(warehouse))
        for row in given:
            row_file.write(row)
        (result,) = loader.commit([row_file])
    assert result.affected == 3
    with warehouse.connect() as client:
        assert rows.stored(client, accounts(warehouse)) == rows.truth(ACCOUNTS, given)


def test_a_view_is_no_target(warehouse: Warehouse) -> None:
    """Something that is not a table is refused as what it is."""
    with warehouse.connect() as client:
        client.create_dataset(warehouse.dataset)
        client.query(f"CREATE VIEW `{accounts(warehouse).path}` AS SELECT 1 AS one").result()
    with pytest.raises(IncompatibleTable, match=r"instagram_accounts is a view, and a table is needed"):
        ensure(warehouse)


def test_a_required_filter_is_met(warehouse: Warehouse) -> None:
    """Loads, checks and deduplications all pass require_partition_filter."""
    made_by_user(warehouse, {}, tail="PARTITION BY snapshot_date OPTIONS (require_partition_filter = TRUE)")
    given = rows.rows(ACCOUNTS, range(3))
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([accounts(warehouse)])
        row_file = loader.row_file(accounts(warehouse))
        for row in given:
            row_file.write(row)
        assert loader.commit([row_file])[0].affected == 3


def test_a_required_filter_on_another_column_is_refused(warehouse: Warehouse) -> None:
    """Our statements filter by our partition only, so such a table is refused before anything is fetched."""
    tail = "PARTITION BY other OPTIONS (require_partition_filter = TRUE)"
    made_by_user(warehouse, {"other": "DATE"}, tail=tail)
    with pytest.raises(IncompatibleTable, match="requires a filter on its partition, which is not snapshot_date"):
        ensure(warehouse)


def test_a_missing_dataset_is_named(warehouse: Warehouse) -> None:
    """Without create_dataset the message names the dataset and says what to do."""
    with pytest.raises(DatasetUnavailable, match=rf"{warehouse.dataset} does not exist.*create_dataset=True"):
        ensure(warehouse, create_dataset=False)


def test_another_location_is_refused(warehouse: Warehouse) -> None:
    """A dataset that lies elsewhere than the task says is refused, with both locations."""
    with warehouse.connect() as client:
        client.create_dataset(warehouse.dataset)
    elsewhere = rows.target(ACCOUNTS, project=warehouse.project, dataset=warehouse.dataset, location="europe-west3")
    with pytest.raises(DatasetUnavailable, match=rf"lies in {warehouse.location}, not in europe-west3"):
        ensure(warehouse, elsewhere)


def test_the_location_reaches_every_job(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """The dataset is created where the task says, and all jobs run there, with labels."""
    there = rows.target(MEDIA, project=faulty.project, dataset=faulty.dataset, location="europe-west3")
    unsaid = rows.target(MEDIA, project=faulty.project, dataset=faulty.dataset)
    for destination in (there, unsaid):
        with faulty.loader(rows.identity(), labels={"team": "Social"}) as loader:
            loader.ensure([destination])
            row_file = loader.row_file(destination)
            row_file.write(rows.row(MEDIA, 1))
            loader.commit([row_file])
    with faulty.connect() as client:
        jobs = [client.get_job(job.job_id, location="europe-west3") for job in client.list_jobs()]
    expected = (
        "twice each: is the key new, a load, a MERGE, a check; once: where else the key is; once: which days differ"
    )
    assert len(jobs) == 10, expected
    for job in jobs:
        assert job.location == "europe-west3"
        assert job.labels["team"] == "social"
        assert job.labels["airflow-run"] == "scheduled__2026-11-20t00_00_00_00_00"
        assert len(job.labels["iginsights_ti"]) == 16


def test_denied_access_names_the_role(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Whoever reads the message knows what to grant."""
    sandbox.switches.denied_datasets.add("d")
    with pytest.raises(DatasetUnavailable, match=r"roles/bigquery\.dataEditor") as refusal:
        ensure(faulty)
    assert isinstance(refusal.value, LoadError)
    assert isinstance(refusal.value, ConfigurationError)
    assert refusal.value.facts.http_status == 403


def test_many_tasks_create_at_once(warehouse: Warehouse) -> None:
    """Tasks that find nothing at the same moment all succeed, and make one table."""
    made = [
        rows.target(table, project=warehouse.project, dataset=warehouse.dataset)
        for table in (ACCOUNT_INSIGHTS, ACCOUNTS)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ensure(warehouse, *made), range(6)))
    with warehouse.connect() as client:
        assert {table.table_id for table in client.list_tables(warehouse.dataset)} == {each.table_id for each in made}


def test_many_tasks_add_columns_at_once(warehouse: Warehouse) -> None:
    """Tasks that miss a column at the same moment add it once."""
    made_by_user(warehouse, {"website": None})
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure(warehouse), range(4)))
    with warehouse.connect() as client:
        assert [field.name for field in client.get_table(accounts(warehouse).path).schema].count("website") == 1


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (SchemaField("name", "STRING", mode="REPEATED"), "column name is ARRAY<STRING>, and STRING is needed"),
        (SchemaField("name", "STRING", max_length=5), r"column name is STRING\(5\), and STRING is needed"),
        (SchemaField("media_count", "FLOAT"), "column media_count is FLOAT64, and INT64 is needed"),
        (
            SchemaField("tenant", "NUMERIC", mode="REQUIRED", precision=9, scale=2),
            r"column tenant NUMERIC\(9, 2\) is REQ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_types_are_called_by_their_sql_names(field: SchemaField, said: str) -> None:
    """Arrays, limited types and legacy names are refused and written as in SQL."""
    existing = [kept for kept in fields(ACCOUNTS.columns) if kept.name != field.name]
    with pytest.raises(IncompatibleTable, match=said):
        missing_columns(rows.target(ACCOUNTS), existing=BigQueryTable("p-1.d.t", schema=[*existing, field]))


def test_a_required_column_with_a_default_is_no_obstacle() -> None:
    """A column of the user's that fills itself need not be in our rows; case and order of ours do not matter."""
    own = SchemaField("loaded_by", "STRING", mode="REQUIRED", default_value_expression="SESSION_USER()")
    ours = [SchemaField(field.name.upper(), field.field_type, mode=field.mode) for field in fields(ACCOUNTS.columns)]
    existing = BigQueryTable("p-1.d.t", schema=[own, *reversed(ours)])
    assert missing_columns(rows.target(ACCOUNTS), existing=existing) == ()


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("project", "p`x"),
        ("project", ""),
        ("dataset", "p.d"),
        ("dataset", "d;--"),
        ("table_id", "d.t"),
        ("table_id", "t$20261120"),
        ("table_id", "t`"),
        ("table_id", ""),
    ],
)
def test_invalid_ids_never_reach_sql(part: str, text: str) -> None:
    """An id that is not one is refused before anything is sent."""
    given = {"table": ACCOUNTS, "project": "p-1", "dataset": "d", "table_id": "t"} | {part: text}
    with pytest.raises(ConfigurationError, match=r"is not a BigQuery (project|dataset|table) id"):
        type(rows.target())(**given)  # type: ignore[arg-type]
