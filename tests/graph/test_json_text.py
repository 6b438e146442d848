"""The faster JSON reader that Airflow 3 brings reads what Python's own reader reads, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_iginsights.graph import json_text
from airflow_provider_iginsights.graph.json_text import read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.from_regex(r"-?[0-9]{1,400}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)


@pytest.fixture
def _without_msgspec(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read as on Airflow 2.11, which does not bring msgspec."""
    monkeypatch.setitem(sys.modules, "msgspec", None)
    json_text._find_fast_decoder.cache_clear()
    yield
    json_text._find_fast_decoder.cache_clear()


def read_plainly(content: bytes | str) -> str:
    """Return what Python's own reader makes of it, or that it refuses."""
    try:
        return repr(json_text._decode(json_text._DICTS, content))
    except ValueError:
        return "refused"


def read(content: bytes | str) -> str:
    """Return what the package makes of it; repr tells 1 from 1.0 and 0.0 from -0.0."""
    try:
        return repr(read_json(content))
    except ValueError:
        return "refused"


@given(VALUES)
def test_every_value_comes_back(value: Any) -> None:
    """What json.dumps writes, with and without escapes, is read as it was."""
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        content = text.encode("utf-8", "surrogatepass")
        assert read(content) == read(text) == read_plainly(content) == repr(value)


@given(NUMBERS)
@example("-0")
@example("1e400")
@example("1.7976931348623159e308")
@example("18446744073709551616")
@example("9007199254740993.0")
@example("5e-324")
@example("0." + "1" * 5000)
@example("9" * 4301)
def test_every_number_is_the_same(text: str) -> None:
    """Numbers of any length are as exact, and refused where they are beyond every float."""
    assert read(text.encode()) == read_plainly(text.encode())


@given(
    st.binary(max_size=30) | st.text(alphabet='{}[]",:0123456789.eE+-\\u dtrfalsn\x00\t', max_size=20).map(str.encode)
)
@example(b'{"a":1,"a":2}')
@example(b'"\\ud800"')
@example(b'"\xed\xa0\x80"')
@example(b"\xef\xbb\xbf{}")
@example('{"a":1}'.encode("utf-16"))
@example(b'"\xff"')
@example(b"[NaN,Infinity]")
@example(b"[" * 300 + b"]" * 300)
@example(b"[" * 100_000 + b"]" * 100_000)
def test_other_bytes_are_refused_alike(content: bytes) -> None:
    """What is no JSON for the one is none for the other, and a name that comes twice keeps its last value."""
    assert read(content) == read_plainly(content)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e400", "[-1e400]", "9" * 4301, "[" * 100_000])
def test_what_python_alone_would_accept_is_refused(text: str) -> None:
    """What is no JSON, or more than a float or a column can hold, is refused by both readers."""
    assert read(text) == read(text.encode()) == read_plainly(text) == "refused"


def test_a_page_is_read_by_msgspec() -> None:
    """Where Airflow brought msgspec, it is used."""
    pytest.importorskip("msgspec")
    assert json_text._find_fast_decoder()[0].__module__.startswith("msgspec")


@pytest.mark.usefixtures("_without_msgspec")
def test_without_msgspec_the_answers_are_the_same() -> None:
    """On Airflow 2.11 Python's own reader reads everything."""
    assert not json_text._find_fast_decoder()[1]
    assert read_json(b'{"a": [1, 2.5, "\xf0\x9f\x8e\x89"]}') == {"a": [1, 2.5, "\U0001f389"]}
    with pytest.raises(ValueError, match="not JSON"):
        read_json(b"NaN")
