"""``make matrix``: the wheel, built once, in an environment for each row of tests/support/matrix/cells.py."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from tests.support.matrix.cells import AIRFLOWS, Cell, choose_cells  # noqa: E402 - nox does not have this folder on its path
from tests.support.matrix.results import Result, digest_of, is_done, save  # noqa: E402

FOLDER = ROOT / ".matrix"
IS_FAST = bool(os.environ.get("FAST"))
try:
    WANTED = choose_cells(os.environ.get("CELL", ""))
except ValueError as error:
    sys.exit(str(error))
FAST_TESTS = (
    "tests/test_get_provider_info.py",
    "tests/test_compat.py",
    "tests/hooks/test_instagram_hook.py",
    "tests/test_example_dags.py::test_an_example_runs",
)
# The whole suite, as make test runs it: one process more than cores.
PARALLEL = ("--numprocesses", str((os.cpu_count() or 1) + 1), "--dist", "loadfile")
nox.options.default_venv_backend = "uv"
nox.options.envdir = str(FOLDER / "environments")
nox.options.error_on_missing_interpreters = False


@nox.session(venv_backend="none")
def wheel(session: nox.Session) -> None:
    """Build the wheel that every cell installs, and copy all files of the project but the package beside it."""
    shutil.rmtree(FOLDER / "wheel", ignore_errors=True)
    session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(FOLDER / "wheel"), str(ROOT))
    shutil.rmtree(FOLDER / "tests", ignore_errors=True)
    listed = session.run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", silent=True)
    for name in str(listed).split("\0"):
        # Without the package, no test can import it from here: what is tested is what was installed.
        if name and not name.startswith("airflow_provider_iginsights/") and (ROOT / name).is_file():
            target = FOLDER / "tests" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


@nox.session(reuse_venv=False)
@nox.parametrize(
    ("python", "cell"),
    [nox.param(cell.python, cell, id=cell.name) for cell in WANTED],
)
def cell(session: nox.Session, cell: Cell) -> None:
    """Install a cell, look whether Airflow sees the provider and its form, and run the tests."""
    [built] = (FOLDER / "wheel").glob("*.whl")
    if is_done(FOLDER, cell, digest_of(built), fast=IS_FAST):
        session.skip("done with this wheel; make matrix AGAIN=1 runs it anew")
    install(session, cell, built)
    home = Path(session.create_tmp())
    env: dict[str, str | None] = {
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": None,
        # uv compiles nothing, so each of the hundreds of processes that the tests start would compile Airflow.
        "PYTHONDONTWRITEBYTECODE": None,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    session.chdir(FOLDER / "tests")
    versions = home / "versions.json"
    session.run("python", "-m", "tests.support.matrix.installed", cell.airflow, str(versions), env=env)
    tests = FAST_TESTS if IS_FAST else ("tests",)
    report = home / "tests.xml"
    # The plugin of an older anyio, which some cells keep, warns when it is loaded, in what a test starts, too.
    env["PYTEST_ADDOPTS"] = "-p no:anyio -p no:cacheprovider"
    # And requests warns of a newer chardet beside it than it knows.
    env["PYTHONWARNINGS"] = "ignore:::requests"
    plugin = ("-p", "tests.support.matrix.installed")
    options = (*plugin, "-q", f"--junitxml={report}", *(() if IS_FAST else PARALLEL), *session.posargs)
    # 1: some tests failed, which is a result; anything else is none.
    session.run("python", "-m", "pytest", *options, *tests, env=env, success_codes=[0, 1])
    result = Result.read(cell, report=report, versions=versions, wheel=digest_of(built), fast=IS_FAST)
    save(FOLDER, result)
    if result.failed:
        session.error(f"{result.failed} tests failed")


def install(session: nox.Session, cell: Cell, built: Path) -> None:
    """Install Airflow with what was there at its time, then the wheel beside it, then the tools of the tests."""
    airflow, extras = AIRFLOWS[cell.airflow], "google,report,sandbox" if cell.google else "report,sandbox"
    if cell.lowest:
        # Only what is named itself counts as direct, so the project is, and not the wheel.
        project = [word for extra in extras.split(",") for word in ("--extra", extra)]
        session.install("--resolution", "lowest-direct", "--requirement", str(ROOT / "pyproject.toml"), *project)
        session.install("--no-deps", str(built))
    elif cell.days_back:
        day = (datetime.now(UTC) - timedelta(days=cell.days_back)).date()
        session.install("--exclude-newer", str(day), f"{built}[{extras}]")
    else:
        until = ("--exclude-newer", airflow.until) if airflow.until else ()
        session.install(*until, *cell.of_its_time)
        session.install(f"{built}[{extras}]", *cell.of_its_time, *cell.pins)
    # What is there stays: the tools come to it, not the other way round.
    frozen = Path(session.create_tmp()) / "installed.txt"
    listed = str(session.run("uv", "pip", "freeze", "--exclude-editable", silent=True, external=True))
    frozen.write_text("".join(f"{line}\n" for line in listed.splitlines() if "==" in line))
    session.install("--constraint", str(frozen), f"{built}[dev]")
