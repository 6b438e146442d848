"""Our columns as BigQuery's, and what an existing table has to have for our rows to fit.

Never drops, retypes or tightens anything: a table either fits, fits after nullable columns are added, or is refused
by name. Order and case of columns do not matter; columns of the user's own are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import IncompatibleTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.tables import Column, Table

LEGACY_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
# A wider type stores every value without loss. FLOAT64 does not: counts above 2^53 and decimal fractions would change.
ACCEPTED: dict[str, frozenset[str]] = {
    "INT64": frozenset({"INT64", "NUMERIC", "BIGNUMERIC"}),
    "NUMERIC": frozenset({"NUMERIC", "BIGNUMERIC"}),
}


def fields(columns: Sequence[Column]) -> list[Any]:
    """Return the columns as google.cloud.bigquery.SchemaField objects."""
    from google.cloud.bigquery import SchemaField

    return [
        SchemaField(c.name, c.type, mode="REQUIRED" if c.required else "NULLABLE", description=c.description)
        for c in columns
    ]


def type_of(field: Any) -> str:
    """Return the GoogleSQL type of a SchemaField, such as INT64, STRING(50) or ARRAY<DATE>."""
    name = LEGACY_NAMES.get(field.field_type, field.field_type)
    limits = [str(limit) for limit in (field.max_length, field.precision, field.scale) if limit is not None]
    limited = f"{name}({', '.join(limits)})" if limits else name
    return f"ARRAY<{limited}>" if field.mode == "REPEATED" else limited


def missing_columns(target: TargetTable, *, existing: Any) -> tuple[Column, ...]:
    """Return the columns to add to an existing table; raise IncompatibleTable if rows of ours can never fit.

    :param existing: google.cloud.bigquery.Table, as it was read.
    """
    have = {field.name.lower() for field in existing.schema}
    missing = tuple(column for column in target.table.columns if column.name not in have)
    faults = [*_faults(target.table, existing=existing.schema), *_collation_faults(target.table, existing=existing)]
    if faults:
        raise IncompatibleTable(
            f"The table {target.path} does not fit: {'; '.join(faults)}. Nothing was fetched or written. "
            "Change the table, or name another table id: a table that does not exist is created."
        )
    return missing


def _faults(table: Table, *, existing: Sequence[Any]) -> Iterator[str]:
    have = {field.name.lower(): field for field in existing}
    for column in table.columns:
        field = have.pop(column.name, None)
        if field is None:
            if column.required:
                yield f"column {column.name} {column.type} is missing and cannot be added, since it is REQUIRED"
        else:
            yield from _field_faults(column, field=field)
    for field in have.values():
        # A column with a default takes it where a statement does not name the column ("Specify default column values").
        if field.mode == "REQUIRED" and field.default_value_expression is None:
            yield f"column {field.name} {type_of(field)} is REQUIRED, and our rows do not have it"


def _field_faults(column: Column, *, field: Any) -> Iterator[str]:
    found = type_of(field)
    if found not in ACCEPTED.get(column.type, {column.type}):
        yield f"column {column.name} is {found}, and {column.type} is needed"
    if field.mode == "REQUIRED" and not column.required:
        yield f"column {column.name} is REQUIRED, and our rows can leave it NULL"


# Read from the resource: the SchemaField of an older google-cloud-bigquery (3.20) knows no collation and drops it. A
# column that is added has the table's default ("Collation: default collation of a table").
def _collation_faults(table: Table, *, existing: Any) -> Iterator[str]:
    resource = existing.to_api_repr()
    columns = {column["name"].lower(): column for column in resource.get("schema", {}).get("fields", ())}
    for column in table.columns:
        have = columns.get(column.name)
        if have is not None and (own := have.get("collation")):
            yield f"column {column.name} has the collation {own}, to which two texts can be one, and none is needed"
        elif have is None and column.type == "STRING" and (default := resource.get("defaultCollation")):
            yield (
                f"column {column.name} is missing and would be added with the table's default collation {default}, to "
                "which two texts can be one (ALTER TABLE ... SET DEFAULT COLLATE '' takes the default away)"
            )
