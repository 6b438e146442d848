"""Reads the headers of an answer strictly: a header with an unexpected form is treated as missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from airflow_provider_iginsights.graph_api import is_version

MAX_WAIT: Final = 7 * 86_400.0
"""Longer waits of ``Retry-After`` (in seconds) are cut: Meta's longest window is a day, and a clock may be wrong."""

_SECONDS = re.compile(r"[0-9]{1,9}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,40}/[A-Za-z0-9!#$&^_.+-]{1,40}")


def read_served_version(headers: Mapping[str, str]) -> str:
    """Return the Graph API version that Meta served, such as ``v25.0``; ``""`` where the header is missing."""
    text = headers.get("facebook-api-version", "").strip(" ")
    return text if is_version(text) else ""


def read_media_type(headers: Mapping[str, str]) -> str:
    """Return the media type of ``Content-Type``, such as ``text/html``; ``""`` where there is none."""
    text = headers.get("content-type", "").partition(";")[0].strip(" ")
    return text if _MEDIA_TYPE.fullmatch(text) else ""


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """Return ``Date``, the time of the answer, as aware UTC; None where it cannot be read."""
    return _read_http_date(headers.get("date", ""))


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, which may be a number or a date; None where it is missing.

    A date in the past gives 0. A wait of more than ``MAX_WAIT`` is cut to it.
    """
    text = headers.get("retry-after", "").strip(" ")
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_WAIT)
    instant = _read_http_date(text)
    return None if instant is None else min(max((instant - datetime.now(UTC)).total_seconds(), 0), MAX_WAIT)


def _read_http_date(text: str) -> datetime | None:
    # An HTTP date is always GMT (RFC 9110, 5.6.7), even without a zone.
    if not text.isascii() or len(text) > 60:
        return None
    try:
        instant = parsedate_to_datetime(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
