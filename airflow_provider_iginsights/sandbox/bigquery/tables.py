"""What a dataset and a table are: names, the REST resources they were declared with, and what follows from them."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from airflow_provider_iginsights.sandbox.bigquery.columns import SchemaField, fields_of, quote
from airflow_provider_iginsights.sandbox.bigquery.errors import BigQueryError, not_supported

__all__ = ["Dataset", "Resource", "StoredTable", "TableRef", "TableShape", "checked", "milliseconds"]

Resource = dict[str, Any]
TableShape = tuple[str | None, tuple[SchemaField, ...], str | None, str | None]

_REFUSED = (
    "externalDataConfiguration",
    "materializedView",
    "rangePartitioning",
    "snapshotDefinition",
    "cloneDefinition",
)


class TableRef(NamedTuple):
    """Project, dataset and table."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        """Return the name as BigQuery's messages spell it."""
        return f"{self.project}:{self.dataset}.{self.table}"

    @property
    def dotted(self) -> str:
        """The name as SQL spells it."""
        return f"{self.project}.{self.dataset}.{self.table}"

    @property
    def resource(self) -> dict[str, str]:
        """The REST TableReference."""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table}

    @classmethod
    def of(cls, resource: Mapping[str, str]) -> TableRef:
        """Return the table a REST TableReference names. Raises BigQueryError for partition decorators and bad names."""
        table = resource["tableId"]
        if "$" in table:
            raise not_supported(f"The partition decorator in {table}", reason="notImplemented")
        if not re.fullmatch(r"[\w -]{1,1024}", table):
            raise BigQueryError("invalid", f'Invalid table ID "{table}".')
        return cls(resource["projectId"], resource["datasetId"], table)


@dataclass(slots=True)
class Dataset:
    """A dataset: whose it is and what it was declared with."""

    project: str
    name: str
    resource: Resource

    @property
    def location(self) -> str:
        """The region, as it was declared."""
        return str(self.resource["location"])


@dataclass(slots=True)
class StoredTable:
    """A table or view: its resource, and the DuckDB table of its rows (None for a view).

    ``lock`` is held by whoever writes to the table; ``version`` counts what was written, and makes the etag.
    """

    ref: TableRef
    resource: Resource
    physical: str | None
    version: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def fields(self) -> tuple[SchemaField, ...]:
        """The columns."""
        return fields_of(self.resource.get("schema"))

    @property
    def view_query(self) -> str | None:
        """The SQL of a view."""
        query: str | None = self.resource.get("view", {}).get("query")
        return query

    @property
    def etag(self) -> str:
        """Changes with every change to metadata or rows."""
        return f"{self.resource['creationTime']}.{self.version}"

    @property
    def required_partition_filter(self) -> str | None:
        """The column every query has to filter on, if the table asks for that."""
        partitioning = self.resource.get("timePartitioning", {})
        required = self.resource.get("requirePartitionFilter") or partitioning.get("requirePartitionFilter")
        return str(partitioning["field"]) if required and partitioning else None

    @property
    def shape(self) -> TableShape:
        """What a statement that was read depends on: the table of its rows, the columns, the query, the filter."""
        return self.physical, self.fields, self.view_query, self.required_partition_filter

    @property
    def partitioned_by(self) -> str | None:
        """The column whose value chooses a row's partition."""
        return (self.resource.get("timePartitioning") or {}).get("field")

    @property
    def clustered_by(self) -> list[str]:
        """The columns by which the rows of a partition are sorted into blocks."""
        return list((self.resource.get("clustering") or {}).get("fields", ()))

    @property
    def is_partitioned_by_value(self) -> bool:
        """Whether each value of the column has a partition of its own: a day of a DATE."""
        kind = {column.name.lower(): column.kind.name for column in self.fields}
        column = self.partitioned_by
        return (
            column is not None and kind[column.lower()] == "DATE" and self.resource["timePartitioning"]["type"] == "DAY"
        )

    @property
    def partition_sql(self) -> str:
        """The SQL for a row's partition."""
        if self.partitioned_by is None:
            return "0"
        column = quote(self.partitioned_by)
        unit = self.resource["timePartitioning"]["type"].lower()
        return column if self.is_partitioned_by_value else f"date_trunc('{unit}', CAST({column} AS TIMESTAMPTZ))"

    def has_expired(self, now: dt.datetime) -> bool:
        """Whether its expirationTime has passed."""
        expiration = self.resource.get("expirationTime")
        return expiration is not None and int(expiration) <= milliseconds(now)

    def expired_partitions(self, now: dt.datetime) -> str | None:
        """Return the SQL condition of the rows whose partition has expired; None where partitions never do.

        A partition expires at its own time plus expirationMs: what is written for an old day can be past it already.
        """
        partitioning = self.resource.get("timePartitioning") or {}
        if not partitioning.get("expirationMs") or self.physical is None:
            return None
        latest = now - dt.timedelta(milliseconds=int(partitioning["expirationMs"]))
        return f"CAST({self.partition_sql} AS TIMESTAMPTZ) <= CAST('{latest.isoformat()}' AS TIMESTAMPTZ)"


def milliseconds(moment: dt.datetime) -> int:
    """Return an instant in milliseconds since 1970, as the REST API writes it."""
    return int(moment.timestamp() * 1000)


def checked(resource: Resource) -> Resource:
    """Return the resource once looked through: partitioning, clustering and key name columns that are there.

    Raises BigQueryError for what BigQuery refuses and for what the sandbox does not do.
    """
    refused = [key for key in _REFUSED if resource.get(key)]
    if refused:
        raise not_supported(f"A table with {', '.join(refused)}", reason="notImplemented")
    fields = {column.name.lower(): column for column in fields_of(resource.get("schema"))}
    if len(fields) < len((resource.get("schema") or {}).get("fields", ())):
        raise BigQueryError("invalid", "Duplicate column names are not allowed in a schema.")
    partitioning = resource.get("timePartitioning")
    if partitioning:
        _check_partitioning(partitioning, fields)
    key = resource.get("tableConstraints", {}).get("primaryKey", {}).get("columns", [])
    for use, names in (("clustering", resource.get("clustering", {}).get("fields", [])), ("primary key", key)):
        missing = [name for name in names if name.lower() not in fields]
        if missing:
            raise BigQueryError("invalid", f"The field specified for {use} cannot be found in the schema: {missing[0]}")
    return resource


def _check_partitioning(partitioning: Mapping[str, Any], fields: Mapping[str, SchemaField]) -> None:
    column = fields.get(str(partitioning.get("field")).lower())
    if partitioning.get("type") not in ("DAY", "HOUR", "MONTH", "YEAR") or not partitioning.get("field"):
        raise not_supported("Partitioning without a column", reason="notImplemented")
    if column is None or column.kind.name not in ("DATE", "TIMESTAMP"):
        raise BigQueryError(
            "invalid",
            "The field specified for partitioning can only be of type TIMESTAMP, DATE or DATETIME, and must be "
            f"in the schema. The type found is: {column.kind.name if column else 'none'}.",
        )
