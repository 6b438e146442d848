"""The pytest fixtures that users build their own Dag tests on."""

from __future__ import annotations

from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.graph import GraphSandbox

pytest_plugins = ["airflow_provider_iginsights.sandbox.fixtures"]


def test_the_hook_and_the_client_reach_the_sandbox(instagram_sandbox: tuple[GraphSandbox, BigQuerySandbox]) -> None:
    """With the fixture, the default connection sees the sandbox's accounts and the default credentials its BigQuery."""
    graph, bigquery = instagram_sandbox
    hook = InstagramHook()
    assert set(hook.find_account_ids()) == set(graph.world.accounts)
    hook.get_conn().close()
    client = get_bigquery_client(gcp_conn_id=None)
    client.create_dataset("mine")
    assert [dataset.dataset_id for dataset in client.list_datasets()] == ["mine"]
    client.close()
    assert bigquery.tables("mine") == []
