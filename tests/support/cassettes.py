"""Records a run of this process, as ``record`` does for a command, and compares its rows with those of a replay."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow_provider_iginsights.cassettes.files import create_directory, finish_cassette
from airflow_provider_iginsights.cassettes.recorder import DIRECTORY, SALT
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from tests.support.sandboxes import PROVENANCE

Rows = Sequence[tuple[str, Mapping[str, Any]]]


@contextmanager
def recording(directory: Path, *, salt: str = "grains") -> Iterator[None]:
    """Record what clients that are opened meanwhile are answered."""
    create_directory(directory)
    with patch.dict(os.environ, {DIRECTORY: str(directory), SALT: salt}):
        yield
    finish_cassette(directory)


@contextmanager
def one_worker(variable: str = "AIRFLOW_CONN_INSTAGRAM_DEFAULT") -> Iterator[None]:
    """Let the connection read one account after the other, so that two runs have their rows in the same order."""
    connection = json.loads(os.environ[variable])
    extra = {**connection.get("extra", {}), "max_workers": 1}
    with patch.dict(os.environ, {variable: json.dumps({**connection, "extra": extra})}):
        yield


def read_rows(kind: Any, *, since: str) -> tuple[Rows, str]:
    """Return the rows of the connection's accounts from a day until 2026-11-20, and what ended the reading."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    with one_worker():
        try:
            rows += InstagramHook().read(kind, since=since, until="2026-11-21")
        except InsightsError as error:
            return rows, f"{type(error).__name__} {error.facts.code} {error.facts.subcode} {error.facts.http_status}"
    return rows, ""


def find_pseudonyms(before: Rows, after: Rows) -> dict[str, str]:
    """Return which text of the first run stands for which of the second; all else of their rows must be equal.

    A text has one pseudonym wherever it stands, and no two texts have the same.
    """
    forth: dict[str, str] = {}
    back: dict[str, str] = {}
    assert [table for table, _ in before] == [table for table, _ in after]
    for (table, real), (_, played) in zip(before, after, strict=True):
        assert real.keys() == played.keys()
        for column in real.keys() - {*PROVENANCE}:
            given, got = real[column], played[column]
            if isinstance(given, str) and isinstance(got, str):
                assert forth.setdefault(given, got) == got, f"{table}.{column}: {given!r} has two pseudonyms"
                assert back.setdefault(got, given) == given, f"{table}.{column}: {got!r} stands for two texts"
            else:
                assert given == got, f"{table}.{column}"
    return forth
