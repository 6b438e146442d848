"""What one answer may cost: seconds in all, bytes after decompression, interim answers; and JSON that is none."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from airflow_provider_iginsights.errors import BrokenResponse, RetriableGraphError, ServerTrouble, TooMuchData
from airflow_provider_iginsights.graph.answer_limits import AnswerLimits
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from tests.support.raw_server import RawServer, answer_with

Connect = Callable[..., GraphClient]
Speak = Callable[..., RawServer]

BODY = b'{"id":"1"}'
SOON = AnswerLimits(seconds=0.3)
SMALL = AnswerLimits(size=100_000)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def dribble(start: bytes, rest: bytes) -> Callable[[socket.socket], None]:
    """Say the start at once and then the rest, a byte every 20 ms, for as long as somebody listens."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            for byte in rest:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

    return speak


def repeat(words: bytes) -> Callable[[socket.socket], None]:
    """Say the same for ever."""

    def speak(connection: socket.socket) -> None:
        while True:
            connection.sendall(words)

    return speak


@pytest.mark.parametrize(
    "line",
    [
        dribble(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
        dribble(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        dribble(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        dribble(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        dribble(b"HTTP/1.1 ", b"2"),
        dribble(b"", b" "),
    ],
    ids=["body", "chunks", "body to the end", "header", "status line", "before all"],
)
def test_a_byte_now_and_then_does_not_hold_the_worker(connect: Connect, speak: Speak, line: object) -> None:
    """An answer that keeps sending, but is never complete, ends when its time is over."""
    began = time.monotonic()
    with pytest.raises(RetriableGraphError):
        connect(speak(line).url, limits=SOON, max_tries=1).get(GraphRequest("1", {}))
    assert time.monotonic() - began < 3


def test_the_time_of_one_answer_is_not_anothers(connect: Connect, perform: Callable[..., str]) -> None:
    """Over one connection, each answer has the whole time of its own."""
    client = connect(perform((200, {}, '{"id":"1"}')), limits=SOON)
    for _ in range(3):
        assert client.get(GraphRequest("1", {})).body == {"id": "1"}
        time.sleep(0.15)


@pytest.mark.parametrize(
    "interim", [b"", CONTINUE, PROCESSING, HINTS, CONTINUE * 2, HINTS + PROCESSING], ids=lambda words: str(len(words))
)
def test_interim_answers_are_no_answer(connect: Connect, speak: Speak, interim: bytes) -> None:
    """Up to two interim answers of any kind are passed over, and the final one is read."""
    assert connect(speak(interim + answer_with(BODY)).url).get(GraphRequest("1", {})).body == {"id": "1"}


@pytest.mark.parametrize(
    "line",
    [CONTINUE * 3 + answer_with(BODY), HINTS * 3 + answer_with(BODY), repeat(CONTINUE), repeat(PROCESSING)],
    ids=["three", "three hints", "100 for ever", "102 for ever"],
)
def test_interim_answers_do_not_go_on_for_ever(connect: Connect, speak: Speak, line: object) -> None:
    """More than two interim answers are no conversation: the request is given up at once."""
    began = time.monotonic()
    with pytest.raises(ServerTrouble):
        connect(speak(line).url, max_tries=1).get(GraphRequest("1", {}))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP ", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("gzip", lambda body: gzip.compress(body[:4]) + gzip.compress(body[4:])),
    ],
    ids=["gzip", "x-gzip", "capitals", "deflate", "identity", "two members"],
)
def test_encodings_are_undone(connect: Connect, speak: Speak, encoding: str, encode: Callable[[bytes], bytes]) -> None:
    """What Meta and the proxies before it may send compressed is read."""
    line = answer_with(encode(BODY), f"Content-Encoding: {encoding}")
    assert connect(speak(line).url).get(GraphRequest("1", {})).body == {"id": "1"}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", BODY),
        ("gzip", gzip.compress(BODY)[:-4]),
        ("gzip", gzip.compress(BODY) + b"rest"),
        ("gzip", b""),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY))),
        ("br", BODY),
        ("gzip;q=1", gzip.compress(BODY)),
    ],
    ids=["not encoded", "cut", "something behind it", "nothing", "twice", "unasked", "with a parameter"],
)
def test_what_cannot_be_decoded_is_broken(connect: Connect, speak: Speak, encoding: str, body: bytes) -> None:
    """A body that is not what its header says, or encoded as nobody asked for, is a broken answer."""
    line = answer_with(body, f"Content-Encoding: {encoding}")
    with pytest.raises(BrokenResponse):
        connect(speak(line).url, max_tries=1).get(GraphRequest("1", {}))


@pytest.mark.parametrize(
    "line",
    [
        answer_with(gzip.compress(bytes(60_000_000)), "Content-Encoding: gzip"),
        answer_with(b'"' + b"x" * 3_000_000 + b'"'),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * 3_000_000,
    ],
    ids=["a bomb", "a long body", "a body of no known length"],
)
def test_an_answer_has_a_largest_size(connect: Connect, speak: Speak, line: bytes) -> None:
    """A larger body is too much data, which smaller pages can cure; it is never held in memory."""
    client = connect(speak(line).url, limits=SMALL, max_tries=1)
    tracemalloc.start()
    try:
        with pytest.raises(TooMuchData):
            client.get(GraphRequest("1", {}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


ABSURD = {
    "deep lists": "[" * 100_000,
    "deep and closed": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"data":' * 100_000 + "1" + "}" * 100_000,
    "a number of 10,000 digits": '{"data":[' + "9" * 10_000 + "]}",
}


@pytest.mark.parametrize("text", ABSURD.values(), ids=ABSURD)
def test_absurd_json_is_a_broken_answer(perform: Callable[..., str], connect: Connect, text: str) -> None:
    """JSON so deep or with numbers so long that no program reads it costs this one answer."""
    with pytest.raises(BrokenResponse):
        connect(perform((200, {}, text)), max_tries=1).get(GraphRequest("1", {}))


@pytest.mark.parametrize("text", ABSURD.values(), ids=ABSURD)
def test_absurd_json_in_an_item_costs_the_item(perform: Callable[..., str], connect: Connect, text: str) -> None:
    """In a batch it is the one item that is broken; the other one is read."""
    items = json.dumps([{"code": 200, "body": text}, {"code": 200, "body": '{"id":"2"}'}])
    first, second = connect(perform((200, {}, items)), max_tries=1).batch(
        [GraphRequest("1", {}), GraphRequest("2", {})]
    )
    assert isinstance(first, BrokenResponse)
    assert second.body == {"id": "2"}  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["x-business-use-case-usage", "x-app-usage"])
@pytest.mark.parametrize("text", ["[" * 30_000, '{"1":' * 10_000, '{"1":[{"call_count":' + "9" * 5000 + "}]}"])
def test_absurd_json_in_a_header_says_nothing(connect: Connect, speak: Speak, name: str, text: str) -> None:
    """A usage header that nobody can read costs nothing: the answer below it is there."""
    answer = connect(speak(answer_with(BODY, f"{name}: {text}")).url).get(GraphRequest("1", {}), account_id="1")
    assert answer.body == {"id": "1"}
