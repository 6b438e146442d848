"""Plays a day at Instagram with the sandbox and a real Airflow: ``demo``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import can_print, print_error, print_text
from airflow_provider_iginsights.cli.sandbox import end_on_sigterm, read_settings
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

_EXAMPLES = Path(__file__).parents[1] / "example_dags"
DEMO_DAGS = [_EXAMPLES / f"{name}.py" for name in ("instagram_daily_insights", "instagram_hourly_stories")]
_POSTS = 40
"""Posts and reels per account: of these, three reels and more are of the last weeks."""


def demo(options: argparse.Namespace) -> ExitCode:
    """Run the example Dags, print what BigQuery then holds, kill a load and run it again.

    :raises ConfigurationError: the sandbox is not installed, or there is no account.
    """
    if not options.accounts:
        raise ConfigurationError("The demo needs an account: --accounts is 1 or more.")
    settings = replace(read_settings(options), media=_POSTS)
    from airflow_provider_iginsights.sandbox.demo.folder import DemoFailed
    from airflow_provider_iginsights.sandbox.demo.run import run_demo
    from airflow_provider_iginsights.sandbox.demo.text_table import ASCII_BLOCKS, BLOCKS

    blocks = BLOCKS if can_print(BLOCKS) else ASCII_BLOCKS
    try:
        with end_on_sigterm():
            run_demo(settings, dag_files=DEMO_DAGS, write=print_text, blocks=blocks)
    except DemoFailed as error:
        print_error(error)
        return ExitCode.FOUND
    return ExitCode.DONE
