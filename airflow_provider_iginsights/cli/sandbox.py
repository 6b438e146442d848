"""Runs the local Graph API and the local BigQuery: ``sandbox``."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.cli.exit_codes import ExitCode
from airflow_provider_iginsights.cli.output import format_exports, print_result
from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_iginsights.sandbox.environment import SandboxSettings

_GRACE = 10.0
"""Seconds for a command to end."""
NOT_INSTALLED = "The sandbox cannot be imported ({}). Install it: pip install 'airflow-provider-iginsights[sandbox]'."


def sandbox(options: argparse.Namespace) -> ExitCode:
    """Run both servers until Ctrl-C or SIGTERM, which is how it ends, or for as long as a command runs in them.

    :raises ConfigurationError: a port is taken, or a folder cannot be used.
    :raises SystemExit: with the exit code of the command.
    """
    settings = read_settings(options)
    from airflow_provider_iginsights.sandbox.environment import FAULTS

    if options.list_faults:
        print_result(*FAULTS)
        return ExitCode.DONE
    with end_on_sigterm(), _run_servers(settings) as environment:
        if options.run:
            raise SystemExit(run_command(options.run, environment))
        with suppress(KeyboardInterrupt):
            print_result(*format_exports(environment))
            print_result("# The sandbox runs until Ctrl-C. Use gcp_conn_id=None in your operators.")
            threading.Event().wait()
    return ExitCode.DONE


@contextmanager
def _run_servers(settings: SandboxSettings) -> Iterator[dict[str, str]]:
    import duckdb

    from airflow_provider_iginsights.sandbox.environment import run_sandbox

    with ExitStack() as stack:
        try:
            environment = stack.enter_context(run_sandbox(settings))
        except (OSError, duckdb.Error) as error:
            said = str(error).splitlines()[0]
            raise ConfigurationError(
                f"The sandbox cannot start: {said}. Name a port that is free, and a folder of --keep that no other "
                "sandbox uses."
            ) from error
        yield environment


@contextmanager
def end_on_sigterm() -> Iterator[None]:
    """Let SIGTERM, which supervisors and ``docker stop`` send, end the servers as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_command(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command with these variables beside our own, and return its exit code. Ctrl-C and SIGTERM end it first.

    :raises ConfigurationError: there is no such command.
    """
    loopback = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    try:
        process = subprocess.Popen(list(command), env={**os.environ, **loopback, **environment})  # noqa: S603 - the caller's
    except OSError as error:
        raise ConfigurationError(f"The command {command[0]} cannot be run: {error.strerror}.") from error
    code = _wait(process)
    # As a shell tells that a signal has ended it.
    return 128 - code if code < 0 else code


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except KeyboardInterrupt:
        # Ctrl-C has reached it, too; a SIGTERM has not.
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_GRACE)
        process.kill()
        return process.wait()


def read_settings(options: argparse.Namespace) -> SandboxSettings:
    """Return the settings that the options hold.

    :raises ConfigurationError: the sandbox is not installed, or it knows no such fault or version.
    """
    try:
        from airflow_provider_iginsights.sandbox.environment import FAULTS, SandboxSettings
        from airflow_provider_iginsights.sandbox.graph.versions import VERSIONS
    except ImportError as error:
        raise ConfigurationError(NOT_INSTALLED.format(error)) from error
    known = vars(options)
    if unknown := [name for name in known.get("fault", ()) if name not in FAULTS]:
        raise ConfigurationError(f"The sandbox knows no fault {', '.join(unknown)}. It knows {', '.join(FAULTS)}.")
    if (pin := known.get("pin")) not in (None, *VERSIONS):
        raise ConfigurationError(f"The sandbox plays no API version {pin}. It plays {', '.join(VERSIONS)}.")
    given: dict[str, Any] = {name: known[name] for name in SandboxSettings.__dataclass_fields__ if name in known}
    return SandboxSettings(**given)
