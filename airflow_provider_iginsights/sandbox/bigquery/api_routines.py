"""The REST calls about routines."""

from __future__ import annotations

import re
import threading

import duckdb
from sqlglot import exp

from airflow_provider_iginsights.sandbox.bigquery.api_tables import JsonAnswer, TableCall, paged
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_found, translate
from airflow_provider_iginsights.sandbox.bigquery.query import Session, parse
from airflow_provider_iginsights.sandbox.bigquery.routines import arguments_of, call
from airflow_provider_iginsights.sandbox.bigquery.statements import schema_of
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import Resource, TableRef

__all__ = ["RoutinesApi"]


class RoutinesApi:
    """Handlers for /datasets/…/routines."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        # The etag guards a read and the update that follows from it against another client's update between them.
        self._lock = threading.Lock()

    def list(self, request: TableCall) -> JsonAnswer:
        """routines.list."""
        where = (request.project, request.path["dataset"])
        self._storage.dataset(*where)
        return paged(self._storage.routines.all(*where), request, "routines")

    def insert(self, request: TableCall) -> JsonAnswer:
        """routines.insert."""
        ref = _check(request, str(request.body["routineReference"]["routineId"]))
        self._storage.dataset(ref.project, ref.dataset)
        with self._lock:
            if self._storage.routines.find(ref):
                raise BigQueryError("duplicate", f"Already Exists: Routine {ref}")
            return self._save(ref, request.body, version=0)

    def get(self, request: TableCall) -> JsonAnswer:
        """routines.get."""
        return JsonAnswer(self._routine(_ref_of(request)))

    def update(self, request: TableCall) -> JsonAnswer:
        """routines.update, which replaces the whole routine; a stale etag is refused."""
        with self._lock:
            found = self._routine(_ref_of(request))
            if request.if_match not in (None, "*", found["etag"]):
                raise BigQueryError("conditionNotMet", "Precondition check failed.")
            return self._save(_ref_of(request), request.body, version=int(str(found["etag"]).rpartition(".")[2]) + 1)

    def delete(self, request: TableCall) -> JsonAnswer:
        """routines.delete."""
        self._routine(_ref_of(request))
        self._storage.routines.save(_ref_of(request), None)
        return JsonAnswer()

    def _routine(self, ref: TableRef) -> Resource:
        self._storage.dataset(ref.project, ref.dataset)
        found = self._storage.routines.find(ref)
        if found is None:
            raise not_found("Routine", str(ref))
        return found

    def _save(self, ref: TableRef, resource: Resource, *, version: int) -> JsonAnswer:
        arguments = arguments_of(resource)
        body = parse(str(resource["definitionBody"])).copy()
        session = Session(self._storage, ref.project, self._storage.dataset(ref.project, ref.dataset).location)
        try:
            schema_of(session, call(body, arguments=arguments, given=[exp.null() for _ in arguments]))
        except duckdb.Error as error:
            raise translate(error) from error
        reference = {"projectId": ref.project, "datasetId": ref.dataset, "routineId": ref.table}
        moment = self._storage.now_ms()
        kept = {**resource, "routineReference": reference, "etag": f"{moment}.{version}", "lastModifiedTime": moment}
        self._storage.routines.save(ref, kept)
        return JsonAnswer(kept)


def _ref_of(request: TableCall) -> TableRef:
    return _check(request, request.path["routine"])


# What a table may be called besides, a routine may not ("RoutineReference").
def _check(request: TableCall, routine_id: str) -> TableRef:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,256}", routine_id):
        raise BigQueryError("invalid", f'Invalid routine ID "{routine_id}".')
    return TableRef(request.project, request.path["dataset"], routine_id)
