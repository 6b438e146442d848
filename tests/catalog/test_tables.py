"""The tables are what the loader relies on: keys that compare with ``=``, and texts that tell numbers apart."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.catalog.tables import TABLES, Table

TEXT_KEYS = {
    "account_insights": ("metric", "period", "timeframe", "breakdown", "breakdown_value"),
    "accounts": (),
    "media": (),
    "media_insights": ("metric", "breakdown", "breakdown_value"),
    "story_insights": ("metric", "breakdown", "breakdown_value", "source"),
    "story_polls": (),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys(table: Table) -> None:
    """Keys and the partition's day are REQUIRED columns of the table, which names no column twice."""
    required = {column.name for column in table.columns if column.required}
    assert required >= {*table.key, table.partition_by}
    assert len(set(table.column_names)) == len(table.columns)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_text_keys(table: Table) -> None:
    """The texts of a key are those that say which number of an object a row holds, without the object's ids."""
    assert sorted(table.text_keys) == sorted(TEXT_KEYS[table.name])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_begin_with_the_account(table: Table) -> None:
    """What two accounts list is each account's, and the account is what BigQuery sorts its blocks by."""
    assert (table.key[0], table.cluster_by[0]) == ("account_id", "account_id")
    assert table.key not in table.former_keys
