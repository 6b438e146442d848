"""Parses JSON of the Graph API, in bodies and in headers. NaN, infinity and deeply nested values are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from math import isinf
from typing import Any, Final


def read_json(content: bytes | str) -> Any:
    """Return what ``json.loads`` returns, in half the time where msgspec is installed (Airflow 3.0 and later).

    Where msgspec fails (half of an emoji, a byte order mark, UTF-16), Python's own parser decides.

    :raises ValueError: it is no JSON, or contains NaN, infinity, a number too large for a float, an integer of more
        than 4,300 digits, or too many nested levels for Python.
    """
    decode, errors = _find_fast_decoder()
    try:
        return decode(content)
    except errors:
        return _decode(_DICTS, content)


def read_json_pairs(text: str) -> Any:
    """Return the same with a list of pairs for each object, so that a repeated name keeps both values."""
    return _decode(_PAIRS, text)


@cache
def _find_fast_decoder() -> tuple[Callable[[bytes | str], Any], tuple[type[Exception], ...]]:
    """Return the fastest parser that is installed, and the exceptions after which Python's own parser is used."""
    try:
        import msgspec
    except ImportError:  # Airflow 2.11 does not depend on msgspec.
        return lambda content: _decode(_DICTS, content), ()
    return msgspec.json.decode, (msgspec.MsgspecError, ValueError, RecursionError)


def _decode(decoder: json.JSONDecoder, content: bytes | str) -> Any:
    text = content.decode(json.detect_encoding(content), "surrogatepass") if isinstance(content, bytes) else content
    text = text.removeprefix("\ufeff")  # the mark of a body that stands as text in an item of a batch
    try:
        return decoder.decode(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deep") from None


def _make_decoder(pairs: Callable[[list[tuple[str, Any]]], Any] | None) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=pairs, parse_constant=_refuse_constant, parse_float=_read_float)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("The number is too large for a float.")
    return number


_DICTS: Final = _make_decoder(None)
_PAIRS: Final = _make_decoder(list)
