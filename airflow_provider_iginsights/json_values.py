"""What one value of a JSON answer plainly means, and None where it has no plain meaning.

The one place that decides this, for every answer of Meta. A value is read where every reader would read the same: a
number that came as text (``"12"``), a whole number with a point (``12.0``), an id without its quotes. Nothing is
guessed: ``true`` is no number, ``1.5`` no count, ``[]`` no object, and no date is made of a bare number. Every function
takes whatever ``json.loads`` may return, never raises, and returns None where there is no plain reading; null is none
too, so a caller who must tell null from nonsense looks at the value first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

EXACT_IN_FLOAT = 2**53
"""Up to here a float holds every whole number: beyond, ``json.loads`` may have changed the number that was sent."""

_INT64 = 2**63
# A NUMERIC has 29 digits before the point and 9 after it; what is rounded up to the 30th digit is too large as well.
_NUMERIC_END = Decimal("99999999999999999999999999999.9999999995")
_WHOLE = re.compile(r"-?[0-9]{1,40}(?:\.0{1,40})?")
_DECIMAL = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_ID_LENGTH = 25
_INSTANT = re.compile(
    r"(?!0001|9999)[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)"
)


def read_text(value: Any) -> str | None:
    """Return text that UTF-8 can carry; a whole number of at most 64 bits in its digits (a username ``123``).

    Half of an emoji, a lone surrogate, becomes U+FFFD. Objects, lists, true, false and 1.5 are no text.
    """
    if isinstance(value, str):
        if value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return value
    return str(value) if _is_int64(value) else None


def read_id(value: Any) -> str | None:
    """Return the id of an object, a text of at most 25 digits (it becomes part of a path); 17841 as ``"17841"``.

    0 is no id: no object has it, and in many interfaces it stands for none.
    """
    if isinstance(value, str):
        is_id = len(value) <= _ID_LENGTH and value.isascii() and value.isdigit() and value.strip("0")
        return value if is_id else None
    return str(value) if _is_int64(value) and value > 0 else None


def read_whole_number(value: Any) -> int | None:
    """Return a whole number that INT64 can store, given as ``12``, ``12.0``, ``"12"`` or ``"12.0"``."""
    if isinstance(value, str):
        value = int(value.partition(".")[0]) if _WHOLE.fullmatch(value) else None
    elif isinstance(value, float):
        value = _whole(value)
    return value if _is_int64(value) else None


def read_count(value: Any) -> int | None:
    """Return a whole number that is no less than 0: -1 stands for a hidden count in other interfaces of Meta."""
    count = read_whole_number(value)
    return None if count is None or count < 0 else count


def read_flag(value: Any) -> bool | None:
    """Return true or false, given as such, as ``"true"`` or ``"false"``, or as 1 or 0; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return bool(value) if type(value) in (bool, int) and value in (0, 1) else None


def read_number(value: Any) -> int | float | Decimal | None:
    """Return a finite number that NUMERIC can store, also one that came as text (``"12"``, ``"1.25"``).

    More than 9 decimals are rounded where it is written. A text is read as exactly as it stands, never through a float.
    """
    if type(value) is int:
        return value if -(10**29) < value < 10**29 else None
    if isinstance(value, float):
        whole = _whole(value)
        return whole if whole is not None else (value if -1e29 < value < 1e29 else None)
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return None
    exact = Decimal(value)
    if exact.copy_abs() >= _NUMERIC_END:
        return None
    return int(exact) if exact == int(exact) else exact


@lru_cache(maxsize=4096)
def _read_instant(text: str) -> datetime | None:
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except ValueError:
        return None


def read_instant(value: Any) -> datetime | None:
    """Return an ISO 8601 text with date, time and offset (Meta's ``2026-11-20T08:00:00+0000``) as an aware UTC instant.

    A text without its offset may mean any of 26 hours, a bare number seconds or milliseconds: neither is read. Nor are
    the first and the last year of the calendar, whose days before and after no date can name.
    """
    return _read_instant(value) if isinstance(value, str) else None


def read_object(value: Any) -> Mapping[str, Any] | None:
    """Return a JSON object."""
    return value if isinstance(value, dict) else None


def read_list(value: Any) -> list[Any] | None:
    """Return a JSON list."""
    return value if isinstance(value, list) else None


def read_objects(value: Any) -> list[Mapping[str, Any]] | None:
    """Return the objects of a JSON list, without its elements that are none: their number tells what is missing."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else None


def _is_int64(value: Any) -> bool:
    return type(value) is int and -_INT64 <= value < _INT64


def _whole(value: float) -> int | None:
    return int(value) if -EXACT_IN_FLOAT <= value <= EXACT_IN_FLOAT and value.is_integer() else None
