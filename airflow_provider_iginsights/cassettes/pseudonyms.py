"""Replaces ids, texts and addresses by others of the same form. The same value always becomes the same pseudonym.

A pseudonym follows from the value and a random salt of the recording, which is not kept: nobody can try values out.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from airflow_provider_iginsights.cassettes.meta_words import is_made_of_words
from airflow_provider_iginsights.cassettes.request_words import PLAIN_PARAMETERS, replace_plain

TOKEN: Final = "***"  # noqa: S105 - stands for any token
"""What every token is replaced by; it is not derived from the token."""

LONG_NUMBER: Final = re.compile(r"[0-9]{5,}")
"""Digits that may be an id. Shorter numbers identify nobody."""

_GRAPH_HOSTS: Final = ("graph.facebook.com", "graph.instagram.com", "127.0.0.1")
_HOSTS: Final = (
    *_GRAPH_HOSTS,
    "www.instagram.com",
    "instagram.com",
    "www.facebook.com",
    "developers.facebook.com",
    "scontent.cdninstagram.com",
)
_WORDS: Final = frozenset(
    {"p", "reel", "reels", "tv", "stories", "insights", "media", "me", "accounts", "docs", "v", ""}
)
"""Segments of a path that are the same for everybody."""

_VERSION = re.compile(r"v[0-9]+\.[0-9]+")
_FILE_TYPE = re.compile(r"\.(?:jpe?g|png|gif|webp|heic|avif|mp4|mov|webm|mp3|m4a)\Z")
_SHORT_NAME = re.compile(r"_nc_[a-z]{1,8}|[a-z]{1,3}")
_SECRET = re.compile("token|secret|proof|password", re.IGNORECASE)
# One letter for each number of bytes in UTF-8 and each direction of writing, so that neither changes.
_LETTERS: Final[Mapping[tuple[int, bool], str]] = {
    (2, False): "éöñäжфλ",
    (2, True): "אבגדהו",
    (3, False): "字文書語音",
    (3, True): "ࠀࠁࠂ",
    (4, False): "𝐚𝐛𝐜",
    (4, True): "𐤀𐤁𐤂",
}
_RIGHT_TO_LEFT: Final = ("R", "AL")
_SHOWN = re.compile("LETTER|DIGIT|BRAILLE|NEGATIVE SQUARED")
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
_KIND_SIZE: Final = 64
"""Characters of Unicode among which another one of the same kind is looked for."""


class Pseudonyms:
    """The pseudonyms of one recording."""

    def __init__(self, salt: str) -> None:
        self._key = salt.encode()

    def replace_id(self, digits: str) -> str:
        """Return another number of as many digits. The first two of a long one, which tell its kind, are kept."""
        kept = digits[:2] if len(digits) >= 15 else ""
        choose = self._seed("id", digits)
        return kept + "".join(choose.choice("123456789" if not kept else string.digits) for _ in digits[len(kept) :])

    def replace_ids(self, text: str) -> str:
        """Return a text with its long numbers replaced."""
        return LONG_NUMBER.sub(lambda found: self.replace_id(found[0]), text)

    def replace_opaque(self, text: str) -> str:
        """Return as many letters and digits, for a cursor, a short code or a signature."""
        choose = self._seed("opaque", text)
        return "".join(choose.choice(string.ascii_letters + string.digits) for _ in text)

    def replace_text(self, text: str) -> str:
        """Return a text in which each letter and digit is another one.

        A letter keeps its case, its bytes in UTF-8 and its direction; a number or letter in a circle or a square, and
        the letters of a flag, become others of their kind. All else stays: blanks, line ends, punctuation, emoji,
        marks, control characters, halves of an emoji.
        """
        choose = self._seed("text", text)
        return "".join(_replace_letter(letter, choose) for letter in text)

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

    def replace_address(self, text: str) -> str:
        """Return an address whose host, path and parameters do not tell whose it is."""
        try:
            parts = urlsplit(text)
            host = (parts.hostname or "").lower()
        except ValueError:
            return self.replace_text(text)
        shown = host if host in _HOSTS else self._replace_host(host)
        query = urlencode(
            [self._replace_parameter(*pair, host) for pair in parse_qsl(parts.query, keep_blank_values=True)]
        )
        path = "/".join(self._replace_segments(parts.path.split("/"), host))
        return SplitResult(parts.scheme, shown, path, query, "").geturl()

    def _replace_host(self, host: str) -> str:
        meta = next((name for name in ("cdninstagram.com", "fbcdn.net") if host.endswith(f".{name}")), None)
        return f"scontent.{meta}" if meta else f"{self.replace_opaque(host)[:12].lower()}.example"

    def _replace_segments(self, segments: list[str], host: str) -> list[str]:
        replaced, before = [], ""
        for segment in segments:
            # https://www.instagram.com/NAME and …/stories/NAME hold a username, as the field does.
            is_username = host.endswith("instagram.com") and "cdn" not in host and before in ("", "stories")
            replaced.append(self._replace_segment(segment, is_username=is_username))
            before = segment
        return replaced

    def _replace_segment(self, segment: str, *, is_username: bool) -> str:
        if segment in _WORDS or _VERSION.fullmatch(segment):
            return segment
        if segment.isdecimal():
            return self.replace_ids(segment)
        if is_username:
            return quote(self.replace_text(segment))
        kind = _FILE_TYPE.search(segment)
        return self.replace_opaque(segment[: kind.start()]) + kind[0] if kind else self.replace_opaque(segment)

    def _replace_parameter(self, name: str, value: str, host: str) -> tuple[str, str]:
        if _SECRET.search(name):
            return name, TOKEN
        shown = name if is_made_of_words(name) or _SHORT_NAME.fullmatch(name) else self.replace_opaque(name)
        is_plain = host in _GRAPH_HOSTS and name in PLAIN_PARAMETERS
        return shown, replace_plain(name, value) if is_plain else self.replace_opaque(value)

    def _seed(self, kind: str, value: str) -> random.Random:
        content = f"{kind}:{value}".encode("utf-8", "surrogatepass")
        return random.Random(hmac.digest(self._key, content, hashlib.sha256))  # noqa: S311 - seeded by the digest


def is_secret(name: str) -> bool:
    """Return whether a field or parameter of this name holds a secret: a token, an app secret, a proof."""
    return _SECRET.search(name) is not None and name != "token_type"


def _replace_letter(letter: str, choose: random.Random) -> str:
    if letter.isascii():
        for alphabet in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
            if letter in alphabet:
                return choose.choice(alphabet)
        return letter
    category = unicodedata.category(letter)
    if category == "Nd":
        return choose.choice([chr(ord(letter) - unicodedata.decimal(letter) + digit) for digit in range(10)])
    if category[0] != "L":
        return choose.choice(_list_kind(letter)) if _is_readable(letter) else letter
    size = len(letter.encode("utf-8"))
    return choose.choice(_LETTERS[size, unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT])


def _is_readable(sign: str) -> bool:
    """Return whether a sign that is no letter and no digit shows one: a number, or a letter in a circle or a square."""
    if sign.isascii() or unicodedata.category(sign) == "Cs":
        return False
    plain = unicodedata.normalize("NFKC", sign)
    named = unicodedata.name(sign, "")
    is_form = plain != sign and any(each.isalnum() for each in plain)
    return is_form or sign.isnumeric() or _SHOWN.search(named) is not None


@lru_cache(maxsize=512)
def _list_kind(sign: str) -> Sequence[str]:
    begin = ord(sign) - ord(sign) % _KIND_SIZE
    return [each for each in map(chr, range(begin, begin + _KIND_SIZE)) if _describe(each) == _describe(sign)]


def _describe(sign: str) -> tuple[object, ...]:
    form = (unicodedata.category(sign), unicodedata.bidirectional(sign), sign.isupper(), sign.islower())
    return (*form, _is_readable(sign))
