"""Tells among which characters another one is chosen for a character, so that a text keeps its form.

Two characters have the same alphabet, or alphabets that share none. So a text can be replaced in such a way that no two
texts become the same.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Characters of one kind, in a fixed order."""

    letters: str
    places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {letter: place for place, letter in enumerate(self.letters)})


LOWER: Final = Alphabet(string.ascii_lowercase)
UPPER: Final = Alphabet(string.ascii_uppercase)
DIGITS: Final = Alphabet(string.digits)
FIRST_DIGITS: Final = Alphabet(string.digits[1:])
CODE: Final = Alphabet(string.ascii_letters + string.digits + "-_")
"""What cursors, short codes and signatures are made of."""

_ASCII: Final = {letter: alphabet for alphabet in (LOWER, UPPER, DIGITS) for letter in alphabet.letters}
_PLANES: Final = range(0x80, 0x40000)
"""Where Unicode has letters, ASCII apart."""
_RIGHT_TO_LEFT: Final = ("R", "AL")
_SHOWN = re.compile("LETTER|DIGIT|BRAILLE|NEGATIVE SQUARED")
_BLOCK: Final = 64
"""Characters of Unicode among which another sign of the same kind is looked for."""


def find_alphabet(letter: str) -> Alphabet | None:
    """Return the alphabet of a character of a text; None for one that is kept.

    The others keep their case, their direction and their bytes in UTF-8. Kept are blanks, line ends, punctuation,
    emoji, marks, control characters and halves of an emoji.
    """
    if letter.isascii():
        return _ASCII.get(letter)
    category = unicodedata.category(letter)
    if category == "Nd":
        return _list_digits(ord(letter) - unicodedata.decimal(letter))
    if category[0] == "L":
        return _list_letters()[_describe_letter(letter, category)]
    return _list_signs(ord(letter) // _BLOCK, _describe_sign(letter)) if _is_readable(letter) else None


def find_code_alphabet(letter: str) -> Alphabet | None:
    """Return the alphabet of a character of a cursor or a short code; None for one that is kept."""
    return CODE if letter in CODE.places else find_alphabet(letter)


@cache
def _list_digits(zero: int) -> Alphabet:
    return Alphabet("".join(map(chr, range(zero, zero + 10))))


@cache
def _list_letters() -> Mapping[Hashable, Alphabet]:
    found: dict[Hashable, list[str]] = {}
    for letter in map(chr, _PLANES):
        category = unicodedata.category(letter)
        if category[0] == "L":
            found.setdefault(_describe_letter(letter, category), []).append(letter)
    return {kind: Alphabet("".join(letters)) for kind, letters in found.items()}


def _describe_letter(letter: str, category: str) -> Hashable:
    form = (letter.isupper(), letter.islower(), unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT)
    return (category, len(letter.encode("utf-8")), *form)


def _is_readable(sign: str) -> bool:
    """Return whether a sign that is no letter and no digit shows one: a number, or a letter in a circle or a square."""
    if unicodedata.category(sign) == "Cs":
        return False
    plain = unicodedata.normalize("NFKC", sign)
    named = unicodedata.name(sign, "")
    is_form = plain != sign and any(each.isalnum() for each in plain)
    return is_form or sign.isnumeric() or _SHOWN.search(named) is not None


@cache
def _list_signs(block: int, kind: Hashable) -> Alphabet:
    near = map(chr, range(block * _BLOCK, (block + 1) * _BLOCK))
    return Alphabet("".join(sign for sign in near if _is_sign(sign) and _describe_sign(sign) == kind))


def _is_sign(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category != "Nd" and category[0] != "L" and _is_readable(sign)


def _describe_sign(sign: str) -> Hashable:
    return (unicodedata.category(sign), unicodedata.bidirectional(sign), sign.isupper(), sign.islower())
