"""How deep the way from an operator to BigQuery is, in frames of the package: a reader has to follow them all."""

from __future__ import annotations

import sys
from types import FrameType

import pytest
from google.cloud.bigquery import Client

from tests.support.sandboxes import Sandboxes

PACKAGE = "airflow_provider_iginsights."
MOST = {"query": 13, "load_table_from_file": 11, "get_table": 9}
"""Most frames from ``execute`` to each of the client's methods."""


def count_frames(method: str, sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a transfer and return the functions of the package on the deepest way to a method of BigQuery's client."""
    deepest: list[str] = []
    original = getattr(Client, method)

    def count(*args: object, **kwargs: object) -> object:
        nonlocal deepest
        frame: FrameType | None = sys._getframe(1)
        way: list[str] = []
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith(PACKAGE):
                way.append(f"{module.removeprefix(PACKAGE)}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        deepest = max(deepest, way[::-1], key=len)
        return original(*args, **kwargs)

    monkeypatch.setattr(Client, method, count)
    sandboxes.run("account", metrics="reach")
    return deepest


@pytest.mark.parametrize("method", MOST)
def test_the_way_to_bigquery_is_short(method: str, small_sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is printed; longer than this it does not become."""
    way = count_frames(method, small_sandboxes, monkeypatch)
    print(f"\n{len(way)} frames to {method}:", *way, sep="\n  ")
    assert way[0].endswith(".execute")
    assert len(way) <= MOST[method]
