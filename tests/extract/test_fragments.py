"""A piece of an answer that is shown: what it may not tell, and how long it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_iginsights.extract.column_protection import ColumnProtection, TextHasher
from airflow_provider_iginsights.extract.fragments import redact_fragment

TOKEN = "EAAG" + "aB3x" * 30
HASHER = TextHasher("a salt of some length")
NOTHING = ColumnProtection()
CAPTION = ColumnProtection(excluded={"media": frozenset({"caption"})})
BOTH = ColumnProtection(
    excluded={"media": frozenset({"caption"})},
    hashed={"media": frozenset({"username"}), "accounts": frozenset({"name"})},
    hasher=HASHER,
)
MEDIA = {"id": "1", "caption": "Mein Geheimnis", "username": "brand", "like_count": 7, "name": "reach"}


def test_protected_values_are_not_shown() -> None:
    """An excluded value is masked, a hashed one is its hash; the rest is JSON as it was."""
    assert json.loads(redact_fragment(MEDIA, protection=NOTHING)) == MEDIA
    assert json.loads(redact_fragment(MEDIA, protection=BOTH, tables=["media"])) == MEDIA | {
        "caption": "***",
        "username": HASHER.hash("brand"),
    }


@pytest.mark.parametrize(
    "value", [{"text": "Mein Geheimnis"}, ["Mein Geheimnis"], 17, True, [{"a": ["Mein Geheimnis"]}]]
)
def test_a_value_of_another_type_is_not_shown_either(value: Any) -> None:
    """That Meta sent no text may be the very reason why the fragment is shown."""
    shown = redact_fragment({"data": [{"caption": value, "permalink": "x/Mein Geheimnis/y"}]}, protection=CAPTION)
    assert json.loads(shown)["data"][0]["caption"] == "***"
    assert "17" not in shown
    assert "true" not in shown
    assert "Geheimnis" not in shown or "Geheimnis" not in str(value)


def test_that_nothing_is_there_is_shown() -> None:
    """Null and an empty text tell nothing of anybody."""
    given_ = {"data": [{"caption": None}, {"caption": ""}]}
    assert json.loads(redact_fragment(given_, protection=CAPTION)) == given_


def test_the_same_value_elsewhere_is_masked() -> None:
    """As a whole, inside of a text, and as a key; a value of few letters only as a whole."""
    shown = json.loads(
        redact_fragment(
            {
                "caption": "Mein Geheimnis",
                "error": "(#100) Mein Geheimnis is odd",
                "Mein Geheimnis": 1,
                "x": {"y": "Mein Geheimnis"},
            },
            protection=CAPTION,
        )
    )
    assert shown == {"caption": "***", "error": "(#100) *** is odd", "***": 1, "x": {"y": "***"}}
    shown = json.loads(redact_fragment({"caption": "ab", "other": ["ab", "about"]}, protection=CAPTION))
    assert shown == {"caption": "***", "other": ["***", "about"]}


@pytest.mark.parametrize(
    ("fragment", "field", "shown"),
    [
        ('{"caption":"Mein', "", None),  # a torn answer
        (b"\xff<html>", "", None),
        ('"Mein Geheimnis"', "", None),
        ("Mein Geheimnis", "", None),
        (["Mein Geheimnis"], "", None),
        ("Mein Geheimnis", "caption", '"***"'),
        ({"text": "Mein Geheimnis"}, "caption", '"***"'),
        ("Mein Geheimnis", "permalink", '"Mein Geheimnis"'),
        ('{"like_count":"many"}', "", '{"like_count":"many"}'),
        (7, "", "7"),
    ],
)
def test_what_nobody_knows_is_not_shown(fragment: Any, field: str, shown: str | None) -> None:
    """Torn JSON and a bare text could be a protected value, or hold one; the name of the field decides it."""
    found = redact_fragment(fragment, protection=CAPTION, field=field)
    assert (found == shown) if shown else ("Geheimnis" not in found and "not shown" in found)


def test_without_protection_anything_is_shown() -> None:
    """Also what is no JSON."""
    assert redact_fragment('{"caption":"Mein', protection=NOTHING) == '{"caption":"Mein'
    assert redact_fragment(b"\xff<html>", protection=NOTHING) == "\ufffd<html>"


def test_no_secret_is_shown() -> None:
    """Tokens by their look and by the name of their parameter, and what the caller names; no sign hides them."""
    fragment = {
        "paging": {"next": f"https://graph.facebook.com/1?access_token={TOKEN}&limit=1"},
        "x": "top secret\u202e",
    }
    shown = redact_fragment(fragment, protection=NOTHING, secrets=["top secret", None])
    assert TOKEN not in shown
    assert "top secret" not in shown
    assert "\u202e" not in shown
    assert '"next":"https://graph.facebook.com/1?access_token=***&limit=1"' in shown


JSON = st.recursive(
    st.one_of(st.none(), st.integers(), st.floats(), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.just("caption") | st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=15)
@given(JSON, st.sampled_from([NOTHING, CAPTION, BOTH]))
def test_it_is_short_and_can_be_stored(fragment: Any, protection: ColumnProtection) -> None:
    """At most 1,024 bytes of UTF-8, whatever it was made of."""
    long = {"a": [fragment] * 60}
    assert 0 < len(redact_fragment(long, protection=protection).encode()) <= 1024


def test_depth_is_no_error() -> None:
    """An answer of any depth is shown, or not, in words."""
    deep: Any = "Mein Geheimnis"
    for _ in range(50_000):
        deep = [deep]
    assert "Geheimnis" not in redact_fragment(deep, protection=CAPTION)
    assert redact_fragment("[" * 50_000, protection=NOTHING)
