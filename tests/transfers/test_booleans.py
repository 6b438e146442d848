"""What says yes or no may be text, as templates and configuration files give it: "False" is not true."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud.bigquery import Dataset

from airflow_provider_iginsights._compat import AirflowRescheduleException
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.task.arguments import parse_boolean
from airflow_provider_iginsights.transfers.base import InstagramToBigQueryOperator
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator
from airflow_provider_iginsights.transfers.story_webhook import InstagramStoryWebhookToBigQueryOperator
from airflow_provider_iginsights.transfers.target import WritesToBigQuery
from tests.support.sandboxes import DATASET, NOW, RecordingTaskInstance, Sandboxes, open_sandboxes

TRUE = [True, "True", "true", "TRUE", " true ", "1", 1, "t", "yes", "Yes"]
FALSE = [False, "False", "false", "FALSE", "\tfalse\n", "0", 0, "f", "no", "NO"]
CONSTRUCTORS: dict[type, tuple[type, ...]] = {
    InstagramAccountInsightsToBigQueryOperator: (InstagramToBigQueryOperator, WritesToBigQuery),
    InstagramStoryWebhookToBigQueryOperator: (InstagramStoryWebhookToBigQueryOperator, WritesToBigQuery),
    InstagramListAccountsOperator: (InstagramListAccountsOperator,),
}
REQUIRED: dict[type, dict[str, Any]] = {
    InstagramAccountInsightsToBigQueryOperator: {"dataset_id": DATASET, "gcp_conn_id": None},
    InstagramStoryWebhookToBigQueryOperator: {"dataset_id": DATASET, "gcp_conn_id": None, "payload": []},
    InstagramListAccountsOperator: {},
}
BOOLEANS = [
    (operator, name)
    for operator, constructors in CONSTRUCTORS.items()
    for constructor in constructors
    for name, parameter in inspect.signature(constructor.__init__).parameters.items()
    if parameter.annotation == "bool"
]


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one small account."""
    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=1, stories_per_account=0)) as opened:
        yield opened


@pytest.mark.parametrize(("values", "truth"), [(TRUE, True), (FALSE, False)])
def test_texts_mean_what_they_say(values: list[Any], truth: bool) -> None:
    """Either value, 1 and 0, and the texts that people write for them are read, in any case."""
    assert [parse_boolean(value, argument="deferrable") for value in values] == [truth] * len(values)


def test_every_operator_has_some() -> None:
    """The list below, which is read from the signatures, is not empty for anybody."""
    assert len(BOOLEANS) == 4 + 2 + 2


@pytest.mark.parametrize(("operator", "name"), BOOLEANS, ids=lambda each: getattr(each, "__name__", each))
def test_what_is_neither_is_refused(sandboxes: Sandboxes, operator: type, name: str) -> None:
    """Every argument that is true or false refuses another text by its name, before anything is asked."""
    with pytest.raises(ConfigurationError, match=rf"^{name} must be True or False, not 'perhaps'\."):
        operator(task_id="task", **REQUIRED[operator] | {name: "perhaps"}).execute({"ti": RecordingTaskInstance()})
    assert (len(sandboxes.graph.log), len(sandboxes.bigquery.log)) == (0, 0)


@pytest.mark.parametrize("no", ["False", "0"])
def test_no_dataset_is_created(sandboxes: Sandboxes, no: str) -> None:
    """A missing dataset stays missing."""
    with pytest.raises(ConfigurationError, match="create_dataset=True"):
        sandboxes.run("account", create_dataset=no, metrics="reach")


@pytest.mark.parametrize(("said", "views"), [("False", False), ("True", True)])
def test_views_are_created_where_wanted(sandboxes: Sandboxes, said: str, views: bool) -> None:
    """The dataset has views, or none."""
    sandboxes.run("account", create_views=said, metrics="reach")
    kinds = {table.table_type for table in sandboxes.bigquery.client().list_tables(DATASET)}
    assert ("VIEW" in kinds) is views


@pytest.mark.parametrize(("said", "expires"), [("False", False), ("true", True)])
def test_expiration_is_inherited_where_wanted(sandboxes: Sandboxes, said: str, expires: bool) -> None:
    """A new table expires as the dataset's default says, or never."""
    client = sandboxes.bigquery.client()
    dataset = Dataset(f"{sandboxes.bigquery.project}.{DATASET}")
    dataset.default_table_expiration_ms = 30 * 24 * 3600 * 1000
    client.create_dataset(dataset)
    sandboxes.run("account", inherit_expiration=said, metrics="reach")
    table = client.get_table(f"{DATASET}.instagram_account_insights")
    assert (table.expires is not None) is expires


def test_a_task_that_is_not_deferrable_is_rescheduled(sandboxes: Sandboxes) -> None:
    """Over Meta's rate limit the task gives its slot back in the way that was chosen."""
    sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(4), times=None))
    with pytest.raises(AirflowRescheduleException):
        sandboxes.run("account", deferrable="False", metrics="reach")


def test_portfolios_are_left(sandboxes: Sandboxes) -> None:
    """The lister asks for no portfolio."""
    InstagramListAccountsOperator(task_id="accounts", portfolios="false").execute({})
    assert not [call for call in sandboxes.graph.log if "businesses" in call.path]
