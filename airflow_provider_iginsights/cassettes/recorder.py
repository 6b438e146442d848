"""Records the answers of Meta that the transport gets, where the environment asks for it.

Nothing is written that was not replaced before: see :mod:`.replacing`. Each process appends to a file of its own, one
line for each HTTP call; :mod:`.files` makes one cassette of them at the end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from airflow_provider_iginsights.cassettes.exchange import (
    RecordedAnswer,
    RecordedExchange,
    RecordedRequest,
    split_relative_url,
)
from airflow_provider_iginsights.cassettes.files import append_line, format_exchange
from airflow_provider_iginsights.cassettes.json_bodies import RepeatedNames, format_content, pack_json, read_json
from airflow_provider_iginsights.cassettes.pseudonyms import Pseudonyms
from airflow_provider_iginsights.cassettes.replacing import Replacing
from airflow_provider_iginsights.errors import ConfigurationError

DIRECTORY: Final = "AIRFLOW_PROVIDER_IGINSIGHTS_RECORD_DIR"
SALT: Final = "AIRFLOW_PROVIDER_IGINSIGHTS_RECORD_SALT"
"""Environment variables that ``record`` sets for its command: the folder, and the salt that its processes share."""

_STATUSES: Final = range(100, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCall:
    """What was sent. ``form`` holds the fields of a POST."""

    login: str
    version: str
    path: str
    params: Mapping[str, str]
    form: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedAnswer:
    """What came back. ``problem``: why there is no whole answer; then ``content`` may be empty."""

    status: int | None
    headers: Mapping[str, str]
    content: bytes
    problem: str | None


class Recorder:
    """Appends calls and their answers to a folder. Safe to use from several threads and after a fork.

    :param hide: takes a text that is to be written and returns it without the secrets of the connection. None should be
        left in it; this makes sure.
    """

    def __init__(self, directory: Path, *, salt: str, hide: Callable[[str], str]) -> None:
        self._directory = directory
        self._replacing = Replacing(Pseudonyms(salt))
        self._hide = partial(_hide_secrets, hide=hide)

    def record(self, sent: SentCall, received: ReceivedAnswer) -> None:
        """Write down a call and its answer.

        :raises ConfigurationError: the folder cannot be written.
        """
        try:
            line = format_exchange(self._make_exchange(sent, received))
        except RecursionError:
            # Python reads JSON that is nested deeper than what it can replace and write.
            line = format_exchange(self._make_exchange(sent, received, is_read=False))
        path = self._directory / f"part-{os.getpid()}.jsonl"
        try:
            append_line(path, line)
        except OSError as error:
            raise ConfigurationError(
                f"The recording cannot be written to {self._directory}: {error.strerror}. Name a folder that can be "
                "written, or run the command without recording it."
            ) from error

    def _make_exchange(self, sent: SentCall, received: ReceivedAnswer, *, is_read: bool = True) -> RecordedExchange:
        """Return a call and its answer, whose body is a text where it is not read."""
        batch = _read_batch(sent.form)
        asked = list(map(split_relative_url, batch)) if batch else [(sent.path, sent.params)]
        items = _read_items(received, expected=len(batch)) if batch is not None and is_read else None
        replace_body = self._replacing.replace_body if is_read else self._replacing.replace_unread
        return RecordedExchange(
            at=datetime.now(UTC),
            version=sent.version,
            requests=[self._make_request(sent.login, path, params) for path, params in asked],
            is_batch=batch is not None,
            answer=self._make_answer(received, replace_body if items is None else lambda _: {}),
            items=None if items is None else list(map(self._make_item, items)),
        )

    def _make_request(self, login: str, path: str, params: Mapping[str, str]) -> RecordedRequest:
        replaced = self._hide(self._replacing.replace_params(params))
        return RecordedRequest.make(login, self._hide(self._replacing.replace_path(path)), replaced)

    def _make_answer(self, received: ReceivedAnswer, replace_body: Callable[[bytes], dict[str, Any]]) -> RecordedAnswer:
        return RecordedAnswer(
            status=received.status,
            headers=self._hide(self._replacing.replace_headers(received.headers.items())),
            content={} if received.status is None else self._hide(replace_body(received.content)),
            problem=None if received.content else received.problem,
        )

    def _make_item(self, item: Any) -> RecordedAnswer | None:
        if item is None:
            return None
        item = _take_last(item)
        body = self._replacing.replace_body(item["body"]) if _has_body(item) else None
        if body is not None and _is_regular(item):
            headers = self._hide(self._replacing.replace_headers(_read_pairs(item.get("headers"))))
            return RecordedAnswer(status=item.get("code", 200), headers=headers, content=self._hide(body))
        replaced = self._hide(self._replacing.replace_json(item))
        if body is not None:
            # Hidden on its own: what hides a secret in a text would break JSON in it.
            replaced["body"] = format_content(self._hide(body))
        return RecordedAnswer(content=pack_json(replaced), problem="no_item")


def open_recorder(*, hide: Callable[[str], str], environment: Mapping[str, str] = os.environ) -> Recorder | None:
    """Return the recorder that the environment asks for; None, as a rule."""
    directory, salt = environment.get(DIRECTORY), environment.get(SALT)
    return Recorder(Path(directory), salt=salt, hide=hide) if directory and salt else None


def _hide_secrets(value: Any, *, hide: Callable[[str], str]) -> Any:
    """Return JSON with each text and each name in it hidden. What is no text holds no secret any more."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, RepeatedNames):
        return RepeatedNames((hide(name), _hide_secrets(each, hide=hide)) for name, each in value)
    if isinstance(value, list):
        return [_hide_secrets(each, hide=hide) for each in value]
    if isinstance(value, dict):
        return {hide(name): _hide_secrets(each, hide=hide) for name, each in value.items()}
    return value


def _read_batch(form: Mapping[str, str] | None) -> list[str] | None:
    """Return the addresses of the reads of a batch; None for any other call."""
    if form is None or "batch" not in form:
        return None
    return [str(item["relative_url"]) for item in json.loads(form["batch"])]


def _read_items(received: ReceivedAnswer, *, expected: int) -> list[Any] | None:
    """Return the items of a batch's answer; None where it is no list of as many items as were asked for."""
    try:
        parsed = read_json(received.content)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(parsed, list) and not isinstance(parsed, RepeatedNames)
    return parsed if is_list and len(parsed) == expected else None


def _take_last(item: Any) -> Any:
    """Return an object with the last value of each name, as the client reads it."""
    return dict(item) if isinstance(item, RepeatedNames) else item


def _has_body(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("body"), str)


def _is_regular(item: Mapping[str, Any]) -> bool:
    """Return whether an item of a batch has the form that Meta documents; any other is recorded as it is."""
    code = item.get("code", 200)
    return item.keys() <= {"code", "headers", "body"} and type(code) is int and code in _STATUSES


def _read_pairs(headers: Any) -> Iterable[tuple[str, str]]:
    for each in headers if isinstance(headers, list) else ():
        pair = _take_last(each)
        if isinstance(pair, dict) and isinstance(pair.get("name"), str) and isinstance(pair.get("value"), str):
            yield pair["name"], pair["value"]
