"""Limits of one answer: its time, its size after decompression, and the number of interim responses before it.

The HTTP libraries limit none of these. Their read timeout starts again with every byte, a small gzip body can become
gigabytes, and ``100 Continue`` may be repeated for ever. All three would block a worker, or use up its memory.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_INTERIM_RESPONSES: Final = 2
_CHUNK: Final = 65_536
_WINDOWS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""The encodings that are read, with zlib's parameter for each. Several encodings at once are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLimits:
    """``seconds`` from the end of the request to the last byte; ``size`` of the body in bytes, decompressed."""

    seconds: float = 120
    size: int = 32 * 1024 * 1024


class AnswerTooLarge(Exception):
    """The body has more bytes than the limit. Raised and caught inside ``graph``."""


class UndecodableAnswer(Exception):
    """The body is not in the encoding that its header names, or in an unknown one. Raised and caught in ``graph``."""


class LimitedHTTPResponse(http.client.HTTPResponse):
    """A response with a time limit, after at most two interim responses (RFC 9110, 15.2)."""

    def __init__(self, sock: socket.socket, seconds: float, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        unbuffered = sock.makefile("rb", buffering=0)
        self.fp.close()
        self.fp: io.BufferedReader = io.BufferedReader(_TimedReader(unbuffered, sock, seconds))

    def begin(self) -> None:
        """Read the status and the headers of the final answer."""
        super().begin()
        # urllib3 logs a header block that it cannot parse, and the block may contain a secret.
        if self.headers.defects or self.headers.get_payload():
            raise http.client.HTTPException("headers that cannot be read")

    def _read_status(self) -> tuple[str, int, str]:
        # http.client skips any number of 100s and takes 102 and 103 for the final answer. It has no public way to
        # limit them.
        for _ in range(MAX_INTERIM_RESPONSES + 1):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200:
                return found
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {MAX_INTERIM_RESPONSES} interim responses")


class _TimedReader(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the bytes arrive."""

    def __init__(self, unbuffered: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._unbuffered = unbuffered
        self._socket = sock
        self._read_timeout = sock.gettimeout()
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._socket.settimeout(left if self._read_timeout is None else min(left, self._read_timeout))
        return self._unbuffered.readinto(buffer)

    def close(self) -> None:
        self._unbuffered.close()
        super().close()


def read_body(raw: Any, *, encoding: str, size: int) -> bytes:
    """Return the decompressed body of a response, of at most ``size`` bytes.

    :param raw: the response of urllib3; nothing was read from it yet.
    :param encoding: its ``Content-Encoding``.
    :raises AnswerTooLarge: there are more bytes. No more than ``size`` are held in memory.
    :raises UndecodableAnswer: the body is not in this encoding.
    """
    body = bytearray()
    for piece in _decode(_read_pieces(raw), encoding.strip().lower(), max_length=size + 1):
        body += piece
        if len(body) > size:
            raise AnswerTooLarge
    return bytes(body)


def _read_pieces(raw: Any) -> Iterator[bytes]:
    while piece := raw.read(_CHUNK, decode_content=False):
        yield piece


def _decode(pieces: Iterator[bytes], encoding: str, *, max_length: int) -> Iterator[bytes]:
    """Yield decompressed pieces of at most 64 KiB each, lazily."""
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in _WINDOWS:
        raise UndecodableAnswer
    decompressor = zlib.decompressobj(_WINDOWS[encoding])
    try:
        for piece in pieces:
            compressed = piece
            while compressed:
                if decompressor.eof:  # A gzip body may have several members (RFC 1952, 2.2).
                    decompressor = zlib.decompressobj(_WINDOWS[encoding])
                yield decompressor.decompress(compressed, min(_CHUNK, max_length))
                compressed = decompressor.unconsumed_tail or decompressor.unused_data
    except zlib.error:
        raise UndecodableAnswer from None
    if not decompressor.eof:
        raise UndecodableAnswer
