"""`make check` runs what starts no server, and says so of a test that starts one after all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HIDDEN = """
import importlib


def test_it_starts_a_server_by_a_name_of_its_own():
    importlib.import_module("http.server").HTTPServer(("127.0.0.1", 0), None)
"""


def run(*arguments: str, folder: Path) -> str:
    """Run pytest without servers, from the folder of the project, and return what it says."""
    command = [sys.executable, "-m", "pytest", "--without-servers", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_what_is_left_out(pytestconfig) -> None:
    """A fixture, a module or a module of tests/support that starts a server counts; what starts none stays."""
    files = [
        "tests/test_clock.py",
        "tests/extract/test_discovery.py",
        "tests/transfers/test_days.py",
        "tests/test_price.py",
    ]
    said = run("--collect-only", *files, folder=pytestconfig.rootpath)
    collected = {line.partition("::")[0] for line in said.splitlines() if "::" in line}
    assert "tests/test_clock.py" in collected
    assert not collected & {"tests/extract/test_discovery.py", "tests/transfers/test_days.py"}


def test_a_test_that_hides_its_server_fails(pytestconfig, tmp_path: Path) -> None:
    """The list of names is complete only as long as nobody starts a server by another name."""
    (tmp_path / "test_hidden.py").write_text(HIDDEN, "utf-8")
    said = run(
        "--confcutdir",
        str(pytestconfig.rootpath),
        "-p",
        "tests.conftest",
        str(tmp_path / "test_hidden.py"),
        folder=pytestconfig.rootpath,
    )
    assert "name what it starts it with in STARTERS of tests.support.server_tests" in said
    assert "1 failed" in said
