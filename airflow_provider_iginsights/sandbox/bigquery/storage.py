"""What the local BigQuery stores: datasets, tables and the DuckDB tables that hold their rows.

A BigQuery table is a DuckDB table under an opaque name, so names that differ only in case, tables that are replaced and
rows that are being read never meet. Metadata is kept as the REST resources the callers declared; with a storage folder
both survive a restart (jobs do not).
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from airflow_provider_iginsights.sandbox.bigquery import alterations, collation, expirations
from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, fields_of
from airflow_provider_iginsights.sandbox.bigquery.engine import open_engine
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found, translate
from airflow_provider_iginsights.sandbox.bigquery.routines import Routines
from airflow_provider_iginsights.sandbox.bigquery.switches import Switches
from airflow_provider_iginsights.sandbox.bigquery.tables import (
    Dataset,
    Resource,
    StoredTable,
    TableRef,
    checked,
    milliseconds,
)
from airflow_provider_iginsights.sandbox.clock import Clock

__all__ = ["Storage"]


class Storage:
    """Datasets, tables and the DuckDB instance under them. Safe to call from any thread."""

    def __init__(
        self, folder: Path | None, *, location: str, clock: Clock | None = None, switches: Switches | None = None
    ) -> None:
        """Open the storage in ``folder`` (created when missing), or in memory. ``location`` is the default region."""
        self.location = location
        self.clock: Clock = clock or Clock()
        self._switches = switches or Switches()
        self._in_use: dict[int, duckdb.DuckDBPyConnection] = {}
        self._lock = threading.RLock()
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._tables: dict[TableRef, StoredTable] = {}
        self._duckdb = open_engine(folder)
        self._restore()
        self.routines: Routines = Routines(self._duckdb)

    def now_ms(self) -> str:
        """Return the time in milliseconds since 1970, as the REST API writes it."""
        return str(milliseconds(self.clock.now()))

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection for the calling thread alone, which ``interrupt`` reaches."""
        with self._duckdb.cursor() as cursor:
            self._in_use[threading.get_ident()] = cursor
            try:
                yield cursor
            finally:
                self._in_use.pop(threading.get_ident(), None)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection with a transaction: committed at the end, rolled back when anything is raised."""
        with self.cursor() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException as error:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                if isinstance(error, duckdb.Error):
                    raise translate(error) from error
                raise

    def interrupt(self, thread: int) -> None:
        """Stop the statement that the thread is running, if any."""
        with suppress(KeyError, duckdb.Error):
            self._in_use[thread].interrupt()

    def close(self) -> None:
        """Close the engine."""
        self._duckdb.close()

    def dataset(self, project: str, name: str, *, location: str | None = None) -> Dataset:
        """Return the dataset; with ``location``, only if it lies there. Raises BigQueryError (404, 403)."""
        if name in self._switches.denied_datasets:
            raise BigQueryError(
                "accessDenied",
                f"Access Denied: Dataset {project}:{name}: Permission denied on dataset {project}:{name} "
                # Whether a dataset exists is not told to those who may not see it.
                "(or it may not exist).",
            )
        found = self._datasets.get((project, name))
        if found is None or (location and found.location.upper() != location.upper()):
            raise not_found("Dataset", f"{project}:{name}", location=location)
        return found

    def datasets(self, project: str) -> list[Dataset]:
        """Return the project's datasets by name."""
        with self._lock:
            return [entry for (owner, _), entry in sorted(self._datasets.items()) if owner == project]

    def create_dataset(self, project: str, resource: Resource) -> Dataset:
        """Create. Raises BigQueryError (409) for a dataset that exists."""
        name = str(resource["datasetReference"]["datasetId"])
        if not re.fullmatch(r"[A-Za-z0-9_]{1,1024}", name):
            raise BigQueryError("invalid", f'Invalid dataset ID "{name}". Dataset IDs must be alphanumeric.')
        with self._lock:
            if (project, name) in self._datasets:
                raise BigQueryError("duplicate", f"Already Exists: Dataset {project}:{name}")
            reference = {"projectId": project, "datasetId": name}
            declared = {
                **expirations.of_dataset(resource, billing=self._switches.billing),
                "location": resource.get("location") or self.location,
                "datasetReference": reference,
                "creationTime": self.now_ms(),
            }
            self._datasets[project, name] = entry = Dataset(project, name, declared)
            self._remember(f"{project}:{name}", {"dataset": declared})
            return entry

    def delete_dataset(self, project: str, name: str, *, delete_contents: bool) -> None:
        """Delete. Raises BigQueryError (404, or 400 while tables are left in it)."""
        left = self.tables(project, name)
        if left and not delete_contents:
            raise BigQueryError("resourceInUse", f"Dataset {project}:{name} is still in use")
        for table in left:
            self.delete_table(table.ref)
        self.routines.drop_all(project, name)
        with self._lock:
            del self._datasets[project, name]
            self._forget(f"{project}:{name}")

    def find_table(self, ref: TableRef, *, location: str | None = None) -> StoredTable | None:
        """Return the table or None (an expired one is gone); the dataset must exist."""
        self.dataset(ref.project, ref.dataset, location=location)
        found = self._tables.get(ref)
        if found is not None and found.has_expired(self.clock.now()):
            self._drop(found)
            return None
        if found is not None and (expired := found.expired_partitions(self.clock.now())):
            self._drop_partitions(found, expired)
        return found

    def table(self, ref: TableRef, *, location: str | None = None) -> StoredTable:
        """Return the table or view. Raises BigQueryError (404, 403)."""
        found = self.find_table(ref, location=location)
        if found is None:
            raise not_found("Table", str(ref), location=location)
        return found

    def tables(self, project: str, dataset: str) -> list[StoredTable]:
        """Return the dataset's live tables and views by name."""
        self.dataset(project, dataset)
        with self._lock:
            mine = sorted(ref for ref in self._tables if (ref.project, ref.dataset) == (project, dataset))
        return [table for ref in mine if (table := self.find_table(ref)) is not None]

    def create_table(self, ref: TableRef, resource: Resource) -> StoredTable:
        """Create a table, or a view when the resource has one. Raises BigQueryError (404, 409, 400)."""
        defaults = self.dataset(ref.project, ref.dataset).resource
        with self._lock:
            if self.find_table(ref) is not None:
                raise BigQueryError("duplicate", f"Already Exists: Table {ref}")
            now = self.clock.now()  # read once: what ends 60 days after the creation does so to the millisecond
            created_at = str(milliseconds(now))
            collated = collation.with_default(resource, defaults)
            dated = expirations.created(collated, defaults, now=now, billing=self._switches.billing)
            declared = checked({**dated, "tableReference": ref.resource, "creationTime": created_at})
            physical = None if declared.get("view") else f"t_{uuid.uuid4().hex}"
            table = StoredTable(ref, {**declared, "lastModifiedTime": created_at}, physical)
            with self.transaction() as cursor:
                if physical is not None:
                    cursor.execute(alterations.create_sql(physical, table.fields))
                self.save(table, cursor)
            self._tables[ref] = table
            return table

    def delete_table(self, ref: TableRef) -> None:
        """Drop a table or view. Raises BigQueryError (404)."""
        self._drop(self.table(ref))

    def update_table(self, table: StoredTable, changes: Resource, *, by_ddl: bool = False) -> None:
        """Change the resource: None takes a key away, labels are merged, the schema may grow and relax."""
        if by_ddl and not self._switches.billing:
            partitioning = table.resource.get("timePartitioning", {})
            changes = expirations.shortened(changes, partitioning, now=self.clock.now())
        with table.lock, self.transaction() as cursor:
            labels = {**table.resource.get("labels", {}), **(changes.get("labels") or {})}
            merged = {
                **table.resource,
                **changes,
                # tables.patch merges labels; null takes one away ("Updating labels").
                "labels": {key: text for key, text in labels.items() if text is not None},
            }
            resource = checked({key: value for key, value in merged.items() if value is not None})
            resource = expirations.changed(resource, now=self.clock.now(), billing=self._switches.billing)
            if "schema" in changes and table.physical is not None:
                resource["schema"] = collation.with_own(resource["schema"], resource, had=table.fields)
                alterations.alter(table, fields_of(resource["schema"]), cursor)
            table.resource = resource
            self.save(table, cursor)

    def replace_rows(self, table: StoredTable, schema: Resource, cursor: duckdb.DuckDBPyConnection) -> None:
        """Empty the table within the cursor's transaction and give it ``schema``; what was there is dropped."""
        # The schema of the job replaces the table's, and its key with it ("JobConfigurationLoad", WRITE_TRUNCATE).
        kept = {key: value for key, value in table.resource.items() if key != "tableConstraints"}
        schema = collation.with_own(schema, kept)
        if alterations.shape(fields_of(schema)) == alterations.shape(table.fields):
            cursor.execute(f"DELETE FROM {table.physical}")
        else:
            physical = f"t_{uuid.uuid4().hex}"
            cursor.execute(alterations.create_sql(physical, fields_of(schema)))
            cursor.execute(f"DROP TABLE {table.physical}")
            table.physical = physical
        table.resource = {**kept, "schema": schema}

    def add_columns(
        self, table: StoredTable, columns: Sequence[SchemaField], cursor: duckdb.DuckDBPyConnection
    ) -> None:
        """Add NULLABLE columns within the cursor's transaction; the caller saves. Raises BigQueryError (400)."""
        if columns:
            old = table.resource["schema"]["fields"]
            schema = {"fields": [*old, *(dict(column.resource) for column in columns)]}
            schema = collation.with_own(schema, table.resource, had=table.fields)
            alterations.alter(table, fields_of(schema), cursor)
            table.resource = {**table.resource, "schema": schema}

    def touch(self, table: StoredTable) -> None:
        """Note that the table's rows changed, after they did: two statements on one table never meet over this note."""
        with self.transaction() as cursor:
            self.save(table, cursor)

    def save(self, table: StoredTable, cursor: duckdb.DuckDBPyConnection) -> None:
        """Note in the cursor's transaction that the table's rows or metadata changed."""
        table.version += 1
        table.resource["lastModifiedTime"] = self.now_ms()
        entry = {"table": table.resource, "physical": table.physical, "version": table.version}
        cursor.execute("DELETE FROM catalogue WHERE name = ?", [str(table.ref)])
        cursor.execute("INSERT INTO catalogue VALUES (?, ?)", [str(table.ref), json.dumps(entry)])

    def _drop_partitions(self, table: StoredTable, expired: str) -> None:
        with self.cursor() as cursor:
            gone = cursor.execute(f"SELECT count(*) FROM {table.physical} WHERE {expired}").fetchone()
        if gone and gone[0]:
            with table.lock, self.transaction() as cursor:
                cursor.execute(f"DELETE FROM {table.physical} WHERE {expired}")
                self.save(table, cursor)

    def _drop(self, table: StoredTable) -> None:
        with table.lock, self.transaction() as cursor:
            if table.physical is not None:
                cursor.execute(f"DROP TABLE IF EXISTS {table.physical}")
            cursor.execute("DELETE FROM catalogue WHERE name = ?", [str(table.ref)])
            if self._tables.get(table.ref) is table:
                del self._tables[table.ref]

    def _remember(self, name: str, entry: Resource) -> None:
        with self.cursor() as cursor:
            cursor.execute("INSERT INTO catalogue VALUES (?, ?)", [name, json.dumps(entry)])

    def _forget(self, name: str) -> None:
        with self.cursor() as cursor:
            cursor.execute("DELETE FROM catalogue WHERE name = ?", [name])

    def _restore(self) -> None:
        for (text,) in self._duckdb.execute("SELECT entry FROM catalogue").fetchall():
            entry: dict[str, Any] = json.loads(text)
            if "dataset" in entry:
                reference = entry["dataset"]["datasetReference"]
                key = (reference["projectId"], reference["datasetId"])
                self._datasets[key] = Dataset(*key, entry["dataset"])
            else:
                ref = TableRef.of(entry["table"]["tableReference"])
                self._tables[ref] = StoredTable(ref, entry["table"], entry["physical"], entry["version"])
