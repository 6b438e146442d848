"""What is recorded is written whole, without secrets, from each thread, and also after a disk was full."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.cassettes.exchange import RecordedAnswer, RecordedExchange, RecordedRequest
from airflow_provider_iginsights.cassettes.files import create_directory, finish_cassette, read_cassette
from airflow_provider_iginsights.cassettes.json_bodies import RepeatedNames, format_content, read_json
from airflow_provider_iginsights.cassettes.player import CassettePlayer
from airflow_provider_iginsights.cassettes.recorder import DIRECTORY, SALT, ReceivedAnswer, SentCall, open_recorder
from airflow_provider_iginsights.cassettes.server import format_items
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph.redact import SECRET_PARAMETERS, redact

TOKEN = "c0ffee|under/no+known=shape"


def hide_token(text: str) -> str:
    """Hide as the transport does."""
    return redact(text, TOKEN)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make the folder of a recording."""
    create_directory(tmp_path / "cassette")
    return tmp_path / "cassette"


def record(directory: Path, content: bytes, *, path: str = "me", hide: Callable[[str], str] = hide_token) -> None:
    """Record one answer."""
    recorder = open_recorder(hide=hide, environment={DIRECTORY: str(directory), SALT: "grains"})
    assert recorder is not None
    sent = SentCall(login="facebook", version="v25.0", path=path, params={})
    recorder.record(sent, ReceivedAnswer(status=200, headers={}, content=content, problem=None))


@pytest.mark.parametrize("name", sorted(SECRET_PARAMETERS))
@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (False, False),
        ([], []),
        ({}, "***"),
        (TOKEN, "***"),
        ("", "***"),
        (123456, "***"),
        (12.5, "***"),
        ([TOKEN, 7], ["***", "***"]),
        ({"value": "1234567890", "EAAGzz": 1}, "***"),
    ],
    ids=str,
)
@pytest.mark.parametrize("hide", [hide_token, str])
def test_a_secret_of_any_type(directory: Path, name: str, value: Any, kept: Any, hide: Callable[[str], str]) -> None:
    """The call is whole and holds no secret, whatever Meta writes under the name of one; also without ``hide``."""
    record(directory, json.dumps({"data": [{name: value, "count": 1}]}).encode(), hide=hide)
    assert finish_cassette(directory) == (1, 0)
    [exchange] = read_cassette(directory).exchanges
    assert exchange.answer.content == {"json": {"data": [{name: kept, "count": 1}]}}


@pytest.mark.parametrize("text", ["a\nb\u2028\u200b\x00", "😀\ud83d", "a\\\"b'", "\x85"])
def test_hiding_changes_nothing_else(directory: Path, text: str) -> None:
    """Line ends, characters that hide text, quotes and halves of an emoji are in the cassette as Meta sent them."""
    record(directory, json.dumps({"caption": text}).encode())
    assert finish_cassette(directory) == (1, 0)
    [exchange] = read_cassette(directory).exchanges
    replaced = exchange.answer.content["json"]["caption"]
    assert [sign for sign in replaced if not sign.isalpha()] == [sign for sign in text if not sign.isalpha()]


def test_a_quoted_token_does_not_spoil_a_line(directory: Path) -> None:
    """An error that quotes the token in quotation marks is recorded, without it."""
    said = f'Malformed access_token: "{TOKEN}" \\"access_token\\": \\"{TOKEN}'
    record(directory, json.dumps({"error": {"message": said}}).encode())
    assert finish_cassette(directory) == (1, 0)
    text = (directory / "cassette.jsonl").read_text()
    assert "Malformed" in text
    assert "c0ffee" not in text


@pytest.mark.parametrize("hide", [hide_token, str])
def test_names_that_come_twice(directory: Path, hide: Callable[[str], str]) -> None:
    """The client reads the last of them, so a cassette holds both, in their order, and no secret of either."""
    body = (
        b'{"data": [{"id": "17841405822304914", "id": 5, "caption": null, "caption": "Ludmilla"}, {"id": "1"}], '
        b'"access_token": "c0ffee", "access_token": null, "error": {"message": "access_token: 1", "code": 1, "code": 2}'
        b"}"
    )
    record(directory, body, hide=hide)
    assert finish_cassette(directory) == (1, 0)
    [exchange] = read_cassette(directory).exchanges
    written = format_content(exchange.answer.content)
    assert not any(word in written for word in ("17841405822304914", "Ludmilla", "c0ffee"))
    found = read_json(written)
    assert isinstance(found, RepeatedNames)
    assert [name for name, _ in found] == ["data", "access_token", "access_token", "error"]
    [first, second] = found[0][1]
    assert [name for name, _ in first] == ["id", "id", "caption", "caption"]
    assert (first[1], first[2], second) == (("id", 5), ("caption", None), {"id": "1"})
    assert [value for _, value in found[1:3]] == ["***", None]


ITEMS = [
    ({"code": 200, "body": '{"id": "1"}'}, {"code": 200, "headers": [], "body": '{"id": "1"}'}),
    (None, None),
    ({"code": "200", "body": "{}"}, {"code": "200", "body": "{}"}),
    ({"code": True, "body": '{"access_token": null}'}, {"code": True, "body": '{"access_token": null}'}),
    ({"code": 99999, "body": "{}", "headers": None}, {"code": 99999, "body": "{}", "headers": None}),
    ({"code": 200}, {"code": 200}),
    ({"code": 200, "body": None}, {"code": 200, "body": None}),
    ({"code": 200, "body": {"id": 5}}, {"code": 200, "body": {"id": 5}}),
    ([[]], [[]]),
    (7, 7),
    ({}, {}),
]


def test_an_item_that_names_something_twice(directory: Path) -> None:
    """It is recorded as it is read, with the last of each; so is a header."""
    asked = json.dumps([{"method": "GET", "relative_url": "v25.0/1"}])
    recorder = open_recorder(hide=hide_token, environment={DIRECTORY: str(directory), SALT: "grains"})
    assert recorder is not None
    sent = SentCall(login="facebook", version="v25.0", path="", params={}, form={"batch": asked})
    content = (
        b'[{"code": 7, "code": 400, "headers": null, "headers": [{"name": "x", "name": "Retry-After", "value": "5"}], '
        b'"body": "Ludmilla", "body": "{\\"id\\": \\"1\\"}"}]'
    )
    recorder.record(sent, ReceivedAnswer(status=200, headers={}, content=content, problem=None))
    finish_cassette(directory)
    [exchange] = read_cassette(directory).exchanges
    assert exchange.items == [RecordedAnswer(status=400, headers={"retry-after": "5"}, content={"json": {"id": "1"}})]


def test_items_of_a_batch_in_any_form(directory: Path) -> None:
    """Each is in the cassette as it was, beside those that are as Meta documents them, and without names."""
    asked = json.dumps([{"method": "GET", "relative_url": f"v25.0/{number}"} for number in range(len(ITEMS))])
    recorder = open_recorder(hide=hide_token, environment={DIRECTORY: str(directory), SALT: "grains"})
    assert recorder is not None
    sent = SentCall(login="facebook", version="v25.0", path="", params={}, form={"batch": asked})
    content = json.dumps([item for item, _ in ITEMS]).encode()
    recorder.record(sent, ReceivedAnswer(status=200, headers={}, content=content, problem=None))
    assert finish_cassette(directory) == (1, 0)
    found = CassettePlayer(read_cassette(directory)).answer_batch(
        [RecordedRequest.make("facebook", str(number), {}) for number in range(len(ITEMS))]
    )
    assert isinstance(found, RecordedExchange)
    assert found.items is not None
    assert json.loads(format_items(found.items)) == [played for _, played in ITEMS]


DEEP: dict[str, Callable[[int], str]] = {
    "a list": lambda depth: "[" * depth + '"Ludmilla"' + "]" * depth,
    "an object": lambda depth: '{"a": ' * depth + '"Ludmilla"' + "}" * depth,
    "names that come twice": lambda depth: '{"a": 1, "a": ' * depth + '"Ludmilla"' + "}" * depth,
}


@pytest.mark.parametrize("form", DEEP)
@pytest.mark.parametrize("as_item", [False, True])
def test_json_that_is_nested_deep(directory: Path, form: str, as_item: bool) -> None:
    """However deep it is, the run goes on, the call is in the cassette, and no name of it."""
    asked = json.dumps([{"method": "GET", "relative_url": "v25.0/1"}])
    recorder = open_recorder(hide=hide_token, environment={DIRECTORY: str(directory), SALT: "grains"})
    assert recorder is not None
    sent = SentCall(login="facebook", version="v25.0", path="", params={}, form={"batch": asked} if as_item else None)
    depths = range(20, 1020, 25)
    for depth in depths:
        content = DEEP[form](depth)
        content = f'[{{"code": "odd", "body": {content}}}]' if as_item else content
        recorder.record(sent, ReceivedAnswer(status=200, headers={}, content=content.encode(), problem=None))
    assert finish_cassette(directory) == (len(depths), 0)
    assert "Ludmilla" not in (directory / "cassette.jsonl").read_text()
    assert len(read_cassette(directory).exchanges) == len(depths)


def test_a_byte_order_mark(directory: Path) -> None:
    """The client reads JSON behind it, in the body of an item, too: it is no text of which all letters are replaced."""
    asked = json.dumps([{"method": "GET", "relative_url": "v25.0/1"}])
    recorder = open_recorder(hide=hide_token, environment={DIRECTORY: str(directory), SALT: "grains"})
    assert recorder is not None
    sent = SentCall(login="facebook", version="v25.0", path="", params={}, form={"batch": asked})
    content = json.dumps([{"code": 200, "body": '\ufeff{"like_count": 7}'}]).encode("utf-8-sig")
    recorder.record(sent, ReceivedAnswer(status=200, headers={}, content=content, problem=None))
    finish_cassette(directory)
    [exchange] = read_cassette(directory).exchanges
    assert exchange.items == [RecordedAnswer(status=200, content={"json": {"like_count": 7}})]


def test_threads_of_one_process(directory: Path) -> None:
    """Calls that end at the same time are each on a line of their own."""
    paths = [str(number) for number in range(1000, 1200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: record(directory, b'{"data": []}' + b" " * 5000, path=path), paths))
    assert len(list(directory.glob("part-*"))) == 1
    assert finish_cassette(directory) == (200, 0)
    assert sorted(each.requests[0].path for each in read_cassette(directory).exchanges) == paths


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Let no file become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_one_call(directory: Path) -> None:
    """What is recorded once there is room again is whole; the half line is counted."""
    record(directory, b"{}", path="1")
    [part] = directory.glob("part-*")
    with small_disk(part.stat().st_size + 20), pytest.raises(ConfigurationError, match="File too large"):
        record(directory, b"{}", path="2")
    for path in ("3", "4"):
        record(directory, b"{}", path=path)
    assert finish_cassette(directory) == (3, 1)
    assert [each.requests[0].path for each in read_cassette(directory).exchanges] == ["1", "3", "4"]


def test_a_full_disk_at_the_end(directory: Path) -> None:
    """The calls stay, and the sentence says where."""
    record(directory, b"{}")
    before = [path.read_bytes() for path in directory.glob("part-*")]
    with (
        small_disk(20),
        pytest.raises(ConfigurationError, match=r"File too large.*kept there in files part-.*Make room"),
    ):
        finish_cassette(directory)
    assert [path.read_bytes() for path in directory.glob("part-*")] == before
    assert not list(directory.glob("*.tmp"))
