"""Writes the views as dbt models: the same queries, over sources and other models in place of paths."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_iginsights.catalog.view_definition import bind_parameters
from airflow_provider_iginsights.catalog.views import View
from airflow_provider_iginsights.dbt.sources import describe_columns, describe_key, limit_days
from airflow_provider_iginsights.dbt.tables import SOURCE, DbtTables
from airflow_provider_iginsights.dbt.yaml_text import YamlValue

FIRST_DAY = "0001-01-01"
"""In the views, the day that no row is before."""
_DAYS = ("metric_date", "snapshot_date")


def write_model(view_id: str, view: View, *, tables: DbtTables) -> str:
    """Return the model's SQL, in which dbt finds what it reads.

    The newest numbers of each key are searched in the whole table, which is right whatever has been loaded; or, where
    the operators keep the view, read from it, since only they know up to which day its current table is complete.
    """
    query = _bind(_read(view, tables), view_id, view)
    query = query.replace(f"DATE '{FIRST_DAY}'", "DATE '{{ var('instagram_first_day') }}'")
    if view.current is None:
        return f"{query}\n"
    through = f"SELECT * FROM {_source(view_id)}"  # noqa: S608 (ids are checked)
    return f"{{% if var('instagram_read_views') -%}}\n{through}\n{{%- else -%}}\n{query}\n{{%- endif %}}\n"


def describe_models(tables: DbtTables) -> dict[str, YamlValue]:
    """Return what ``schema.yml`` holds: descriptions and data tests of the models."""
    return {
        "version": 2,
        "models": [_describe_model(view_id, view) for view_id, view in tables.views.items()],
    }


def list_parameters(tables: DbtTables) -> Iterator[tuple[str, str, View]]:
    """Yield the dbt variable of each parameter of a view, the parameter's name, and the view."""
    for view_id, view in tables.views.items():
        yield from ((_variable(view_id, parameter), parameter, view) for parameter in view.parameters)


def _read(view: View, tables: DbtTables) -> str:
    """Return the view's query over dbt's sources and models."""
    read = (view.table, *view.tables)
    return view.select(
        {table.name: _source(tables.table_id(table)) for table in read}
        | {name: f"{{{{ ref('{tables.view_id(name)}') }}}}" for name in view.views}
    )


def _bind(query: str, view_id: str, view: View) -> str:
    """Put dbt's variables where a table function has parameters."""
    return bind_parameters(view, query, lambda name: f"{{{{ var('{_variable(view_id, name)}') }}}}")


def _describe_model(view_id: str, view: View) -> dict[str, YamlValue]:
    shown = {column.name for column in view.columns}
    where = next((limit_days(day) for day in _DAYS if day in shown), "")
    not_null = [name for name in view.key if name not in view.can_be_null]
    return {
        "name": view_id,
        "description": view.description,
        **({} if view.parameters else {"config": {"meta": {"example": view.example.format(view=view_id)}}}),
        **({"data_tests": [describe_key(view_id, view.key, where=where)]} if view.key else {}),
        "columns": [*describe_columns(view.columns, not_null=not_null, where=where)],
    }


def _source(name: str) -> str:
    return f"{{{{ source('{SOURCE}', '{name}') }}}}"


def _variable(view_id: str, parameter: str) -> str:
    return f"{view_id}_{parameter}"
