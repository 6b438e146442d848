"""Print which part of the mutants the tests notice, and those that they do not: ``make mutation-score``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping

from tests.support.mutation_score.mutants import find_mutants, keep
from tests.support.mutation_score.parts import LEAST, PARTS
from tests.support.mutation_score.run import PACKAGE, ROOT, load_libraries, passes


def main() -> None:
    """Measure the part that is named, or all; end with 1 where one of them has too low a score."""
    parser = argparse.ArgumentParser(prog="make mutation-score", description=__doc__)
    parser.add_argument("part", nargs="?", choices=[*PARTS], help="what to measure (all)")
    chosen = parser.parse_args().part
    scores = [measure(part, PARTS[part]) for part in ([chosen] if chosen else PARTS)]
    noticed, found = (sum(each) for each in zip(*scores, strict=True))
    print(_format_score("all", noticed, found))
    sys.exit(any(100 * noticed < LEAST * found for noticed, found in scores))


def measure(part: str, files: Mapping[str, tuple[str, ...]]) -> tuple[int, int]:
    """Return how many mutants of these files the tests noticed, and how many there are; print the others."""
    began, noticed, found = time.monotonic(), 0, 0
    for file, tests in files.items():
        source = (ROOT / PACKAGE / file).read_text(encoding="utf-8")
        if not passes(tests, keep(file, source)):
            sys.exit(f"These tests fail without any change: {', '.join(tests)}.")
        for mutant in find_mutants(file, source):
            found += 1
            if passes(tests, mutant):
                print(f"  {mutant}", flush=True)
            else:
                noticed += 1
    print(f"{_format_score(part, noticed, found)}, {time.monotonic() - began:.0f} s", flush=True)
    return noticed, found


def _format_score(part: str, noticed: int, found: int) -> str:
    return f"{part}: {noticed} of {found} noticed, {100 * noticed / found:.1f} %"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        load_libraries()
        main()
