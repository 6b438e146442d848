"""Runs the local Graph API and the local BigQuery: ``sandbox``, ``demo``."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import print_error, print_result
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.sandbox.environment import SandboxSettings

_EXAMPLES = Path(__file__).parents[1] / "example_dags"
DEMO_DAGS = [_EXAMPLES / f"{name}.py" for name in ("instagram_daily_insights", "instagram_hourly_stories")]
_NOT_INSTALLED = "The sandbox cannot be imported ({}). Install it: pip install 'airflow-provider-iginsights[sandbox]'."


def sandbox(options: argparse.Namespace) -> ExitCode:
    """Run both servers until Ctrl-C, which is how it ends."""
    settings = _read_settings(options)
    from airflow_provider_iginsights.sandbox.environment import run_sandbox

    with run_sandbox(settings) as environment, suppress(KeyboardInterrupt):
        print_result(*(f"export {name}='{value}'" for name, value in environment.items()))
        print_result("# The sandbox runs until Ctrl-C. Use gcp_conn_id=None in your operators.")
        threading.Event().wait()
    return ExitCode.DONE


def demo(options: argparse.Namespace) -> ExitCode:
    """Run the Dags and print the tables."""
    settings = _read_settings(options)
    from airflow_provider_iginsights.sandbox.demo import run_demo

    dag_files = options.dag_files or DEMO_DAGS
    if missing := [str(file) for file in dag_files if not file.is_file()]:
        raise ConfigurationError(f"There is no Dag file {', '.join(missing)}.")
    if failed := run_demo(settings, dag_files=dag_files, dataset=options.dataset, say=print_result):
        print_error(failed)
        return ExitCode.FOUND
    return ExitCode.DONE


def _read_settings(options: argparse.Namespace) -> SandboxSettings:
    """Return the settings that the options hold.

    :raises ConfigurationError: the sandbox is not installed, or it knows no such fault or version.
    """
    try:
        from airflow_provider_iginsights.sandbox.environment import SandboxSettings
        from airflow_provider_iginsights.sandbox.graph import SHAPES
        from airflow_provider_iginsights.sandbox.graph.versions import VERSIONS
    except ImportError as error:
        raise ConfigurationError(_NOT_INSTALLED.format(error)) from error
    if unknown := [name for name in options.fault if name not in SHAPES]:
        raise ConfigurationError(f"The sandbox knows no fault {', '.join(unknown)}. It knows {', '.join(SHAPES)}.")
    if options.pin not in (None, *VERSIONS):
        raise ConfigurationError(f"The sandbox plays no API version {options.pin}. It plays {', '.join(VERSIONS)}.")
    given: dict[str, Any] = {name: getattr(options, name) for name in SandboxSettings.__dataclass_fields__}
    return SandboxSettings(**given)
