"""Tells which tests start a server or a process: ``make check`` leaves them out."""

from __future__ import annotations

import sys
from functools import cache

import pytest

STARTERS = {
    "BigQuerySandbox",
    "GraphSandbox",
    "RawServer",
    "Server",
    "ThreadingHTTPServer",
    "multiprocessing",
    "socket",
    "subprocess",
}
"""What a module names that starts a server or a process."""


def starts_server(item: pytest.Item) -> bool:
    """Return whether the module of a test or of one of its fixtures names what starts a server or a process."""
    if not isinstance(item, pytest.Function):
        return False
    fixtures = [each[-1].func for each in item._fixtureinfo.name2fixturedefs.values()]
    # The fixtures of all tests (tests/conftest.py) import what they start when they are asked for.
    late = {name for function in fixtures for name in function.__code__.co_varnames}
    modules = {item.module.__name__, *(function.__module__ for function in fixtures)}
    return "airflow_db" in item.fixturenames or "open_sandboxes" in late or any(map(names_starter, modules))


@cache
def names_starter(name: str) -> bool:
    """Return whether a module of the tests names a starter, or something of a module that does."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        named = vars(sys.modules[module]) if module in sys.modules else {}
        if not STARTERS.isdisjoint(named):
            return True
        seen.add(module)
        sources = {getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in named.values()}
        waiting += [each for each in map(str, sources) if each.startswith("tests.support.") and each not in seen]
    return False


def refuse_servers() -> None:
    """Let each test of this process fail that starts a server after all, so that the names stay complete."""
    sys.addaudithook(_refuse_bind)


def _refuse_bind(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.bind" and isinstance(arguments[1], tuple):
        raise RuntimeError(f"This test starts a server: name what it starts it with in STARTERS of {__name__}.")
