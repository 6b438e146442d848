"""Replaces in the text of an error all that is not known to be Meta's own.

Kept are the words that Meta uses, names of metrics and fields, codes, days and short numbers, and the stem of
"permission" in other languages, by which two meanings of a code are told apart.
"""

from __future__ import annotations

import html
import re
from typing import Final

from airflow_provider_iginsights.cassettes.addresses import replace_address
from airflow_provider_iginsights.cassettes.meta_words import STEMS, WORDS
from airflow_provider_iginsights.cassettes.pseudonyms import Pseudonyms

ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)

_MAIL = re.compile(r"[^\s\"'<>(),;:@]*@[^\s\"'<>(),;:]+")
_DAY = r"(?<!\d)[0-9]{4}-[0-9]{2}-[0-9]{2}(?!\d)"
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# Both forms in which Meta tells when a session has expired, and how many seconds a range may have at most.
_TIME = rf"(?<!\d)[0-9]{{1,2}}-(?:{_MONTHS})-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?!\d)"
_UNIX_TIME = r"(?:(?<=unix time )|(?<=unix time is ))[0-9]{10}(?!\d)"
_SECONDS = r"(?<=days \()[0-9]{5,8}(?= s\))"
_REFERENCES = re.compile(r"(?:&#[0-9]{1,7};)+")
"""Letters or signs that are written as numbers, as in HTML."""
# Groups of up to four digits, as people write telephone numbers. "(#200)" is a code.
_PHONE = re.compile(r"(?<![\w#])\+?\d{1,4}(?:[^\w#,;<>{}\[\]\"']{1,3}\d{1,4}(?!\d))+")
_MIXED = re.compile(r"\w*(?:\d[^\W\d_]|[^\W\d_]\d)\w*")
"""Letters beside digits, as in a token or a username."""
_VERSION = re.compile(r"v[0-9]{1,3}")
_PART = re.compile(
    f"{ADDRESS.pattern}|{_MAIL.pattern}|(?P<kept>{_DAY}|{_TIME}|{_UNIX_TIME}|{_SECONDS})|"
    rf"{_REFERENCES.pattern}|{_PHONE.pattern}|{_MIXED.pattern}|\d{{5,}}|[^\W\d_]+|[^\x00-\x7f]+",
    re.IGNORECASE,
)
_STEM = re.compile(f"({STEMS})", re.IGNORECASE)
_FEWEST_DIGITS: Final = 7
"""Of a telephone number."""


def replace_error_text(text: str, pseudonyms: Pseudonyms) -> str:
    """Return the text without names, ids, addresses and telephone numbers."""
    return _PART.sub(lambda found: found["kept"] or _replace_part(found[0], pseudonyms), text)


def _replace_part(part: str, pseudonyms: Pseudonyms) -> str:
    if ADDRESS.match(part):
        return replace_address(part, pseudonyms)
    if part.isdecimal() and part.isascii():
        return pseudonyms.replace_ids(part)
    if _is_kept(part):
        return part
    if any(form.fullmatch(part) for form in (_MAIL, _MIXED, _REFERENCES)):
        return pseudonyms.replace_text(part)
    # The stems stand at the odd places.
    pieces = enumerate(_STEM.split(part))
    return "".join(piece if place % 2 else pseudonyms.replace_text(piece) for place, piece in pieces)


def _is_kept(part: str) -> bool:
    if part.lower() in WORDS or _VERSION.fullmatch(part):
        return True
    if _REFERENCES.fullmatch(part):
        return not any(map(str.isalnum, html.unescape(part)))
    return _PHONE.fullmatch(part) is not None and sum(each.isdecimal() for each in part) < _FEWEST_DIGITS
