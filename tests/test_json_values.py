"""What one JSON value plainly means: read where every reader would read the same, None everywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.bigquery.encode import encode_int64, encode_numeric, encode_string, encode_timestamp
from airflow_provider_iginsights.json_values import (
    read_count,
    read_flag,
    read_id,
    read_instant,
    read_list,
    read_number,
    read_object,
    read_objects,
    read_text,
    read_whole_number,
)

READERS = (
    read_text,
    read_id,
    read_whole_number,
    read_count,
    read_number,
    read_instant,
    read_object,
    read_list,
    read_objects,
)

LARGEST = 2**63 - 1
WIDEST = 10**29 - 1


def _json(value: Any) -> Any:
    """Send a value through JSON, as an answer does."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("sale \U0001f600", "sale \U0001f600"),
        ("sale \ud83d", "sale \ufffd"),
        ("\ude00 sale", "\ufffd sale"),
        ("\ud83d\ud83d x", "\ufffd\ufffd x"),
        ("caf\xe9 \ud83dx", "caf\xe9 \ufffdx"),
        ("\x00\u202e", "\x00\u202e"),
        ("None", "None"),
        (123, "123"),
        (-1, "-1"),
        (LARGEST + 1, None),
        (1.0, None),
        (True, None),
        (None, None),
        ([], None),
        ({"message": "x"}, None),
    ],
)
def test_text(value: Any, text: str | None) -> None:
    """Text stays as it is but for lone surrogates; whole numbers have one spelling, everything else has none."""
    assert read_text(value) == text


def test_two_halves_of_an_emoji_are_one() -> None:
    """Two halves that were escaped one by one are the emoji, however they came together."""
    assert read_text(json.loads(r'"\ud83d\ude00"')) == "\U0001f600"
    assert read_text("\ud83d" + "\ude00") == "\U0001f600"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("17841400000000001", "17841400000000001"),
        (17841400000000001, "17841400000000001"),
        ("1" * 25, "1" * 25),
        ("17841_99", None),
        ("None", None),
        ("something else", None),
        (0, None),
        ("0", None),
        ("000", None),
        ("", None),
        (" 1", None),
        ("1\n", None),
        ("1/insights?x=", None),
        ("..", None),
        ("%31", None),
        ("\u0661", None),
        (-1, None),
        (1.0, None),
        (True, None),
        (None, None),
        ({"id": "1"}, None),
        ("1" * 26, None),
    ],
)
def test_ids(value: Any, found: str | None) -> None:
    """An id is made of digits, so it never leads out of a path, and no word of an answer is one."""
    assert read_id(value) == found


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (12, 12),
        ("12", 12),
        ("-1", -1),
        ("007", 7),
        (12.0, 12),
        ("12.0", 12),
        (-0.0, 0),
        (1e3, 1000),
        (LARGEST, LARGEST),
        (str(LARGEST), LARGEST),
        (LARGEST + 1, None),
        (str(LARGEST + 1), None),
        (-LARGEST - 2, None),
        (2.0**53, 2**53),
        (2.0**53 + 2, None),
        (1.5, None),
        ("1.5", None),
        ("1e3", None),
        ("1,234", None),
        ("1 234", None),
        ("12\n", None),
        ("\u0661\u0662", None),
        ("1_000", None),
        ("0x1", None),
        ("", None),
        ("9" * 5000, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ([12], None),
        ({"value": 12}, None),
    ],
)
def test_whole_numbers(value: Any, number: int | None) -> None:
    """Counts come as numbers, as text, with a point and nothing behind it; what INT64 cannot store is none."""
    assert read_whole_number(value) == number
    assert type(read_whole_number(value)) in (int, type(None))
    assert read_count(value) == (None if number is None or number < 0 else number)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (0.0, 0),
        (12.0, 12),
        (1.5, 1.5),
        ("123", 123),
        ("-1.25", Decimal("-1.25")),
        ("12.00", 12),
        ("0.123456789012", Decimal("0.123456789012")),
        (WIDEST, WIDEST),
        (WIDEST + 1, None),
        (str(WIDEST), WIDEST),
        (str(WIDEST + 1), None),
        (f"{WIDEST}.9999999994", Decimal(f"{WIDEST}.9999999994")),
        (f"{WIDEST}.9999999995", None),
        (f"-{WIDEST}.9999999999", None),
        (1e28, 1e28),
        (1e29, None),
        (1e308, None),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        ("NaN", None),
        ("Infinity", None),
        ("1e5", None),
        ("12%", None),
        ("1,5", None),
        ("", None),
        (" 5", None),
        (False, None),
        (None, None),
        ({}, None),
    ],
)
def test_numbers(value: Any, number: float | Decimal | None) -> None:
    """A value of the NUMERIC columns: finite, within 29 digits, in digits; text is read exactly."""
    assert read_number(value) == number


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-11-20T08:00:00+0000", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20t08:00:00z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20 00:00:00.5-08:00", datetime(2026, 11, 20, 8, 0, 0, 500_000, UTC)),
        ("2026-11-20T08:00:00", None),
        ("2026-11-20", None),
        ("2026-11-31T08:00:00+0000", None),
        ("2026-11-20T25:00:00+0000", None),
        ("2026-11-20T08:00:00+9900", None),
        ("2026-11-20\ud83d08:00:00+0000", None),
        ("0001-01-01T00:00:00+0000", None),
        ("0000-01-01T00:00:00+0000", None),
        ("9999-12-31T23:59:59-0800", None),
        ("2026-W47-5T08:00:00Z", None),
        ("1795161600", None),
        (1795161600, None),
        (1795161600000.0, None),
        ("yesterday", None),
        ("", None),
        (None, None),
        ({"date": "2026-11-20"}, None),
    ],
)
def test_instants(value: Any, instant: datetime | None) -> None:
    """An instant names its day, its hour and its distance from UTC; a bare number names nothing."""
    assert read_instant(value) == instant
    assert instant is None or read_instant(value).tzinfo is UTC  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "as_object", "as_list", "as_objects"),
    [
        ({"a": 1}, {"a": 1}, None, None),
        ([{"a": 1}, 5, None, []], None, [{"a": 1}, 5, None, []], [{"a": 1}]),
        ([], None, [], []),
        ("[]", None, None, None),
        (None, None, None, None),
        (5, None, None, None),
    ],
)
def test_containers(value: Any, as_object: Any, as_list: Any, as_objects: Any) -> None:
    """An object is an object and a list a list; a list of objects goes on without what is none."""
    assert (read_object(value), read_list(value), read_objects(value)) == (as_object, as_list, as_objects)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)


@given(ANY_JSON, st.sampled_from(READERS))
def test_no_value_raises(value: Any, read: Callable[[Any], Any]) -> None:
    """Whatever JSON can say, each reader answers, and what it read once it reads again in the same way."""
    read(value)
    read(_json(value))


@given(ANY_JSON | st.integers().map(str) | st.decimals(allow_nan=False).map(str))
def test_what_is_read_can_be_stored(value: Any) -> None:
    """No column refuses what its reader returned."""
    for read, encode in ((read_text, encode_string), (read_whole_number, encode_int64), (read_number, encode_numeric)):
        if (found := read(value)) is not None:
            encode(found).encode()


@given(st.datetimes(timezones=st.timezones()))
def test_every_instant_of_isoformat_is_read(moment: datetime) -> None:
    """Whatever Python writes with whole minutes of offset between the years 2 and 9998 is the same instant again."""
    found = read_instant(moment.isoformat())
    whole = not (moment.utcoffset() or moment - moment).seconds % 60
    if 1 < moment.year < 9999 and whole:
        assert found == moment.astimezone(UTC)
        encode_timestamp(found)


@given(st.integers(-LARGEST - 1, LARGEST))
def test_all_spellings_of_a_count_are_one(count: int) -> None:
    """A count is the same as a number, as text, with ``.0``, and as a float as long as floats are exact."""
    spellings = [count, str(count), f"{count}.0", *([float(count)] if abs(count) <= 2**53 else [])]
    assert {read_whole_number(each) for each in spellings} == {count}
    assert {read_number(each) for each in spellings} == {count}


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), ("true", True), (1, True), (False, False), ("false", False), (0, False)]
    + [(each, None) for each in (None, "", "True", "yes", 2, 1.0, [], {})],
)
def test_flags(value: Any, flag: bool | None) -> None:
    """True and false are read in the three ways that are used for them; nothing else is taken for either."""
    assert read_flag(_json(value)) is flag
