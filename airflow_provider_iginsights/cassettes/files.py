"""The form of a cassette on the disk: a folder, readable by its owner alone, with one file ``cassette.jsonl``.

Its first line says what it is, each further line is one HTTP call and its answer, and the last line says that it is
whole. While a command is recorded, each of its processes writes such lines to a file ``part-….jsonl`` of its own, and a
file ``recording.lock`` keeps other recordings out of the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import NoneType
from typing import Any, Final

from airflow_provider_iginsights import __version__
from airflow_provider_iginsights.cassettes.exchange import RecordedAnswer, RecordedExchange, RecordedRequest
from airflow_provider_iginsights.cassettes.json_bodies import format_content
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.graph_api import is_version
from airflow_provider_iginsights.quoting import quote_value

FILE_NAME: Final = "cassette.jsonl"
FORMAT: Final = "airflow-provider-iginsights cassette"
FORMAT_VERSION: Final = 1
"""A release reads its own version and all before it."""

_PARTS: Final = "part-*.jsonl"
_LOCK: Final = "recording.lock"
_NO_EXCHANGE: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading a line raises that is no call with its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """The calls of one run, in the order of their answers."""

    exchanges: Sequence[RecordedExchange]

    @property
    def recorded_at(self) -> datetime:
        """Return when the first answer was there, by Meta's clock if it told the time (aware UTC)."""
        first = self.exchanges[0]
        try:
            return parsedate_to_datetime(first.answer.headers["date"]).astimezone(UTC)
        except (LookupError, ValueError):
            return first.at


def create_directory(directory: Path) -> None:
    """Make an empty folder that only its owner can look into, for one recording: until ``finish_cassette``.

    :raises ConfigurationError: it exists and holds something, is being recorded to, or cannot be made.
    """
    lock = directory / _LOCK
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        is_empty = [lock] == list(directory.iterdir())
        if is_empty:
            directory.chmod(0o700)
        else:
            lock.unlink()
    except OSError as error:
        if isinstance(error, FileExistsError) and directory.is_dir():
            why = f"another recording writes to it, or was killed before its end: {_LOCK} is there"
        else:
            why = str(error.strerror)
        raise ConfigurationError(f"The folder {directory} cannot be used: {why}. Name another one.") from error
    if not is_empty:
        raise ConfigurationError(f"The folder {directory} is not empty. Name a new one, so that no recording is lost.")


def append_line(path: Path, line: str) -> None:
    """Append a line to a file that only its owner can read, with one call of the system.

    It begins with a line end, so that half a line before it, which a full disk has left, does not spoil it.

    :raises OSError: it cannot be written.
    """
    content = f"\n{line}\n".encode("ascii")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def finish_cassette(directory: Path) -> tuple[int, int]:
    """Make one file of what the processes have written; return the calls in it, and the lines that were cut off.

    A process that was killed may have left half a line. Without a call there is no file.

    :raises ConfigurationError: the folder cannot be read or written; what the processes have written is kept.
    """
    temporary = directory / f"{FILE_NAME}.tmp"
    try:
        lines, cut = _read_parts(directory)
        if lines:
            _write_whole(temporary, lines)
            temporary.replace(directory / FILE_NAME)
        for path in directory.glob(_PARTS):
            path.unlink()
        (directory / _LOCK).unlink(missing_ok=True)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ConfigurationError(
            f"The cassette cannot be written to {directory}: {error.strerror}. Its calls are kept there in files "
            f"{_PARTS}, which cannot be replayed. Make room, or name another folder, and record the run again."
        ) from error
    return len(lines), cut


def read_cassette(directory: Path) -> Cassette:
    """Return the cassette of a folder.

    :raises ConfigurationError: there is none, it is not whole, or a newer release has written it.
    """
    path = directory / FILE_NAME
    try:
        lines = path.read_text("ascii").splitlines()
    except FileNotFoundError:
        unfinished = any(directory.glob(_PARTS))
        why = "the recording was ended before its command" if unfinished else f"there is no file {FILE_NAME}"
        raise ConfigurationError(f"The folder {directory} holds no cassette: {why}. Record the run again.") from None
    except NotADirectoryError as error:
        raise ConfigurationError(f"{directory} is a file. Name the folder that holds {FILE_NAME}.") from error
    except OSError as error:
        raise ConfigurationError(
            f"The cassette {path} cannot be read: {error.strerror}. Copy it to where you may read it."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The file {path} is not plain text, as a cassette is. Copy it again.") from error
    parsed = _parse_lines(lines, path)
    begin = next(parsed, {})
    _check_begin(begin, path)
    found = [begin, *parsed]
    if len(found) < 3 or found[-1] != {"end": len(found) - 2}:
        raise ConfigurationError(
            f"The cassette {path} is not whole: its last line is missing or does not fit. Copy or record it again."
        )
    return Cassette(exchanges=list(_read_exchanges(found[1:-1], path)))


def format_exchange(exchange: RecordedExchange) -> str:
    """Return a call as one line of JSON in ASCII."""
    found: dict[str, Any] = {
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "version": exchange.version,
        "requests": [
            {"login": each.login, "path": each.path, "params": dict(each.params)} for each in exchange.requests
        ],
        "is_batch": exchange.is_batch,
        "answer": _format_answer(exchange.answer),
    }
    if exchange.items is not None:
        found["items"] = [None if each is None else _format_answer(each) for each in exchange.items]
    return json.dumps(found)


def _read_parts(directory: Path) -> tuple[list[str], int]:
    """Return the whole lines of all processes in the order of the answers, and how many others there are."""
    found, cut = [], 0
    for path in sorted(directory.glob(_PARTS)):
        for line in filter(None, path.read_bytes().split(b"\n")):
            try:
                text = line.decode("ascii")
                found.append((_read_exchange(json.loads(text)).at, text))
            except _NO_EXCHANGE:
                cut += 1
    found.sort(key=lambda line: line[0])
    return [text for _, text in found], cut


def _write_whole(path: Path, lines: Sequence[str]) -> None:
    begin = {"format": FORMAT, "format_version": FORMAT_VERSION, "package_version": __version__}
    text = "\n".join([json.dumps(begin), *lines, json.dumps({"end": len(lines)})])
    with open(path, "x", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(f"{text}\n")


def _parse_lines(lines: Iterable[str], path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ConfigurationError(f"The cassette {path} is not whole: line {number} cannot be read. Copy it again.")
        yield found


def _read_exchanges(found: Iterable[Mapping[str, Any]], path: Path) -> Iterator[RecordedExchange]:
    for number, each in enumerate(found, start=2):
        try:
            yield _read_exchange(each)
        except _NO_EXCHANGE as error:
            raise ConfigurationError(
                f"The cassette {path} is broken: line {number} is no call with its answer. Copy or record it again."
            ) from error


def _check_begin(begin: Mapping[str, Any], path: Path) -> None:
    if begin.get("format") != FORMAT:
        raise ConfigurationError(f"The file {path} is no cassette of this package.")
    version = begin.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ConfigurationError(
            f"The cassette {path} has the format {quote_value(version)}, and this release reads {FORMAT_VERSION}: use "
            f"release {quote_value(begin.get('package_version'))} or a later one."
        )


def _format_answer(answer: RecordedAnswer) -> dict[str, Any]:
    named = {
        "status": answer.status,
        "headers": dict(answer.headers),
        "content": dict(answer.content),
        "problem": answer.problem,
    }
    return {name: value for name, value in named.items() if value not in (None, {})}


def _read_exchange(found: Mapping[str, Any]) -> RecordedExchange:
    items = found.get("items")
    at = datetime.fromisoformat(found["at"])
    if at.tzinfo is None or not found["requests"] or not is_version(found["version"]):
        raise ValueError("A call has an instant with its offset, a request, and a version.")
    return RecordedExchange(
        at=at,
        version=found["version"],
        requests=list(map(_read_request, found["requests"])),
        is_batch=bool(found["is_batch"]),
        answer=_read_answer(found["answer"]),
        items=None if items is None else [None if each is None else _read_answer(each) for each in items],
    )


def _read_request(found: Mapping[str, Any]) -> RecordedRequest:
    login, path, params = found["login"], found["path"], found["params"]
    _check_texts(login, path, *params, *params.values())
    return RecordedRequest.make(login, path, params)


def _read_answer(found: Mapping[str, Any]) -> RecordedAnswer:
    answer = RecordedAnswer(**found)
    if type(answer.status) not in (int, NoneType):
        raise ValueError("A status is a number.")
    _check_texts(answer.problem or "", *answer.headers, *answer.headers.values())
    format_content(answer.content)  # what is no body raises one of the errors of a line that is no call
    return answer


def _check_texts(*found: Any) -> None:
    if not all(isinstance(each, str) for each in found):
        raise ValueError("Names, parameters and headers are texts.")
