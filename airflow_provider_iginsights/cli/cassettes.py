"""Records what Meta answers to a run, and plays it again: ``record``, ``replay``."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import format_exports, print_error, print_result
from airflow_provider_iginsights.cli.sandbox import end_on_sigterm, run_command
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

_NOTHING_ASKED = (
    "Meta was asked nothing, so there is no cassette. Record a command that runs the tasks itself, such as airflow "
    "dags test: after airflow dags trigger the scheduler runs them, and it is not recorded."
)
_ALL_CUT = (
    "All calls to Meta ({}) were cut off while they were written down, so there is no cassette. Record the run again, "
    "and let its processes end by themselves."
)
_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")


def record(options: argparse.Namespace) -> ExitCode:
    """Run a command, and write what Meta answered to it as a cassette.

    :raises ConfigurationError: no command is given, it cannot be run, or the folder cannot be used.
    :raises SystemExit: with the exit code of the command, where it is not 0.
    """
    from airflow_provider_iginsights.cassettes.files import FILE_NAME, create_directory, finish_cassette
    from airflow_provider_iginsights.cassettes.recorder import DIRECTORY, SALT

    if not options.run:
        raise ConfigurationError(
            "There is no command to record. Write it behind --, such as: record cassette -- airflow dags test brand"
        )
    directory = options.directory.absolute()
    create_directory(directory)
    # The command talks to Meta, so it keeps the proxy settings of the caller.
    proxies = {name: os.environ.get(name, "") for name in _PROXY_VARIABLES}
    # The salt is in this environment alone: who has the cassette cannot try names out against it.
    try:
        with end_on_sigterm():
            code = run_command(options.run, {**proxies, DIRECTORY: str(directory), SALT: secrets.token_hex(32)})
    finally:
        calls, cut = finish_cassette(directory)
    if not calls:
        print_error(_ALL_CUT.format(cut) if cut else _NOTHING_ASKED)
        raise SystemExit(code or ExitCode.FOUND)
    print_result(f"{directory / FILE_NAME}: {calls} calls to Meta. Look through it before you give it to anybody.")
    if cut:
        print_error(f"{cut} calls are missing, as a process was ended while it wrote them down.")
    if code:
        raise SystemExit(code)
    return ExitCode.FOUND if cut else ExitCode.DONE


def replay(options: argparse.Namespace) -> ExitCode:
    """Answer from a cassette until Ctrl-C or SIGTERM, or for as long as a command runs; name what it lacks.

    :raises ConfigurationError: the sandbox is not installed, the folder holds no whole cassette, a port is taken.
    :raises SystemExit: with the exit code of the command, where it is not 0.
    """
    from airflow_provider_iginsights.cassettes.files import read_cassette
    from airflow_provider_iginsights.cli.sandbox import NOT_INSTALLED

    read_cassette(options.directory)
    try:
        from airflow_provider_iginsights.cassettes.replay import run_replay
    except ImportError as error:
        raise ConfigurationError(NOT_INSTALLED.format(error)) from error
    ports = {"port": options.port, "bigquery_port": options.bigquery_port}
    try:
        with end_on_sigterm(), run_replay(options.directory, conn_id=options.conn_id, **ports) as played:
            if options.run:
                code = run_command(options.run, played.environment)
            else:
                code = 0
                with suppress(KeyboardInterrupt):
                    print_result(*format_exports(played.environment))
                    print_result(*_describe(played.recorded_at.isoformat(timespec="seconds"), played.account_ids))
                    threading.Event().wait()
            missing = list(played.missing)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConfigurationError(f"The cassette cannot be played: {error}. Name a port that is free.") from error
    if missing:
        print_error("The cassette has no answer to these requests:", *missing)
    if code:
        raise SystemExit(code)
    return ExitCode.FOUND if missing else ExitCode.DONE


def _describe(recorded_at: str, account_ids: Sequence[str]) -> tuple[str, ...]:
    return (
        f"# Recorded at {recorded_at}: run your Dag for the dates of that run, with gcp_conn_id=None.",
        f"# Accounts, under their pseudonyms: {', '.join(account_ids) or 'none'}.",
        "# It answers until Ctrl-C.",
    )
