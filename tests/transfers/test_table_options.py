"""``table_options``: which spellings are read, which are refused by name, and that the tables have them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_iginsights.bigquery.target import TableOptions
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramAccountInsightsToBigQueryOperator
from airflow_provider_iginsights.transfers.table_options import OPTIONS, parse_table_options
from tests.support.sandboxes import DATASET, Sandboxes

KEY = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"


@pytest.mark.parametrize("nothing", [None, "", " ", "None", {}, "{}", {"default": None}, {"media": {"labels": None}}])
def test_nothing_said_is_nothing_wanted(nothing: Any) -> None:
    """Every table has its default."""
    assert parse_table_options(nothing) == {table.name: TableOptions() for table in ALL_TABLES}


@pytest.mark.parametrize("written", [lambda value: value, str, lambda value: str(value).replace("'", '"')])
def test_a_table_comes_before_the_default(written: Any) -> None:
    """Labels are joined; the mapping may arrive as the text of a template."""
    given = {
        "default": {"labels": {"a": "1", "b": "2"}, "kms_key_name": KEY, "expiration_days": 90},
        "media": {"labels": {"b": "3"}, "expiration_days": "30", "partition_expiration_days": 7.0},
    }
    found = parse_table_options(written(given))
    assert found["accounts"] == TableOptions(labels=(("a", "1"), ("b", "2")), kms_key_name=KEY, expiration_days=90)
    assert found["media"] == TableOptions(
        labels=(("a", "1"), ("b", "3")), kms_key_name=KEY, expiration_days=30, partition_expiration_days=7
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"instagram_media": {}}, ["instagram_media", "default, account_insights, accounts, media,"]),
        ({"media": {"label": {}}}, ["table_options['media']", "'label'", ", ".join(OPTIONS)]),
        ({"media": {"expiration_days": 0}}, ["table_options['media']['expiration_days']", "1 or more"]),
        ({"media": {"expiration_days": -1}}, ["expiration_days"]),
        ({"media": {"partition_expiration_days": 1.5}}, ["partition_expiration_days"]),
        ({"media": {"partition_expiration_days": True}}, ["partition_expiration_days"]),
        ({"media": {"kms_key_name": "k"}}, ["kms_key_name", "cryptoKeys"]),
        ({"media": {"kms_key_name": KEY + "/cryptoKeyVersions/1"}}, ["kms_key_name", "cryptoKeys"]),
        ({"media": {"labels": {"A": "x"}}}, ["labels", "'A'", "lower-case"]),
        ({"media": {"labels": {"1a": "x"}}}, ["labels", "begins with a letter"]),
        ({"media": {"labels": {"a": "x y"}}}, ["labels", "'x y'"]),
        ({"media": {"labels": {"a": 1}}}, ["labels"]),
        ({"media": {"labels": {"a" * 64: ""}}}, ["labels", "63"]),
        ({"media": {"labels": "team"}}, ["labels", "mapping"]),
        ({"media": 1}, ["table_options['media']", "mapping"]),
        ([1], ["table_options", "mapping"]),
        ("labels", ["table_options", "mapping"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(value: Any, words: list[str]) -> None:
    """The message names the place and what may stand there."""
    with pytest.raises(ConfigurationError) as caught:
        parse_table_options(value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_run_gives_the_tables_their_options(small_sandboxes: Sandboxes) -> None:
    """The argument is a template; the profiles' table has the default."""
    options = '{"default": {"labels": {"day": "d1"}}, "account_insights": {"partition_expiration_days": 9}}'
    assert "table_options" in InstagramAccountInsightsToBigQueryOperator.template_fields
    small_sandboxes.run("account", table_options=options, metrics="reach")
    with small_sandboxes.bigquery.client() as client:
        found = {each.table_id: client.get_table(each.reference) for each in client.list_tables(DATASET)}
    assert set(found) == {"instagram_account_insights", "instagram_accounts"}
    assert all(table.labels["day"] == "d1" for table in found.values())
    lives = {name: table.time_partitioning.expiration_ms for name, table in found.items()}
    assert lives == {"instagram_account_insights": 9 * 24 * 3600 * 1000, "instagram_accounts": None}


def test_a_wrong_name_fails_before_anything_is_asked(small_sandboxes: Sandboxes) -> None:
    """Neither Meta nor BigQuery is asked for anything."""
    with pytest.raises(ConfigurationError, match="table_options does not know"):
        small_sandboxes.run("account", table_options={"medias": {}})
    assert (len(small_sandboxes.graph.log), len(small_sandboxes.bigquery.log)) == (0, 0)
