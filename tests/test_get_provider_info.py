"""What Airflow learns about the package: that the dict is valid, and that Airflow really shows what it says."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

import airflow_provider_iginsights
from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.get_provider_info import get_provider_info
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION
from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS, CONNECTION_FORM
from tests.support.airflow_versions import needs, offers

EXTRAS = ["api_version", "app_id", "app_secret", "token_variable", "webhook_verify_token", "account_ids"]
EXTRAS += ["timeout", "max_workers"]


def read_schema(name: str) -> dict:
    """Return a JSON schema that the installed Airflow ships."""
    return json.loads(files("airflow").joinpath(name).read_text())


@pytest.fixture(scope="module")
def providers():
    """Return Airflow's own view of the installed providers."""
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()


def test_dict_fits_the_runtime_schema():
    """The dict is what provider_info.schema.json asks for, and carries the version of the package."""
    info = get_provider_info()
    jsonschema.validate(info, read_schema("provider_info.schema.json"))
    assert info["versions"] == [__version__]
    assert info["package-name"] == "airflow-provider-iginsights"


@needs("forms in the provider info")
@pytest.mark.parametrize(
    "part", ["connection-types", "extra-links", "transfers", "integrations", "hooks", "operators", "triggers", "config"]
)
def test_parts_fit_the_strict_schema(part):
    """Each part is what the stricter provider.yaml.schema.json asks for; that one knows the grammar of the form."""
    schema = read_schema("provider.yaml.schema.json")
    jsonschema.validate(get_provider_info()[part], {**schema["properties"][part], "definitions": schema["definitions"]})


@pytest.mark.parametrize("part", ["hooks", "operators", "triggers"])
def test_parts_name_declared_integrations(part):
    """Hooks, operators and triggers belong to an integration that the dict declares."""
    info = get_provider_info()
    assert {row["integration-name"] for row in info[part]} <= {row["integration-name"] for row in info["integrations"]}


def test_every_named_module_and_class_can_be_imported():
    """Nothing in the dict is misspelt: modules import, classes exist."""
    info = get_provider_info()
    modules = [
        name for part in ("hooks", "operators", "triggers") for row in info[part] for name in row["python-modules"]
    ]
    modules += [row["python-module"] for row in info["transfers"]]
    classes = [*info["extra-links"], *(row["hook-class-name"] for row in info["connection-types"])]
    for name in modules:
        importlib.import_module(name)
    for module, _, name in (path.rpartition(".") for path in classes):
        assert isinstance(getattr(importlib.import_module(module), name), type)


def test_every_class_that_users_name_is_listed():
    """Registries list what the dict names: each module with a hook, an operator or a trigger of ours is in it."""
    info = get_provider_info()
    named = {
        name for part in ("hooks", "operators", "triggers") for row in info[part] for name in row["python-modules"]
    }
    named |= {row["python-module"] for row in info["transfers"]}
    package = Path(airflow_provider_iginsights.__file__).parent
    kind = re.compile(r"^class (?:\w+Trigger|Instagram(?!ToBigQueryOperator)\w*(?:Hook|Operator))\(", re.MULTILINE)
    found = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if "sandbox" not in path.parts and kind.search(path.read_text("utf-8"))
    }
    assert sorted(found - named) == []


def test_form_keys_have_hyphens():
    """No key of the connection type has an underscore: Airflow would ignore it without a word."""
    assert not [key for key in (*CONNECTION_FORM, *CONNECTION_FORM["ui-field-behaviour"]) if "_" in key]


def test_form_names_the_version_that_is_used():
    """The version in the form's words is the one that a connection without api_version gets."""
    assert GraphSettings(token="EAAGtoken").api_version == DEFAULT_API_VERSION
    assert f"Empty: {DEFAULT_API_VERSION}." in CONN_FIELDS["api_version"]["description"]


def test_module_imports_nothing_of_airflow():
    """Airflow may be half-initialised when it imports the dict, so the module must not import it back."""
    code = (
        # An installed Google package may load its namespace when the interpreter starts.
        "import sys; before = set(sys.modules);"
        "import airflow_provider_iginsights.get_provider_info as module; module.get_provider_info();"
        "loaded = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(*loaded & {'airflow', 'requests', 'google', 'pandas', 'pyarrow'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")
def test_providers_manager_shows_the_hook(providers):
    """Airflow finds the connection type through the entry point, and can test it."""
    hook = providers.hooks["instagram"]
    assert hook.hook_class_name == "airflow_provider_iginsights.hooks.instagram.InstagramHook"
    assert hook.hook_name == "Instagram Insights"
    assert hook.connection_id_attribute_name == "instagram_conn_id"
    assert hook.connection_testable


@needs("forms in the provider info")
def test_workers_find_the_hook():
    """The Task SDK, which turns a connection into its hook on a worker, finds the class too."""
    runtime = importlib.import_module("airflow.sdk.providers_manager_runtime").ProvidersManagerTaskRuntime()
    hook = runtime.hooks["instagram"]
    assert hook.hook_class_name == "airflow_provider_iginsights.hooks.instagram.InstagramHook"


@needs("forms in the provider info")
def test_providers_manager_shows_the_extra_fields(providers):
    """Each extra field arrives in the form, and only the two secrets are hidden as one types."""
    prefix = "extra__instagram__"
    shown = {k.removeprefix(prefix): w for k, w in providers.connection_form_widgets.items() if k.startswith(prefix)}
    assert list(shown) == EXTRAS
    assert [name for name, widget in shown.items() if widget.is_sensitive] == ["app_secret", "webhook_verify_token"]
    assert {w.package_name for w in shown.values()} == {"airflow-provider-iginsights"}


def test_providers_manager_shows_the_standard_fields(providers):
    """Fields without a meaning are hidden, password and host are named for what they hold."""
    if not offers("3.2"):
        pytest.importorskip("flask_appbuilder", reason="Airflow 2.11 to 3.1 build the form with flask_appbuilder")
    behaviour = providers.field_behaviours["instagram"]
    assert set(behaviour["hidden_fields"]) == {"port", "login", "schema"}
    assert behaviour["relabeling"]["password"] == "Access token"
    assert behaviour["placeholders"]["extra__instagram__api_version"] == DEFAULT_API_VERSION
    assert "graph.instagram.com" in behaviour["placeholders"]["host"]


def test_providers_manager_shows_the_link(providers):
    """Airflow knows the extra link."""
    assert "airflow_provider_iginsights.links.bigquery.BigQueryTableLink" in providers.extra_links_class_names


@needs("forms in the provider info")
def test_ui_form_is_complete():
    """The service behind the Connections page delivers the form without importing the hook."""
    connections = importlib.import_module("airflow.api_fastapi.core_api.services.ui.connections")
    form = {one.connection_type: one for one in connections.HookMetaService.hook_meta_data()}["instagram"]
    assert form.hook_name == "Instagram Insights"
    assert form.standard_fields.password.title == "Access token"
    assert form.standard_fields.port.hidden
    assert list(form.extra_fields) == EXTRAS
    assert form.extra_fields["app_secret"]["schema"]["format"] == "password"
    assert form.extra_fields["max_workers"]["schema"]["title"] == "Accounts in parallel"
    assert all(extra["description"] for extra in form.extra_fields.values())


def test_command_line_lists_the_hook():
    """`airflow providers hooks` shows the connection type in a process of its own."""
    command = [sys.executable, "-m", "airflow", "providers", "hooks", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = {row["connection_type"]: row for row in json.loads(done.stdout[done.stdout.index("[{") :])}
    assert rows["instagram"]["package_name"] == "airflow-provider-iginsights"
    assert rows["instagram"]["hook_name"] == "Instagram Insights"
