"""Which tables and views the dbt project is about, and what each is called there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from airflow_provider_iginsights.catalog.columns import Table
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES, RUNS
from airflow_provider_iginsights.catalog.views import VIEWS, View
from airflow_provider_iginsights.errors import ConfigurationError

SOURCE = "instagram"
"""The dbt source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtTables:
    """The tables of one dataset and the views that can be made of them, by their names in BigQuery and in dbt."""

    tables: Mapping[str, Table]
    views: Mapping[str, View]

    def table_id(self, table: Table) -> str:
        """Return what the table is called."""
        return next(table_id for table_id, each in self.tables.items() if each == table)

    def view_id(self, name: str) -> str:
        """Return what the view of this name is called."""
        return next(view_id for view_id, each in self.views.items() if each.name == name)


def find_dbt_tables(*, table_ids: Iterable[tuple[str, str]], without: Iterable[str]) -> DbtTables:
    """Return the tables and their views.

    :param table_ids: catalog name and id of tables that are called otherwise; a table that is optional exists if it is
        named here, and that of the runs in any case, since transfers write it where nobody says otherwise.
    :param without: catalog names of tables that do not exist.
    :raises ConfigurationError: two tables would have the same id.
    """
    named, absent = dict(table_ids), set(without)
    present = {
        table.name: named.get(table.name, table.default_id)
        for table in ALL_TABLES
        if table.name not in absent and (table.name in named or not table.is_optional or table is RUNS)
    }
    tables: dict[str, Table] = {}
    for table in ALL_TABLES:
        if table.name in present and (other := tables.setdefault(present[table.name], table)) is not table:
            raise ConfigurationError(
                f"The tables {other.name} and {table.name} cannot both be called {present[table.name]}."
            )
    return DbtTables(
        tables=tables,
        views={view.view_id(present[view.table.name]): view for view in VIEWS if _can_be_made(view, present)},
    )


def _can_be_made(view: View, present: Collection[str]) -> bool:
    """Say whether all tables that the view reads are there, also those of the views that it reads."""
    read = (each for each in VIEWS if each.name in view.views)
    tables = (view.table, *view.tables)
    return all(table.name in present for table in tables) and all(_can_be_made(each, present) for each in read)
