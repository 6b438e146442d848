"""One sweep over all that we show: no token, secret, proof or salt is in it, whatever is done and whatever fails."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_iginsights.bigquery.row_file import RowFile
from tests.support import secret_sweep
from tests.support.bigquery import rows
from tests.support.secret_acts import ACTS, Stage
from tests.support.secret_faults import EVERYTHING, FAULTS, TOKEN
from tests.support.secret_sweep import open_stage, sweep
from tests.support.secret_watch import list_readable_by_others, watch_secrets

LIGHT = (
    "media rows",
    "list of accounts",
    "refreshed token",
    "account rows",
    "connection test",
    "story rows",
    "accounts",
)
"""Acts that write to no table: with them each fault is met."""
DOUBLED = [
    ("quoted as a value", "account transfer"),
    ("quoted by one metric", "media transfer"),
    ("quoted, code 4", "deferrable transfer"),
    ("quoted, code 100", "doctor with JSON"),
    ("no job", "story transfer"),
]
"""Faults that are met by others, too."""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Watch from the first test of this module to the last."""
    with open_stage(tmp_path_factory.mktemp("sweep")) as stage:
        yield stage
        stage.watch.shown.clear()
        stage.show_what_stays()
    assert stage.watch.find() == []
    assert list_readable_by_others(stage.watch) == []


@pytest.fixture
def stage(opened: Stage, capfd: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    """Do as the test says, then look at everything: what it has printed, too."""
    opened.watch.shown.clear()
    yield opened
    opened.watch.show("output", "".join(capfd.readouterr()))
    opened.finish()
    assert opened.watch.find() == []


@pytest.mark.parametrize("act", [act for act in ACTS if act != "story transfer"])  # the deferrable one does the same
def test_success(stage: Stage, act: str) -> None:
    """Where all goes well."""
    ACTS[act](stage)


@pytest.mark.parametrize(("fault", "act"), [*zip(list(FAULTS)[1:], cycle(LIGHT)), *DOUBLED])
def test_failure(stage: Stage, fault: str, act: str) -> None:
    """Where Meta's answers or the network are odd, or secrets are quoted back."""
    FAULTS[fault](stage.sandboxes)
    ACTS[act](stage)


def test_what_stays_is_looked_at(stage: Stage) -> None:
    """Tables, a report and a cassette are among what is searched."""
    ACTS["report"](stage)
    stage.show_what_stays()
    tables = {"table instagram_account_insights", "table instagram_runs"}
    assert {*tables, "reports", "log of urllib3", "task state"} <= stage.watch.shown.keys()
    assert any(place.startswith("the file part-") for place in stage.watch.shown)


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_watch_sees(name: str, tmp_path: Path) -> None:
    """A secret is found in a log, an error behind an error, a file, a title, in any form, in base64, and in part."""
    secret = EVERYTHING[name]
    longer = base64.b64encode(f"user:{secret}@host".encode()).decode()
    for text in (
        secret,
        quote(secret, safe=""),
        json.dumps({"a": secret}),
        repr([secret]),
        longer,
        secret.encode().hex(),
        f"{secret[:10]}…",
        f"…{secret[-10:]}",
    ):
        with watch_secrets({name: secret}) as watch:
            logging.getLogger("urllib3.connectionpool").debug("GET %s", {"x": text})
            assert [line.partition(" behind ")[0] for line in watch.find()] == [f"log of urllib3: {name}"]
            watch.shown.clear()
            (tmp_path / "x.log").write_text(text)
            watch.show_files(tmp_path)
            assert len(watch.find()) == 1
            watch.shown.clear()
            watch.show_error(chain(text))
            assert len(watch.find()) == 2


def test_the_sweep_counts_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret that is shown, one in a file that stays, and a file that others may read: each counts."""

    def write(stage: Stage) -> None:
        path = stage.folder / "part.txt"
        path.write_text(TOKEN)
        path.chmod(0o644)

    monkeypatch.setattr(secret_sweep, "FAULTS", {"nothing": FAULTS["nothing"]})
    monkeypatch.setitem(ACTS, "print", lambda _: print(TOKEN))
    monkeypatch.setitem(ACTS, "write", write)
    assert sweep(["accounts"]) == 0
    assert sweep(["print"]) == 1
    assert sweep(["write"]) == 2
    assert "Readable by others: ['" in capsys.readouterr().out


def chain(text: str) -> ValueError:
    """Return an error that came of another one."""
    error = ValueError("nothing to see")
    error.__cause__ = KeyError(text)
    return error


def test_the_rows_on_the_disk_are_the_owner_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file in which rows wait has no name, and a mode that lets nobody else in, whatever the umask says."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0)
    try:
        row_file = RowFile(rows.target())
    finally:
        os.umask(before)
    with row_file:
        assert stat.S_IMODE(os.fstat(row_file._file.fileno()).st_mode) == 0o600
        assert list(tmp_path.iterdir()) == []
