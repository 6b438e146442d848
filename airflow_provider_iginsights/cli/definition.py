"""The subcommands as Airflow 3.2+ takes them; ``cli`` of the provider info names this module's function."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.commands import COMMANDS, EPILOG, HELP
from airflow_provider_iginsights.cli.run import run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from airflow_provider_iginsights._compat import ActionCommand, GroupCommand
    from airflow_provider_iginsights.cli.commands import Command


def get_instagram_commands() -> list[GroupCommand]:
    """Return the group ``airflow instagram``."""
    from airflow_provider_iginsights._compat import GroupCommand

    return [
        GroupCommand(name="instagram", help=HELP, subcommands=[_define(command) for command in COMMANDS], epilog=EPILOG)
    ]


def _define(command: Command) -> ActionCommand:
    from airflow_provider_iginsights._compat import ActionCommand, Arg

    make_argument: Callable[..., Arg] = Arg
    return ActionCommand(
        name=command.name,
        help=command.help,
        description=command.description or None,
        func=partial(_run_and_exit, command),
        args=[make_argument(flags=option.flags, **option.keywords) for option in command.arguments],
        epilog=EPILOG,
    )


def _run_and_exit(command: Command, options: argparse.Namespace) -> None:
    # Airflow drops what the function of a command returns.
    sys.exit(run(command, options))
