"""An account or a post is erased from tables of any kind, on the sandbox and on the independent emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.cloud.bigquery import Table

from airflow_provider_iginsights.bigquery.duplicate_check import default_targets
from airflow_provider_iginsights.bigquery.erasure import Erasure
from airflow_provider_iginsights.bigquery.existing import find_existing
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from airflow_provider_iginsights.catalog.tables import MEDIA_INSIGHTS
from airflow_provider_iginsights.errors import ConfigurationError, DatasetUnavailable, IncompatibleTable
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import IMPATIENT

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.columns import IdKind
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse

NUMBERS = range(6)
AWKWARD = "O'Brien\\ \n`; DROP"


def targets(warehouse: Warehouse) -> tuple[TargetTable, ...]:
    """Return all targets of the warehouse."""
    return default_targets(project=warehouse.project, dataset=warehouse.dataset)


def given(destination: TargetTable) -> list[dict[str, object]]:
    """Return the rows of a table: two accounts and, in turn, three media; one row has an awkward account id."""
    made = rows.rows(destination.table, NUMBERS)
    for number, row in enumerate(made):
        row["account_id"] = AWKWARD if number == 5 else f"account-{number % 2}"
        if "media_id" in row:
            row["media_id"] = f"media-{number % 3}"
    return made


def fill(warehouse: Warehouse) -> None:
    """Load all tables."""
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure(list(targets(warehouse)))
        row_files = [loader.row_file(target) for target in targets(warehouse)]
        for row_file in row_files:
            for row in given(row_file.target):
                row_file.write(row)
        loader.commit(row_files)


def erase(warehouse: Warehouse, kind: IdKind, object_id: str) -> tuple[list[int], list[int], int]:
    """Return the numbers of rows that were counted, that were deleted, and that were left."""
    with warehouse.connect() as client:
        found = find_existing(client, targets=targets(warehouse), retry_budget=IMPATIENT)
        erasure = Erasure(client, targets=found, kind=kind, object_id=object_id, retry_budget=IMPATIENT)
        held = list(erasure.count())
        deleted = list(erasure.delete(held))
        return [each.rows for each in held], [each.rows for each in deleted], sum(each.rows for each in erasure.count())


@pytest.mark.referee
def test_only_the_rows_of_one_go(warehouse: Warehouse) -> None:
    """Counts are those of the tables, all rows of an account or a post go, and every other row is as it was."""
    erase_and_compare(warehouse, ("account", AWKWARD), ("media", "media-0"))


@pytest.mark.parametrize(
    ("kind", "object_id"), [("account", "account-1"), ("account", "account-9"), ("media", "%"), ("media", "Media-0")]
)
def test_an_id_is_taken_literally(faulty: Warehouse, kind: IdKind, object_id: str) -> None:
    """Nothing is a pattern, and an id that stands nowhere takes nothing along."""
    erase_and_compare(faulty, (kind, object_id))


def erase_and_compare(warehouse: Warehouse, *objects: tuple[IdKind, str]) -> None:
    """Fill the tables, erase one object after the other, and compare with what should be left."""
    fill(warehouse)
    left = {target.table.name: given(target) for target in targets(warehouse)}
    for kind, object_id in objects:
        column = f"{kind}_id"
        concerned = [found for found in left.values() if column in found[0]]
        expected = [sum(row[column] == object_id for row in found) for found in concerned]
        assert erase(warehouse, kind, object_id) == (expected, expected, 0)
        left = {name: [row for row in found if row.get(column) != object_id] for name, found in left.items()}
        with warehouse.connect() as client:
            for target in targets(warehouse):
                assert rows.stored(client, target) == rows.truth(target.table, left[target.table.name])
                assert rows.staging_left(client, target) == []


def test_tables_that_require_a_partition_filter(faulty: Warehouse) -> None:
    """The statements name the partition, so that such a table takes them."""
    fill(faulty)
    with faulty.connect() as client:
        for target in targets(faulty):
            table = client.get_table(target.path)
            table.require_partition_filter = True
            client.update_table(table, ["require_partition_filter"])
        with pytest.raises(Exception, match="without a filter"):
            client.query(f"SELECT * FROM `{targets(faulty)[0].path}`").result()
    assert erase(faulty, "account", "account-0") == ([3] * len(ALL_TABLES), [3] * len(ALL_TABLES), 0)


def test_staging_that_a_killed_task_left(faulty: Warehouse) -> None:
    """Rows that wait in a staging table go, too; a staging table without any is not mentioned."""
    fill(faulty)
    target = rows.target(MEDIA_INSIGHTS, project=faulty.project, dataset=faulty.dataset)
    with faulty.connect() as client:
        left = f"{target.path}__stg_0123456789abcdef_1_0123456789ab_cafe"
        client.query(f"CREATE TABLE `{left}` AS SELECT * FROM `{target.path}`").result()
    counted, deleted, after = erase(faulty, "media", "media-1")
    assert (counted, deleted, after) == ([2] * 5, [2] * 5, 0)
    assert erase(faulty, "media", "media-1") == ([0] * 4, [0] * 4, 0)


def test_a_lost_answer_deletes_and_counts_once(faulty: Warehouse, sandbox: BigQuerySandbox) -> None:
    """Where the answer to a deletion is lost after it was done, the rows it deleted are still counted."""
    fill(faulty)
    sandbox.faults.add(BigQueryFault(route=r"POST /bigquery/.*/jobs$", body="DELETE FROM", effect="answerLost"))
    assert erase(faulty, "account", "account-0") == ([3] * len(ALL_TABLES), [3] * len(ALL_TABLES), 0)


def test_a_view_under_the_name_of_a_table(faulty: Warehouse) -> None:
    """What is no table is refused by name before anything is deleted."""
    fill(faulty)
    target = targets(faulty)[-1]
    with faulty.connect() as client:
        client.delete_table(target.path)
        view = Table(target.path)
        view.view_query = f"SELECT * FROM `{targets(faulty)[0].path}`"
        client.create_table(view)
    with pytest.raises(IncompatibleTable, match=r"is a view, and no row can be deleted from it\. Nothing was erased\."):
        erase(faulty, "account", "account-0")


@pytest.mark.parametrize("object_id", ["", " \n"], ids=repr)
def test_a_blank_id(faulty: Warehouse, object_id: str) -> None:
    """A blank id is refused."""
    fill(faulty)
    with pytest.raises(ConfigurationError, match="blank"):
        erase(faulty, "media", object_id)


def test_a_dataset_without_our_tables(faulty: Warehouse) -> None:
    """A dataset that holds none of the tables is refused, whether or not some may be missing."""
    with faulty.connect() as client:
        client.create_dataset(faulty.dataset)
        for skip in (False, True):
            with pytest.raises(DatasetUnavailable, match="There exist no table"):
                find_existing(client, targets=targets(faulty), skip_missing=skip, retry_budget=IMPATIENT)
