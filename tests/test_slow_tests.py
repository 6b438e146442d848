"""The slow tests are left out of `make test`, and only of that."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.pages import ROOT
from tests.support.slow_tests import SLOW_MODULES


@pytest.mark.parametrize("module", sorted(SLOW_MODULES))
def test_the_list_names_modules(module: str) -> None:
    """A module that was renamed is renamed in the list, too; else its tests would be quick again without a word."""
    assert (ROOT / module).is_file()


@pytest.mark.slow
def test_they_are_marked() -> None:
    """A slow module's tests are marked, and of another one those alone that run on local-bigquery."""
    files = [
        "tests/bigquery/test_loader.py",
        "tests/transfers/test_story_gap.py",
        "tests/transfers/test_instagram_to_bigquery.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", "-m", "slow", *files]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    marked = [line for line in said.splitlines() if "::" in line]
    others = {line for line in marked if "test_story_gap.py" not in line}
    assert len(marked) > len(others) > 0
    assert all("local-bigquery" in line or line.endswith("::test_the_same_on_the_referee") for line in others)


def test_both_parts_are_run() -> None:
    """What one command leaves out the other runs, and the checks before a merge run both."""
    makefile, checks = (ROOT / "Makefile").read_text("utf-8"), (ROOT / ".ci" / "run").read_text("utf-8")
    runs = r'^(unit|test-slow):.*\n\t\S+/pytest .* -m ("not slow"|slow)$'
    assert dict(re.findall(runs, makefile, re.MULTILINE)) == {"unit": '"not slow"', "test-slow": "slow"}
    assert {"make test", "make test-slow"} <= set(checks.splitlines())
