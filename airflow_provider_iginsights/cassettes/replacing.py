"""Decides what of a request and an answer is kept, and what becomes a pseudonym.

Kept are: numbers, booleans, null, times, names of fields, and the texts of Meta's enumerations, each by the name of its
field. Error texts keep the words that Meta uses. A field with the name of a secret keeps nothing. **Any other text is
replaced**, also in a field that Meta adds later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from airflow_provider_iginsights.cassettes.meta_words import STEMS, WORDS, is_made_of_words
from airflow_provider_iginsights.cassettes.pseudonyms import LONG_NUMBER, TOKEN, Pseudonyms, is_secret
from airflow_provider_iginsights.cassettes.request_words import TIME, replace_param

ENUMERATIONS: Final = frozenset(
    {
        "account_type",
        "api_version",
        "dimension_keys",
        "media_audio_type",
        "media_product_type",
        "media_type",
        "metric",
        "period",
        "permission",
        "permissions",
        "scope",
        "scopes",
        "status",
        "tasks",
        "token_type",
        "type",
    }
)
"""Fields whose texts are Meta's own words."""

_DATE = r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
HEADERS: Final = {
    "content-type": re.compile(
        r"(?:application|text)/(?:json|javascript|html|plain)(?:; ?charset=[A-Za-z0-9-]{1,12})?"
    ),
    "date": re.compile(_DATE),
    "facebook-api-version": re.compile(r"v[0-9.]{1,8}"),
    "location": None,
    "retry-after": re.compile(rf"[0-9]{{1,9}}|{_DATE}"),
    "x-app-usage": None,
    "x-business-use-case-usage": None,
}
"""Headers that the client reads, with the form in which they are kept. No other is kept."""

_ERROR_TEXTS: Final = frozenset({"message", "error_user_title", "error_user_msg", "error_description", "error_message"})
_IDENTIFIERS: Final = frozenset(
    {"id", "ids", "target_ids", "owner", "user", "from", "page", "app", "profile", "fbid", "pk"}
)
_CURSORS: Final = frozenset({"before", "after", "shortcode", "fbtrace_id"})

_METRIC = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,40})(\.[0-9]{1,9})?")
_QUOTED = re.compile(r'"([^"]*)"')
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_MAIL = re.compile(r"[^\s\"'<>(),;:@]*@[^\s\"'<>(),;:]+")
# Groups of up to four digits, as people write telephone numbers. "(#200)" is a code.
_PHONE = re.compile(r"(?<![\w#])\+?\d{1,4}(?:[\s().\-/]{1,3}\d{1,4}(?!\d)){2,}")
_DAY = re.compile(r"(?<!\d)[0-9]{4}-[0-9]{2}-[0-9]{2}(?!\d)")
_PART = re.compile(
    "|".join(
        [
            *(each.pattern for each in (_ADDRESS, _MAIL, _DAY, _PHONE)),
            r"\d{5,}|[^\W\d_]+|[^\x00-\x7f]+",
        ]
    ),
    re.IGNORECASE,
)
_SEPARATOR = re.compile("([/,])")
_STEM = re.compile(f"({STEMS})", re.IGNORECASE)
_PERIODS: Final = ("day", "week", "days_28", "month", "lifetime", "total_over_range")
_LONGEST_DIMENSION: Final = 60
"""Characters of a country, a city, an age group."""
_FEWEST_DIGITS: Final = 7
"""Of a telephone number."""
_LARGEST_FLOAT: Final = 1e30
"""No id is as large, and a pseudonym of as many digits might be none that a float can hold."""
_HUGE: Final = 10**14
"""From here on a number without a known field may be an id."""
_LARGEST: Final = 10**16
"""No metric counts as far as this; ids of accounts and posts are larger."""


class Replacing:
    """Replaces what is personal or secret in one recording."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def replace_path(self, path: str) -> str:
        """Return the path of a request with other ids."""
        return "/".join(map(self._replace_segment, path.strip("/").split("/")))

    def replace_params(self, params: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters of a request, without those that are secrets."""
        return {
            name: replace_param(name, value, self._replace_named)
            for name, value in params.items()
            if not is_secret(name)
        }

    def replace_headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers that are kept, by lower-case name."""
        named = ((name.lower(), value) for name, value in headers)
        return {name: self._replace_header(name, value) for name, value in named if name in HEADERS}

    def replace_body(self, content: bytes | str) -> dict[str, Any]:
        """Return ``{"json": …}``, or ``{"text": …}`` for what is no JSON that can be written as it was."""
        try:
            return {"json": self._replace_value(_read_json(content), "")}
        except (ValueError, RecursionError):
            if isinstance(content, bytes):
                return {"text": self._pseudonyms.replace_bytes(content)}
            return {"text": self._pseudonyms.replace_text(content)}

    def _replace_named(self, name: str, value: str) -> str:
        return self._replace_text(value, name)

    def _replace_header(self, name: str, value: str) -> str:
        if name == "location":
            return self._pseudonyms.replace_address(value)
        if name.startswith("x-"):
            return _QUOTED.sub(lambda found: f'"{self._replace_usage_key(found[1])}"', value)
        form = HEADERS[name]
        return value if form and form.fullmatch(value) else self._pseudonyms.replace_text(value)

    def _replace_usage_key(self, text: str) -> str:
        # The header may name an object twice, so it is no JSON that could be read and written.
        return self._replace_segment(text)

    def _replace_value(self, value: Any, name: str) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, list):
            return [self._replace_value(each, name) for each in value]
        if is_secret(name):
            return TOKEN
        if isinstance(value, dict):
            return self._replace_object(value, name)
        return self._replace_text(value, name) if isinstance(value, str) else self._replace_number(value, name)

    def _replace_number(self, number: float, name: str) -> float:
        if isinstance(number, float) and not (number.is_integer() and abs(number) < _LARGEST_FLOAT):
            return number
        if not _is_identifier(int(number), name):
            return number
        replaced = int(self._pseudonyms.replace_id(str(abs(int(number)))))
        return type(number)(replaced if number > 0 else -replaced)

    def _replace_object(self, found: dict[str, Any], name: str) -> dict[str, Any]:
        # The entry of a metric has its name in the field in which a Page and a person have theirs.
        title = found.get("name") if found.get("period") in _PERIODS else None
        is_metric = isinstance(title, str) and _METRIC.fullmatch(title) is not None
        is_known = is_metric and (found.keys() & {"values", "total_value"} or is_made_of_words(str(title)))
        kept = {"name": title} if is_known else {}
        return {
            self._replace_key(key, name): kept[key] if key in kept else self._replace_value(each, key)
            for key, each in found.items()
        }

    def _replace_key(self, key: str, name: str) -> str:
        # Hours, ages, countries and cities are keys of a value.
        if _FIELD.fullmatch(key) or (name == "value" and _is_dimension(key)):
            return key
        return self._pseudonyms.replace_ids(key) if key.isdecimal() else self._pseudonyms.replace_text(key)

    def _replace_text(self, text: str, name: str) -> str:
        if is_secret(name):
            return TOKEN
        if name in _ERROR_TEXTS or name == "error":
            return self._replace_error_text(text)
        if name in _CURSORS:
            return self._pseudonyms.replace_opaque(text)
        if self._is_plain(text, name):
            return text
        if _ADDRESS.fullmatch(text):
            return self._pseudonyms.replace_address(text)
        if LONG_NUMBER.match(text):
            return "".join(map(self._replace_segment, _SEPARATOR.split(text)))
        return self._pseudonyms.replace_text(text)

    def _replace_segment(self, text: str) -> str:
        if text.isascii() and text.replace("_", "").isdecimal():
            return self._pseudonyms.replace_ids(text)
        return text if is_made_of_words(text) else self._pseudonyms.replace_text(text)

    def _is_plain(self, text: str, name: str) -> bool:
        if name in ENUMERATIONS:
            return is_made_of_words(text)
        if name in ("value", "values") or name.endswith("_count"):
            number = _NUMBER.fullmatch(text)
            return number is not None and not _is_identifier(int(number[1]), name)
        return (name == "dimension_values" and _is_dimension(text)) or TIME.fullmatch(text) is not None

    def _replace_error_text(self, text: str) -> str:
        return _PART.sub(self._replace_part, text)

    def _replace_part(self, found: re.Match[str]) -> str:
        part = found[0]
        if _ADDRESS.match(part):
            return self._pseudonyms.replace_address(part)
        if part.isdecimal() and part.isascii():
            return self._pseudonyms.replace_ids(part)
        if _MAIL.fullmatch(part):
            return self._pseudonyms.replace_text(part)
        if part.lower() in WORDS or _DAY.fullmatch(part) or _is_short_number(part):
            return part
        # The stems stand at the odd places.
        pieces = enumerate(_STEM.split(part))
        return "".join(piece if place % 2 else self._pseudonyms.replace_text(piece) for place, piece in pieces)


def _is_identifier(number: int, name: str) -> bool:
    size = abs(number)
    if size < 10_000:
        return False
    if name in ("value", "values"):
        return size >= _LARGEST
    return name.endswith("_id") or name in _IDENTIFIERS or "phone" in name or size >= _HUGE


def _is_dimension(text: str) -> bool:
    return len(text) <= _LONGEST_DIMENSION and "@" not in text and not LONG_NUMBER.search(text)


def _is_short_number(part: str) -> bool:
    digits = sum(each.isdecimal() for each in part)
    return _PHONE.fullmatch(part) is not None and digits < _FEWEST_DIGITS


def _read_json(content: bytes | str) -> Any:
    """Return JSON that can be written as it was.

    :raises ValueError: it is none, names something twice, or has a number that is none.
    """
    return json.loads(content, object_pairs_hook=_read_object, parse_constant=_refuse, parse_float=_read_float)


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name comes twice.")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if repr(number) in ("inf", "-inf"):
        raise ValueError("The number is too large for a float.")
    return number
