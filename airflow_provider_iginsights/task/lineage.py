"""What a try reads and writes, in OpenLineage's words: datasets, columns, rows and jobs; never a value, never a secret.

Input is a dataset per kind of insights, such as ``media`` in the namespace ``instagram://graph.facebook.com`` (the host
of Instagram Login is another namespace). Outputs are tables, ``project.dataset.table`` in the namespace ``bigquery``,
which is how OpenLineage and the Google provider name them. Nothing here needs OpenLineage until :func:`describe` runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    TABLES,
    Table,
)
from airflow_provider_iginsights.extract.column_protection import ColumnProtection

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import LoadResult
    from airflow_provider_iginsights.graph_api import Login

InsightsKind = Literal["account", "media", "story"]
KINDS: Mapping[Table, InsightsKind] = {ACCOUNT_INSIGHTS: "account", MEDIA_INSIGHTS: "media", STORY_INSIGHTS: "story"}
"""Table of numbers -> what it is read from."""
NUMBER_FIELDS: Mapping[str, str] = {"metric": "name", "value": "value"}
"""Column of such a table -> field of the answer ("Instagram Insights" in Meta's reference)."""
_MASKED = {"transformationType": "MASKED", "transformationDescription": "HMAC-SHA256"}
MOST_JOBS = 100
KEY = "lineage"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTable:
    """What was written to a table: rows that were sent, and the ids of the jobs. None = nothing was written yet."""

    table: Table
    path: str
    rows: int | None = None
    jobs: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class TryLineage:
    """What one try has done so far. ``results`` grows while it writes; ``before``: until the task was deferred.

    ``login``: whose Graph API is asked; None = not known yet. ``protection``: what the tables do not hold; None = as
    the arguments say.
    """

    try_number: int
    project: str
    results: Sequence[LoadResult]
    before: Sequence[WrittenTable] = ()
    login: Login | None = None
    protection: ColumnProtection | None = None
    tables: dict[str, Table] = field(default_factory=lambda: {table.name: table for table in TABLES})

    @property
    def written(self) -> list[WrittenTable]:
        """Return each table that was written, once."""
        # The table of runs is no output: it would join the lineage of everything that any transfer writes.
        ours = [result for result in self.results if result.target.table.name in self.tables]
        found = [*self.before, *map(_read_result, ours)]
        joined: dict[str, WrittenTable] = {}
        for each in found:
            known = joined.get(each.path, WrittenTable(table=each.table, path=each.path))
            rows, jobs = (known.rows or 0) + (each.rows or 0), dict.fromkeys((*known.jobs, *each.jobs))
            joined[each.path] = replace(known, rows=rows, jobs=tuple(jobs)[-MOST_JOBS:])
        return list(joined.values())

    def pack(self) -> dict[str, Any]:
        """Return JSON-able values to be kept with a task's progress."""
        written = [
            {"table": each.table.name, "path": each.path, "rows": each.rows, "jobs": list(each.jobs)}
            for each in self.written
        ]
        return {KEY: {"try": self.try_number, "written": written}}

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Go on with what :meth:`pack` gave before the task waited; what another try did is told by its own events."""
        kept = state.get(KEY) or {}
        if kept.get("try") == self.try_number:
            self.before = [
                WrittenTable(**one | {"table": self.tables[one["table"]], "jobs": tuple(one["jobs"])})
                for one in kept["written"]
            ]


def describe(
    tables: Iterable[WrittenTable],
    *,
    login: Login | None,
    writes: bool = True,
    kind: InsightsKind | None = None,
    protection: ColumnProtection | None = None,
) -> Any:
    """Return a try as OpenLineage's ``OperatorLineage``; None where its provider is not installed.

    :param tables: that are or will be written; the one of the numbers says what is read.
    :param login: None = not known: no input is named.
    :param writes: whether the task writes the tables; one that only stages names its jobs, and no output.
    :param kind: what is read, where no table is known.
    :param protection: an excluded column comes from no field, a hashed one is ``MASKED``.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    tables = list(tables)
    kind = kind or next((KINDS[each.table] for each in tables if each.table in KINDS), None)
    protection = protection or ColumnProtection()
    source = _Source(f"instagram://{_find_host(login)}", kind, protection) if login and kind else None
    return OperatorLineage(
        inputs=[source.describe(tables)] if source else [],
        outputs=[_describe_output(each, source) for each in tables] if writes else [],
        run_facets=_describe_jobs(job for each in tables for job in each.jobs[::-1]),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    namespace: str
    name: str
    protection: ColumnProtection

    def describe(self, tables: Iterable[WrittenTable]) -> Any:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import schema_dataset

        names = dict.fromkeys(name for each in tables for _, name in _find_sources(each.table, self.protection))
        fields = [schema_dataset.SchemaDatasetFacetFields(name=name) for name in names]
        facets: Any = {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}
        return InputDataset(namespace=self.namespace, name=self.name, facets=facets)


def _describe_output(written: WrittenTable, source: _Source | None) -> Any:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset, schema_dataset

    columns = [
        schema_dataset.SchemaDatasetFacetFields(name=each.name, type=each.type, description=each.description)
        for each in written.table.columns
    ]
    facets: Any = {"schema": schema_dataset.SchemaDatasetFacet(fields=columns)}
    if source and (lineage := _describe_columns(written.table, source)):
        facets["columnLineage"] = lineage
    counted: Any = {}
    if written.rows is not None:
        counted["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=written.rows
        )
    return OutputDataset(namespace="bigquery", name=written.path, facets=facets, outputFacets=counted)


def _describe_columns(table: Table, source: _Source) -> Any:
    """Return which field of Meta's answer each column comes from; None where none does."""
    from openlineage.client.facet_v2 import column_lineage_dataset as facet

    hashed = source.protection.hashed.get(table.name, ())
    said = {
        column: facet.Fields(
            inputFields=[facet.InputField(namespace=source.namespace, name=source.name, field=name)],
            **(_MASKED if column in hashed else {}),
        )
        for column, name in _find_sources(table, source.protection)
    }
    return facet.ColumnLineageDatasetFacet(fields=said) if said else None


def _describe_jobs(jobs: Iterable[str]) -> Any:
    """Return a facet per BigQuery job, the statement that wrote the table of the numbers first.

    A run has one ``externalQuery``; the other keys have a prefix, as OpenLineage asks of facets that it does not know.
    """
    from openlineage.client.facet_v2 import external_query_run

    facets = (external_query_run.ExternalQueryRunFacet(externalQueryId=job, source="bigquery") for job in jobs)
    keys = ("externalQuery", *(f"iginsights_externalQuery{number}" for number in range(2, MOST_JOBS + 1)))
    return dict(zip(keys, facets, strict=False))


def _find_sources(table: Table, protection: ColumnProtection) -> Iterator[tuple[str, str]]:
    """Yield each column that holds what Meta answered, and the field it comes from."""
    excluded = protection.excluded.get(table.name, ())
    for column in table.columns:
        name = column.field or NUMBER_FIELDS.get(column.name)
        if name and column.name not in excluded:
            yield column.name, name


def _find_host(login: Login) -> str:
    from airflow_provider_iginsights.graph.hosts import META_HOSTS

    return next(host for host, each in META_HOSTS.items() if each == login)


def _read_result(result: LoadResult) -> WrittenTable:
    jobs = tuple(job for job in (result.load_job_id, result.merge_job_id) if job)
    return WrittenTable(table=result.target.table, path=result.target.path, rows=result.rows, jobs=jobs)
