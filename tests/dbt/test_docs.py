"""docs/dbt.md says what the project holds, and its Dag is one that Cosmos takes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from airflow_provider_iginsights.dbt.project import PROJECT, write_project
from airflow_provider_iginsights.dbt.tables import find_dbt_tables

PAGE = (Path(__file__).parents[2] / "docs" / "dbt.md").read_text("utf-8")
TEXTS = write_project(find_dbt_tables(table_ids=(), without=()), project=None, dataset="instagram")
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def find_rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    _, _, below = PAGE.partition(f"# {heading}\n")
    lines = re.findall(r"^\|(.*)\|$", below.partition("\n#")[0], re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def test_the_variables_are_those_of_the_project() -> None:
    """Each one, and no other; those of parameters are told by their kind."""
    *fixed, (of_parameters, *_) = find_rows("Variables")
    told = [name for row in fixed for name in re.findall(r"`(\w+)`", row[0])]
    found = list(yaml.safe_load(TEXTS["dbt_project.yml"])["vars"])
    assert told == found[: len(told)]
    kinds = re.findall(r"<model>(_\w+)", of_parameters)
    models = {path.removeprefix("models/").removesuffix(".sql") for path in TEXTS}
    assert set(found[len(told) :]) <= {f"{model}{kind}" for model in models for kind in kinds}
    assert f"`{found[len(told)]}`" in PAGE


def test_the_hours_of_freshness_are_those_of_the_sources() -> None:
    """Table by table; those that the page does not name have none."""
    [source] = yaml.safe_load(TEXTS["models/sources.yml"])["sources"]
    found = {}
    for table in source["tables"]:
        if freshness := table.get("config", {}).get("freshness"):
            limits = (freshness[name] for name in ("warn_after", "error_after"))
            found[table["name"]] = [f"{limit['count']} {limit['period']}s" for limit in limits]
    told = {name: row[1:3] for row in find_rows("Tests and freshness") for name in re.findall(r"`(\w+)`", row[0])}
    assert told == found


def test_the_printed_blocks_fit_the_project() -> None:
    """The package's folder is the command's, the exposure is of a model, the profile is the one that is asked for."""
    packages, exposures, profiles = BLOCKS
    assert f"instagram dbt {packages['packages'][0]['local']} " in PAGE
    [model] = exposures["exposures"][0]["depends_on"]
    assert f"models/{re.findall(r'[(].(.*).[)]', model)[0]}.sql" in TEXTS
    assert list(profiles) == [PROJECT] == [yaml.safe_load(TEXTS["dbt_project.yml"])["profile"]]


def test_the_printed_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives Cosmos the project, its manifest and its profile; Cosmos itself needs an environment of its own."""
    given: dict[str, Any] = {}

    def keep(name: str) -> Any:
        return lambda **arguments: given.setdefault(name, arguments)

    cosmos, constants = ModuleType("cosmos"), ModuleType("cosmos.constants")
    names = ("DbtDag", "ExecutionConfig", "ProfileConfig", "ProjectConfig", "RenderConfig")
    vars(cosmos).update({name: keep(name) for name in names}, LoadMode=SimpleNamespace(DBT_MANIFEST="dbt_manifest"))
    vars(constants).update(SourceRenderingBehavior=SimpleNamespace(WITH_TESTS_OR_FRESHNESS="with_tests_or_freshness"))
    monkeypatch.setitem(sys.modules, "cosmos", cosmos)
    monkeypatch.setitem(sys.modules, "cosmos.constants", constants)
    [text] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(text, "dbt.md", "exec"), {})
    folder = given["ProjectConfig"]["dbt_project_path"]
    assert given["ProjectConfig"]["manifest_path"] == folder / "target" / "manifest.json"
    assert given["ProfileConfig"]["profile_name"] == PROJECT
    assert given["ProfileConfig"]["target_name"] in BLOCKS[2][PROJECT]["outputs"]
    [asset] = given["DbtDag"]["schedule"]
    assert asset.uri == "bigquery://my-project/instagram/instagram_account_insights"
