"""Decides what of a request and an answer is kept, and what becomes a pseudonym.

Kept are: numbers, booleans, null, times, names of fields, and the texts of Meta's enumerations, each by the name of its
field. Error texts keep the words that Meta uses. **Any other text is replaced**, also in a field that Meta adds later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from airflow_provider_iginsights.cassettes.meta_words import STEMS, WORDS, is_made_of_words
from airflow_provider_iginsights.cassettes.pseudonyms import LONG_NUMBER, TOKEN, Pseudonyms, is_secret

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
"""Fields whose texts are Meta's own: words that it uses, or constants in capitals, also such that it adds later."""

HEADERS: Final = (
    "content-type",
    "date",
    "facebook-api-version",
    "location",
    "retry-after",
    "x-app-usage",
    "x-business-use-case-usage",
)
"""Headers that the client reads. No other is kept."""

_ERROR_TEXTS: Final = frozenset({"message", "error_user_title", "error_user_msg", "error_description", "error_message"})
_IDENTIFIERS: Final = frozenset({"ids", "target_ids"})
_CURSORS: Final = frozenset({"before", "after", "shortcode", "fbtrace_id"})
_PLAIN_PARAMETERS: Final = frozenset(
    {
        "metric",
        "period",
        "metric_type",
        "breakdown",
        "timeframe",
        "since",
        "until",
        "limit",
        "grant_type",
    }
)

_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]{0,59}")
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,9})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]{5,15}(?:Z|[+-][0-9:]{2,5})?)?")
_PLAIN_HEADER = re.compile(r"[A-Za-z0-9 ,;:=/+.*-]{1,100}")
_QUOTED = re.compile(r'"([^"]*)"')
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_PART = re.compile(r"https?://[^\s\"'<>]+|[0-9]{5,}|[^\W\d_]+", re.IGNORECASE)
_STEM = re.compile(f"({STEMS})", re.IGNORECASE)
_ARGUMENT = re.compile(r"\.([a-z_]+)\(([^()]*)\)")
_PERIODS: Final = ("day", "week", "days_28", "month", "lifetime", "total_over_range")
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
        return self._pseudonyms.replace_ids(path.strip("/"))

    def replace_params(self, params: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters of a request, without those that are secrets."""
        return {name: self._replace_param(name, value) for name, value in params.items() if not is_secret(name)}

    def replace_headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers that are kept, by lower-case name."""
        named = ((name.lower(), value) for name, value in headers)
        return {name: self._replace_header(name, value) for name, value in named if name in HEADERS}

    def replace_body(self, content: bytes | str) -> dict[str, Any]:
        """Return ``{"json": …}``, or ``{"text": …}`` for what is no JSON that can be written as it was."""
        try:
            return {"json": self._replace_value(_read_json(content), "")}
        except (ValueError, RecursionError):
            text = content.decode("utf-8", "surrogateescape") if isinstance(content, bytes) else content
            return {"text": self._pseudonyms.replace_text(text)}

    def _replace_param(self, name: str, value: str) -> str:
        if name in _PLAIN_PARAMETERS:
            return self._pseudonyms.replace_ids(value) if name not in ("since", "until") else value
        if name == "fields":
            return _ARGUMENT.sub(self._replace_argument, value)
        if name in _CURSORS:
            return self._pseudonyms.replace_opaque(value)
        return self._replace_text(value, name)

    def _replace_argument(self, found: re.Match[str]) -> str:
        kept = found[2] if found[1] in _PLAIN_PARAMETERS else self._pseudonyms.replace_text(found[2])
        return f".{found[1]}({kept})"

    def _replace_header(self, name: str, value: str) -> str:
        if name == "location":
            return self._pseudonyms.replace_address(value)
        if name.startswith("x-"):
            return _QUOTED.sub(lambda found: f'"{self._replace_usage_key(found[1])}"', value)
        return value if _PLAIN_HEADER.fullmatch(value) else self._pseudonyms.replace_text(value)

    def _replace_usage_key(self, text: str) -> str:
        # The header may name an object twice, so it is no JSON that could be read and written.
        return text if _FIELD.fullmatch(text) else self._pseudonyms.replace_ids(text)

    def _replace_value(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return self._replace_object(value, name)
        if isinstance(value, list):
            return [self._replace_value(each, name) for each in value]
        if isinstance(value, str):
            return self._replace_text(value, name)
        if isinstance(value, int) and not isinstance(value, bool) and self._is_identifier(value, name):
            return int(self._pseudonyms.replace_id(str(value)))
        return value

    def _replace_object(self, found: dict[str, Any], name: str) -> dict[str, Any]:
        # The entry of a metric has its name in the field in which a Page and a person have theirs.
        title = found.get("name") if found.get("period") in _PERIODS else None
        kept = {"name": title} if isinstance(title, str) and _METRIC.fullmatch(title) else {}
        return {
            self._replace_key(key, name): kept[key] if key in kept else self._replace_value(each, key)
            for key, each in found.items()
        }

    def _replace_key(self, key: str, name: str) -> str:
        # Hours, ages, countries and cities are keys of a value.
        if name == "value" or _FIELD.fullmatch(key):
            return key
        return self._pseudonyms.replace_ids(key) if key.isdecimal() else self._pseudonyms.replace_text(key)

    def _is_identifier(self, number: int, name: str) -> bool:
        if number < 10_000:
            return False
        if name in ("value", "values"):
            return number >= _LARGEST
        return name == "id" or name.endswith("_id") or name in _IDENTIFIERS or "phone" in name or number >= _HUGE

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
            return "/".join(map(self._replace_segment, text.split("/")))
        return self._pseudonyms.replace_text(text)

    def _replace_segment(self, text: str) -> str:
        if text.replace("_", "").isdecimal():
            return self._pseudonyms.replace_ids(text)
        return text if is_made_of_words(text) else self._pseudonyms.replace_text(text)

    def _is_plain(self, text: str, name: str) -> bool:
        if name in ENUMERATIONS:
            return is_made_of_words(text) or (_CONSTANT.fullmatch(text) is not None and not LONG_NUMBER.search(text))
        if name in ("value", "values") or name.endswith("_count"):
            return _NUMBER.fullmatch(text) is not None
        return name == "dimension_values" or _TIME.fullmatch(text) is not None

    def _replace_error_text(self, text: str) -> str:
        return _PART.sub(self._replace_part, text)

    def _replace_part(self, found: re.Match[str]) -> str:
        part = found[0]
        if _ADDRESS.match(part):
            return self._pseudonyms.replace_address(part)
        if part.isdecimal() and part.isascii():
            return self._pseudonyms.replace_ids(part)
        if part.lower() in WORDS:
            return part
        # The stems stand at the odd places.
        pieces = enumerate(_STEM.split(part))
        return "".join(piece if place % 2 else self._pseudonyms.replace_text(piece) for place, piece in pieces)


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
