"""Decides what of a request's parameters is written as it was asked, so that a later run asks for the same.

A replay does not know the salt of the recording. So a word that is not Meta's, such as a metric that it does not know,
becomes ``x`` here, letter for letter: the same when a request is recorded and when it is played.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from airflow_provider_iginsights.cassettes.meta_words import WORDS

PLAIN_PARAMETERS: Final = frozenset(
    {"metric", "period", "metric_type", "breakdown", "timeframe", "since", "until", "limit", "grant_type"}
)
"""Parameters whose values are Meta's own words, or numbers and days."""

TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]{5,15}(?:Z|[+-][0-9:]{2,5})?)?")

_SECRET = re.compile("token|secret|proof|password", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,10}")
_WORD = re.compile(r"[A-Za-z]+|[0-9]{5,}|[^\x00-\x7f]")
_ARGUMENT = re.compile(r"\.([a-z_]+)\((.*?)\)(?=[{},.]|\Z)", re.DOTALL)


def is_secret(name: str) -> bool:
    """Return whether a field or parameter of this name holds a secret: a token, an app secret, a proof."""
    return _SECRET.search(name) is not None and name != "token_type"


def replace_params(params: Mapping[str, str], replace: Callable[[str, str], str]) -> dict[str, str]:
    """Return the parameters of a request without secrets, and without words that are not Meta's.

    :param replace: takes the name and the value of what may be an id, a name or a cursor.
    """
    return {
        replace_plain("", name): _replace_param(name, value, replace)
        for name, value in params.items()
        if not is_secret(name)
    }


def _replace_param(name: str, value: str, replace: Callable[[str, str], str]) -> str:
    if name in PLAIN_PARAMETERS:
        return replace_plain(name, value)
    return _replace_fields(value, replace) if name == "fields" else replace(name, value)


def replace_plain(name: str, value: str) -> str:
    """Return the value of one of the plain parameters."""
    if name in ("since", "until") and (_SECONDS.fullmatch(value) or TIME.fullmatch(value)):
        return value
    return _WORD.sub(lambda found: found[0] if found[0].lower() in WORDS else "x" * len(found[0]), value)


def _replace_fields(fields: str, replace: Callable[[str, str], str]) -> str:
    parts, end = [], 0
    for found in _ARGUMENT.finditer(fields):
        parts += [replace_plain("fields", fields[end : found.start(2)]), _replace_param(found[1], found[2], replace)]
        end = found.end(2)
    return "".join([*parts, replace_plain("fields", fields[end:])])
