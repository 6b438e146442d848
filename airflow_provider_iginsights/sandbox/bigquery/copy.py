"""Copy jobs: the rows of one or several tables into another, all or none, without a byte billed.

Sources must have the same columns in the same order. Every disposition but ``WRITE_TRUNCATE`` and ``WRITE_EMPTY``
appends. A destination that does not exist is created like the first source, without its expiration.
"""

from __future__ import annotations

import duckdb

from airflow_provider_iginsights.sandbox.bigquery.columns import fields_of, quote
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found, not_supported
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, StoredTable, TableRef

__all__ = ["check_copy", "copy", "sources_of"]

# "Quotas and limits", copy jobs: source tables per job.
MOST_SOURCES = 1200
_KNOWN_OPTIONS = {
    "createDisposition", "destinationEncryptionConfiguration", "destinationTable", "operationType", "sourceTable",
    "sourceTables", "writeDisposition",
}  # fmt: skip


def sources_of(options: Resource) -> tuple[TableRef, ...]:
    """Return the sources of a copy configuration."""
    return tuple(TableRef.of(each) for each in options.get("sourceTables") or [options["sourceTable"]])


def check_copy(options: Resource) -> None:
    """Refuse what a copy could ask for and the sandbox does not do, and more sources than BigQuery takes."""
    strange = sorted(key for key, value in options.items() if key not in _KNOWN_OPTIONS and value)
    if strange or options.get("operationType", "COPY") != "COPY":
        raise not_supported(f"A copy with {', '.join(strange) or options['operationType']}", reason="notImplemented")
    if len(sources := sources_of(options)) > MOST_SOURCES:
        raise BigQueryError("invalid", f"Too many source tables: {len(sources)}. A copy job takes {MOST_SOURCES}.")


def copy(storage: Storage, options: Resource, *, location: str) -> int:
    """Copy as configured; return the rows written. Raises BigQueryError, and then nothing is written."""
    sources = [storage.table(ref, location=location) for ref in sources_of(options)]
    for source in sources:
        if _shape(source) != _shape(sources[0]):
            raise BigQueryError("invalid", f"Incompatible table schemas: {source.ref} differs from {sources[0].ref}.")
    table = _destination(storage, options, sources[0], location)
    before = table.physical, table.resource
    try:
        with table.lock, storage.transaction() as cursor:
            _prepare(storage, table, options, sources[0], cursor)
            rows = sum(_append(table, source, cursor) for source in sources)
            storage.save(table, cursor)
            return rows
    except BaseException:
        table.physical, table.resource = before
        raise


def _prepare(
    storage: Storage, table: StoredTable, options: Resource, like: StoredTable, cursor: duckdb.DuckDBPyConnection
) -> None:
    # The default of copies, while that of loads is WRITE_APPEND ("JobConfigurationTableCopy").
    disposition = options.get("writeDisposition") or "WRITE_EMPTY"
    if disposition == "WRITE_TRUNCATE":
        storage.replace_rows(table, like.resource["schema"], cursor)
    elif disposition == "WRITE_EMPTY" and cursor.execute(f"SELECT 1 FROM {table.physical} LIMIT 1").fetchone():
        raise BigQueryError("duplicate", f"Already Exists: Table {table.ref}")
    elif _shape(table) != _shape(like):
        raise BigQueryError("invalid", f"Provided Schema does not match Table {table.ref}.")


def _append(table: StoredTable, source: StoredTable, cursor: duckdb.DuckDBPyConnection) -> int:
    names = ", ".join(quote(column.name) for column in table.fields)
    found = cursor.execute(f"INSERT INTO {table.physical} ({names}) SELECT {names} FROM {source.physical}").fetchone()
    return int(found[0]) if found else 0


def _destination(storage: Storage, options: Resource, like: StoredTable, location: str) -> StoredTable:
    ref = TableRef.of(options["destinationTable"])
    if (found := storage.find_table(ref, location=location)) is not None:
        if found.physical is None:
            raise BigQueryError("invalid", f"Cannot copy into the view {ref}.")
        return found
    # The default is CREATE_IF_NEEDED ("JobConfigurationTableCopy").
    if options.get("createDisposition") == "CREATE_NEVER":
        raise not_found("Table", str(ref))
    # A copy has no expiration of its own; the dataset's default comes by create_table ("Managing tables", copy).
    kept = ("schema", "timePartitioning", "clustering")
    return storage.create_table(ref, {key: like.resource[key] for key in kept if key in like.resource})


def _shape(table: StoredTable) -> list[tuple[str, object, object]]:
    if table.physical is None:
        raise BigQueryError("invalid", f"{table.ref} is a view, and views cannot be copied.")
    return [(each.name.lower(), each.kind, each.required) for each in fields_of(table.resource["schema"])]
