"""The command as a process of its own: by either door, with a pipe that closes, and without a database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World
from tests.support.airflow_versions import QUIET, needs

PACKAGE = "airflow_provider_iginsights"
HEAVY = ("google", "requests", "duckdb", "sqlglot", "starlette", "uvicorn")
PYTHON_DOOR = (sys.executable, "-m", PACKAGE)
AIRFLOW_DOOR = (sys.executable, "-m", "airflow", "instagram")
AIRFLOW = pytest.param(AIRFLOW_DOOR, id="airflow", marks=needs("commands of providers"))
DOORS = pytest.mark.parametrize("door", [pytest.param(PYTHON_DOOR, id="python"), AIRFLOW])


def run(*command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with an Airflow home that has no database."""
    database = f"sqlite:///{home / 'none.db'}"
    settings = {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database}
    # Airflow says on the standard output that it is in this mode.
    settings["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
    # Airflow 2 logs on the error output that it reads a connection, and that it has no key for a database.
    settings["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    environment = os.environ | settings | QUIET
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@DOORS
def test_either_door_tests_a_connection(
    door: tuple[str, ...], world: World, sandbox: GraphSandbox, tmp_path: Path
) -> None:
    """Without a database, the connection of the environment is tested, and the code arrives at the shell."""
    done = run(*door, "test", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "It sees 2 Instagram accounts: @brand_0001, @brand_0002." in done.stdout
    world.tokens.clear()
    done = run(*door, "test", home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "code 190" in done.stderr


@DOORS
def test_nothing_but_json_is_printed(door: tuple[str, ...], sandbox: GraphSandbox, tmp_path: Path) -> None:
    """What --json prints can be read by a program, whatever Airflow logs."""
    done = run(*door, "accounts", "--json", home=tmp_path)
    assert [row["username"] for row in json.loads(done.stdout)] == ["brand_0001", "brand_0002"]


@DOORS
def test_an_unknown_connection_without_a_database(door: tuple[str, ...], tmp_path: Path) -> None:
    """The answer is a sentence and code 2."""
    done = run(*door, "test", "--conn-id", "nowhere", home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Airflow knows no connection 'nowhere'.")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["metrics"], ["--help"], ["tables", "--help"]], ids=" ".join)
def test_a_closed_pipe(arguments: list[str]) -> None:
    """A reader that closes the pipe before anything arrives changes neither the code nor the error output."""
    process = subprocess.Popen([*PYTHON_DOOR, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(60)) == (b"", 0)
    process.stderr.close()


@needs("commands of providers")
def test_airflow_loads_the_definition_alone() -> None:
    """What Airflow imports for each of its commands is the table of commands: no other room, and nothing heavy."""
    script = (
        "import sys; import airflow.cli.cli_config; before = set(sys.modules);"
        f"from {PACKAGE}.cli.definition import get_instagram_commands; get_instagram_commands();"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    rooms = {name.split(".")[1] for name in loaded if name.startswith(f"{PACKAGE}.")}
    assert {"cli", "_compat"} <= rooms <= {"cli", "errors", "_compat"}
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]
