"""Describes the tables as dbt sources: columns, keys as data tests, freshness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airflow_provider_iginsights.catalog.columns import Column, Table
from airflow_provider_iginsights.catalog.view_definition import ViewColumn
from airflow_provider_iginsights.catalog.views import View
from airflow_provider_iginsights.dbt.tables import SOURCE, DbtTables
from airflow_provider_iginsights.dbt.yaml_text import YamlValue

FRESH_DAYS = 7
"""So many days a freshness query reads; a table without rows in them is too old in any case."""
TODAY = "CURRENT_DATE('America/Los_Angeles')"
# Hours after which to warn, and to fail, by table. A daily run that was missed warns, two fail; a story that no poll
# has seen for 24 hours is lost. The other tables have no row of a day on which nothing was published or changed; and a
# number that is read again and has not changed is not written again, so that the runs say best who is alive.
_FRESHNESS: Mapping[str, tuple[int, int]] = {
    "account_insights": (30, 54),
    "accounts": (30, 54),
    "media_insights": (30, 54),
    "story_polls": (6, 24),
    "runs": (30, 54),
}


def describe_sources(tables: DbtTables) -> dict[str, YamlValue]:
    """Return what ``sources.yml`` holds."""
    return {
        "version": 2,
        "sources": [
            {
                "name": SOURCE,
                "description": "What the transfers of airflow-provider-iginsights write, and the views of the newest "
                "numbers that they keep with create_views=True.",
                "database": "{{ var('instagram_project') or target.project }}",
                "schema": "{{ var('instagram_dataset') }}",
                "tables": [
                    *(_describe_table(table_id, table) for table_id, table in tables.tables.items()),
                    *(_describe_view(view_id, view) for view_id, view in tables.views.items() if view.current),
                ],
            }
        ],
    }


def describe_columns(
    columns: Iterable[Column | ViewColumn], *, not_null: Iterable[str], where: str
) -> Iterator[dict[str, YamlValue]]:
    """Yield the columns as dbt knows them. ``where``: condition of the rows that the test for NULL reads; '' = all."""
    tested = set(not_null)
    for column in columns:
        described: dict[str, YamlValue] = {
            "name": column.name,
            "description": column.description,
            "data_type": column.type,
        }
        if column.name in tested:
            described["data_tests"] = [{"not_null": _limit(where)} if where else "not_null"]
        yield described


def describe_key(name: str, key: Iterable[str], *, where: str) -> dict[str, YamlValue]:
    """Return the data test that no two rows have the same key."""
    of_row = f"TO_JSON_STRING(STRUCT({', '.join(key)}))"
    return {"unique": {"name": f"{name}_key_is_unique", "arguments": {"column_name": of_row}, **_limit(where)}}


def limit_days(column: str) -> str:
    """Return the condition of the rows that a data test reads, given the column that holds their day."""
    return f"{column} >= DATE_SUB({TODAY}, INTERVAL {{{{ var('instagram_test_days') }}}} DAY)"


def _limit(where: str) -> dict[str, YamlValue]:
    return {"config": {"where": where}} if where else {}


def _describe_table(table_id: str, table: Table) -> dict[str, YamlValue]:
    days = limit_days(table.partition_by)
    # A history of all fetches (load_mode="append") has keys many times.
    key = describe_key(table_id, table.key, where=days) if table.claims_key else None
    return {
        "name": table_id,
        "description": table.description,
        "config": {
            **_freshness(table),
            "meta": {
                "key": table.key,
                "partition_by": table.partition_by,
                "cluster_by": table.cluster_by,
            },
        },
        **({"data_tests": [key]} if key else {}),
        "columns": [*describe_columns(table.columns, not_null=table.key, where=days)],
    }


def _describe_view(view_id: str, view: View) -> dict[str, YamlValue]:
    return {
        "name": view_id,
        "description": f"{view.description} Made by create_views=True; read where instagram_read_views is true.",
        "columns": [*describe_columns(view.columns, not_null=(), where="")],
    }


def _freshness(table: Table) -> dict[str, YamlValue]:
    if table.name not in _FRESHNESS:
        return {}
    warn, fail = _FRESHNESS[table.name]
    return {
        "loaded_at_field": "fetched_at",
        "freshness": {
            "warn_after": {"count": warn, "period": "hour"},
            "error_after": {"count": fail, "period": "hour"},
            # Also what a table asks for that requires a filter on its partition.
            "filter": f"{table.partition_by} >= DATE_SUB({TODAY}, INTERVAL {FRESH_DAYS} DAY)",
        },
    }
