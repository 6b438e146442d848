"""An Airflow in a process of its own, which carries out one command after the other, and can be killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from airflow_provider_iginsights.sandbox.demo.folder import DemoFailed

_GRACE = 5.0
"""Seconds for the process to end by itself."""
_FOREIGN = ("AIRFLOW", "_AIRFLOW", "INSTAGRAM", "BIGQUERY", "GOOGLE", "CLOUDSDK", "PYTHONWARNINGS")
"""How the variables begin that would point the demo at something of the user's."""
LOOPBACK = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")


def make_environment(home: Path, ours: Mapping[str, str], *, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an Airflow that knows only this home, and no setting of the user's own Airflow.

    :param ours: the variables that point at the sandbox.
    :param inherited: the environment of the caller, of which all else is kept.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_FOREIGN)}
    return {
        **kept,
        **LOOPBACK,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        **ours,
    }


class AirflowProcess:
    """A process that runs commands one by one. A context manager, behind which it runs no more.

    It is in a session of its own: a Ctrl-C reaches the demo alone, which then ends it.
    """

    def __init__(self, environment: Mapping[str, str], log: IO[bytes]) -> None:
        """Start it. ``log``: the file to which all goes that Airflow prints."""
        command = [sys.executable, "-m", f"{__package__}.run_modules"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            command, env=dict(environment), stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=True
        )
        self._stdin = cast("IO[str]", self._process.stdin)
        self._stdout = cast("IO[str]", self._process.stdout)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Run a module with these arguments, and these variables from now on. Raises DemoFailed with the command."""
        self.begin(*arguments, environment=environment)
        code = self.wait()
        if code != 0:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise DemoFailed(f"`{' '.join(arguments)}` failed with {how}.")

    def begin(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Let it begin to run a module, as :meth:`run` does."""
        order = {"arguments": arguments, "environment": dict(environment or {})}
        # It may be dead; then wait() tells.
        with suppress(BrokenPipeError):
            print(json.dumps(order), file=self._stdin, flush=True)

    def has_ended(self, *, within: float) -> bool:
        """Tell whether what was begun ends in these seconds."""
        return bool(select.select([self._stdout], [], [], within)[0])

    def wait(self) -> int:
        """Return the exit code of what was begun; of the process, negative for a signal, where it has died."""
        answer = self._stdout.readline()
        return int(answer) if answer else self._process.wait() or 1

    def kill(self) -> int:
        """Kill it with SIGKILL, as a machine that runs out of memory does, and return how it ended: -9."""
        # With all that it has started.
        os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it: at its next command where all is well, at once after an error."""
        with self._process:
            if error is not None:
                self._process.terminate()
            with suppress(BrokenPipeError):
                self._stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
