"""``demo``, run once as users run it: what it prints is what the README shows, and nothing of it stays but a log."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.cli.output import can_print
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.sandbox.graph.numbers import account_day, seen_of_day
from tests.support.airflow_versions import QUIET
from tests.support.demo_picture import COMMAND, PICTURE, even_out, read_lines, run_demo

# What users have in their shells, for their own Airflow, cloud and network; each of these would break the demo.
FOREIGN = {
    "AIRFLOW_HOME": "/nonexistent",
    "AIRFLOW_CONFIG": "/nonexistent/airflow.cfg",
    "AIRFLOW__CORE__DAGS_FOLDER": "/nonexistent",
    "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://nobody@127.0.0.1:1/nothing",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL",
    "AIRFLOW_CONN_INSTAGRAM_DEFAULT": "http://",
    "INSTAGRAM_DATASET": "theirs",
    "INSTAGRAM_POOL": "no_such_pool",
    "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1",
    "GOOGLE_CLOUD_PROJECT": "theirs",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent.json",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder of its temporary files."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def done(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it once, since it takes long, in a shell that says much of another Airflow, cloud and proxy."""
    return run_demo(folder, **FOREIGN, **QUIET)


def test_it_ends_well(done: subprocess.CompletedProcess[str]) -> None:
    """Whatever the user's shell holds, it runs, and nothing of ours comes on the error output."""
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_the_picture(done: subprocess.CompletedProcess[str]) -> None:
    """The README's picture shows what it prints, but for seconds and the name of the log: else, make demo-picture."""
    assert even_out(done.stdout) == even_out(read_lines(PICTURE.read_text("utf-8")))


def test_it_fits_a_terminal(done: subprocess.CompletedProcess[str]) -> None:
    """It takes at most 40 lines of 80 columns, and has no codes of colours."""
    lines = [line for line in done.stdout.splitlines() if not line.endswith(".log")]
    assert len(lines) < 40
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout


def test_it_shows_the_numbers_of_the_day(done: subprocess.CompletedProcess[str]) -> None:
    """Reach and views of each account are those that the seed gives for the day before, as far as it is known then."""
    day, now = date(2026, 11, 20), datetime(2026, 11, 21, 20, tzinfo=UTC)
    table = done.stdout.partition(f"Yesterday, {day}\n")[2].splitlines()
    shown = {cells[0]: dict(zip(table[0].split()[1:], cells[1:], strict=True)) for cells in map(str.split, table[1:3])}
    for account in World.build(seed=7, accounts=2).accounts.values():
        for metric in ("reach", "views"):
            whole = account_day(7, account.id, metric, day)
            assert int(shown[account.username][metric].replace(",", "")) == seen_of_day(whole, day, now)


def test_it_leaves_only_a_log(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """The log is where it says; the killed run stands in it, unfinished, and of the folder nothing is left."""
    [log] = folder.iterdir()
    assert str(log) in done.stdout.splitlines()
    words = log.read_text("utf-8", errors="replace")
    # Airflow's own libraries may stumble as they end; nothing of ours does.
    assert not re.findall(r'File ".*/airflow_provider_iginsights/(?!sandbox/demo/).*', words)
    # Six runs of one task, three of two tasks, and the one that is killed in its second task. Airflow 2 logs each line
    # twice.
    assert words.count("Accounts: 2 done.") in (once := 6 + 3 * 2 + 1, 2 * once)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_one_line(tmp_path: Path, sent: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with one line and 130, and its Airflow with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            COMMAND,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "\n":
        assert line
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert (said, process.returncode) == ("Interrupted.\n", 130)
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]
    assert not [path for path in list_processes() if str(tmp_path) in path]


def list_processes() -> list[str]:
    """Return the environments of all processes that may be read, where the machine shows them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            found.append(path.read_text("utf-8", errors="replace"))
        except OSError:
            continue
    return found


def test_a_terminal_without_blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the encoding has no blocks, that is known before they are printed."""
    for encoding, able in (("ascii", False), ("latin-1", False), ("utf-8", True)):
        with (tmp_path / "out").open("w", encoding=encoding) as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert can_print("▁█") is able


def test_a_demo_that_cannot_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its reason is one sentence on the error output, and the code is 1."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nonexistent"))
    assert main(["demo"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("The demo has no folder for Airflow's database and log: ")
