"""Reads list parameters as Meta does: comma text, or the JSON array that Meta's own SDKs send."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["LISTS", "join_lists", "names"]

LISTS = ("metric", "period", "breakdown", "fields")
"""The parameters that hold lists; the SDKs spell them ``metric=["reach","views"]``."""


def names(params: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return the names in a list parameter."""
    return tuple(part.strip() for part in _as_comma_text(params.get(name, "")).split(",") if part.strip())


def join_lists(params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters with every list as comma text."""
    return {name: _as_comma_text(value) if name in LISTS else value for name, value in params.items()}


def _as_comma_text(text: str) -> str:
    if not text.lstrip().startswith("["):
        return text
    try:
        items = json.loads(text)
    except ValueError:
        return text
    return ",".join(map(str, items)) if isinstance(items, list) else text
