"""``exclude_columns`` and ``hash_columns``: how they are written, and what is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.task.column_arguments import check_columns, parse_columns

CAPTION = {"media": frozenset({"caption"})}
USERNAME = {table.name: frozenset({"username"}) for table in TABLES if "username" in table.column_names}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((nothing, {}) for nothing in (None, "", "None", [], {}, "{}", "[]", {"media": None}, {"media": []})),
        *((one, CAPTION) for one in ("caption", ["caption"], " caption ,", '["caption"]', "['caption']", ("caption",))),
        *((one, CAPTION) for one in ({"media": "caption"}, {"media": ["caption"]}, '{"media": ["caption"]}')),
        ("username", USERNAME),
        ({"accounts": ["username"]}, {"accounts": frozenset({"username"})}),
        ("caption,username", USERNAME | {"media": frozenset({"caption", "username"})}),
    ],
)
def test_a_list_is_for_all_tables_and_a_mapping_for_each(value: Any, expected: dict[str, frozenset[str]]) -> None:
    """A list means every table that has the column; both may arrive as the text of a template."""
    assert parse_columns(value, argument="exclude_columns") == expected
    assert len(USERNAME) >= 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"medias": ["caption"]}, ["does not know the table 'medias'", "account_insights, accounts, media"]),
        ("captoin", ["'captoin', which no table has", "media: media_type", "caption"]),
        ({"media": ["biography"]}, ["'biography' of table media, which has no such column", "caption, permalink"]),
        ("media_id", ["'media_id' of table media", "which is a part of its key", "Of this table, "]),
        ({"media": ["account_id"]}, ["which is a part of its key"]),
        ({"media": ["published_date"]}, ["which is its partition"]),
        ({"media": ["like_count"]}, ["which is no text but INT64"]),
        ({"media": ["published_at"]}, ["which is no text but TIMESTAMP"]),
        ({"media": ["run_id"]}, ["which tells how the row came to be"]),
        ({"account_insights": ["metric"]}, ["which is a part of its key", "No column of this table can be."]),
        ({"story_polls": ["live_stories"]}, ["which is no text but INT64", "No column of this table can be."]),
        ({"media": 7}, ["exclude_columns['media'] must be a list of names"]),
        (7, ["exclude_columns must be a list of names"]),
        ("[1, {}]", ["exclude_columns"]),
        ("{1", ["exclude_columns"]),
    ],
)
def test_what_cannot_be_is_refused_by_name(value: Any, words: list[str]) -> None:
    """The sentence names table and column, the reason, and the columns that can be named."""
    with pytest.raises(ConfigurationError) as caught:
        parse_columns(value, argument="exclude_columns")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"exclude_columns": "caption", "hash_columns": {"media": "caption"}, "hash_salt_conn_id": "s"},
            "caption of table media stands in",
        ),
        ({"hash_columns": "caption"}, "hash_columns needs a salt"),
        ({"hash_columns": "caption", "hash_salt_conn_id": "s", "hash_salt_variable": "our_secret"}, "both given"),
        (
            {"hash_columns": "caption", "hash_salt_variable": "salt"},
            "must name a Variable whose name contains secret, password, passphrase or token, not",
        ),
        (
            {"exclude_columns": "caption,alt_text", "hash_columns": "caption,alt_text", "hash_salt_conn_id": "s"},
            "Column alt_text of table media stands in",
        ),
        ({"hash_columns": "caption", "hash_salt_conn_id": 7}, "hash_salt_conn_id must be a name"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any], words: str) -> None:
    """A column in both lists, and hashes without exactly one place for their salt."""
    with pytest.raises(ConfigurationError, match=words):
        check_columns(**given)


def test_a_salt_without_hashes_is_no_mistake() -> None:
    """It may stand in the default arguments of a Dag."""
    assert check_columns(exclude_columns="caption", hash_salt_conn_id="s") == (CAPTION, {})


@pytest.mark.parametrize("word", ["secret", "password", "passphrase", "token"])
def test_airflow_hides_a_variable_by_its_name(word: str) -> None:
    """A salt may lie in a Variable whose value Airflow shows to nobody, in capitals or not."""
    for name in (f"our_{word}", word.upper()):
        given = {"hash_columns": {"media": ["caption"]}, "hash_salt_variable": name}
        assert check_columns(**given) == ({}, CAPTION)


def test_nothing_given_is_nothing() -> None:
    """Without columns no salt is needed."""
    assert check_columns() == ({}, {})
