"""A server on loopback that answers each POST with the same JSON, and keeps what was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

Post = tuple[str, bytes]
"""The path of a request, and its body."""


@contextmanager
def serve_json(answer: Mapping[str, Any], *, posts: list[Post]) -> Iterator[str]:
    """Yield the address of the server; ``posts`` gets what is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append((urlsplit(self.path).path, self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
