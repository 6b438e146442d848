"""What the headers of an answer say, each read strictly: a header that does not read as it should says nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT: Final = 7 * 86_400.0
"""Seconds that ``Retry-After`` may ask for at most: Meta's longest window is a day, and a clock may be wrong."""

_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,40}/[A-Za-z0-9!#$&^_.+-]{1,40}")


def read_served_version(headers: Mapping[str, str]) -> str:
    """Return the Graph API version that Meta says it served, such as ``v25.0``; ``""`` where it says none."""
    text = headers.get("facebook-api-version", "").strip(" ")
    return text if _VERSION.fullmatch(text) else ""


def read_media_type(headers: Mapping[str, str]) -> str:
    """Return the media type of ``Content-Type``, such as ``text/html``; ``""`` where it names none."""
    text = headers.get("content-type", "").partition(";")[0].strip(" ")
    return text if _MEDIA_TYPE.fullmatch(text) else ""


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """Return ``Date``, when the answer was made, as aware UTC; None where it cannot be read."""
    return _read_http_date(headers.get("date", ""))


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, as a number or as a date; None where it asks for none.

    A date that has passed means now. What is longer than ``LONGEST_WAIT`` is cut to it.
    """
    text = headers.get("retry-after", "").strip(" ")
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_WAIT)
    moment = _read_http_date(text)
    return None if moment is None else min(max((moment - datetime.now(UTC)).total_seconds(), 0), LONGEST_WAIT)


def _read_http_date(text: str) -> datetime | None:
    # An HTTP date is always GMT (RFC 9110, 5.6.7), also where it does not say so.
    if not text.isascii() or len(text) > 60:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
