"""Decides what of a request and an answer is kept, and what becomes a pseudonym.

Kept are: numbers of insights, counts, codes and times, each by the name of its field; booleans, null, names of fields
and the texts of Meta's enumerations. Error texts keep the words that Meta uses. A field with the name of a secret keeps
nothing. **Anything else is replaced**, also in a field that Meta adds later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from airflow_provider_iginsights.cassettes.addresses import replace_address
from airflow_provider_iginsights.cassettes.error_texts import ADDRESS, replace_error_text
from airflow_provider_iginsights.cassettes.json_bodies import RepeatedNames, pack_json, read_json
from airflow_provider_iginsights.cassettes.meta_words import is_made_of_words
from airflow_provider_iginsights.cassettes.pseudonyms import LONG_NUMBER, TOKEN, Pseudonyms
from airflow_provider_iginsights.cassettes.request_words import TIME, is_secret, replace_params

ENUMERATIONS: Final = frozenset(
    {
        "account_type",
        "api_version",
        "dimension_keys",
        "error_type",
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

_ERROR_TEXTS: Final = frozenset({"error", "error_user_title", "error_user_msg", "error_description", "error_message"})
_OWN_TEXTS: Final = frozenset(
    {"alt_text", "biography", "caption", "description", "message", "name", "text", "title", "username", "website"}
)
"""Fields whose texts people write: a number there counts nothing, it may be somebody's name."""
_CURSORS: Final = frozenset({"before", "after", "shortcode", "fbtrace_id"})
_TIMES = re.compile(r"(?:[a-z_]+_)?(?:time|timestamp|at)")
_COUNTS = re.compile(
    r"(?:[a-z_]+_)?(?:count|time|timestamp|at|expires_in|duration|usage|total)|(?:error_)?(?:sub)?code|limit|offset|"
    r"height|width|views|reach|likes|comments|shares|saves|saved|replies|impressions|follows"
)
"""Names of fields that count or measure something, or tell a time or a code."""

_METRIC = re.compile(r"[a-z][a-z0-9_]{0,59}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_USAGE = re.compile(r'"([^"]*)"|[^"]+')
_PLAIN_USAGE = re.compile(r"(?:[\s{}\[\]:,.0-9]|true|false|null)*")
_SEPARATOR = re.compile("([/,])")
_ID = re.compile("[0-9]{5,}(?:_[0-9]+)*")
_INSIGHTS_ID = re.compile("[0-9_]+/insights/[a-z0-9_/]+")
_PERIODS: Final = ("day", "week", "days_28", "month", "lifetime", "total_over_range")
_DIMENSION = re.compile(r"(?:[A-Z]\.)?[0-9]{1,2}(?:-[0-9]{1,2}|\+)?|[A-Z]{1,2}|[a-z]{2}_[A-Z]{2}")
"""A group of ages, an hour, a gender, a country, a language."""
_LARGEST_COUNT: Final = 10**10
"""No count and no time in seconds is as large; telephone numbers and ids are."""
_LARGEST_METRIC: Final = 10**16
"""No metric is as large; ids of accounts and posts are."""
_SMALLEST_ID: Final = 10_000
_FEWEST_DIGITS: Final = 5
"""Of a place on a map."""
_LARGEST_FLOAT: Final = 1e30
"""No id is as large."""
_LARGEST_POWER: Final = 307
"""Of ten, by which a float can multiply any digits."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands.

    :param name: of its field, also that of the list around it.
    :param parent: name of the field that holds the object around it.
    :param is_measured: whether it is among the values of a metric.
    """

    name: str = ""
    parent: str = ""
    is_measured: bool = False

    def enter(self, name: str) -> _Place:
        """Return the place of a field of the object that stands here."""
        return replace(self, name=name, parent=self.name)


class Replacing:
    """Replaces what is personal or secret in one recording."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def replace_path(self, path: str) -> str:
        """Return the path of a request with other ids."""
        return "/".join(map(self._replace_segment, path.strip("/").split("/")))

    def replace_params(self, params: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters of a request, without those that are secrets."""
        return replace_params(params, self._replace_named)

    def replace_headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers that are kept, by lower-case name."""
        named = ((name.lower(), value) for name, value in headers)
        return {name: self._replace_header(name, value) for name, value in named if name in HEADERS}

    def replace_body(self, content: bytes | str) -> dict[str, Any]:
        """Return the content of a recorded answer. What is no JSON that can be written as it was is a text."""
        try:
            return pack_json(self.replace_json(read_json(content)))
        except (ValueError, RecursionError):
            return self.replace_unread(content)

    def replace_unread(self, content: bytes | str) -> dict[str, Any]:
        """Return the content of a recorded answer that is taken for no JSON."""
        if isinstance(content, bytes):
            return {"text": self._pseudonyms.replace_bytes(content)}
        return {"text": self._pseudonyms.replace_text(content)}

    def replace_json(self, value: Any) -> Any:
        """Return JSON of the same structure, as ``read_json`` returns it."""
        return self._replace_value(value, _Place())

    def _replace_named(self, name: str, value: str) -> str:
        return self._replace_text(value, _Place(name))

    def _replace_header(self, name: str, value: str) -> str:
        if name == "location":
            return replace_address(value, self._pseudonyms)
        if name.startswith("x-"):
            return _USAGE.sub(self._replace_usage, value)
        form = HEADERS[name]
        return value if form and form.fullmatch(value) else self._pseudonyms.replace_text(value)

    def _replace_usage(self, found: re.Match[str]) -> str:
        # The header may name an object twice, so it is no JSON that could be read and written.
        if found[1] is not None:
            return f'"{self._replace_segment(found[1])}"'
        is_plain = _PLAIN_USAGE.fullmatch(found[0]) is not None
        return self._pseudonyms.replace_ids(found[0]) if is_plain else self._pseudonyms.replace_text(found[0])

    def _replace_value(self, value: Any, place: _Place) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, list) and not isinstance(value, RepeatedNames):
            return [self._replace_value(each, place) for each in value]
        if is_secret(place.name):
            return TOKEN
        if isinstance(value, RepeatedNames):
            return RepeatedNames(self._replace_pairs(value, place))
        if isinstance(value, dict):
            return dict(self._replace_pairs(value.items(), place))
        return self._replace_text(value, place) if isinstance(value, str) else self._replace_number(value, place)

    def _replace_number(self, number: float, place: _Place) -> float:
        if _is_counted(abs(number), place):
            return number
        if isinstance(number, int) or (number.is_integer() and abs(number) < _LARGEST_FLOAT):
            replaced = int(self._pseudonyms.replace_id(str(abs(int(number)))))
            return type(number)(replaced if number > 0 else -replaced)
        digits, _, power = repr(number).partition("e")
        return float(f"{self._pseudonyms.replace_text(digits)}e{min(int(power or 0), _LARGEST_POWER)}")

    def _replace_pairs(self, pairs: Collection[tuple[str, Any]], place: _Place) -> Iterator[tuple[str, Any]]:
        # The entry of a metric has its name in the field in which a Page and a person have theirs.
        found = dict(pairs)
        name, has_period = found.get("name"), found.get("period") in _PERIODS
        is_metric = isinstance(name, str) and _METRIC.fullmatch(name) is not None
        is_known = is_metric and is_made_of_words(str(name))
        is_answered = is_metric and (has_period or is_known) and not found.keys().isdisjoint({"values", "total_value"})
        for key, each in pairs:
            if key == "name" and each == name and (is_answered or (is_known and has_period)):
                yield key, each
                continue
            inside = place.enter(key)
            if is_answered and key in ("values", "total_value"):
                inside = replace(inside, is_measured=True)
            elif place.is_measured and place.name == "value":
                inside = replace(place, parent="value")
            yield self._replace_key(key, place), self._replace_value(each, inside)

    def _replace_key(self, key: str, place: _Place) -> str:
        # Hours, ages, countries and cities are keys of a value.
        return self._replace_name(key, _is_dimension if place.is_measured and place.name == "value" else _is_shared)

    def _replace_text(self, text: str, place: _Place) -> str:
        name = place.name
        if is_secret(name):
            return TOKEN
        if name in _ERROR_TEXTS or (name == "message" and place.parent == "error"):
            return replace_error_text(text, self._pseudonyms)
        if name in _CURSORS:
            return self._pseudonyms.replace_opaque(text)
        if place.is_measured and name == "dimension_values":
            return self._replace_name(text, _is_dimension)
        if _is_plain(text, place):
            return text
        if ADDRESS.fullmatch(text):
            return replace_address(text, self._pseudonyms)
        if LONG_NUMBER.match(text):
            # Only the id of an insight has Meta's words behind an id; in a caption, they are the author's.
            change = self._replace_segment if _INSIGHTS_ID.fullmatch(text) else self._replace_part
            return "".join(map(change, _SEPARATOR.split(text)))
        return self._pseudonyms.replace_text(text)

    def _replace_part(self, text: str) -> str:
        return self._pseudonyms.replace_ids(text) if _ID.fullmatch(text) else self._pseudonyms.replace_text(text)

    def _replace_segment(self, text: str) -> str:
        return self._replace_name(text, _is_shared)

    def _replace_name(self, text: str, is_kept: Callable[[str], bool]) -> str:
        if is_kept(text):
            return text
        if text.isascii() and text.replace("_", "").isdecimal():
            return self._pseudonyms.replace_ids(text)
        replaced = self._pseudonyms.replace_text(text)
        # Nothing becomes what is kept: so no two names of an object become the same.
        while is_kept(replaced):
            replaced = self._pseudonyms.replace_text(replaced)
        return replaced


def _is_plain(text: str, place: _Place) -> bool:
    """Return whether a text is a word, a number or a time of Meta's."""
    if place.name in ENUMERATIONS:
        return " " not in text and is_made_of_words(text)
    if _NUMBER.fullmatch(text) and place.name not in _OWN_TEXTS:
        number = float(text) if "." in text else int(text)
        # As a text, a metric is hardly ever as large, and telephone numbers are.
        return abs(number) < _LARGEST_COUNT and _is_counted(abs(number), place)
    return _TIMES.fullmatch(place.name) is not None and TIME.fullmatch(text) is not None


def _is_counted(size: float, place: _Place) -> bool:
    """Return whether a number may be kept: no id, telephone number or place on a map is among them."""
    # The values of a metric are objects; those of a form that a person filled in are not.
    if place.is_measured and place.name != "values":
        return size < _LARGEST_METRIC
    if size < _SMALLEST_ID and sum(each.isdecimal() for each in repr(size)) < _FEWEST_DIGITS:
        return True
    return size < _LARGEST_COUNT and _COUNTS.fullmatch(place.name) is not None


def _is_dimension(text: str) -> bool:
    return _DIMENSION.fullmatch(text) is not None or _is_shared(text)


def _is_shared(text: str) -> bool:
    """Return whether a name is the same for everybody: that of a field, a metric, an edge."""
    return _FIELD.fullmatch(text) is not None and is_made_of_words(text)
