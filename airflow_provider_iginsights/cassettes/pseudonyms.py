"""Replaces ids, texts and bytes by others of the same form. The same value always becomes the same pseudonym.

A pseudonym follows from the value and a random salt of the recording, which is not kept: nobody can try values out. Two
values of one kind never become the same.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from airflow_provider_iginsights.cassettes.alphabets import (
    DIGITS,
    FIRST_DIGITS,
    Alphabet,
    find_alphabet,
    find_code_alphabet,
)

TOKEN: Final = "***"  # noqa: S105 - stands for any token
"""What every token is replaced by; it is not derived from the token."""

LONG_NUMBER: Final = re.compile(r"[0-9]{5,}")
"""Digits that may be an id. Shorter numbers identify nobody."""

_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
_LONG_ID: Final = 15
"""Digits from which on the first two of an id tell what kind of object it is."""
_ROUNDS: Final = 4
"""Of a Feistel network, so that each letter depends on all others."""


class Pseudonyms:
    """The pseudonyms of one recording."""

    def __init__(self, salt: str) -> None:
        self._key = salt.encode()

    def replace_id(self, digits: str) -> str:
        """Return another number of as many digits. The first two of a long one, which tell its kind, are kept."""
        kept = 2 if len(digits) >= _LONG_ID else int(digits.startswith("0"))
        alphabets = [FIRST_DIGITS if kept == 0 else DIGITS, *[DIGITS] * len(digits)]
        return digits[:kept] + self._permute("id", digits[kept:], alphabets)

    def replace_ids(self, text: str) -> str:
        """Return a text with its long numbers replaced."""
        return LONG_NUMBER.sub(lambda found: self.replace_id(found[0]), text)

    def replace_opaque(self, text: str) -> str:
        """Return other letters and digits in the place of all, and of ``-`` and ``_``, as in a cursor or short code."""
        return self._replace("opaque", text, find_code_alphabet)

    def replace_text(self, text: str) -> str:
        """Return a text in which each letter and digit is another one, as ``find_alphabet`` says.

        A number or letter in a circle or a square, and the letters of a flag, are letters too.
        """
        return self._replace("text", text, find_alphabet)

    def replace_bytes(self, content: bytes) -> str:
        """Return the text of a body, to be written with ``surrogateescape``: as many bytes, none of them readable.

        Bytes that are not UTF-8 become others that are not. Of UTF-16 and of what is no text, only the length is kept.
        """
        if b"\0" in content or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "*" * len(content)
        choose = self._seed("bytes", content.hex())
        text = self.replace_text(content.decode("utf-8", "surrogateescape"))
        # A byte that may only continue a character begins none.
        return _NOT_UTF_8.sub(lambda _: chr(choose.randrange(0xDC80, 0xDCC0)), text)

    def _replace(self, purpose: str, text: str, find: Callable[[str], Alphabet | None]) -> str:
        found = [(place, letter, find(letter)) for place, letter in enumerate(text)]
        replaced = [(place, letter, alphabet) for place, letter, alphabet in found if alphabet is not None]
        letters = self._permute(purpose, "".join(each[1] for each in replaced), [each[2] for each in replaced])
        written = list(text)
        for (place, _, _), letter in zip(replaced, letters, strict=True):
            written[place] = letter
        return "".join(written)

    def _permute(self, purpose: str, letters: str, alphabets: Sequence[Alphabet]) -> str:
        """Return other letters of the same alphabets; no two texts become the same.

        It is a Feistel network: the letters at even and at odd places move each other on by turns.
        """
        pairs = list(zip(letters, alphabets, strict=False))
        numbers = [alphabet.places[letter] for letter, alphabet in pairs]
        sizes = [len(alphabet.letters) for _, alphabet in pairs]
        for turn in range(_ROUNDS):
            moved, other = (slice(turn % 2, None, 2), slice(1 - turn % 2, None, 2))
            choose = self._seed(purpose, f"{turn}:{sizes}:{numbers[other]}")
            numbers[moved] = [
                (number + choose.randrange(size)) % size
                for number, size in zip(numbers[moved], sizes[moved], strict=True)
            ]
        return "".join(alphabet.letters[number] for number, (_, alphabet) in zip(numbers, pairs, strict=True))

    def _seed(self, kind: str, value: str) -> random.Random:
        content = f"{kind}:{value}".encode()
        return random.Random(hmac.digest(self._key, content, hashlib.sha256))  # noqa: S311 - seeded by the digest
