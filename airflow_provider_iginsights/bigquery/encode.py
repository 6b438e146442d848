"""One value of a row as the JSON text that BigQuery's load job reads, or the reason why the column cannot store it.

Strict: a value is never bent to fit. The one exception is a NUMERIC with more than 9 decimals, which is rounded half
up. Integers beyond 2^53 and decimal fractions travel as strings, since JSON readers turn them into doubles. Dates and
timestamps leave in one spelling each (``2026-11-20``, ``2026-11-20T08:00:00.000000Z``), so that they compare
as text.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_iginsights.catalog.columns import ColumnType

    Encoder = Callable[[object], str]

# Beyond this a JSON number loses digits in readers that take it for a double: BigQuery's documentation asks for strings
# ("Loading JSON data: INT64").
SAFE_INTEGER = 2**53
# "Data types: NUMERIC": 38 digits, 9 of them after the point.
_NUMERIC_LIMIT = 10**29
_NUMERIC_STEP = Decimal("1e-9")
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


class UnstorableValue(ValueError):
    """A value that its column cannot store; the text completes "the column ...". Stays inside this room."""


def encode_string(value: object) -> str:
    """Return text as it is, emoji and NUL included. Lone surrogates are found when the row is written."""
    if isinstance(value, str):
        return encode_basestring(value)
    raise UnstorableValue(f"needs text, not {type(value).__name__}")


def encode_int64(value: object) -> str:
    """Return an integer of at most 64 bits."""
    if type(value) is not int:
        raise UnstorableValue(f"needs an integer, not {type(value).__name__}")
    if not -(2**63) <= value < 2**63:
        raise UnstorableValue("needs an integer of at most 64 bits")
    return str(value) if -SAFE_INTEGER <= value <= SAFE_INTEGER else f'"{value}"'


def encode_numeric(value: object) -> str:
    """Return a number with at most 29 digits before and 9 after the point."""
    if type(value) is int and -SAFE_INTEGER <= value <= SAFE_INTEGER:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UnstorableValue(f"needs a number, not {type(value).__name__}")
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise UnstorableValue("needs a finite number, not NaN or Infinity")
    if exact.copy_abs() >= _NUMERIC_LIMIT:
        raise UnstorableValue("needs a number with at most 29 digits before the point")
    rounded = exact.quantize(_NUMERIC_STEP, context=_EXACT)
    if rounded.copy_abs() >= _NUMERIC_LIMIT:
        raise UnstorableValue("needs a number with at most 29 digits before the point")
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return '"0"' if text == "-0" else f'"{text}"'


def encode_bool(value: object) -> str:
    """Return True or False."""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise UnstorableValue(f"needs true or false, not {type(value).__name__}")


def encode_date(value: object) -> str:
    """Return a date, given as such or in ISO 8601, as ``YYYY-MM-DD``."""
    if isinstance(value, str):
        try:
            return f'"{date.fromisoformat(value)}"'
        except ValueError:
            raise UnstorableValue("needs a date in the form 2026-11-20") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return _format_date(value)
    raise UnstorableValue(f"needs a date, not {type(value).__name__}")


@lru_cache(maxsize=4096)
def _format_date(value: date) -> str:
    return f'"{value}"'


def encode_timestamp(value: object) -> str:
    """Return an instant, given as an aware datetime or in ISO 8601 with its offset, in UTC with microseconds and Z."""
    if isinstance(value, str):
        return _encode_iso_timestamp(value)
    if not isinstance(value, datetime):
        raise UnstorableValue(f"needs a time, not {type(value).__name__}")
    if value.tzinfo is None:
        raise UnstorableValue("needs a time with its offset from UTC")
    try:
        instant = value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise UnstorableValue("needs a time between the years 1 and 9999") from None
    return f'"{instant.isoformat(timespec="microseconds")}Z"'


@lru_cache(maxsize=4096)
def _encode_iso_timestamp(text: str) -> str:
    """Return a text's instant: a post's comes with its own row and with each of its numbers."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise UnstorableValue("needs a time in the form 2026-11-20T08:00:00Z") from None
    return encode_timestamp(instant)


ENCODERS: Mapping[ColumnType, Encoder] = {
    "STRING": encode_string,
    "INT64": encode_int64,
    "NUMERIC": encode_numeric,
    "BOOL": encode_bool,
    "DATE": encode_date,
    "TIMESTAMP": encode_timestamp,
}
