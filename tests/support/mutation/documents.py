"""An answer as one tree of values: status, headers and body, with the JSON that stands inside of texts opened up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

INSIDE = "(text)"
"""The step of a path from a text into the JSON that it holds."""

Step = str | int
Path = tuple[Step, ...]


@dataclass(slots=True)
class Inner:
    """A text that holds a JSON object or list: the body of a batch's item, a usage header."""

    value: Any


@dataclass(frozen=True, slots=True)
class Literal:
    """Characters that stand in the JSON as they are: what ``json.dumps`` would not write."""

    text: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """An object with a key that comes more than once."""

    pairs: tuple[tuple[str, Any], ...]


def open_texts(value: Any) -> Any:
    """Return a copy of ``value`` in which texts that hold JSON objects or lists are :class:`Inner`."""
    if isinstance(value, dict):
        return {key: open_texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [open_texts(each) for each in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return Inner(open_texts(json.loads(value)))
        except ValueError:
            return value
    return value


def write(value: Any) -> str:
    """Return the JSON text of a tree, with whatever JSON does not allow left in it."""
    match value:
        case Literal(text):
            return text
        case Inner(inner):
            return json.dumps(write(inner))
        case dict():
            return _write_pairs(value.items())
        case Pairs(pairs):
            return _write_pairs(pairs)
        case list():
            return f"[{','.join(map(write, value))}]"
    return json.dumps(value)


def _write_pairs(pairs: Any) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{write(each)}" for key, each in pairs) + "}"


def walk(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value of a tree, from the outside in."""
    yield path
    match value:
        case dict():
            for key, each in value.items():
                yield from walk(each, (*path, key))
        case list():
            for place, each in enumerate(value):
                yield from walk(each, (*path, place))
        case Inner(inner):
            yield from walk(inner, (*path, INSIDE))


def find(value: Any, path: Path) -> Any:
    """Return the value at a path."""
    for step in path:
        value = value.value if isinstance(value, Inner) else value[step]
    return value


def replace(value: Any, path: Path, new: Any) -> Any:
    """Return the tree with another value at a path; all else is shared."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    match value:
        case Inner(inner):
            return Inner(replace(inner, rest, new))
        case dict():
            return {**value, step: replace(value[step], rest, new)}
    return [replace(each, rest, new) if place == step else each for place, each in enumerate(value)]


def shape(path: Path) -> str:
    """Return a path without places in lists and without ids and hours: what several values have in common."""
    steps = ("[]" if isinstance(step, int) else "." + re.sub(r"\d+", "#", step) for step in path)
    return "".join(steps).lstrip(".")
