"""What the Dag processor pays, over and over, for importing the operators: next to nothing beyond Airflow itself."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys

import pytest

PACKAGE = "airflow_provider_iginsights"
HEAVY = ("google", "pandas", "pyarrow", "requests", "urllib3", "duckdb", "sqlglot", "starlette", "uvicorn", "tenacity")
MOST_MODULES = {
    "transfers.instagram_to_bigquery": 44,
    "transfers.story_webhook": 35,
    "transfers.staged_to_bigquery": 25,
    "operators.instagram": 12,
    "operators.token": 10,
    "operators.report": 12,
    "hooks.instagram": 4,
    "links.bigquery": 5,
    "plugins.webhook_plugin": 5,  # four before Airflow 3.4
}
"""How many modules one of ours may load beyond airflow.sdk and the provider info: itself and our own few."""

SCRIPT = """
import json, os, sys, warnings
from airflow_provider_iginsights._compat import BaseHook, BaseOperator, BaseOperatorLink, conf
import airflow_provider_iginsights.get_provider_info
conf.getboolean("operators", "default_deferrable", fallback=False)
before = set(sys.modules)
for name in sys.argv[1:]:
    # In a copy of this process each, so that none finds what another has loaded.
    if os.fork() == 0:
        warnings.simplefilter("error", DeprecationWarning)
        __import__(name)
        print(json.dumps(sorted(set(sys.modules) - before)), flush=True)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{name} cannot be imported.")
"""

# An installed Google package may load its namespace when the interpreter starts.
BEFORE, PRINT = "import sys; before = set(sys.modules); ", "print(sorted(set(sys.modules) - before))"


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """Return the modules that importing each of ours loads in an interpreter that has loaded airflow.sdk."""
    names = [f"{PACKAGE}.{name}" for name in MOST_MODULES]
    command = [sys.executable, "-c", SCRIPT, *names]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return dict(zip(MOST_MODULES, map(json.loads, lines), strict=True))


@pytest.mark.parametrize(("name", "most"), MOST_MODULES.items())
def test_importing_an_operator_is_cheap(loaded: dict[str, list[str]], name: str, most: int) -> None:
    """No heavy library and only a few modules are loaded; no deprecated path of Airflow is touched."""
    assert f"{PACKAGE}.{name}" in loaded[name]
    assert [module for module in loaded[name] if module.split(".")[0] in HEAVY] == []
    assert len(loaded[name]) <= most, loaded[name]


def test_the_provider_info_loads_no_airflow() -> None:
    """Airflow reads the provider info while it is half-initialised: that loads nothing of Airflow."""
    script = f"{BEFORE}import {PACKAGE}.get_provider_info; {PRINT}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = [name for name in ast.literal_eval(done.stdout) if name.split(".")[0] in ("airflow", PACKAGE, *HEAVY)]
    assert set(loaded) <= {
        PACKAGE,
        f"{PACKAGE}.get_provider_info",
        f"{PACKAGE}.errors",
        f"{PACKAGE}.graph_api",
        f"{PACKAGE}.hooks",
        f"{PACKAGE}.hooks.connection_form",
    }


def test_a_graph_request_loads_no_http_library() -> None:
    """``GraphRequest`` can be named by a Dag file: neither its room nor the request itself loads what sends it."""
    for statement in (f"import {PACKAGE}.graph", f"from {PACKAGE}.graph import GraphRequest"):
        script = f"{BEFORE}{statement}; {PRINT}"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        loaded = ast.literal_eval(done.stdout)
        assert [name for name in loaded if name.split(".")[0] in ("airflow", *HEAVY)] == []
        assert (f"{PACKAGE}.graph.redact" in loaded) == ("GraphRequest" in statement)
