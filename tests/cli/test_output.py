"""What is printed for a shell to read."""

from __future__ import annotations

import subprocess

import pytest

from airflow_provider_iginsights.cli.output import format_exports


@pytest.mark.parametrize(
    "value", ["'; echo done; '", "$(echo done)", "`echo done`", 'a"b', "a\\", "'", "''", "a\nexport B=1", "", "!!"]
)
def test_a_shell_sets_the_variable_and_does_nothing_else(value: str) -> None:
    """A value stays a value, whatever is in it: that of a replay comes from a file that anybody may have written."""
    script = "\n".join([*format_exports({"FOUND": value}), 'printf %s "$FOUND"'])
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (value, "")
