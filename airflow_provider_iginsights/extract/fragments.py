"""Shows a piece of an answer of Meta to people, without what they must not see of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_provider_iginsights.catalog.tables import TABLES
from airflow_provider_iginsights.extract.column_protection import ColumnProtection
from airflow_provider_iginsights.graph.redact import MASK, escape, redact

MAX_BYTES = 1024
"""Bytes of a fragment in UTF-8."""
_CUT = "…"
_NOT_SHOWN = "(not shown: columns are excluded or hashed, and it cannot be told whether this is a value of theirs)"
_LEAST_FOUND = 4
"""Characters of a protected value that is looked for inside of other texts, too: a shorter one is in any text."""

_Field = tuple[str, ...]
_Path = tuple[str, ...]


def redact_fragment(
    fragment: Any,
    *,
    protection: ColumnProtection,
    tables: Collection[str] | None = None,
    field: str = "",
    secrets: Collection[str | None] = (),
) -> str:
    """Return a piece of an answer as JSON text of at most 1,024 bytes, without tokens and protected values.

    The value of a field that fills an excluded column is masked, of whatever type it is; of a hashed column, a text is
    replaced by its hash. The same value is masked wherever else it stands. What is no JSON, and a text of which nobody
    knows the field, is not shown where any column is protected.

    :param fragment: JSON text, or what it was parsed to.
    :param field: the field of Meta's node whose value the fragment is; ``""`` = it is no value of a field.
    :param tables: names of the tables that the answer fills, whose columns are protected here; None = all. ``name`` is
        the name of an account in one answer, and that of a metric in another.
    :param secrets: values that are to be masked as well; what looks like a token is in any case.
    """
    try:
        shown = _Redaction(protection, tables).redact(fragment, field)
    except RecursionError:
        shown = _NOT_SHOWN
    return _cut(escape(redact(shown, *secrets)))


@dataclass(frozen=True)
class _Redaction:
    protection: ColumnProtection
    tables: Collection[str] | None

    def redact(self, fragment: Any, field: str) -> str:
        path = tuple(field.split(".")) if field else ()
        value = fragment
        if isinstance(fragment, str | bytes) and not field:
            try:
                value = json.loads(fragment)
            except ValueError:
                value = fragment.decode(errors="replace") if isinstance(fragment, bytes) else fragment
                return _NOT_SHOWN if self.protection else value
        if self.protection:
            found = sorted({text for text in self._find_protected(value, path) if text}, key=len, reverse=True)
            value = self._mask(value, path, found)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)

    @cached_property
    def _fields(self) -> dict[_Field, bool]:
        """Return the fields whose values are protected; True = by a hash, and in no table by being left out."""
        found: dict[_Field, bool] = {}
        for table in (each for each in TABLES if self.tables is None or each.name in self.tables):
            for column in table.columns:
                if self.protection.covers(table.name, column.name):
                    field = tuple((column.field or column.name).split("."))
                    is_hashed = column.name in self.protection.hashed.get(table.name, ())
                    found[field] = found.get(field, True) and is_hashed
        return found

    def _find_field(self, path: _Path) -> _Field | None:
        """Return the protected field that a value stands in; None = in none."""
        for field in self._fields:
            *outer, last = field
            if last in path and set(outer) <= set(path[: path.index(last)]):
                return field
        return None

    def _find_protected(self, value: Any, path: _Path) -> Iterator[str]:
        """Yield the texts in protected fields."""
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from self._find_protected(inner, (*path, str(key)))
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from self._find_protected(inner, path)
        elif isinstance(value, str) and self._find_field(path):
            yield value

    def _mask(self, value: Any, path: _Path, found: list[str]) -> Any:
        if field := self._find_field(path):
            return self._replace(value, field)
        if isinstance(value, Mapping):
            return {_hide(str(key), found): self._mask(inner, (*path, str(key)), found) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask(inner, path, found) for inner in value]
        if isinstance(value, str):
            return _hide(value, found) if path else _NOT_SHOWN
        return value

    def _replace(self, value: Any, field: _Field) -> Any:
        """Return what stands for a protected value; that there is none may be seen."""
        if value is None or value == "":
            return value
        hasher = self.protection.hasher
        return hasher.hash(value) if hasher and self._fields[field] and isinstance(value, str) else MASK


def _hide(text: str, found: list[str]) -> str:
    for each in found:
        if text == each:
            return MASK
        if len(each) >= _LEAST_FOUND:
            text = text.replace(each, MASK)
    return text


def _cut(text: str) -> str:
    encoded = text.encode(errors="replace")
    if len(encoded) <= MAX_BYTES:
        return encoded.decode()
    return encoded[: MAX_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT
