"""One answer: within its time, its size and its interim answers, over real sockets; whatever is beyond is no answer."""

from __future__ import annotations

import gzip
import socket
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest

from airflow_provider_iginsights.errors import BrokenResponse, RetriableGraphError, ServerTrouble
from airflow_provider_iginsights.graph.answer_limits import AnswerLimits
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from tests.support.raw_server import RawServer, answer_with

Connect = Callable[..., GraphClient]
Speak = Callable[..., RawServer]

OK = answer_with()
QUICK = AnswerLimits(seconds=0.3, size=100_000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
ME = GraphRequest("me", {})


def _drip(start: bytes, piece: bytes, *, pause: float = 0.02) -> Callable[[socket.socket], None]:
    """Say something without end, for at most 10 seconds: longer than any limit here, and than a slow machine needs."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(int(10 / pause) if pause else 100_000):
            connection.sendall(piece)
            if pause:
                time.sleep(pause)

    return speak


def _hang_up_soon(start: bytes) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        with suppress(OSError):
            connection.recv(1)

    return speak


@pytest.mark.parametrize(
    "answer",
    [
        _drip(HEAD + b"Content-Length: 90000\r\n\r\n", b"x"),
        _drip(HEAD + b"\r\n", b"x"),
        _drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        _drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        _drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        _drip(HEAD, b"x"),
        _drip(b"HTTP/1.1 ", b"2"),
        _drip(b"", b"H"),
        _drip(b"HTTP/1.1 100 Continue\r\nX: ", b"y"),
        _hang_up_soon(HEAD + b"Content-Length: 9\r\n\r\n{}"),
        _hang_up_soon(b""),
        _hang_up_soon(b"HTTP/1.1 102 Processing\r\n\r\n"),
    ],
    ids=[
        *("length", "no length", "chunks", "chunk size", "trailers", "header", "status", "garbage"),
        *("interim header", "silence in a body", "silence", "interim and silence"),
    ],
)
def test_an_answer_takes_its_time_in_all(speak: Speak, connect: Connect, answer: Callable[..., None]) -> None:
    """However regularly bytes drip, the whole answer has one time limit; the next try is answered as always."""
    client = connect(speak(answer, OK).url, limits=QUICK)
    started = time.monotonic()
    assert client.get(ME).body == {"id": "1"}
    assert time.monotonic() - started < 4
    assert client.call_counts.http in (2, 3), "on a machine that is busy, the short answer may take too long, too"


def _gzip(text: bytes, times: int) -> bytes:
    for _ in range(times):
        text = gzip.compress(text)
    return text


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answer_with(b"[" + b" " * 100_001 + b"]"), "more than 100000 bytes"),
        (answer_with(_gzip(b" " * 100_001, 1), "Content-Encoding: gzip"), "more than 100000 bytes"),
        (answer_with(_gzip(b" " * 50_000_000, 1), "Content-Encoding: x-gzip"), "more than 100000 bytes"),
        (answer_with(_gzip(b" " * 50_000_000, 2), "Content-Encoding: gzip, gzip"), "not encoded as"),
        (answer_with(_gzip(b"{}", 2), "Content-Encoding: gzip", "Content-Encoding: gzip"), "not encoded as"),
        (answer_with(b"x", "Content-Encoding: br"), "not encoded as"),
        (answer_with(b"x", "Content-Encoding: zstd"), "not encoded as"),
        (answer_with(b"x", "Content-Encoding: gzip" + ", gzip" * 50), "not encoded as"),
        (answer_with(b"no gzip", "Content-Encoding: gzip"), "not encoded as"),
        (
            _drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b" " * 1000 + b"\r\n", pause=0),
            "more than 100000 bytes",
        ),
        (_drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000, pause=0), "ProtocolError"),
        (
            _drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * 100, pause=0),
            "no answer in time",
        ),
        (_drip(HEAD + b"\r\n", b" " * 1000, pause=0), "more than 100000 bytes"),
    ],
    ids=[
        *("plain", "gzip", "bomb", "bomb in a bomb", "two headers", "brotli", "zstandard", "many layers", "no gzip"),
        *("chunks", "chunk size", "trailers", "no length"),
    ],
)
def test_an_answer_has_its_size(speak: Speak, connect: Connect, answer: bytes, says: str) -> None:
    """What is larger than the limit, as sent or after decompression, is no answer, and costs little memory."""
    client = connect(speak(answer).url, limits=QUICK, max_tries=1)
    tracemalloc.start()
    with pytest.raises(RetriableGraphError, match=says):
        client.get(ME)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24_000_000  # one piece of 16 KiB, unfolded


@pytest.mark.parametrize("body", [b'{"id":"1"}', b'{"id":"1"}' + b" " * 99_000])
def test_gzip_within_the_size_is_read(speak: Speak, connect: Connect, body: bytes) -> None:
    """An ordinary answer, compressed or in chunks, arrives as it was sent."""
    packed = answer_with(gzip.compress(body), "Content-Encoding: gzip")
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    client = connect(speak(packed, chunked, answer_with(body)).url, limits=AnswerLimits(seconds=20, size=100_000))
    assert [client.get(ME).body["id"] for _ in range(3)] == ["1", "1", "1"]
    assert client.call_counts.http == 3


@pytest.mark.parametrize("line", [b"100 Continue", b"102 Processing", b"103 Early Hints", b"101 Switching", b"199 x"])
def test_an_interim_answer_is_not_final(speak: Speak, connect: Connect, line: bytes) -> None:
    """Up to two interim answers of any number are skipped; a third makes the answer none."""
    interim = b"HTTP/1.1 " + line + b"\r\nLink: </x>; rel=preload\r\n\r\n"
    server = speak(interim + OK, interim * 2 + OK, interim * 3 + OK, _drip(b"", interim, pause=0))
    client = connect(server.url, max_tries=1)
    assert [client.get(ME).body["id"] for _ in range(2)] == ["1", "1"]
    for _ in range(2):
        with pytest.raises(ServerTrouble, match="No answer"):
            client.get(ME)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":NaN}',
        b'{"id":Infinity}',
        b'{"id":-Infinity}',
        b'{"id":1e999}',
        b'{"id":' + b"9" * 5000 + b"}",
        b'{"id":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"id":"1"} {"id":"2"}',
        b"\xff\xfe\x00",
        b'{"id":"\xff"}',
    ],
    ids=["NaN", "infinity", "minus infinity", "1e999", "digits", "objects", "lists", "two", "half utf-16", "no utf-8"],
)
def test_absurd_json_is_broken(speak: Speak, connect: Connect, body: bytes) -> None:
    """JSON that no program would send is a broken answer, as a body and as an item of a batch."""
    item = b'[{"code":200,"body":"%s"}]' % body.replace(b'"', b'\\"')
    client = connect(speak(answer_with(body), answer_with(item)).url, max_tries=1)
    with pytest.raises(BrokenResponse, match="HTTP 200"):
        client.get(ME)
    if body.isascii():
        (result,) = client.batch([ME])
        assert type(result) is BrokenResponse


@pytest.mark.parametrize("line", [b"no colon here EAAGm0PX4ZCpsBAKZCyc9", b"\x01: x", b" folded before any", b"a b: c"])
def test_a_broken_head_reaches_no_log(
    speak: Speak, connect: Connect, caplog: pytest.LogCaptureFixture, line: bytes
) -> None:
    """A head that cannot be parsed is no answer, and no library logs what stood in it."""
    caplog.set_level("DEBUG")
    client = connect(speak(HEAD + line + b"\r\nX: y\r\n\r\n{}").url, max_tries=1)
    with suppress(BrokenResponse, ServerTrouble):
        client.get(ME)
    assert "EAAGm0PX4ZCpsBAKZCyc9" not in caplog.text
    assert "Failed to parse headers" not in caplog.text


def test_a_connection_stays_for_the_next_answer(
    perform: Callable[..., str], connect: Connect, seen: list[dict[str, object]]
) -> None:
    """Counting does not cost keep-alive: calls of one thread go over one connection, and the time starts anew."""
    client = connect(perform((200, {}, '{"id":"1"}')), limits=AnswerLimits(seconds=20, size=1000))
    for _ in range(30):
        client.get(ME)
    assert len({call["port"] for call in seen}) == 1
