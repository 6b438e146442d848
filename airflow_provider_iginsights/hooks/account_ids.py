"""Reads account ids in whatever form a template, a mapped task or a connection's extra hands them over."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.json_values import read_id
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.task.arguments import is_not_given, read_object

_USERNAME = re.compile(r"@[A-Za-z0-9._]{1,30}")
_OPENING = ("[", "{", "(", '"')
# The results of a mapped task that is mapped again are lists of lists.
_DEEPEST = 5


def parse_account_ids(value: object, *, source: str = "account_ids") -> tuple[str, ...]:
    """Return account ids and ``@usernames``, in order and each once.

    :param value: a number, a text with commas or blanks between, JSON or Python text of a list, a list, a set,
        Airflow's lazy sequence of a mapped task's results, or lists of these; None, blank and ``"None"`` = none.
    :param source: where they stand, for the message.
    :raises ConfigurationError: something in there is neither an id nor a username with its @; it is quoted.
    """
    entries = [] if is_not_given(value) else list(_flatten(value, _DEEPEST))
    for place, entry in enumerate(entries, start=1):
        if not isinstance(entry, str):
            raise ConfigurationError(
                f"{source} holds {quote_value(entry.value)} (number {place} of {len(entries)}), which is no id of an "
                "Instagram professional account: those are whole numbers of up to 25 digits, such as "
                "17841405822304914. A username needs its @, such as @brand."
            )
    return tuple(dict.fromkeys(entry for entry in entries if isinstance(entry, str)))


def is_username(entry: str) -> bool:
    """Return whether an entry is a username, with its @."""
    return entry.startswith("@")


class _Unreadable:
    """An entry that is no id."""

    def __init__(self, value: object) -> None:
        self.value = value


def _flatten(value: Any, depth: int) -> Iterator[str | _Unreadable]:
    """Yield ids and usernames; what is neither comes wrapped."""
    if isinstance(value, str):
        yield from _split(value, depth)
    elif depth and isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray | memoryview):
        for item in sorted(value, key=quote_value) if isinstance(value, Set) else value:
            yield from _flatten(item, depth - 1)
    else:
        yield _read_number(value)


def _split(text: str, depth: int) -> Iterator[str | _Unreadable]:
    stripped = text.strip()
    if stripped.startswith(_OPENING):
        found = read_object(stripped)
        if depth and isinstance(found, Sequence | Set | int) and not isinstance(found, bytes):
            yield from _flatten(found, depth - 1)
        else:
            yield _Unreadable(text)
        return
    for entry in filter(None, re.split(r"[,;\s]+", text)):
        if _USERNAME.fullmatch(entry):
            # Instagram's usernames have no upper case.
            yield entry.lower()
        else:
            yield read_id(entry) or _Unreadable(entry)


def _read_number(value: Any) -> str | _Unreadable:
    """Return the digits of a whole number; a float has lost the last digits of an id."""
    if not isinstance(value, bool | Mapping):
        with suppress(TypeError, ValueError):
            return read_id(str(operator.index(value))) or _Unreadable(value)
    return _Unreadable(value)
