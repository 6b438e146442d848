"""Collects what a process shows to anybody, by place, and finds secrets in it, in each form in which they travel."""

from __future__ import annotations

import base64
import logging
import os
import stat
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from tests.support.secrecy import gather

PART = 10
"""So many letters from the beginning or the end of a secret are looked for, too."""


def list_forms(secret: str) -> list[str]:
    """Return a secret as it stands in texts, addresses, JSON, reprs, hex and base64, also inside longer base64.

    Last come its beginning and its end.
    """
    raw = secret.encode()
    # Base64 of a longer text holds it at one of three offsets; the characters at its edges depend on what is around it.
    inside = {base64.b64encode(b"\0" * pad + raw)[pad and 4 : -4].decode() for pad in range(3)}
    written = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], raw.hex()}
    # Who shows "only the beginning" shows a part of a secret all the same.
    # The sandbox's tokens of Pages end with the id of the account, such as 0000000001, which everybody may see.
    parts = {part for part in (secret[:PART], secret[-PART:]) if len(set(part)) > 2}
    return [*written | {form for form in inside if len(form) >= 8}, *sorted(parts)]


@dataclass
class SecretWatch:
    """What was shown, by place. ``secrets``: name -> value; more may be added while it watches."""

    secrets: dict[str, str]
    shown: dict[str, list[str]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)

    def show(self, place: str, value: object) -> None:
        """Take what stands at a place, as text and as repr."""
        self.shown.setdefault(place, []).extend({str(value), repr(value)})

    def show_error(self, error: BaseException) -> None:
        """Take an error with all that it is chained to, and the variables of its frames, which error trackers show."""
        self.show("errors", gather(error))
        found = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.show("variables of an error's frames", "".join(found.format()))

    def show_files(self, directory: Path) -> None:
        """Take the content of all files under a folder."""
        for path in directory.rglob("*"):
            if path.is_file():
                self.show(f"the file {path.name}", path.read_bytes().decode("utf-8", "backslashreplace"))

    def show_process(self) -> None:
        """Take what other users of the machine see of this process."""
        task = Path("/proc/self/task")
        for path in (Path("/proc/self/cmdline"), *task.glob("*/comm")):
            with suppress(OSError):  # a thread that has just ended
                self.show("titles of the process", path.read_bytes())

    def find(self) -> list[str]:
        """Return which secret, or part of one, stands where, each place once, and what stands before it."""
        found = []
        for name, secret in self.secrets.items():
            forms = list_forms(secret)
            for place, texts in self.shown.items():
                before = (text.partition(form)[0] for form in forms for text in texts if form in text)
                # Once is enough: a whole secret is also each of its parts.
                if (hit := next(before, None)) is not None:
                    found.append(f"{place}: {name} behind {hit[-80:]!r}")
        return sorted(found)

    @cached_property
    def handler(self) -> logging.Handler:
        """A handler of logs that takes each record with all it carries."""
        return _Handler(self)


class _Handler(logging.Handler):
    def __init__(self, watch: SecretWatch) -> None:
        super().__init__(logging.NOTSET)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        self._watch.show(f"log of {record.name.partition('.')[0]}", record.getMessage())
        self._watch.show(f"log of {record.name.partition('.')[0]}", record.__dict__)
        if record.exc_info and record.exc_info[1]:
            self._watch.show("errors", "".join(traceback.format_exception(record.exc_info[1])))


_watching: list[SecretWatch] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR):
            _watching[-1].opened.append(arguments[0])
    elif event == "subprocess.Popen":
        _watching[-1].show("command lines", arguments[:2])


@cache
def _install_audit() -> None:
    """Let Python tell of files and processes, from the first watch on: such a hook cannot be taken away again."""
    sys.addaudithook(_audit)


@contextmanager
def watch_secrets(secrets: Mapping[str, str]) -> Iterator[SecretWatch]:
    """Watch all logs at DEBUG, all files that are opened for writing, and all processes that are started."""
    _install_audit()
    watch, root = SecretWatch(dict(secrets)), logging.getLogger()
    level = root.level
    root.addHandler(watch.handler)
    root.setLevel(logging.DEBUG)
    _watching.append(watch)
    try:
        yield watch
    finally:
        _watching.remove(watch)
        root.setLevel(level)
        root.removeHandler(watch.handler)


def list_readable_by_others(watch: SecretWatch) -> list[str]:
    """Return the files that were written and are still there, and that others than their owner may read."""
    paths = {Path(name) for name in watch.opened}
    found = [path for path in paths if path.is_file() and path.parts[:2] != ("/", "dev")]
    return sorted(str(path) for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077)
