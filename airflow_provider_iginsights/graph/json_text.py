"""JSON as the Graph API sends it, in bodies and in headers. What no program would send is not JSON here."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from math import isinf
from typing import Any, Final


def read_json(content: bytes | str) -> Any:
    """Return what ``json.loads`` returns, in half the time where Airflow brought msgspec (3.0 and later).

    What msgspec does not read (half of an emoji, a byte order mark, UTF-16) is read by Python's own reader, which alone
    decides what is no JSON.

    :raises ValueError: it is no JSON, holds NaN, infinity, a number beyond every float, an integer of more digits than
        Python reads (4,300), or is nested deeper than Python can follow.
    """
    decode, unread = _find_fast_decoder()
    try:
        return decode(content)
    except unread:
        return _decode(_DICTS, content)


def read_json_pairs(text: str) -> Any:
    """Return the same with lists of pairs for objects: a name that comes twice keeps both its values."""
    return _decode(_PAIRS, text)


@cache
def _find_fast_decoder() -> tuple[Callable[[bytes | str], Any], tuple[type[Exception], ...]]:
    """Return a reader that agrees with Python's on all that it reads, and what it raises where it does not read."""
    try:
        import msgspec
    except ImportError:  # Airflow 2.11
        return lambda content: _decode(_DICTS, content), ()
    return msgspec.json.decode, (msgspec.MsgspecError, ValueError, RecursionError)


def _decode(decoder: json.JSONDecoder, content: bytes | str) -> Any:
    text = content.decode(json.detect_encoding(content), "surrogatepass") if isinstance(content, bytes) else content
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None


def _make_decoder(pairs: Callable[[list[tuple[str, Any]]], Any] | None) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=pairs, parse_constant=_refuse, parse_float=_read_float)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("A number beyond every float is no number.")
    return number


_DICTS: Final = _make_decoder(None)
_PAIRS: Final = _make_decoder(list)
