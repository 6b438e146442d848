"""The tables are what the loader relies on: keys that compare with ``=``, and texts that tell numbers apart."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.catalog.tables import TABLES, Table

GROUPS = {
    "account_insights": {"account_id", "metric", "period", "timeframe", "breakdown", "metric_date"},
    "media_children": {"account_id", "media_id"},
    "media_insights": {"account_id", "media_id", "metric", "breakdown", "snapshot_date"},
    "story_insights": {"account_id", "media_id", "metric", "breakdown", "snapshot_at", "source"},
}
VOLATILE = {
    "api_version", "fetched_at", "run_id", "connection_id", "media_url", "thumbnail_url", "profile_picture_url",
    "last_seen_at",
}  # fmt: skip
OWNERS_TEXTS = {"caption", "alt_text", "biography", "website"}
STATED = {
    "value", "end_time", "window_start", "window_end", "api_version", "fetched_at", "run_id", "is_final",
    "published_date", "snapshot_date", "live_stories", "previous_poll_at", "seen_late", "finals_missed", "asked_at",
    "reason", "position", "connection_id",
}  # fmt: skip
TEXT_KEYS = {
    "account_insights": ("metric", "period", "timeframe", "breakdown", "breakdown_value"),
    "accounts": (),
    "media": (),
    "media_children": (),
    "media_insights": ("metric", "breakdown", "breakdown_value"),
    "story_insights": ("metric", "breakdown", "breakdown_value", "source"),
    "story_polls": (),
    "account_status": ("transfer", "status"),
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


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_groups(table: Table) -> None:
    """A restatement deletes only within one metric and breakdown of one day or snapshot, if anywhere."""
    assert (set(table.group) if table.group else None) == GROUPS.get(table.name)
    assert set(table.group or ()) < set(table.key)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_roles(table: Table) -> None:
    """The owner's texts can be emptied, what a row says of itself is replaced, and all that Meta left out is kept."""
    for column in table.columns:
        if column.name in OWNERS_TEXTS:
            assert column.role == "text", column.name
        else:
            assert column.role == ("stated" if column.name in STATED.union(table.key) else "kept"), column.name
        assert not (column.required and column.role != "stated")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_says_how_a_row_came_to_be_rewrites_nothing(table: Table) -> None:
    """A row is written again for its numbers and texts, not for a later fetch, another run or a new signature."""
    volatile = {column.name for column in table.columns if column.volatile}
    assert volatile == VOLATILE & set(table.column_names)
    assert set(table.measures) == set(table.column_names) - set(table.key) - volatile


IDS = {
    "account_insights": ("account_id", None),
    "accounts": ("account_id", None),
    "media": ("account_id", "media_id"),
    "media_children": ("account_id", "media_id"),
    "media_insights": ("account_id", "media_id"),
    "story_insights": ("account_id", "media_id"),
    "story_polls": ("account_id", None),
    "account_status": ("account_id", None),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_ids(table: Table) -> None:
    """Each table says which of its columns identify an account and a media."""
    assert (table.id_column("account"), table.id_column("media")) == IDS[table.name]
