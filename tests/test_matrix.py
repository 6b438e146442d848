"""``make matrix`` tries what it says, and its results are read and kept as they were found."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.matrix.cells import AIRFLOWS, CELLS, OLDEST_BIGQUERY, Cell, choose_cells, needed_pairs, pairs_of
from tests.support.matrix.results import Result, describe_results, is_done, read_recorded, record, save
from tests.support.pages import ROOT

REPORT = '<testsuites><testsuite name="pytest" tests="9" failures="{failures}" errors="1" skipped="2" time="3.5">'


def find_floor(name: str) -> str:
    """Return the oldest release of a library that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    stated = [*project["dependencies"], *project["optional-dependencies"]["google"]]
    [floor] = [line.partition(">=")[2] for line in stated if line.partition(">=")[0] == name]
    return floor


def read(folder: Path, cell: Cell, *, failures: int = 0, fast: bool = False) -> Result:
    """Return the result of a run of nine tests."""
    report, versions = folder / "tests.xml", folder / "versions.json"
    report.write_text(REPORT.format(failures=failures))
    versions.write_text(json.dumps({"apache-airflow": "3.1.8", "requests": "2.32.0", "rich": "14"}))
    return Result.read(cell, report=report, versions=versions, wheel="abc", fast=fast)


def test_each_two_choices_meet_in_a_cell() -> None:
    """Airflow, Python, and the ends of three libraries: whatever two of them go together are tried together."""
    assert needed_pairs() - {pair for cell in CELLS for pair in pairs_of(cell)} == set()


def test_each_row_is_another_cell() -> None:
    """No name comes twice; each Airflow is there without the Google provider, and with Pythons that it supports."""
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert {cell.airflow for cell in CELLS if cell.google is None} == set(AIRFLOWS)
    assert all(cell.python in AIRFLOWS[cell.airflow].pythons for cell in CELLS)
    assert [cell.name for cell in CELLS if cell.lowest or cell.days_back] == ["lowest-direct", "six-months-ago"]


def test_a_cell_that_does_not_exist_is_refused() -> None:
    """Make matrix ends with the names of all cells, instead of trying nothing."""
    assert choose_cells(" ") == CELLS
    assert [cell.name for cell in choose_cells("lowest-direct 3.1-py3.12 lowest-direct")] == [
        "lowest-direct",
        "3.1-py3.12",
    ]
    with pytest.raises(ValueError, match=r"There is no cell 3\.1: there are 2\.11-py3\.11, "):
        choose_cells("3.1 3.1-py3.12")


def test_the_floors_are_those_of_the_package() -> None:
    """The oldest that is tried is the oldest that may be installed."""
    oldest = AIRFLOWS["2.11"]
    assert find_floor("google-cloud-bigquery") == OLDEST_BIGQUERY
    assert oldest.requests.startswith(find_floor("requests"))
    assert oldest.google.startswith(find_floor("apache-airflow-providers-google"))
    assert find_floor("apache-airflow") == next(iter(AIRFLOWS))


def test_ci_runs_cells_that_exist() -> None:
    """.ci/run names rows of the table, those of Airflow 2.11 and 3.1."""
    [named] = re.findall(r'make matrix FAST=1 CELL="([^"]+)"', (ROOT / ".ci" / "run").read_text("utf-8"))
    assert {cell.airflow for cell in CELLS if cell.name in named.split()} == {"2.11", "3.1"}
    assert set(named.split()) <= {cell.name for cell in CELLS}


def test_a_result_counts_each_test_once(tmp_path: Path) -> None:
    """What failed, in the test or around it, and what was skipped has not passed; of versions, the shown ones stay."""
    result = read(tmp_path, CELLS[0], failures=2)
    assert (result.passed, result.failed, result.skipped) == (4, 3, 2)
    assert result.versions == {"apache-airflow": "3.1.8", "requests": "2.32.0"}


@pytest.mark.parametrize(("wheel", "again", "done"), [("abc", "", True), ("other", "", False), ("abc", "1", False)])
def test_a_cell_that_passed_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: str, again: str, done: bool
) -> None:
    """Only with the same wheel, only for the same tests, and not where it is asked for anew."""
    monkeypatch.setenv("AGAIN", again)
    cell = CELLS[0]
    save(tmp_path, Result(cell.name, "2026-11-28", "3.11", {}, 9, 0, 0, True, "abc"))
    assert is_done(tmp_path, cell, wheel, fast=True) is done
    assert not is_done(tmp_path, cell, wheel, fast=False)


def test_a_failed_cell_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is no result to rest on."""
    monkeypatch.delenv("AGAIN", raising=False)
    save(tmp_path, read(tmp_path, CELLS[0], failures=1))
    assert not is_done(tmp_path, CELLS[0], "abc", fast=False)


def test_the_whole_suite_stays_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later selection does not take its place; a later run of the suite does."""
    recorded = tmp_path / "results.json"
    recorded.write_text("[]")
    monkeypatch.setattr("tests.support.matrix.results.RECORDED", recorded)
    whole = Result(CELLS[1].name, "2026-11-27", "3.12", {}, 900, 0, 9, False, "abc")
    counts = []
    for passed, fast in ((900, False), (90, True), (901, False)):
        run = tmp_path / str(passed)
        save(run, Result(**{**vars(whole), "passed": passed, "fast": fast}))
        record(run)
        counts.append([(each.passed, each.fast) for each in read_recorded()])
    assert counts == [[(900, False)], [(900, False)], [(901, False)]]


def test_the_table_has_a_row_for_each_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell without a result says so, in its place, and promises nothing."""
    monkeypatch.setattr("tests.support.matrix.results.read_recorded", lambda: ())
    header, line, *rows = describe_results()
    assert [row.split("|")[1].strip() for row in rows] == [f"`{cell.name}`" for cell in CELLS]
    assert all("not run yet" in row for row in rows)
    assert {row.count("|") for row in (header, line, *rows)} == {header.count("|")}
