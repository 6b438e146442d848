"""Runs one subcommand. Every failure ends with a sentence for the reader and an exit code for the shell."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import describe_stop, print_error, reserve_output
from airflow_provider_iginsights.errors import InsightsError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.cli.commands import Command

log: logging.Logger = logging.getLogger(__name__)


def run(command: Command, options: argparse.Namespace) -> ExitCode:
    """Run the action of a command and return how it ended. Never raises."""
    # Without it Airflow 3 takes this process for a task and does not look into its database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # Airflow 2 logs a traceback where its database is missing, and then says that there is no such connection.
    logging.getLogger("airflow.models.connection").setLevel(logging.CRITICAL)
    given = [option for option in command.one_of if getattr(options, option.name)]
    if command.one_of and len(given) != 1:
        print_error(f"{command.name} takes exactly one of {', '.join(option.flags[-1] for option in command.one_of)}.")
        return ExitCode.NOT_DONE
    try:
        with reserve_output():
            return _find_action(command)(options)
    except KeyboardInterrupt:
        print_error("Interrupted.")
        return ExitCode.INTERRUPTED
    except InsightsError as error:
        print_error(error)
    except Exception as error:
        log.debug("The command %s stopped.", command.name, exc_info=True)
        print_error(describe_stop(error))
    return ExitCode.NOT_DONE


def _find_action(command: Command) -> Callable[[argparse.Namespace], ExitCode]:
    module, _, function = command.action.partition(":")
    action: Callable[[argparse.Namespace], ExitCode] = getattr(import_module(module), function)
    return action
