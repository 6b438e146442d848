"""The parts of the demo: its tables and curves, what it compares, the process it runs Airflow in, its folder."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import tempfile
from collections import Counter
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_iginsights.sandbox.demo.airflow_process import AirflowProcess, make_environment
from airflow_provider_iginsights.sandbox.demo.comparison import TABLES, Rows, count_changes, count_rows
from airflow_provider_iginsights.sandbox.demo.folder import DemoFailed, open_folder
from airflow_provider_iginsights.sandbox.demo.progress import StepPrinter
from airflow_provider_iginsights.sandbox.demo.text_table import ASCII_BLOCKS, draw_sparkline, format_table


def test_a_table_is_aligned() -> None:
    """Words stand to the left, numbers to the right with commas, and no number is no 0."""
    rows = [
        {"account": "brand_0001", "day": date(2026, 11, 20), "reach": Decimal(12345), "saves": None},
        {"account": "b", "day": date(2026, 11, 21), "reach": Decimal(0), "saves": 7},
    ]
    assert list(format_table(rows)) == [
        "account     day          reach  saves",
        "brand_0001  2026-11-20  12,345      -",
        "b           2026-11-21       0      7",
    ]


def test_a_table_without_rows() -> None:
    """It has no lines, not even a head."""
    assert list(format_table([])) == []


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([0, 50, 100], "▁▅█"),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▂▃▄▅▅▆▇█"),
        ([100, 100], "██"),
        ([0, 0], "▁▁"),
        ([], ""),
    ],
)
def test_a_curve_begins_at_zero(values: list[float], curve: str) -> None:
    """The lowest block is 0, the highest the largest value, whatever the others are."""
    assert draw_sparkline(values) == curve


def test_a_curve_of_ascii() -> None:
    """Another row of characters is used in the same way."""
    assert draw_sparkline([0, 100], blocks=ASCII_BLOCKS) == "_#"


def rows_of(**tables: list[int]) -> Rows:
    """Return rows of one number each."""
    return {table: Counter((("value", value),) for value in tables.get(table, [])) for table in TABLES}


@pytest.mark.parametrize(
    ("after", "changes"),
    [([1, 2, 2], 0), ([2, 1, 2], 0), ([1, 2, 3], 1), ([1, 2], 1), ([1, 2, 2, 2], 1), ([], 3), ([4, 5, 6, 7], 4)],
)
def test_changes_are_counted(after: list[int], changes: int) -> None:
    """A row that is changed, gone, new or there once more is a change; another order is none."""
    before, later = rows_of(instagram_media=[1, 2, 2]), rows_of(instagram_media=after)
    assert count_changes(before, later) == changes
    assert (count_rows(before), count_rows(later)) == (3, len(after))


def test_a_step_is_one_line() -> None:
    """The words come at once; what came of it and the seconds fill the line. An error leaves the next line free."""
    written: list[str] = []
    progress = StepPrinter(written.append)
    with progress.step("Load") as tell:
        assert "".join(written) == "Load "
        tell("3 rows")
    assert "".join(written) == f"Load {' 3 rows   0 s':.>74}\n"
    with pytest.raises(ValueError, match="bad"), progress.step("Again"):
        raise ValueError("bad")
    assert "".join(written).endswith("\nAgain \n")


@pytest.fixture
def process(tmp_path: Path):
    """Start the process in which modules run; its log is ``log``."""
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    with (tmp_path / "log").open("wb") as log, AirflowProcess(environment, log) as started:
        yield started


def test_modules_run_one_after_the_other(process: AirflowProcess, tmp_path: Path) -> None:
    """Each has its arguments and variables; what it prints is in the log; one that fails is named with its code."""
    script = "import os, sys; print(sys.argv[1:], os.environ['MARK']); sys.exit(int(sys.argv[1]))"
    (tmp_path / "shown.py").write_text(script, "utf-8")
    process.run("shown", "0", "x", environment={"MARK": "here"})
    with pytest.raises(DemoFailed, match=r"^`shown 3` failed with exit code 3\.$"):
        process.run("shown", "3")
    with pytest.raises(DemoFailed, match=r"^`no_such_module x` failed with exit code 1\.$"):
        process.run("no_such_module", "x")
    words = (tmp_path / "log").read_text("utf-8")
    assert "['0', 'x'] here\n['3'] here\n" in words
    assert "no_such_module" in words


def test_a_process_that_is_killed(process: AirflowProcess) -> None:
    """SIGKILL ends it in the midst of what it runs; what it is told to run next has failed with that signal."""
    process.begin("http.server", "--bind", "127.0.0.1", "0")
    assert not process.has_ended(within=0.01)
    assert process.kill() == -signal.SIGKILL
    with pytest.raises(DemoFailed, match="failed with signal 9"):
        process.run("shown")


def test_the_environment_of_the_user() -> None:
    """Of it all is kept but what points at another Airflow or cloud; the sandbox's variables win."""
    inherited = {"PATH": "/bin", "AIRFLOW__CORE__EXECUTOR": "x", "INSTAGRAM_POOL": "x", "GOOGLE_CLOUD_PROJECT": "x"}
    found = make_environment(Path("home"), {"GOOGLE_CLOUD_PROJECT": "sandbox-project"}, inherited=inherited)
    assert (found["PATH"], found["GOOGLE_CLOUD_PROJECT"]) == ("/bin", "sandbox-project")
    assert found["NO_PROXY"] == found["no_proxy"] == "127.0.0.1,localhost"
    assert not {"AIRFLOW__CORE__EXECUTOR", "INSTAGRAM_POOL"} & found.keys()


def test_no_task_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The policy in the Airflow home takes the retries of a task, so that a failure is told at once."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ExitStack() as stack:
        home, _ = open_folder(stack, [Path(__file__)])
        policy = runpy.run_path(str(home / "config" / "airflow_local_settings.py"))["task_policy"]
        assert (home / "dags" / Path(__file__).name).exists()
    task = SimpleNamespace(retries=3)
    policy(task)
    assert task.retries == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


@pytest.mark.parametrize(
    ("tempdir", "free", "said"),
    [
        ("nonexistent", 1 << 30, r"has no folder for Airflow's database and log: .*No such file.* TMPDIR\.$"),
        (".", 1000, r"needs 50 MB .* has less\. Free some of it, or name another folder in the variable TMPDIR\.$"),
    ],
    ids=["no folder", "full disk"],
)
def test_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tempdir: str, free: int, said: str) -> None:
    """A folder that is none, and a full disk, are told in one sentence with the way out."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / tempdir))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with ExitStack() as stack, pytest.raises(DemoFailed, match=said):
        open_folder(stack, [])
    assert list(tmp_path.iterdir()) == []
