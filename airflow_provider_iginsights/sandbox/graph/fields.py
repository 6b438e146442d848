"""Reads a ``fields`` parameter: ``id,insights.metric(reach,views).period(day),media.limit(5){id}``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from airflow_provider_iginsights.sandbox.graph.errors import fail

__all__ = ["RequestedField", "read_fields"]

_STOPS = ",.({"
_PAIRS = {"(": ")", "{": "}"}


@dataclass(frozen=True, slots=True)
class RequestedField:
    """One field: its name, its modifiers as parameters of the edge behind it, and the text of its subfields."""

    name: str
    modifiers: tuple[tuple[str, str], ...] = ()
    subfields: str = ""

    @property
    def params(self) -> dict[str, str]:
        """The modifiers and subfields as the parameters that a request for the edge would carry."""
        return {**dict(self.modifiers), **({"fields": self.subfields} if self.subfields else {})}


@lru_cache(maxsize=256)
def read_fields(text: str) -> tuple[RequestedField, ...]:
    """Return the fields in ``text``. Raises Meta's syntax error (code 2500)."""
    fields, at = [], 0
    while at < len(text):
        field, at = _read_field(text, at)
        fields.append(field)
        if at < len(text):
            _expect(text, at, ",")
            at += 1
    return tuple(fields)


def _read_field(text: str, at: int) -> tuple[RequestedField, int]:
    name, at = _read_name(text, at)
    modifiers = []
    while at < len(text) and text[at] == ".":
        modifier, at = _read_name(text, at + 1)
        value, at = _read_enclosed(text, at, "(")
        modifiers.append((modifier, value))
    subfields = ""
    if at < len(text) and text[at] == "{":
        subfields, at = _read_enclosed(text, at, "{")
    return RequestedField(name, tuple(modifiers), subfields), at


def _read_name(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and text[end] not in _STOPS:
        end += 1
    name = text[at:end].strip()
    if not name.replace("_", "").isalnum():
        raise fail("bad_syntax", what="Expected name.", at=at, text=text)
    return name, end


def _read_enclosed(text: str, at: int, opening: str) -> tuple[str, int]:
    _expect(text, at, opening)
    depth, end = 0, at
    while end < len(text):
        depth += (text[end] == opening) - (text[end] == _PAIRS[opening])
        end += 1
        if depth == 0:
            return text[at + 1 : end - 1], end
    raise fail("bad_syntax", what="Expected end of list.", at=end, text=text)


def _expect(text: str, at: int, sign: str) -> None:
    if text[at : at + 1] != sign:
        raise fail("bad_syntax", what=f"Expected {sign}", at=at, text=text)
