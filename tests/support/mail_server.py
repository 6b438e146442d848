"""A mail server on loopback that keeps what it is sent, as Airflow's connection ``smtp_default`` while it is open."""

from __future__ import annotations

import json
import os
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from threading import Thread
from unittest.mock import patch

SENDER = "airflow@example.com"
ANSWERS = {"EHLO": b"250 localhost", "DATA": b"354 go on", "QUIT": b"221 bye"}


class Mail(EmailMessage):
    """A message that arrived."""

    @property
    def text(self) -> str:
        """The first part's text."""
        return str(next(part.get_content() for part in self.walk() if not part.is_multipart()))


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer commands until the client says goodbye; a line with one dot ends a message."""
        self.wfile.write(b"220 localhost\r\n")
        for line in self.rfile:
            verb = line[:4].decode().upper().strip()
            self.wfile.write(ANSWERS.get(verb, b"250 ok") + b"\r\n")
            if verb == "QUIT":
                return
            if verb == "DATA":
                self.server.mails.append(self.read_mail())
                self.wfile.write(b"250 ok\r\n")

    def read_mail(self) -> Mail:
        """Read one message."""
        body = b"".join(iter(self.rfile.readline, b".\r\n"))
        mail = message_from_bytes(body, _class=Mail, policy=policy.default)
        assert isinstance(mail, Mail)
        return mail


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[Mail] = []


@contextmanager
def receive_mails() -> Iterator[list[Mail]]:
    """Serve until the end of the block; yields the list of what has arrived."""
    with _Server() as server:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": SENDER}
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": server.server_address[1], "extra": extra}
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        with patch.dict(os.environ, {"AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(connection)}):
            yield server.mails
        server.shutdown()
