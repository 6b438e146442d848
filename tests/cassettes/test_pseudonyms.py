"""A pseudonym keeps the form of a text or an id, and nothing of what it says."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.cassettes.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms("grains")


@given(st.text(st.characters(exclude_categories=())))
def test_a_text_keeps_its_form(text: str) -> None:
    """Number of characters, size in UTF-8, case and direction stay; blanks and punctuation stay as they are."""
    replaced = PSEUDONYMS.replace_text(text)
    assert replaced == PSEUDONYMS.replace_text(text)
    assert len(replaced) == len(text)
    assert len(replaced.encode("utf-8", "surrogatepass")) == len(text.encode("utf-8", "surrogatepass"))
    for given_letter, got in zip(text, replaced, strict=True):
        category = unicodedata.category(given_letter)
        if category[0] in "ZP" or category in ("Cc", "Cs"):
            assert got == given_letter
        assert unicodedata.category(got) == category
        assert (got.islower(), got.isupper()) == (given_letter.islower(), given_letter.isupper())
        assert reads_from_the_right(got) == reads_from_the_right(given_letter)


def reads_from_the_right(letter: str) -> bool:
    """Return whether a letter is of a script such as Hebrew."""
    return unicodedata.bidirectional(letter) in ("R", "AL")


@pytest.mark.parametrize("purpose", ["replace_text", "replace_opaque", "replace_id"])
@pytest.mark.parametrize("alphabet", ["0123456789", "abcdefghijklmnopqrstuvwxyz", "ÀÉÖÑЖФ", "面包店主面包"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_two_texts_become_the_same(purpose: str, alphabet: str, size: int) -> None:
    """Not even the shortest, of which there are few: so no two accounts, countries or keys of an object become one."""
    texts = {"".join(letters) for letters in itertools.islice(itertools.product(alphabet, repeat=size), 1000)}
    if purpose == "replace_id" and alphabet[0] != "0":
        texts = {str(number) for number in range(10**15, 10**15 + 500)}
    assert len({getattr(PSEUDONYMS, purpose)(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\ud83d", "\ud83d"),
        ("a\x00b", "\x00"),
        ("a|b", "|"),
        ("👩‍🍳 cook", "👩‍🍳 "),
        ("one\ntwo\u2028three", "\n\u2028"),
        ("#tag @name", "# @"),
        ("", ""),
    ],
)
def test_what_can_matter_in_a_text_is_kept(text: str, kept: str) -> None:
    """Halves of an emoji, NUL, pipes, line ends and the signs of tags and mentions stay where they are."""
    replaced = PSEUDONYMS.replace_text(text)
    assert [sign for sign in replaced if sign in kept] == [sign for sign in text if sign in kept]
    assert "".join(sign for sign in text if sign in kept) == kept


@pytest.mark.parametrize(
    "letters",
    [
        "ⓛⓤⓓⓜⓘ",
        "ⓁⓊⒹⓂⒾ",
        "🅛🅤🅓🅜🅘",
        "🄻🅄🄳🄼🄸",
        "🅻🆄🅳🅼🅸",
        "🄛🄤🄓🄜🄘",
        "⒧⒰⒟⒨⒤",
        "🇱🇺🇩🇲🇮",
        "ⅫⅧⅥⅣⅠ",
        "ⅻⅷⅵⅳⅰ",
        "①②③④⑤",
        "❶❷❸❹❺",
        "⁰⁴⁵⁶⁷",
        "₁₂₃₄₅",
        "⠇⠥⠙⠍⠊",
        "㉮㉯㉰㉱㉲",
        "㋐㋑㋒㋓㋔",
        "\U000e006c\U000e0075\U000e0064\U000e006d",
        "Ｌｕｄｍｉ",
        "𝓛𝓾𝓭𝓶𝓲",
        "٠١٢٣٤",
    ],
)
def test_a_letter_in_any_form_is_replaced(letters: str) -> None:
    """In circles, squares or brackets, Roman, raised, of flags, tags and Braille: none tells what it stood for."""
    replaced = [Pseudonyms(f"salt {number}").replace_text(letters) for number in range(40)]
    kept = sum(before == after for each in replaced for before, after in zip(letters, each, strict=True))
    assert kept < 20 * len(letters)
    allowed = {unicodedata.category(each) for each in letters} | {"Ll", "Lu", "Lo"}
    assert {unicodedata.category(each) for each in "".join(replaced)} <= allowed


def test_a_text_in_another_script_is_none_in_ours() -> None:
    """Hebrew and Arabic stay written from right to left, Chinese wide."""
    text = "שלום مخبز 面包店"
    replaced = PSEUDONYMS.replace_text(text)
    assert [unicodedata.bidirectional(letter) in ("R", "AL") for letter in replaced] == [True] * 4 + [False] + [
        True
    ] * 4 + [False] * 4
    assert sum(before == after for before, after in zip(text, replaced, strict=True)) == 2


def test_pseudonyms_follow_from_the_salt() -> None:
    """Another recording has other ones; an id keeps its number of digits and the two that tell its kind."""
    other = Pseudonyms("other grains")
    for replace in ("replace_id", "replace_text", "replace_opaque"):
        value = "17841405822304914"
        assert getattr(PSEUDONYMS, replace)(value) != getattr(other, replace)(value)
    replaced = PSEUDONYMS.replace_id("17841405822304914")
    assert (len(replaced), replaced[:2]) == (17, "17")
    ids = [str(number) for number in range(17841405822300000, 17841405822300500)]
    assert len({PSEUDONYMS.replace_id(each) for each in ids}) == len(ids)
