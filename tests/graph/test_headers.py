"""Headers of an answer: read strictly, passed over where they cannot be read, never the cause of an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.headers import (
    MAX_WAIT,
    read_date,
    read_media_type,
    read_retry_after,
    read_served_version,
)
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest
from tests.support.raw_server import RawServer, answer_with

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HALF_PAST = datetime(2026, 11, 21, 12, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("1_000", None),
        ("١٢٠", None),
        ("¹²", None),
        ("１２０", None),
        ("999999999", MAX_WAIT),
        ("9" * 5000, None),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 12:01:30 -0000", 90),
        ("Sat, 21 Nov 2026 12:01:30", 90),
        ("Saturday, 21-Nov-26 12:01:30 GMT", 90),
        ("Sat Nov 21 12:01:30 2026", 90),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Thu, 01 Jan 0001 00:00:00 +2359", 0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_WAIT),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Sat, 99 Nov 2026 12:01:30 GMT", None),
        ("Sat, 21 Nov 2026 12:01:30 +999999999999999999999", None),
        ("120, 240", None),
        ("2026-11-21T12:01:30Z", None),
    ],
)
def test_reads_retry_after(header: str, seconds: float | None) -> None:
    """Retry-After is whole seconds or an HTTP date, within bounds; a date that has passed means now."""
    with time_machine.travel(NOW, tick=False):
        assert read_retry_after({"retry-after": header}) == seconds


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        ("Sat, 21 Nov 2026 12:01:30 GMT", HALF_PAST),
        ("Sat, 21 Nov 2026 13:01:30 +0100", HALF_PAST),
        ("Sat, 21 Nov 2026 12:01:30 -0000", HALF_PAST),
        ("Saturday, 21-Nov-26 12:01:30 GMT", HALF_PAST),
        ("", None),
        ("now", None),
        ("1764000000", None),
        ("Sat, 31 Feb 2026 12:01:30 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Sat, ２１ Nov 2026 12:01:30 GMT", None),
    ],
)
def test_reads_the_date(header: str, moment: datetime | None) -> None:
    """Date becomes an aware instant in UTC, whatever zone it names; what is no date is None."""
    found = read_date({"date": header})
    assert found == moment
    assert found is None or found.utcoffset() == NOW.utcoffset()


@pytest.mark.parametrize(
    ("header", "version"),
    [
        ("v25.0", "v25.0"),
        (" v25.0 ", "v25.0"),
        ("v8.0", "v8.0"),
        ("25.0", ""),
        ("v25", ""),
        ("v25.0\x1b[31m", ""),
        ("v25.0, v26.0", ""),
        ("v٢٥.٠", ""),
        ("v25.0; access_token=EAAGm0PX4ZCpsBAKZ", ""),
        ("", ""),
    ],
)
def test_reads_the_served_version(header: str, version: str) -> None:
    """What looks like v25.0 is a version, anything else is ignored."""
    assert read_served_version({"facebook-api-version": header}) == version


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("application/json", "application/json"),
        ("", ""),
        ("html", ""),
        ("text/html\x1b[31m", ""),
        ("text/\u202ehtml", ""),
        ("Bearer EAAGm0PX4ZCpsBAKZCyc9", ""),
        ("a/" + "b" * 300, ""),
    ],
)
def test_reads_the_media_type(header: str, kind: str) -> None:
    """Content-Type is shown in messages, so only what reads as a media type is taken from it."""
    assert read_media_type({"content-type": header}) == kind


@given(text=st.text() | st.text(alphabet="0123456789:, +-GMTSatNov"))
def test_no_header_raises(text: str) -> None:
    """Whatever text stands in a header, reading it never fails, and what comes out is within bounds."""
    moment = read_date({"date": text})
    assert moment is None or moment.tzinfo is UTC
    wait = read_retry_after({"retry-after": text})
    assert wait is None or 0 <= wait <= MAX_WAIT
    assert all(mark.isascii() for mark in read_served_version({"facebook-api-version": text}))
    assert all(mark.isascii() for mark in read_media_type({"content-type": text}))


@pytest.mark.parametrize(
    ("date", "when"),
    [
        ("Sat, 21 Nov 2026 12:01:30 GMT", HALF_PAST),
        ("no date", None),
    ],
)
def test_an_answer_carries_its_date(
    speak: Callable[..., RawServer], connect: Callable[..., GraphClient], date: str, when: datetime | None
) -> None:
    """Single answers have the Date of their HTTP answer; items of a batch have their envelope's, not their own."""
    item = {"code": 200, "headers": [{"name": "Date", "value": "Mon, 01 Jan 2001 00:00:00 GMT"}], "body": '{"id":"1"}'}
    envelope = json.dumps([item]).encode()
    client = connect(speak(answer_with(b"{}", f"Date: {date}"), answer_with(envelope, f"Date: {date}")).url)
    assert client.get(GraphRequest("me", {})).date == when
    (answer,) = client.batch([GraphRequest("1", {})])
    assert isinstance(answer, Answer)
    assert answer.date == when
