"""Runs tests against one mutant: in a child process, which imports the changed text in the place of the file."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

import pytest
from hypothesis import Phase, settings

from tests.support.mutation_score.mutants import Mutant

ROOT = Path(__file__).parents[3]
PACKAGE = "airflow_provider_iginsights"
SECONDS = 60
"""How long the tests of one mutant may take: some loop for ever, and count as noticed."""

# What tests import from elsewhere, loaded once for all children.
_LIBRARIES = ("requests", "google.cloud.bigquery", "duckdb", "sqlglot", "starlette", "uvicorn", "airflow.sdk")
_OPTIONS = (
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "-p",
    "time_machine",
    "--assert=plain",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
    f"--rootdir={ROOT}",
)


class _MutantLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self._source.encode(), self.path)
        return code


class _MutantFinder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._path, self._source = ROOT / PACKAGE / mutant.file, mutant.source
        self._name = ".".join((PACKAGE, *Path(mutant.file).with_suffix("").parts))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_file_location(
            fullname, self._path, loader=_MutantLoader(fullname, str(self._path), self._source)
        )


class _FewExamples:
    """Lets Hypothesis try few examples, always the same ones, and not look for a smaller one; its tests come last."""

    def pytest_collection(self) -> None:
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutants", settings.get_profile("suite"), max_examples=40, derandomize=True, phases=phases
        )
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: hasattr(getattr(item, "obj", None), "hypothesis"))


def load_libraries() -> None:
    """Import what the children share; nothing of the package is among it."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in _LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    atexit.register(gc.unfreeze)
    gc.freeze()  # pytest collects garbage several times, in all that is loaded


def passes(tests: Sequence[str], mutant: Mutant) -> bool:
    """Return whether all these tests pass with the mutant."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _run(tests, mutant)
    return os.waitpid(pid, 0)[1] == 0


def _run(tests: Sequence[str], mutant: Mutant) -> NoReturn:
    """Run the tests in this child, which prints nothing, and end it."""
    failed = True
    try:
        signal.alarm(SECONDS)
        sys.meta_path.insert(0, _MutantFinder(mutant))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        with tempfile.TemporaryDirectory() as folder:
            tempfile.tempdir = folder
            paths = [str(ROOT / "tests" / each) for each in tests]
            failed = bool(pytest.main([*_OPTIONS, *paths], plugins=[_FewExamples()]))
    finally:
        os._exit(failed)
