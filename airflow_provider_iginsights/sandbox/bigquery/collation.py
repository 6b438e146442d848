"""The collation of text columns: with ``und:ci``, ``Paris`` and ``paris`` are one text to every statement.

A column has the collation that it names, else its table's default; a table that names none has its dataset's. ``""``
names the one that tells letters by their case ("Collation", GoogleSQL; the REST resources of datasets and tables).
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource

__all__ = ["with_default", "with_own"]


def with_default(resource: Resource, dataset: Resource) -> Resource:
    """Return a new table's resource with the collation that it inherits."""
    default = resource.get("defaultCollation")
    if default is None:
        default = dataset.get("defaultCollation") or ""
    if not default or "schema" not in resource:
        return resource
    inherited = {**resource, "defaultCollation": default}
    return {**inherited, "schema": with_own(resource["schema"], inherited)}


def with_own(schema: Resource, table: Resource, *, had: Iterable[SchemaField] = ()) -> Resource:
    """Return columns of a table with the table's collation where they name none; those that it ``had`` keep theirs."""
    default = table.get("defaultCollation")
    if not default:
        return schema
    kept = {column.name.lower() for column in had}
    fields = [
        {"collation": default, **field}
        if str(field.get("type", "")).upper() == "STRING" and field["name"].lower() not in kept
        else field
        for field in schema.get("fields", ())
    ]
    return {**schema, "fields": fields}
