"""A command of which all processes stand still now and then ends as it would end without."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.stalls import run_with_stalls

WATCH = """
import subprocess, sys, time
def watch():
    begun = seen = time.monotonic()
    while seen - begun < 30:
        time.sleep(0.001)
        seen, before = time.monotonic(), seen
        if seen - before > 0.15:
            return 0
    return 1
if sys.argv[1:]:
    sys.exit(watch())
with subprocess.Popen([sys.executable, __file__, "child"]) as child:
    stood_still = watch()
sys.exit(3 if (stood_still, child.returncode) == (0, 0) else 1)
"""
"""A process, and a child of it, that each wait to see time pass at a stroke: 3 if both saw it."""


def test_all_processes_stand_still(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command and what it started stand still for the time that is given, and its exit code is told."""
    script = tmp_path_factory.mktemp("stalls") / "watch.py"
    script.write_text(WATCH)
    code, stalls = run_with_stalls([sys.executable, str(script)], seed=1, runs=(0.05, 0.1), still=(0.2, 0.25))
    assert code == 3
    assert stalls > 0


@pytest.mark.parametrize(
    ("does", "code"), [("sys.exit(5)", 5), ("os.kill(os.getpid(), 9)", 137), ("'well'", 0)], ids=["5", "SIGKILL", "0"]
)
def test_the_command_ends_as_what_it_runs(does: str, code: int) -> None:
    """With the exit code, or with that of a shell for a signal."""
    command = [sys.executable, "-m", "tests.support.stalls", "--seed", "7", "--still", "0.01", "0.02", "--"]
    ended = subprocess.run(
        [*command, sys.executable, "-c", f"import os, sys; {does}"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == code, ended.stderr
    assert "stood still " in ended.stdout
