"""Finds Meta's notifications in whatever brought them.

That is the object itself, the array that the docs print, JSON text, or the envelope of a message queue: a batch, a
``Body`` of text, a ``data`` in base64, a text that was made JSON once more.
"""

from __future__ import annotations

import base64
import codecs
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FIELD = "story_insights"
OBJECT = "instagram"
# A queue's envelope holds the body in a field of a message of a list; this is far deeper.
_DEEPEST = 12
# No notification is shorter, and most other fields of an envelope are.
_SHORTEST_TEXT = 20
_MOST_DIGITS = 40  # of a whole number: Python refuses to read 4,300, the columns end at 29
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")

Notification = Mapping[str, Any]


def read_json(text: str | bytes) -> Any:
    """Return what strict JSON says. A number that no column and no database's JSON can hold stays the text it was.

    :raises ValueError: it is not JSON, not UTF-8, nested beyond reason, or holds NaN or Infinity, which are no JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_read_float, parse_int=_read_int)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def find_notifications(value: Any) -> Iterator[Notification]:
    """Yield every object that has the keys ``object`` and ``entry``, from anywhere in ``value``, and nothing else."""
    return _find(value, _DEEPEST)


def select_story_insights(value: Any) -> tuple[dict[str, Any], ...]:
    """Return the notifications with nothing but their ``story_insights`` changes; those without any are left out.

    One callback address serves all subscriptions of an app: messages and comments of people are not kept.
    """
    found = (_select(notification) for notification in find_notifications(value))
    return tuple(notification for notification in found if notification["entry"])


def items(value: Any) -> Iterator[Any]:
    """Yield the elements of a list, or the one object that stands in its place; nothing else."""
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from value


def list_changes(entry: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the changes of an entry: those of its list, and the one that stands in the entry itself."""
    # META-40
    yield from items(entry.get("changes"))
    if "field" in entry:
        yield {"field": entry["field"], "value": entry.get("value")}


def _select(notification: Notification) -> dict[str, Any]:
    entries = items(notification["entry"]) if notification["object"] == OBJECT else ()
    kept = [_select_changes(entry) for entry in entries if isinstance(entry, Mapping)]
    return {"object": OBJECT, "entry": [entry for entry in kept if entry["changes"]]}


def _select_changes(entry: Mapping[str, Any]) -> dict[str, Any]:
    changes = [
        {"field": FIELD, "value": change.get("value")}
        for change in list_changes(entry)
        if isinstance(change, Mapping) and change.get("field") == FIELD
    ]
    return {"id": entry.get("id"), "time": entry.get("time"), "changes": changes}


def _find(value: Any, depth: int) -> Iterator[Notification]:
    if depth == 0:
        return
    if isinstance(value, str | bytes):
        value = _read_text(value)
    if isinstance(value, str):  # JSON that was made JSON once more
        yield from _find(value, depth - 1)
        return
    if isinstance(value, Mapping):
        if "object" in value and "entry" in value:
            yield value
            return
        value = tuple(value.values())
    if isinstance(value, Sequence):
        for item in value:
            yield from _find(item, depth - 1)


def _read_text(text: str | bytes) -> Any:
    """Return what a text holds if it is JSON, in clear or in base64; else None."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    raw = raw.strip().removeprefix(codecs.BOM_UTF8)
    if len(raw) < _SHORTEST_TEXT:
        return None
    try:
        return read_json(raw if raw[:1] in b'[{"' else _decode_base64(raw))
    except ValueError:
        return None


def _decode_base64(raw: bytes) -> bytes:
    """Return what either alphabet says, with or without padding, in one line or in many (RFC 4648, RFC 2045).

    :raises ValueError: it is no base64.
    """
    digits = b"".join(raw.split()).rstrip(b"=").translate(_STANDARD_ALPHABET)
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)


def _read_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _read_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
