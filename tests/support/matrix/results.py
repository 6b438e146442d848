"""What a cell found, kept as a file; and the table that docs/compatibility.md shows of all."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tests.support.matrix.cells import CELLS, Cell

RECORDED = Path(__file__).with_name("results.json")
PACKAGES = {
    "apache-airflow": "Airflow",
    "google-cloud-bigquery": "google-cloud-bigquery",
    "requests": "requests",
    "apache-airflow-providers-google": "Google provider",
    "duckdb": "DuckDB",
    "sqlglot": "sqlglot",
}
"""The packages whose versions the table shows."""


@dataclass(frozen=True)
class Result:
    """A run of one cell's tests; ``fast``: of the small selection only."""

    cell: str
    day: str
    python: str
    versions: Mapping[str, str]
    passed: int
    failed: int
    skipped: int
    fast: bool
    wheel: str

    @classmethod
    def read(cls, cell: Cell, *, report: Path, versions: Path, wheel: str, fast: bool) -> Result:
        """Read pytest's JUnit report and the versions that ``installed`` wrote."""
        [suite] = re.findall("<testsuite ([^>]+)>", report.read_text("utf-8"))
        count = {key: int(number) for key, number in re.findall(r'(\w+)="(\d+)"', suite)}
        failed = count["failures"] + count["errors"]
        installed: dict[str, str] = json.loads(versions.read_text("utf-8"))
        return cls(
            cell=cell.name,
            day=str(datetime.now(UTC).date()),
            python=cell.python,
            versions={name: installed[name] for name in PACKAGES if name in installed},
            passed=count["tests"] - failed - count["skipped"],
            failed=failed,
            skipped=count["skipped"],
            fast=fast,
            wheel=wheel,
        )


def digest_of(wheel: Path) -> str:
    """Return what tells one build of the wheel from another; the same sources give the same."""
    return sha256(wheel.read_bytes()).hexdigest()[:12]


def save(folder: Path, result: Result) -> None:
    """Keep a result in ``folder/results``."""
    path = _path(folder, result.cell, fast=result.fast)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result)), encoding="utf-8")


def is_done(folder: Path, cell: Cell, wheel: str, *, fast: bool) -> bool:
    """Return whether the cell passed with this wheel, unless AGAIN is set."""
    path = _path(folder, cell.name, fast=fast)
    if os.environ.get("AGAIN") or not path.exists():
        return False
    result = Result(**json.loads(path.read_text("utf-8")))
    return result.wheel == wheel and not result.failed


def read_recorded() -> tuple[Result, ...]:
    """Return the recorded results in the order of the cells, at most one of each cell."""
    found = [Result(**entry) for entry in json.loads(RECORDED.read_text("utf-8"))]
    order = [cell.name for cell in CELLS]
    return tuple(sorted((each for each in found if each.cell in order), key=lambda each: order.index(each.cell)))


def record(folder: Path) -> None:
    """Take the results of a run into the recorded ones: the whole suite of a cell stays before a later selection."""
    kept: dict[str, Result] = {each.cell: each for each in read_recorded()}
    for path in sorted((folder / "results").glob("*.json")):
        result = Result(**json.loads(path.read_text("utf-8")))
        known = kept.get(result.cell)
        if known is None or known.fast or not result.fast:
            kept[result.cell] = replace(result, versions=dict(sorted(result.versions.items())))
    lines = ",\n".join(json.dumps(asdict(kept[cell.name])) for cell in CELLS if cell.name in kept)
    RECORDED.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def describe_results() -> Iterator[str]:
    """Yield the lines of the table of docs/compatibility.md."""
    yield f"| cell | Python | {' | '.join(PACKAGES.values())} | tests | passed | failed | skipped | day |"
    yield "|" + "---|" * (len(PACKAGES) + 7)
    found = {each.cell: each for each in read_recorded()}
    for cell in CELLS:
        each = found.get(cell.name)
        if each is None:
            yield f"| `{cell.name}` | {cell.python} |{' – |' * len(PACKAGES)} not run yet |{' – |' * 4}"
            continue
        versions = " | ".join(each.versions.get(name, "–") for name in PACKAGES)
        tests = "selection" if each.fast else "all"
        counts = f"{each.passed:,} | {each.failed:,} | {each.skipped:,}"
        yield f"| `{each.cell}` | {each.python} | {versions} | {tests} | {counts} | {each.day} |"


def _path(folder: Path, cell: str, *, fast: bool) -> Path:
    return folder / "results" / f"{cell}{'-fast' if fast else ''}.json"


if __name__ == "__main__":
    record(Path(sys.argv[1]))
