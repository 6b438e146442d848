"""Measure how much of the public surface a type checker knows: ``python -m tests.support.type_completeness 99``.

The figure is pyright's (``--verifytypes``): the part of all symbols, exported or used by them, whose type is written
down and known. What other packages leave unknown counts as ours where a class inherits from it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = "airflow_provider_iginsights"


def verify_types() -> dict[str, Any]:
    """Return pyright's report about the package in the environment of this interpreter."""
    folder = Path(sys.executable).parent
    # pyright takes the first python on the path, whatever interpreter it was installed for.
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(folder.parent)}
    command = [sys.executable, "-m", "pyright", "--verifytypes", PACKAGE, "--ignoreexternal", "--outputjson"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not answer.stdout.startswith("{"):
        raise SystemExit(f"pyright did not report: {answer.stdout}{answer.stderr}")
    report: dict[str, Any] = json.loads(answer.stdout)
    return report


def list_public_symbols(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the package exports. The example Dags lie in its folder, but nobody imports from them."""
    symbols = report["typeCompleteness"]["symbols"]
    return [each for each in symbols if each["isExported"] and not each["name"].startswith(f"{PACKAGE}.example_dags.")]


def main() -> str | None:
    """Print the score and what is missing; return a sentence if the score is too low."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("at_least", type=float, help="the percentage that must be reached")
    wanted = parser.parse_args().at_least
    symbols = list_public_symbols(verify_types())
    unknown = [symbol for symbol in symbols if not symbol["isTypeKnown"]]
    score = 100 - 100 * len(unknown) / len(symbols)
    print(f"The types of {score:.1f} % of {len(symbols)} public symbols are known; {wanted:g} % must be.")
    if score >= wanted:
        return None
    for symbol in unknown:
        print(*(f"{each['file']}: {each['message']}" for each in symbol["diagnostics"]), sep="\n")
    return "Write the missing types down."


if __name__ == "__main__":
    sys.exit(main())
