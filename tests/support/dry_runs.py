"""Asks make what it would do."""

from __future__ import annotations

import os
import subprocess

from tests.support.pages import ROOT


def dry_run(*words: str) -> str:
    """Return the commands that ``make`` would run for these words; fail where it knows one of them not, or warns.

    What a make around this process has set for its own sub-makes (MAKEFLAGS, MAKELEVEL) is kept from it: it changes
    what is printed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "--no-print-directory", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), words
    return done.stdout
