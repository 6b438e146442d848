"""A cassette on the disk is whole, or it is refused with a sentence that says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_iginsights.cassettes.exchange import RecordedAnswer, RecordedExchange, RecordedRequest
from airflow_provider_iginsights.cassettes.files import (
    append_line,
    create_directory,
    finish_cassette,
    format_exchange,
    read_cassette,
)
from airflow_provider_iginsights.cassettes.recorder import DIRECTORY, SALT, ReceivedAnswer, SentCall, open_recorder
from airflow_provider_iginsights.errors import ConfigurationError

FIRST = RecordedExchange(
    at=datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC),
    version="v25.0",
    requests=[RecordedRequest.make("facebook", "me", {"fields": "id", "after": "x"})],
    is_batch=False,
    answer=RecordedAnswer(status=200, headers={"date": "x"}, content={"json": {"caption": "a\ud83d"}}),
)
SECOND = RecordedExchange(
    at=datetime(2026, 11, 21, 20, 0, 11, tzinfo=UTC),
    version="v25.0",
    requests=[RecordedRequest.make("facebook", "1", {}), RecordedRequest.make("facebook", "2", {})],
    is_batch=True,
    answer=RecordedAnswer(status=200),
    items=[RecordedAnswer(status=400, content={"json": {"error": {}}}), None],
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make a folder into which two processes have written, the later call first."""
    path = tmp_path / "new" / "cassette"
    create_directory(path)
    append_line(path / "part-1.jsonl", format_exchange(SECOND))
    append_line(path / "part-2.jsonl", format_exchange(FIRST))
    return path


def test_what_is_written_is_read(directory: Path) -> None:
    """The calls of all processes are in one file, in the order of their answers, and equal to what was recorded."""
    assert finish_cassette(directory) == (2, 0)
    assert [path.name for path in directory.iterdir()] == ["cassette.jsonl"]
    cassette = read_cassette(directory)
    assert list(cassette.exchanges) == [FIRST, SECOND]
    assert cassette.recorded_at == FIRST.at


@pytest.mark.parametrize(
    "half", [format_exchange(FIRST)[:50].encode(), b"[1]", b'"x"', b"7", b"{}", b"\xff", b"[" * 100_000], ids=len
)
def test_half_a_line_of_a_killed_process(directory: Path, half: bytes) -> None:
    """What is no call with its answer, or no ASCII, is left out, and counted."""
    with (directory / "part-1.jsonl").open("ab") as file:
        file.write(half)
    assert finish_cassette(directory) == (2, 1)
    assert len(read_cassette(directory).exchanges) == 2


@pytest.mark.parametrize(
    ("date", "recorded_at"),
    [
        ("Sat, 21 Nov 2026 19:00:00 GMT", datetime(2026, 11, 21, 19, tzinfo=UTC)),
        ("yesterday", FIRST.at),
        ("Sat, 99 Nov 2026 19:00:00 GMT", FIRST.at),
    ],
)
def test_the_time_is_that_of_meta(directory: Path, date: str, recorded_at: datetime) -> None:
    """The clock of the worker may have been wrong; a replay dates its rows as the run did."""
    (directory / "part-2.jsonl").unlink()
    answer = replace(FIRST.answer, headers={"date": date})
    append_line(directory / "part-2.jsonl", format_exchange(replace(FIRST, answer=answer)))
    finish_cassette(directory)
    assert read_cassette(directory).recorded_at == recorded_at


def drop_last_line(path: Path) -> None:
    """Cut a copy off at the end of a line."""
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def edit_call(**changes: object) -> Callable[[Path], None]:
    """Change the first call."""

    def edit(path: Path) -> None:
        begin, call, *rest = path.read_text().splitlines()
        path.write_text("\n".join([begin, json.dumps(json.loads(call) | changes), *rest]))

    return edit


def write_newer(path: Path) -> None:
    """Write a cassette of a later release, whose lines are in no form that is known."""
    begin = json.loads(path.read_text().splitlines()[0]) | {"format_version": 2, "package_version": "9.1"}
    path.write_text(f"{json.dumps(begin)}\n[1]\nx\n")


def edit_begin(**changes: object) -> Callable[[Path], None]:
    """Change the first line."""

    def edit(path: Path) -> None:
        first, *rest = path.read_text().splitlines()
        path.write_text("\n".join([json.dumps(json.loads(first) | changes), *rest]))

    return edit


def make_folder(path: Path) -> None:
    """Put a folder in the place of the file."""
    path.unlink()
    path.mkdir()


def test_the_file_in_place_of_its_folder(directory: Path) -> None:
    """Who names the file is told to name the folder."""
    finish_cassette(directory)
    with pytest.raises(ConfigurationError, match=r"cassette\.jsonl is a file\. Name the folder that holds"):
        read_cassette(directory / "cassette.jsonl")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (drop_last_line, "is not whole"),
        (lambda path: path.write_text(path.read_text()[:-40]), "is not whole"),
        (lambda path: path.write_text(path.read_text()[:300]), "line 2 cannot be read"),
        (lambda path: path.write_text(""), "is no cassette"),
        (lambda path: path.write_text('{"log": {"version": "1.2"}}'), "is no cassette"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not plain text, .* Copy it again"),
        (make_folder, "cannot be read: Is a directory"),
        (lambda path: path.rename(path.with_name("other.jsonl")), "there is no file cassette.jsonl"),
        (lambda path: path.rename(path.with_name("part-7.jsonl")), "ended before its command"),
        (edit_begin(format_version=2, package_version="9.1"), r"has the format 2.*use release '9.1' or a later"),
        (write_newer, r"has the format 2.*use release '9.1' or a later"),
        (edit_begin(format_version=2, package_version="\x1b[2J"), r"has the format 2.*use release '\\x1b\[2J' or"),
        (edit_begin(format_version="\x1b[2J"), r"has the format '\\x1b\[2J', and"),
        (edit_begin(format_version=0), "has the format 0"),
        (edit_begin(format_version="1"), "has the format '1', and"),
        (edit_call(requests=[]), "line 2 is no call with its answer"),
        (edit_call(requests=[1]), "line 2 is no call with its answer"),
        (edit_call(at="2026-11-21T20:00:10"), "line 2 is no call with its answer"),
        (edit_call(at="yesterday"), "line 2 is no call with its answer"),
        (edit_call(items=7), "line 2 is no call with its answer"),
        (edit_call(version="v25.0'; rm -r x; '"), "line 2 is no call with its answer"),
        (edit_call(version=25.0), "line 2 is no call with its answer"),
        *(
            (edit_call(**changes), "line 2 is no call with its answer")
            for changes in (
                {"requests": [{"login": ["facebook"], "path": "me", "params": {}}]},
                {"requests": [{"login": "facebook", "path": 7, "params": {}}]},
                {"requests": [{"login": "facebook", "path": "me", "params": {"fields": ["id"]}}]},
                {"requests": [{"login": "facebook", "path": "me", "params": [["fields", "id"]]}]},
                {"answer": {"status": "200"}},
                {"answer": {"status": True}},
                {"answer": {"headers": {"date": None}}},
                {"answer": {"headers": [["date", "x"]]}},
                {"answer": {"problem": 7}},
                {"answer": {"content": {"pairs": {"object": [["a"]]}}}},
                {"answer": {"content": {"pairs": {"a": 1}}}},
                {"answer": {"content": 7}},
                {"items": [{"status": [400]}]},
                {"items": [{"content": {"pairs": {"object": "x"}}}]},
            )
        ),
        (lambda path: path.write_text(f"{path.read_text().splitlines()[0]}\n{'[' * 100_000}"), "line 2 cannot be read"),
        (lambda path: path.write_text(path.read_text().replace('"requests"', '"asked"')), "line 2 is no call with its"),
    ],
)
def test_what_is_no_whole_cassette(directory: Path, spoil: Callable[[Path], None], words: str) -> None:
    """Each way to be none has its sentence."""
    finish_cassette(directory)
    spoil(directory / "cassette.jsonl")
    with pytest.raises(ConfigurationError, match=words):
        read_cassette(directory)


def test_no_recording_is_overwritten(directory: Path) -> None:
    """A folder that holds something is refused, and so is what is no folder."""
    with pytest.raises(ConfigurationError, match=r"another recording writes to it.*recording.lock is there"):
        create_directory(directory)
    finish_cassette(directory)
    assert not (directory / "recording.lock").exists()
    with pytest.raises(ConfigurationError, match="is not empty"):
        create_directory(directory)
    with pytest.raises(ConfigurationError, match="cannot be used: File exists"):
        create_directory(directory / "cassette.jsonl")


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o700])
def test_a_folder_that_others_could_look_into(tmp_path: Path, mode: int) -> None:
    """One that is there already, and empty, is its owner's alone from then on."""
    directory = tmp_path / "cassette"
    directory.mkdir()
    directory.chmod(mode)
    create_directory(directory)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_one_recording_of_many_gets_a_folder(tmp_path: Path) -> None:
    """However near to each other they begin, one is let in, and the others are told of it."""

    def create(_: int) -> str:
        try:
            create_directory(tmp_path / "cassette")
        except ConfigurationError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(16) as pool:
        said = sorted(pool.map(create, range(64)))
    assert said[0] == ""
    assert all("another recording writes to it" in each for each in said[1:])
    assert [path.name for path in (tmp_path / "cassette").iterdir()] == ["recording.lock"]


def test_a_recording_that_cannot_be_written_fails_the_run(tmp_path: Path) -> None:
    """Nobody believes a run recorded that is not."""
    recorder = open_recorder(hide=str, environment={DIRECTORY: str(tmp_path / "gone"), SALT: "x"})
    assert recorder is not None
    sent = SentCall(login="facebook", version="v25.0", path="me", params={})
    with pytest.raises(ConfigurationError, match=r"recording cannot be written to .*gone: No such file"):
        recorder.record(sent, ReceivedAnswer(status=200, headers={}, content=b"{}", problem=None))


@pytest.mark.parametrize("environment", [{}, {DIRECTORY: "x"}, {SALT: "x"}, {DIRECTORY: "", SALT: "x"}], ids=str)
def test_nothing_is_recorded_as_a_rule(environment: dict[str, str]) -> None:
    """Without both variables there is no recorder."""
    assert open_recorder(hide=str, environment=environment) is None
