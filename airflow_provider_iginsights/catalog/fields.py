"""Which fields of Meta's nodes (accounts, media) a table is filled from, in a version of the Graph API."""

from __future__ import annotations

from airflow_provider_iginsights.catalog.columns import Table
from airflow_provider_iginsights.graph_api import parse_version


def list_fields(table: Table, version: str) -> tuple[str, ...]:
    """Return the fields that fill columns of the table and that this version knows, in table order."""
    known = parse_version(version)
    return tuple(
        column.field for column in table.columns if column.field and parse_version(column.field_since) <= known
    )
