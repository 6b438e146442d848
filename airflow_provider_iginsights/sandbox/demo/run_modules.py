"""Runs modules as ``python -m`` does, one after the other in one process, so that Airflow is imported once.

Each line of the standard input is a JSON object: ``arguments``, of which the first names the module, and
``environment``, the variables to set before. Each line of the standard output is the exit code of one of them; what
they print goes to the error output.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from collections.abc import Sequence


def run_modules() -> None:
    """Run what the standard input names, until it ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        order = json.loads(line)
        os.environ.update(order["environment"])
        print(_run_module(order["arguments"]), file=answers, flush=True)


def _run_module(arguments: Sequence[str]) -> int:
    sys.argv = list(arguments)
    try:
        runpy.run_module(arguments[0], run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    run_modules()
