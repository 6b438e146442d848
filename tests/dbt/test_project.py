"""The dbt project follows the catalogue: every table is a source, every view a model, and what is named is there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT, RUNS
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.dbt.project import write_project
from airflow_provider_iginsights.dbt.tables import find_dbt_tables

OTHER_IDS = (("media_insights", "brand_insights"), ("media", "brand_media"), ("account_status", "brand_status"))


def write(*table_ids: tuple[str, str], without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the files of a project."""
    tables = find_dbt_tables(table_ids=table_ids, without=without)
    return write_project(tables, project="p-1", dataset="d")


def sources(texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the tables of the source, by name."""
    [source] = yaml.safe_load(texts["models/sources.yml"])["sources"]
    return {table["name"]: table for table in source["tables"]}


def models(texts: dict[str, str]) -> dict[str, str]:
    """Return the models' SQL, by name."""
    return {
        path.removeprefix("models/").removesuffix(".sql"): text for path, text in texts.items() if path.endswith(".sql")
    }


def test_every_table_is_a_source_and_every_view_a_model() -> None:
    """With the columns of the catalogue; what is optional stands there if somebody names it."""
    texts = write()
    found = sources(texts)
    assert [name for name, table in found.items() if "config" in table] == [
        *(table.default_id for table in TABLES if not table.is_optional),
        RUNS.default_id,
    ]
    for table in (*TABLES, RUNS):
        if not table.is_optional or table is RUNS:
            described = found[table.default_id]
            assert [(each["name"], each["data_type"]) for each in described["columns"]] == [
                (column.name, column.type) for column in table.columns
            ]
            tested = {each["name"] for each in described["columns"] if "data_tests" in each}
            assert tested == set(table.key)
    assert list(models(texts)) == [view.view_id(view.table.default_id) for view in VIEWS]
    described = yaml.safe_load(texts["models/schema.yml"])["models"]
    assert [model["name"] for model in described] == list(models(texts))
    assert "instagram_account_status" not in found
    assert "brand_status" in sources(write(*OTHER_IDS))
    assert LEFT_OUT.default_id not in found
    assert "brand_left_out" in sources(write(("left_out", "brand_left_out")))
    assert RUNS.default_id not in sources(write(without=("runs",)))


def test_every_model_tests_its_key() -> None:
    """No two rows are alike in it; a column of it is not NULL, unless NULL has a meaning in the view."""
    described = yaml.safe_load(write()["models/schema.yml"])["models"]
    for model, view in zip(described, VIEWS, strict=True):
        [test] = model["data_tests"]
        assert test["unique"]["arguments"]["column_name"] == f"TO_JSON_STRING(STRUCT({', '.join(view.key)}))"
        assert view.key[0] == "account_id"
        tested = {each["name"] for each in model["columns"] if "data_tests" in each}
        assert tested == set(view.key) - set(view.can_be_null)
    assert {view.name: view.can_be_null for view in VIEWS if view.can_be_null} == {"changes": ("media_id",)}


@pytest.mark.parametrize("without", [(), *((table.name,) for table in TABLES)], ids=str)
@pytest.mark.parametrize("table_ids", [(), OTHER_IDS], ids=["default ids", "other ids"])
def test_a_model_reads_what_is_there(without: tuple[str, ...], table_ids: tuple[tuple[str, str], ...]) -> None:
    """Each source and model that is named exists, whatever the tables are called and whichever are missing."""
    texts = write(*table_ids, without=without)
    known, made = sources(texts), models(texts)
    for name, text in made.items():
        read = re.findall(r"source\('instagram', '(\w+)'\)", text)
        refs = re.findall(r"ref\('(\w+)'\)", text)
        assert read or refs, name
        assert set(read) <= known.keys(), name
        assert set(refs) <= made.keys() - {name}, name
    absent = {dict(table_ids).get(table.name, table.default_id) for table in TABLES if table.name in without}
    assert not absent & known.keys()
    gone = {view.name for view in VIEWS if {view.table.name, *(table.name for table in view.tables)} & {*without}}
    assert len(made) <= len(VIEWS) - len(gone)
    if not without:
        assert len(made) == len(VIEWS)


def test_parameters_are_variables() -> None:
    """No parameter of a table function is left in a model, and each variable that is read has a value."""
    texts = write()
    values = yaml.safe_load(texts["dbt_project.yml"])["vars"]
    assert values["instagram_dataset"] == "d"
    assert values["instagram_project"] == "p-1"
    for text in texts.values():
        assert set(re.findall(r"var\('(\w+)'\)", text)) <= values.keys()
    for view in VIEWS:
        text = models(texts)[view.view_id(view.table.default_id)]
        outside = re.sub(r"'[^']*'|`[^`]*`", "", text)
        assert not [name for name in view.parameters if re.search(rf"\b{name}\b", outside)]


def test_days_that_nobody_wants_are_not_read() -> None:
    """Whatever reads all days of a table begins at the variable's day."""
    found = "\n".join(models(write()).values())
    assert "0001-01-01" not in found
    assert "DATE '{{ var('instagram_first_day') }}'" in found
