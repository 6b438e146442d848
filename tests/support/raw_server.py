"""A server that says bytes which no HTTP server would say, over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Line = bytes | Callable[[socket.socket], None]
"""What a raw server says to one request: bytes, or a function that speaks for itself."""


class RawServer:
    """Speaks bytes that no HTTP server would: one connection per answer, the last answer for ever.

    An answer after which the client asks again says ``Connection: close``. Else the client may send its next request
    before it has noticed the end, and sends it once more.
    """

    def __init__(self, *lines: Line) -> None:
        self.heads: list[bytes] = []
        self._lines = list(lines)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def stop(self) -> None:
        """Stop listening and wait for the thread."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                # Who hangs up on the server breaks its pipe.
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    self.heads.append(_read_request(connection))
                    line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
                    if callable(line):
                        line(connection)
                    else:
                        connection.sendall(line)


def _read_request(connection: socket.socket) -> bytes:
    """Read one request whole, since a connection that is closed with unread bytes is reset; return its head."""
    with connection.makefile("rb") as stream:
        head, length = b"", 0
        for line in stream:
            head += line
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
            if line == b"\r\n":
                break
        stream.read(length)
    return head


def answer_with(body: bytes = b'{"id":"1"}', *headers: str) -> bytes:
    """Return an HTTP answer: 200, the headers, the body with its length."""
    lines = ["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
