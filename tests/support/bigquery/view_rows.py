"""Fills the tables of a warehouse with plain rows, and reads their views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from google.cloud.bigquery import QueryJobConfig

from airflow_provider_iginsights.bigquery.view_state import view_path
from airflow_provider_iginsights.catalog.views import VIEWS, ViewName
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import LoadMode, TargetTable
    from airflow_provider_iginsights.bigquery.views import Done
    from airflow_provider_iginsights.catalog.tables import Table
    from tests.support.bigquery.warehouses import Warehouse

Row = dict[str, Any]
VIEW = {view.name: view for view in VIEWS}


def targets_of(warehouse: Warehouse, tables: Iterable[Table]) -> list[TargetTable]:
    """Return the targets of these tables, with their default ids."""
    return [
        rows.target(each, project=warehouse.project, dataset=warehouse.dataset, location=warehouse.location)
        for each in tables
    ]


def write_rows(
    warehouse: Warehouse, given: Mapping[Table, Sequence[Row]], *, load_mode: LoadMode = "append"
) -> dict[str, Done]:
    """Write rows of several tables in one task, as they are, and make the views; return what was done about each."""
    targets = targets_of(warehouse, given)
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure(targets, load_mode=load_mode)
        row_files = [loader.row_file(target) for target in targets]
        for row_file in row_files:
            for row in given[row_file.target.table]:
                row_file.write(row)
        loader.commit(row_files, load_mode=load_mode)
        return {result.path.rpartition(".")[2]: result.done for result in loader.create_views(targets)}


def path_of(warehouse: Warehouse, name: ViewName) -> str:
    """Return the path of a view whose tables have their default ids."""
    [target] = targets_of(warehouse, [VIEW[name].table])
    return view_path(VIEW[name], target)


def select_from(warehouse: Warehouse, name: ViewName, days: Sequence[date]) -> str:
    """Return the query for all of a view, or of a table function with these days."""
    given = ", ".join(f"DATE '{day}'" for day in days)
    return f"SELECT * FROM `{path_of(warehouse, name)}`{f'({given})' if days else ''}"


def count_bytes(warehouse: Warehouse, name: ViewName, *days: date) -> int:
    """Return how many bytes a query of all of a view, or of a table function with these days, would process."""
    with warehouse.connect() as client:
        job = client.query(select_from(warehouse, name, days), QueryJobConfig(dry_run=True))
        return int(job.total_bytes_processed or 0)


def read_view(warehouse: Warehouse, name: ViewName, *days: date) -> list[Row]:
    """Return the rows of a view, or of a table function with these days; numbers to six digits behind the point.

    No two of them have the same key, whatever the tables hold.
    """
    with warehouse.connect() as client:
        found = client.query(select_from(warehouse, name, days)).result()
        assert [field.name for field in found.schema] == [column.name for column in VIEW[name].columns]
        shown = [{key: plain(value) for key, value in row.items()} for row in found]
    key = VIEW[name].key
    keys = [tuple(row[column] for column in key) for row in shown]
    assert len(set(keys)) == len(keys)
    return shown


def plain(value: Any) -> Any:
    """Return a number as Decimal with six digits at most behind the point, and anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return round(Decimal(value), 6).normalize() + 0


def divide(above: Decimal | int | None, below: Decimal | int | None) -> Decimal | None:
    """Return the quotient as a view shows it; None where there is none."""
    return None if above is None or not below else plain(Decimal(above) / Decimal(below))
