"""What the installed wheel is to Airflow; as a pytest plugin, the proof that the tests import the package from it."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import airflow_provider_iginsights

NAME = "airflow-provider-iginsights"


def locate() -> Path:
    """Return the folder that the package is imported from. Raises AssertionError where that is not site-packages."""
    folder = Path(airflow_provider_iginsights.__file__).parent
    assert folder.parent == Path(sysconfig.get_path("purelib")), f"{folder} is not the installed package"
    return folder


def pytest_report_header() -> str:
    """Print where the package is imported from; without the installed one, no test runs."""
    return f"package: {locate()}"


def list_providers() -> dict[str, str]:
    """Return what ``airflow providers list`` prints: version by package."""
    command = [sys.executable, "-m", "airflow", "providers", "list", "--output", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows: list[dict[str, str]] = json.loads(done.stdout[done.stdout.index("[") :])
    return {row["package_name"]: row["version"] for row in rows}


def list_form_fields(airflow: str) -> list[str]:
    """Return the extra fields of the connection's form, as the page of this Airflow shows them."""
    if airflow.startswith("2."):
        manager: Any = import_module("airflow.providers_manager").ProvidersManager()
        prefix = "extra__instagram__"
        return [key.removeprefix(prefix) for key in manager.connection_form_widgets if prefix in key]
    service: Any = import_module("airflow.api_fastapi.core_api.services.ui.connections").HookMetaService
    [shown] = [each for each in service.hook_meta_data() if each.connection_type == "instagram"]
    return list(shown.extra_fields)


def main() -> None:
    """Print what was found, and write all installed versions. Raises AssertionError where something is missing."""
    from airflow_provider_iginsights.hooks.connection_form import CONN_FIELDS

    sys.stdout.write(f"package: {locate()}\n")
    assert list_providers()[NAME] == airflow_provider_iginsights.__version__
    airflow, written = sys.argv[1:]
    fields = list_form_fields(airflow)
    assert fields == list(CONN_FIELDS), fields
    sys.stdout.write(f"provider: {NAME} {airflow_provider_iginsights.__version__}\nform: {', '.join(fields)}\n")
    versions = {each.metadata["Name"].lower(): each.version for each in distributions()}
    Path(written).write_text(json.dumps(versions), encoding="utf-8")


if __name__ == "__main__":
    main()
