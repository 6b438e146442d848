"""The folder that the demo works in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

_NEEDED = 50 << 20
"""Bytes; Airflow's database and log take a tenth of it."""
# A cluster policy (Airflow, "Cluster Policies"): the example waits 5 minutes before it tries a failed task again.
_POLICY = "def task_policy(task):\n    task.retries = 0\n"


class DemoFailed(Exception):
    """The demo cannot go on; the message says why."""


def open_folder(stack: ExitStack, dag_files: Iterable[Path]) -> tuple[Path, IO[bytes]]:
    """Make a folder that is to be an Airflow home, with these Dags, and beside it a file for Airflow's log.

    The folder is removed when the stack is left; the log is only closed.

    :raises DemoFailed: the folder for temporary files cannot be used, or the disk is full.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="iginsights-demo-", ignore_cleanup_errors=True)
        home = Path(stack.enter_context(folder))
        if shutil.disk_usage(home).free < _NEEDED:
            raise DemoFailed(
                f"The demo needs {_NEEDED >> 20} MB for Airflow's database and log, and the disk of {home.parent} has "
                "less. Free some of it, or name another folder in the variable TMPDIR."
            )
        for name in ("dags", "config"):
            (home / name).mkdir()
        for file in dag_files:
            shutil.copy(file, home / "dags")
        (home / "config" / "airflow_local_settings.py").write_text(_POLICY, "utf-8")
        return home, stack.enter_context(Path(f"{home}.log").open("wb"))
    except OSError as error:
        raise DemoFailed(
            f"The demo has no folder for Airflow's database and log: {error}. Name one in the variable TMPDIR."
        ) from error
