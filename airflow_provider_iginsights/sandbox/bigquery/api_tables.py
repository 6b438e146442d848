"""The REST calls about datasets, tables and their rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_iginsights.sandbox.bigquery.columns import fields_of
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from airflow_provider_iginsights.sandbox.bigquery.load import find_bad_rows, insert_lines
from airflow_provider_iginsights.sandbox.bigquery.query import Session, parse
from airflow_provider_iginsights.sandbox.bigquery.results import ResultPage, count_bytes, count_rows, read_page
from airflow_provider_iginsights.sandbox.bigquery.statements import schema_of
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import Dataset, Resource, StoredTable, TableRef
from airflow_provider_iginsights.sandbox.bigquery.uploads import Uploads

__all__ = ["JsonAnswer", "TableCall", "TablesApi", "paged"]


@dataclass(frozen=True, slots=True)
class TableCall:
    """A request, taken apart: path and query parameters, the JSON body, the If-Match header, the fault that hit it."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Resource
    if_match: str | None = None
    fault: BigQueryFault | None = None

    @property
    def project(self) -> str:
        """The project of the path."""
        return self.path["project"]

    @property
    def table(self) -> TableRef:
        """The table of the path."""
        return TableRef(self.project, self.path["dataset"], self.path["table"])


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """A JSON object, and rows that are JSON text already; an answer without either has no content."""

    resource: Resource | None = None
    page: ResultPage | None = field(default=None)


def paged(items: Iterable[Any], call: TableCall, key: str) -> JsonAnswer:
    """Return the page of the items that maxResults and pageToken ask for."""
    every = list(items)
    start = int(call.query.get("pageToken") or 0)
    end = start + int(call.query.get("maxResults") or 1000)
    more = {"nextPageToken": str(end)} if end < len(every) else {}
    counted = {"totalItems": len(every)} if key == "tables" else {}
    kind = {} if key == "routines" else {"kind": f"bigquery#{key.removesuffix('s')}List"}
    return JsonAnswer({**kind, key: every[start:end], **counted, **more})


class TablesApi:
    """Handlers for /datasets and below."""

    def __init__(self, storage: Storage, uploads: Uploads) -> None:
        self._storage = storage
        self._uploads = uploads

    def list_datasets(self, call: TableCall) -> JsonAnswer:
        """datasets.list."""
        return paged(map(_list_dataset, self._storage.datasets(call.project)), call, "datasets")

    def insert_dataset(self, call: TableCall) -> JsonAnswer:
        """datasets.insert."""
        return JsonAnswer(_dataset(self._storage.create_dataset(call.project, call.body)))

    def get_dataset(self, call: TableCall) -> JsonAnswer:
        """datasets.get."""
        return JsonAnswer(_dataset(self._storage.dataset(call.project, call.path["dataset"])))

    def delete_dataset(self, call: TableCall) -> JsonAnswer:
        """datasets.delete."""
        contents = call.query.get("deleteContents", "").lower() == "true"
        self._storage.delete_dataset(call.project, call.path["dataset"], delete_contents=contents)
        return JsonAnswer()

    def list_tables(self, call: TableCall) -> JsonAnswer:
        """tables.list."""
        tables = self._storage.tables(call.project, call.path["dataset"])
        return paged(map(_list_table, tables), call, "tables")

    def insert_table(self, call: TableCall) -> JsonAnswer:
        """tables.insert, for tables and views."""
        ref = TableRef.of({**call.body["tableReference"], "projectId": call.project, "datasetId": call.path["dataset"]})
        return JsonAnswer(self._resource(self._storage.create_table(ref, self._with_view_schema(ref, call.body))))

    def get_table(self, call: TableCall) -> JsonAnswer:
        """tables.get."""
        return JsonAnswer(self._resource(self._storage.table(call.table)))

    def patch_table(self, call: TableCall) -> JsonAnswer:
        """tables.patch; a stale etag is refused."""
        table = self._storage.table(call.table)
        with table.lock:
            if call.if_match not in (None, "*", table.etag):
                # The etag guards a read and the patch that follows from it against another client's patch between them.
                raise BigQueryError("conditionNotMet", "Precondition check failed.")
            self._storage.update_table(table, self._with_view_schema(table.ref, call.body))
        return JsonAnswer(self._resource(table))

    def delete_table(self, call: TableCall) -> JsonAnswer:
        """tables.delete."""
        self._storage.delete_table(call.table)
        return JsonAnswer()

    def list_rows(self, call: TableCall) -> JsonAnswer:
        """tabledata.list."""
        table = self._stored(call.table)
        selected = [name.lower() for name in call.query.get("selectedFields", "").split(",") if name]
        fields = [column for column in table.fields if not selected or column.name.lower() in selected]
        page = read_page(self._storage, str(table.physical), fields, call.query)
        more = {"pageToken": page.next_token} if page.next_token else {}
        return JsonAnswer(
            {"kind": "bigquery#tableDataList", "etag": table.etag, "totalRows": str(page.total), **more}, page
        )

    def insert_rows(self, call: TableCall) -> JsonAnswer:
        """tabledata.insertAll: all rows or none; insertId is not used, and DML may change the rows at once."""
        if call.body.get("skipInvalidRows") or call.body.get("templateSuffix"):
            raise not_supported("insertAll with skipInvalidRows or templateSuffix", reason="notImplemented")
        table, rows = self._stored(call.table), call.body["rows"]
        ignore = bool(call.body.get("ignoreUnknownValues"))
        path = self._uploads.new_path()
        path.write_text("".join(json.dumps(row["json"]) + "\n" for row in rows), encoding="utf-8")
        try:
            with table.lock, self._storage.transaction() as cursor:
                # insertErrors count rows from 0, the errors of a load job from 1.
                bad = {row.number - 1: row for row in find_bad_rows(cursor, path, table.fields, ignore_unknown=ignore)}
                if not bad:
                    insert_lines(cursor, table, path, table.fields, ignore_unknown=ignore)
                    self._storage.save(table, cursor)
        finally:
            path.unlink()
        refused = [_insert_error(index, bad[index].message if index in bad else None) for index in range(len(rows))]
        return JsonAnswer({"kind": "bigquery#tableDataInsertAllResponse", **({"insertErrors": refused} if bad else {})})

    def _stored(self, ref: TableRef) -> StoredTable:
        table = self._storage.table(ref)
        if table.physical is None:
            raise BigQueryError("invalid", f"Cannot list or insert rows of {ref}: it is a view.")
        return table

    def _with_view_schema(self, ref: TableRef, resource: Resource) -> Resource:
        """Return a view's resource with the columns of its query."""
        if not resource.get("view"):
            return resource
        session = Session(self._storage, ref.project, self._storage.dataset(ref.project, ref.dataset).location)
        described = schema_of(session, parse(resource["view"]["query"]).copy())
        # tables.insert may carry descriptions of a view's columns; their names and types are the query's.
        declared = {entry["name"]: entry for entry in (resource.get("schema") or {}).get("fields", ())}
        fields = [{**declared.get(entry["name"], {}), **entry} for entry in described["fields"]]
        return {**resource, "schema": {"fields": fields}}

    def _resource(self, table: StoredTable) -> Resource:
        sizes: Resource = {}
        if table.physical is not None:
            rows = count_rows(self._storage, table)
            sizes = {"numRows": str(rows), "numBytes": str(count_bytes(self._storage, table) if rows else 0)}
        location = self._storage.dataset(table.ref.project, table.ref.dataset).location
        schema = {"fields": [dict(column.resource) for column in fields_of(table.resource.get("schema"))]}
        return {
            **table.resource,
            **_summary(table),
            **sizes,
            "schema": schema,
            "etag": table.etag,
            "location": location,
        }


def _dataset(entry: Dataset) -> Resource:
    return {**entry.resource, "kind": "bigquery#dataset", "id": f"{entry.project}:{entry.name}", "etag": entry.name}


def _list_dataset(entry: Dataset) -> Resource:
    kept = ("kind", "id", "datasetReference", "labels", "friendlyName", "location")
    return {key: value for key, value in _dataset(entry).items() if key in kept}


def _summary(table: StoredTable) -> Resource:
    kept = ("labels", "creationTime", "expirationTime", "friendlyName", "timePartitioning", "clustering", "view")
    return {
        "kind": "bigquery#table",
        "id": str(table.ref),
        "tableReference": table.ref.resource,
        "type": "VIEW" if table.view_query else "TABLE",
        **{key: table.resource[key] for key in kept if key in table.resource},
    }


def _list_table(table: StoredTable) -> Resource:
    # A list does not tell the query of a view ("tables.list").
    view = {"view": {"useLegacySql": False}} if table.view_query else {}
    return {**_summary(table), **view}


def _insert_error(index: int, message: str | None) -> Resource:
    # One bad row refuses the whole request: the good ones are "stopped" ("tabledata.insertAll", insertErrors).
    reason = "invalid" if message else "stopped"
    return {"index": index, "errors": [{"reason": reason, "message": message or "", "location": "", "debugInfo": ""}]}
