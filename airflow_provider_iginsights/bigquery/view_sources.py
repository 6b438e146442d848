"""Finds what a view reads beside its table: other tables of the dataset, and views of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_iginsights.bigquery.ensure import find_table
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.view_state import view_path
from airflow_provider_iginsights.catalog.views import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_iginsights.bigquery.session import BigQuerySession
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSources:
    """The tables that views of one target read, by name; those that nobody named have their default ids beside it.

    ``missing``: paths of those that do not exist, or lack columns of this release.
    """

    targets: dict[str, TargetTable]
    missing: frozenset[str]

    def locate(self, view: View) -> View:
        """Return the view, given where what it reads beside its table is."""
        tables: dict[str, str] = {table.name: self.targets[table.name].path for table in view.tables}
        read = (each for each in VIEWS if each.name in view.views)
        views = {each.name: view_path(each, self.targets[each.table.name]) for each in read}
        return view.locate({name: quoted(path) for name, path in (tables | views).items()})

    def list_missing(self, view: View) -> tuple[str, ...]:
        """Return the paths of the tables that the view reads and that are missing."""
        paths = (self.targets[table.name].path for table in view.tables)
        return tuple(path for path in paths if path in self.missing)


def find_sources(
    views: Iterable[View], target: TargetTable, *, known: Iterable[TargetTable], session: BigQuerySession
) -> ViewSources:
    """Look for the tables of these views of a target that exists.

    :param known: tables with their ids; of several with one name, the first in the target's dataset counts.
    :raises LoadError: BigQuery refuses.
    """
    beside = [each for each in known if each.dataset_path == target.dataset_path]
    targets: dict[str, TargetTable] = {each.table.name: each for each in reversed(beside)}
    targets[target.table.name] = target
    for table in (table for view in views for table in view.tables):
        if table.name not in targets:
            targets[table.name] = replace(target, table=table, table_id=table.default_id)
    wanted = {table.name for view in views for table in view.tables} - {target.table.name}
    missing = (targets[name].path for name in wanted if not _is_complete(targets[name], session=session))
    return ViewSources(targets=targets, missing=frozenset(missing))


# Whoever writes the table adds the columns: until then BigQuery would refuse the view.
def _is_complete(target: TargetTable, *, session: BigQuerySession) -> bool:
    found = find_table(target, session=session)
    return found is not None and {field.name.lower() for field in found.schema} >= {*target.table.column_names}
