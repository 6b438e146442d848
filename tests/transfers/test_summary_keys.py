"""Whatever a task leaves in XCom is explained in the docs by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_iginsights._compat import TaskDeferred
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from tests.support.pages import read_code_words
from tests.support.sandboxes import DATASET, END, START, TRANSFERS, RecordingTaskInstance, Sandboxes
from tests.support.webhooks.messages import message

TO = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}
# Of these values the keys are names of tables, accounts, chunks or reasons, or what a task hands to another of ours.
DATA = frozenset({"tables", "chunks_missing", "staged", "gaps", "bigquery_bytes", "bigquery_table_link"})
COSTS = frozenset({"jobs", "bytes_processed", "bytes_billed"})


def execute(operator: Any) -> dict[str, Any]:
    """Run a task; return its XComs by key, the result under ``return_value``."""
    instance = RecordingTaskInstance(task_id=operator.task_id)
    context = {"ti": instance, "data_interval_start": START, "data_interval_end": END}
    try:
        return {"return_value": operator.execute(context), **instance.pushed}
    except TaskDeferred:
        return instance.pushed


@pytest.fixture
def xcoms(small_sandboxes: Sandboxes) -> list[dict[str, Any]]:
    """Run every operator once, with something to say under every key."""
    metrics = {"metrics": ["reach", "+no_such_metric"], "breakdowns": {}}
    results = [execute(TRANSFERS[kind](task_id=kind, **TO | metrics)) for kind in TRANSFERS]
    results.append(
        execute(TRANSFERS["story"](task_id="wait", capture="before_expiry", deferrable=True, **TO | metrics))
    )
    staged = execute(TRANSFERS["account"](task_id="stage", load="stage", **TO | metrics))["staged"]
    results.append(execute(InstagramListAccountsOperator(task_id="accounts")))
    results.append(
        execute(InstagramWriteStagedToBigQueryOperator(task_id="write", staged=[staged], account_ids=None, **TO))
    )
    results.append(execute(InstagramStoryWebhookToBigQueryOperator(task_id="webhook", payload=message(), **TO)))
    small_sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(80002), path="insights", times=None))
    results.append(execute(TRANSFERS["media"](task_id="throttled", deferrable=True, **TO | metrics)))
    return results


def find_keys(value: Any) -> Iterator[str]:
    """Yield the names in a value of XCom, at any depth."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            if name not in DATA and not name.startswith("accounts_"):
                yield from find_keys(inner)
    elif isinstance(value, list):
        for item in value:
            yield from find_keys(item)


def test_the_readme_names_every_key(xcoms: list[dict[str, Any]]) -> None:
    """All XComs, all keys of a summary and of what was left out are there, and the test has seen them."""
    found = {re.sub("_link_.*", "_link", key) for pushed in xcoms for key in find_keys(pushed)}
    assert found >= {"summary", "captures", "chunks_missing", "stories", "rule", "whom", "accounts_throttled"}
    assert sorted(found - read_code_words() - {"return_value"}) == []


def test_every_summary_says_what_its_statements_cost(xcoms: list[dict[str, Any]]) -> None:
    """Each statement is counted with its bytes, by table and kind."""
    summaries = [each for pushed in xcoms for each in pushed.values() if isinstance(each, Mapping) and "rows" in each]
    assert len(summaries) >= 7
    for summary in summaries:
        kinds = [counts for kinds in summary["bigquery_bytes"].values() for counts in kinds.values()]
        assert kinds
        assert {frozenset(counts) for counts in kinds} == {COSTS}
