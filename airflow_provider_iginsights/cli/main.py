"""The subcommands as ``python -m airflow_provider_iginsights`` takes them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_iginsights.cli.commands import COMMANDS, EPILOG, HELP
from airflow_provider_iginsights.cli.output import flush_output
from airflow_provider_iginsights.cli.run import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line and return the exit code.

    :raises SystemExit: help was asked for (0), or the command line is wrong (2).
    """
    try:
        options = make_parser().parse_args(arguments)
    finally:
        # argparse does not flush its help, and the reader of a pipe may be gone.
        flush_output()
    return run(options.command, options)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_iginsights",
        description=f"{HELP}.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        added = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.description or f"{command.help}.",
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(command=command)
        for option in command.arguments:
            added.add_argument(*option.flags, **option.keywords)
    return parser
