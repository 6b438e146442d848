"""What the transfers tell OpenLineage, asked as its provider does: which input, before and after waits, without it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from tests.support.sandboxes import DATASET, NOW, TRANSFERS, Sandboxes, TaskStateStore

BUSY = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account")
DENIED = ErrorEffect(10, message="(#10) Application does not have permission for this action")


def make(kind: str, **arguments: Any) -> Any:
    """Return a transfer that is new, as in a new process."""
    options = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True} | arguments
    return TRANSFERS[kind](task_id=kind, **options)


def execute(sandboxes: Sandboxes, operator: Any, *, method: str = "execute", store: Any = None, **state: Any) -> Any:
    """Run an operator as a worker does; return what it returns, or the exception that ends it."""
    context: dict[str, Any] = {
        "ti": sandboxes.instance,
        "data_interval_start": NOW - timedelta(days=1),
        "data_interval_end": NOW,
    }
    try:
        return getattr(operator, method)(context | ({"task_state_store": store} if store is not None else {}), **state)
    except (InsightsError, TaskDeferred, AirflowRescheduleException) as error:
        return error


def count_written(operator: Any) -> dict[str, int | None]:
    """Return the rows that a failed try tells of each table; None = the table is only named."""
    lineage = operator.get_openlineage_facets_on_failure(None)
    statistics = {each.name: each.outputFacets.get("outputStatistics") for each in lineage.outputs}
    return {name.rpartition(".")[2]: said and said.rowCount for name, said in statistics.items()}


def stored(sandboxes: Sandboxes) -> dict[str, int]:
    """Return how many rows the tables hold."""
    return {name: len(rows) for name, rows in sandboxes.everything().items() if rows}


@pytest.mark.parametrize("kind", TRANSFERS)
def test_without_the_provider_nothing_happens(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The methods exist, are quiet and tell nothing where OpenLineage's provider is not installed."""
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    operator = make(kind)
    assert operator.get_openlineage_facets_on_start() is None
    assert operator.get_openlineage_facets_on_complete(None) is None
    assert operator.get_openlineage_facets_on_failure(None) is None


class TestWithProvider:
    """What is told where the provider is installed."""

    @pytest.fixture(autouse=True)
    def _provider(self) -> None:
        pytest.importorskip("airflow.providers.openlineage.extractors")

    @pytest.mark.parametrize("kind", TRANSFERS)
    def test_each_kind(self, small_sandboxes: Sandboxes, kind: str) -> None:
        """One input by the kind of insights; every table that was written, with its columns and its number of rows."""
        operator = make(kind)
        summary = execute(small_sandboxes, operator)
        lineage = operator.get_openlineage_facets_on_complete(None)
        assert [(each.namespace, each.name) for each in lineage.inputs] == [("instagram://graph.facebook.com", kind)]
        assert {each.name: each.outputFacets["outputStatistics"].rowCount for each in lineage.outputs} == summary[
            "tables"
        ]
        tables = {table.default_id: table for table in TABLES}
        for output in lineage.outputs:
            columns = tables[output.name.rpartition(".")[2]].columns
            fields = [(field.name, field.type) for field in output.facets["schema"].fields]
            assert fields == [(column.name, column.type) for column in columns]
            traced = set(output.facets["columnLineage"].fields) if "columnLineage" in output.facets else set()
            assert {"metric", "value"} & {column.name for column in columns} <= traced
        jobs = [facet.externalQueryId for facet in lineage.run_facets.values()]
        assert sorted(jobs) == sorted(summary["bigquery_jobs"])
        assert jobs[0].startswith("iginsights-merge")

    def test_instagram_login_is_another_namespace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The host of the connection decides; a connection that cannot be used names no input, and fails nothing."""
        for host, namespace in {
            "": "instagram://graph.facebook.com",
            "graph.instagram.com": "instagram://graph.instagram.com",
            "example.com": None,
        }.items():
            connection = {"conn_type": "instagram", "host": host, "password": "EAAGsecret"}
            monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
            lineage = make("media", project_id="p").get_openlineage_facets_on_start()
            assert [each.namespace for each in lineage.inputs] == ([namespace] if namespace else [])
            assert [each.name for each in lineage.outputs] == [
                f"p.{DATASET}.instagram_media_insights",
                f"p.{DATASET}.instagram_media",
                f"p.{DATASET}.instagram_media_children",
            ]

    def test_arguments_that_cannot_be_tell_nothing(self) -> None:
        """A try that fails over its arguments has nothing to tell, and its event is emitted all the same."""
        assert make("media", project_id="p", table_id=["x"]).get_openlineage_facets_on_failure(None) is None

    @pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "rescheduled"])
    def test_facts_survive_a_wait(self, sandboxes: Sandboxes, deferrable: bool) -> None:
        """A try that waited tells what it wrote before, from what the deferral or the state store kept as JSON."""
        _, second = sandboxes.world.accounts
        sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=f"{second}/media"))
        store = None if deferrable else TaskStateStore()
        ended = execute(sandboxes, make("media", deferrable=deferrable), store=store)
        before = stored(sandboxes)
        state = json.loads(json.dumps(ended.kwargs)) if isinstance(ended, TaskDeferred) else {}
        operator = make("media")
        execute(sandboxes, operator, method="resume" if deferrable else "execute", store=store, **state)
        after = stored(sandboxes)
        assert count_written(operator) == after
        assert all(0 < before[name] < after[name] for name in before)

    def test_a_retry_tells_only_of_itself(self, sandboxes: Sandboxes) -> None:
        """What an earlier try wrote stands in the event of its failure, and not in that of the next one."""
        _, second = sandboxes.world.accounts
        store, fault = TaskStateStore(), GraphFault(effect=DENIED, path=second, times=None)
        sandboxes.graph.faults.add(fault)
        failed = make("media")
        assert isinstance(execute(sandboxes, failed, store=store), InsightsError)
        first = stored(sandboxes)
        assert count_written(failed) == first
        sandboxes.graph.faults.clear()
        sandboxes.instance = replace(sandboxes.instance, try_number=2)
        operator = make("media")
        summary = execute(sandboxes, operator, store=store)
        assert {name: first[name] + (count or 0) for name, count in count_written(operator).items()} == stored(
            sandboxes
        )
        assert summary["rows"] == sum(stored(sandboxes).values())

    def test_a_try_that_broke_between_two_tables(self, small_sandboxes: Sandboxes) -> None:
        """The table that was written has its rows; the one that BigQuery then refused is only named."""
        operator = make("media", children_table_id=None)
        into = r"MERGE (INTO )?`sandbox-project\.instagram\.instagram_media`"
        denied = BigQueryFault("POST /bigquery/.*/jobs$", "tableDenied", body=into, times=None, skip=1)  # the dry run
        small_sandboxes.bigquery.faults.add(denied)
        assert isinstance(execute(small_sandboxes, operator), InsightsError)
        written = len(small_sandboxes.rows("instagram_media_insights"))
        assert count_written(operator) == {"instagram_media_insights": written, "instagram_media": None}
        assert written > 0

    def test_the_task_that_writes_knows_whose_rows_they_are(self) -> None:
        """Before it has read what was staged, it names nothing."""
        operator = InstagramWriteStagedToBigQueryOperator(
            task_id="write", staged=None, account_ids=None, dataset_id=DATASET
        )
        lineage = operator.get_openlineage_facets_on_start()
        assert (lineage.inputs, lineage.outputs) == ([], [])

    def test_protected_columns(self, small_sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
        """An excluded column comes from no field and the input has none for it; a hashed one is masked, also staged."""
        connection = {"conn_type": "generic", "password": "a secret salt of ours"}
        monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps(connection))
        given = {"exclude_columns": "caption", "hash_columns": {"media": ["username"]}, "hash_salt_conn_id": "salt"}
        operator = make("media", project_id="sandbox-project", refresh_days=None, load="stage", **given)
        execute(small_sandboxes, operator)
        staged = json.loads(json.dumps(small_sandboxes.instance.pushed["staged"]))
        writing = InstagramWriteStagedToBigQueryOperator(
            task_id="write", staged=[staged], account_ids=None, dataset_id=DATASET, gcp_conn_id=None
        )
        small_sandboxes.instance = replace(small_sandboxes.instance, task_id="write")
        written = execute(small_sandboxes, writing)
        assert not isinstance(written, Exception), written
        told = (
            make("media", project_id="sandbox-project", **given).get_openlineage_facets_on_start(),
            writing.get_openlineage_facets_on_complete(None),
        )
        for lineage in told:
            [media] = [each for each in lineage.outputs if each.name.endswith("instagram_media")]
            traced = media.facets["columnLineage"].fields
            assert "caption" not in traced
            assert {name for name, each in traced.items() if each.transformationType} == {"username"}
            assert traced["username"].transformationType == "MASKED"
            assert "caption" in [field.name for field in media.facets["schema"].fields]
            [source] = lineage.inputs
            assert "caption" not in [field.name for field in source.facets["schema"].fields]
