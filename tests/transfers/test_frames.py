"""How deep the way from an operator to BigQuery is, in frames of the package: a reader has to follow them all."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType

import pytest
from google.auth.transport.requests import AuthorizedSession

import airflow_provider_iginsights
from tests.support.sandboxes import Sandboxes

PACKAGE = "airflow_provider_iginsights."
ROOM = Path(airflow_provider_iginsights.__file__).parent / "bigquery"
MOST_FRAMES = 9


def record_ways(kind: str, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Run a transfer and return the functions of the package on the way to each request that BigQuery gets."""
    ways: list[list[str]] = []
    original = AuthorizedSession.request

    def record(*args: object, **kwargs: object) -> object:
        frame: FrameType | None = sys._getframe(1)
        way: list[str] = []
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith(PACKAGE):
                way.append(f"{module.removeprefix(PACKAGE)}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        ways.append(way[::-1])
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(AuthorizedSession, "request", record)
    sandboxes.run(kind)
    return ways


@pytest.mark.parametrize("kind", ["account", "media", "story"])
def test_the_way_to_bigquery_is_short(kind: str, small_sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """From ``execute`` to any request that BigQuery gets, loads and uploads included, few frames are ours."""
    ways = record_ways(kind, small_sandboxes, monkeypatch)
    deepest = max(ways, key=len)
    print(f"\n{len(deepest)} frames to BigQuery:", *deepest, sep="\n  ")
    assert {way[0].rpartition(".")[2] for way in ways} == {"execute"}
    assert any("JobRunner.run" in frame for way in ways for frame in way)
    assert len(deepest) <= MOST_FRAMES, "\n".join(deepest)


def test_there_is_one_retry_loop() -> None:
    """Whatever is sent is sent in the loop of one function: none stands around another, so waits are bounded once."""
    loops = [
        f"{path.stem}.{function.name}"
        for path in sorted(ROOM.glob("*.py"))
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef) and "Retrying" in {*map(name_of, ast.walk(function))}
    ]
    assert loops == ["retry.attempts"]


def name_of(node: ast.AST) -> str:
    """Return the name of an attribute, '' for any other node."""
    return node.attr if isinstance(node, ast.Attribute) else ""
