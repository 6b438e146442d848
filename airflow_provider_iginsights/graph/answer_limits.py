"""What one answer may cost at most: seconds, bytes after decompression, interim answers before it.

The HTTP libraries bound none of these: their timeout starts anew with every byte, a few nested layers of gzip become
gigabytes, and ``100 Continue`` may be repeated for ever. All three would hold a worker's slot, or its memory.
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

MOST_INTERIM_ANSWERS: Final = 2
_CHUNK: Final = 65_536
_WINDOWS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
"""How zlib is told which of the encodings it reads. No other is asked for, and no two at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLimits:
    """``seconds``: from the end of the request to the last byte. ``size``: bytes of the body, decompressed."""

    seconds: float = 120
    size: int = 32 * 1024 * 1024


class AnswerTooLarge(Exception):
    """The body has more bytes than it may. Stays inside this room."""


class UndecodableAnswer(Exception):
    """The body is not in the encoding that its header names, or in one that was not asked for. Stays in this room."""


class BoundedHTTPResponse(http.client.HTTPResponse):
    """A response that has to arrive within a time, after at most two interim answers (RFC 9110, 15.2)."""

    def __init__(self, sock: socket.socket, seconds: float, method: str | None = None) -> None:
        super().__init__(sock, method=method)
        unbuffered = sock.makefile("rb", buffering=0)
        self.fp.close()
        self.fp: io.BufferedReader = io.BufferedReader(_TimedReader(unbuffered, sock, seconds))

    def begin(self) -> None:
        """Read the status and the headers of the final answer."""
        super().begin()
        # urllib3 logs a header block that it cannot parse, and with it whatever the server put there.
        if self.headers.defects or self.headers.get_payload():
            raise http.client.HTTPException("headers that cannot be read")

    def _read_status(self) -> tuple[str, int, str]:
        # http.client itself skips 100 without end and takes 102 and 103 for the answer.
        for _ in range(MOST_INTERIM_ANSWERS + 1):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200:
                return found
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {MOST_INTERIM_ANSWERS} interim answers")


class _TimedReader(io.RawIOBase):
    """Reads a socket until a moment, however slowly the bytes come."""

    def __init__(self, unbuffered: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._unbuffered = unbuffered
        self._socket = sock
        self._silence = sock.gettimeout()
        self._ends = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._socket.settimeout(left if self._silence is None else min(left, self._silence))
        return self._unbuffered.readinto(buffer)

    def close(self) -> None:
        self._unbuffered.close()
        super().close()


def read_body(raw: Any, *, encoding: str, size: int) -> bytes:
    """Return the decompressed body of a response, of at most ``size`` bytes.

    :param raw: the response of urllib3, of which nothing was read yet.
    :param encoding: its ``Content-Encoding``.
    :raises AnswerTooLarge: there are more bytes; no more than those were held.
    :raises UndecodableAnswer: it is not so encoded.
    """
    body = bytearray()
    for piece in _decode(_read_pieces(raw), encoding.strip().lower(), most=size + 1):
        body += piece
        if len(body) > size:
            raise AnswerTooLarge
    return bytes(body)


def _read_pieces(raw: Any) -> Iterator[bytes]:
    while piece := raw.read(_CHUNK, decode_content=False):
        yield piece


def _decode(pieces: Iterator[bytes], encoding: str, *, most: int) -> Iterator[bytes]:
    """Yield decompressed pieces of at most 64 KiB each, as far as somebody wants them."""
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in _WINDOWS:
        raise UndecodableAnswer
    inflater = zlib.decompressobj(_WINDOWS[encoding])
    try:
        for piece in pieces:
            waiting = piece
            while waiting:
                if inflater.eof:  # one more member (RFC 1952, 2.2)
                    inflater = zlib.decompressobj(_WINDOWS[encoding])
                yield inflater.decompress(waiting, min(_CHUNK, most))
                waiting = inflater.unconsumed_tail or inflater.unused_data
    except zlib.error:
        raise UndecodableAnswer from None
    if not inflater.eof:
        raise UndecodableAnswer
