"""dbt itself takes the project: it parses and compiles offline, and its models show what the views show.

``make dbt`` installs it in an environment of its own. It runs in one process, against the local BigQuery.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_iginsights.catalog.run_tables import RUNS
from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.catalog.views import VIEWS, View
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import World
from tests.support.bigquery.analyzer import build_analyzer
from tests.support.sandboxes import DATASET, DAY, END, NOW, START, Sandboxes, open_sandboxes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DBT = Path(os.environ.get("IGINSIGHTS_DBT_PYTHON") or Path(__file__).parents[2] / ".venv-dbt" / "bin" / "python")
MODELS = f"{DATASET}_models"
RUNNER = """\
import json, sys
from dbt.cli.main import dbtRunner
for command in json.loads(sys.argv[1]):
    done = dbtRunner().invoke(command)
    results = {each.node.name: str(each.status) for each in getattr(done.result, "results", None) or ()}
    print("DONE", json.dumps({"success": done.success, "error": str(done.exception), "results": results}), flush=True)
"""
# Nothing listens there: whatever asks for the network fails at once.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9"}
SNAPSHOTS = 5
"""So many days pass between two runs: the current tables take over the first."""

pytestmark = pytest.mark.skipif(not DBT.is_file(), reason="dbt is not installed: make dbt")


@dataclass(frozen=True, slots=True)
class Built:
    """A project that dbt has built over the tables of two runs: what each command said."""

    sandboxes: Sandboxes
    folder: Path
    done: Mapping[str, dict[str, Any]]

    def rows(self, source: str) -> list[str]:
        """Return all rows of a view, in comparable form."""
        client = self.sandboxes.bigquery.client()
        found = [repr(sorted(dict(row).items())) for row in client.query(f"SELECT * FROM {source}").result()]
        client.close()
        return sorted(found)


def write_profile(folder: Path, *, url: str) -> None:
    """Write dbt's profile: a token that nobody takes, for Google's address and for that of the local BigQuery."""
    output = {"type": "bigquery", "method": "oauth-secrets", "token": "dummy", "threads": 1}
    output |= {"project": "sandbox-project", "dataset": DATASET}
    outputs = {"offline": output, "sandbox": output | {"api_endpoint": url}}
    profile = {"instagram_insights": {"target": "offline", "outputs": outputs}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile))


def run_dbt(folder: Path, commands: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Run the commands in one process, warnings as errors; return what each said."""
    always = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--no-use-colors"]
    lines = [["--warn-error", *command, *always] for command in commands.values()]
    done = subprocess.run(
        [DBT, "-c", RUNNER, json.dumps(lines)],
        env=os.environ | OFFLINE,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    said = [json.loads(line.removeprefix("DONE ")) for line in done.stdout.splitlines() if line.startswith("DONE ")]
    assert len(said) == len(commands), done.stdout + done.stderr
    return dict(zip(commands, said, strict=True))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Load two snapshots, make the views, write the project and let dbt build it."""
    folder = tmp_path_factory.mktemp("dbt")
    world = World.build(now=NOW, accounts=2, media_per_account=4, stories_per_account=1)
    with open_sandboxes(world) as sandboxes, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", sandboxes.bigquery.url)
        for days in (0, SNAPSHOTS):
            sandboxes.travel(days * DAY)
            for kind in ("account", "media", "story"):
                interval = (START + days * DAY, END + days * DAY)
                sandboxes.run(kind, interval=interval, create_views=True, runs_table_id=RUNS.default_id)
        client = sandboxes.bigquery.client()
        client.create_dataset(MODELS)
        client.close()
        held = sandboxes.bigquery.tables(DATASET)
        assert RUNS.default_id in held
        absent = [table.name for table in TABLES if table.default_id not in held and not table.is_optional]
        left_out = [word for name in absent for word in ("--without", name)]
        assert main(["dbt", str(folder), "--dataset", DATASET, *left_out]) == 0
        write_profile(folder, url=sandboxes.bigquery.url)
        done = run_dbt(
            folder,
            {
                "parse": ["parse"],
                "compile": ["compile", "--no-introspect", "--no-populate-cache"],
                "build": ["build", "--target", "sandbox"],
                "freshness": ["source", "freshness", "--target", "sandbox"],
            },
        )
        yield Built(sandboxes, folder, done)


def test_it_parses_and_compiles_offline(built: Built) -> None:
    """Without a warning, with a token that nobody takes and no network."""
    for command in ("parse", "compile"):
        assert (built.done[command]["success"], built.done[command]["error"]) == (True, "None")


def test_it_builds(built: Built) -> None:
    """Each model is made, each data test passes, and the tables are fresh."""
    assert built.done["build"]["success"], built.done["build"]
    results = built.done["build"]["results"]
    assert set(results.values()) == {"success", "pass"}
    assert [name for name, status in results.items() if status == "success"]
    sources = [table.default_id for table in (*TABLES, RUNS) if not table.is_optional or table is RUNS]
    assert {f"{name}_key_is_unique" for name in (*sources, *map(view_id, VIEWS))} <= results.keys()
    assert built.done["freshness"]["success"], built.done["freshness"]
    assert set(built.done["freshness"]["results"].values()) == {"pass"}
    assert RUNS.default_id in built.done["freshness"]["results"]


def view_id(view: View) -> str:
    """Return what a view, and its model, is called."""
    return view.view_id(view.table.default_id)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_model_shows_what_the_view_shows(built: Built, view: View) -> None:
    """The same rows; the view of the newest numbers reads its current table, and the model does not."""
    variables = yaml.safe_load((built.folder / "dbt_project.yml").read_text())["vars"]
    given = ", ".join(variables[f"{view_id(view)}_{name}"] for name in view.parameters)
    call = f"({given})" if given else ""
    expected = built.rows(f"`sandbox-project.{DATASET}.{view_id(view)}`{call}")
    assert built.rows(f"`sandbox-project.{MODELS}.{view_id(view)}`") == expected
    assert expected
    if view.current:
        client = built.sandboxes.bigquery.client()
        kept = client.query(f"SELECT COUNT(*) AS n FROM `{DATASET}.{view.table.default_id}_current`").result()
        assert next(iter(kept)).n > 0
        client.close()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_model_has_the_columns_that_are_described(built: Built, view: View) -> None:
    """Names, types and descriptions, as BigQuery holds them."""
    client = built.sandboxes.bigquery.client()
    made = client.get_table(f"{MODELS}.{view_id(view)}")
    client.close()
    types = {"INTEGER": "INT64", "BOOLEAN": "BOOL"}
    found = [(field.name, types.get(field.field_type, field.field_type)) for field in made.schema]
    assert found == [(column.name, column.type) for column in view.columns]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_the_analyzer_accepts_the_compiled_query(built: Built, view: View) -> None:
    """Google's own analyzer, over the tables and the other models."""
    compiled = built.folder / "target" / "compiled" / "instagram_insights" / "models" / f"{view_id(view)}.sql"
    query = re.sub(r"`([^`]+)`\.`([^`]+)`\.`([^`]+)`", r"`\1.\2.\3`", compiled.read_text())
    tables = {
        f"sandbox-project.{DATASET}.{table.default_id}": {column.name: column.type for column in table.columns}
        for table in TABLES
    }
    models = {
        f"sandbox-project.{MODELS}.{view_id(each)}": {column.name: column.type for column in each.columns}
        for each in VIEWS
    }
    assert build_analyzer(tables | models).analyze_statement(query)


def test_it_can_read_the_views_that_the_operators_keep(built: Built, tmp_path: Path) -> None:
    """With the variable set, the models of the newest numbers show the same rows, out of the views."""
    # In a copy, since what is compiled is written into the project, where other tests look for it.
    folder = shutil.copytree(built.folder, tmp_path / "project")
    kept = [view for view in VIEWS if view.current]
    before = {view.name: built.rows(f"`{MODELS}.{view_id(view)}`") for view in kept}
    names = " ".join(view_id(view) for view in kept)
    command = ["run", "--target", "sandbox", "--select", *names.split()]
    done = run_dbt(folder, {"run": [*command, "--vars", "{instagram_read_views: true}"]})
    assert set(done["run"]["results"].values()) == {"success"}
    client = built.sandboxes.bigquery.client()
    for view in kept:
        query = client.get_table(f"{MODELS}.{view_id(view)}").view_query
        assert re.search(rf"`{DATASET}`\.`{view_id(view)}`", query)
        assert built.rows(f"`{MODELS}.{view_id(view)}`") == before[view.name]
    client.close()
