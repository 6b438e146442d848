"""The structural mutations: what can be done to one value of an answer, as a table."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.support.mutation.documents import INSIDE, Inner, Literal, Pairs, Path, find, replace, shape, walk, write

ERROR_CODES = (1, 2, 9, 10, 12, 24, 33, 100, 21009)
"""Codes of objects and questions. Those of tokens and limits (4, 190, 368 …) rightly stop every account."""

Change = Callable[[Any, random.Random], Any]


def error_object(_value: Any, dice: random.Random) -> dict[str, Any]:
    """Return what Meta says instead of an answer."""
    code = dice.choice(ERROR_CODES)
    said = {"message": f"(#{code}) Something is wrong", "type": "OAuthException", "code": code, "fbtrace_id": "Trace"}
    return {"error": said}


def _constant(value: Any) -> Change:
    return lambda _old, _dice: value


def _cut(value: Any, _dice: random.Random) -> Any:
    if isinstance(value, dict):
        return dict(list(value.items())[: len(value) // 2])
    return value[: len(value) // 2]


def _cut_text(value: Inner, dice: random.Random) -> str:
    text = write(value.value)
    return text[: dice.randrange(len(text))]


SURROGATE = "half \ud83d of it"
FOR_ANY: dict[str, Change] = {
    "null": _constant(None),
    "true": _constant(True),
    "false": _constant(False),
    "zero": _constant(0),
    "negative": _constant(-1),
    "fraction": _constant(1.5),
    "text": _constant("something else"),
    "empty text": _constant(""),
    "the text None": _constant("None"),
    "a date": _constant("2026-11-19T08:00:00+0000"),
    "no date": _constant("2026-13-45T99:00:00+0000"),
    "object": _constant({}),
    "list": _constant([]),
    "wrap in a list": lambda value, _: [value],
    "wrap in an object": lambda value, _: {"data": value},
    "wrap twice": lambda value, _: [[value]],
    "error object": error_object,
    "half an emoji": _constant(SURROGATE),
    "10**40": _constant(10**40),
    "2**70": _constant(2**70),
    "NaN": _constant(Literal("NaN")),
    "infinity": _constant(Literal("1e999")),
    "many digits": _constant(Literal("9" * 5000)),
    "deep": _constant(Literal("[" * 3000 + "]" * 3000)),
    "long text": _constant("long " * 20_000),
    "control characters": _constant("a\x00b\x1b[31mc\u202ed"),
}
FOR_KIND: dict[type, dict[str, Change]] = {
    bool: {"number": lambda value, _: int(value)},
    int: {
        "digits": lambda value, _: str(value),
        "float": lambda value, _: Literal(f"{value}.0"),
        "exponent": lambda value, _: Literal(f"{value}e0"),
        "another number": lambda value, _: value + 1,
    },
    float: {"digits": lambda value, _: str(value)},
    str: {
        "number": lambda value, _: int(value) if value.isdigit() else 7,
        "surrogate": lambda value, _: value + "\udc00",
        "cut": _cut,
        "blanks": lambda value, _: f" {value} ",
        "bar and backslash": lambda value, _: value + "|\\",
        "upper case": lambda value, _: value.upper(),
    },
    list: {
        "cut": _cut,
        "unwrap": lambda value, _: value[0] if value else None,
        "object of places": lambda value, _: {str(place): each for place, each in enumerate(value)},
        "backwards": lambda value, _: value[::-1],
        "each twice": lambda value, _: [each for each in value for _ in range(2)],
        "null in it": lambda value, _: [*value, None],
        "text in it": lambda value, _: ["something else", *value],
        "error in it": lambda value, dice: [*value, error_object(None, dice)],
    },
    dict: {
        "cut": _cut,
        "unwrap": lambda value, _: next(iter(value.values()), None),
        "list of values": lambda value, _: list(value.values()),
    },
    Inner: {
        "opened": lambda value, _: value.value,
        "text of a text": lambda value, _: Inner(Inner(value.value)),
        "cut": _cut_text,
    },
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: the mutation's name, the path, and the tree as it was and as it is."""

    name: str
    path: Path
    before: Any
    after: Any

    @property
    def old(self) -> Any:
        """The value that stood there."""
        return find(self.before, self.path)


def names_for(document: Any, path: Path) -> list[str]:
    """Return which mutations are possible at a path, in a fixed order."""
    value = find(document, path)
    names = [*FOR_ANY, *FOR_KIND.get(type(value), ())]
    parent = find(document, path[:-1]) if len(path) > 1 else None  # status, headers and body are always there
    if isinstance(parent, dict):
        names += ["drop", "rename", "key twice", "key twice, the other first"]
    if isinstance(parent, list):
        names += ["drop", "twice", "twice, differently"]
    if len(_alike(document, path)) > 1:
        names += ["the value of another"]
    return names


def mutate(document: Any, path: Path, name: str, dice: random.Random) -> Mutation:
    """Apply a mutation."""
    value = find(document, path)
    if name in FOR_KIND.get(type(value), {}):
        after = replace(document, path, FOR_KIND[type(value)][name](value, dice))
    elif name in FOR_ANY:
        after = replace(document, path, FOR_ANY[name](value, dice))
    elif name == "the value of another":
        others = [other for other in _alike(document, path) if find(document, other) != value]
        after = replace(document, path, find(document, dice.choice(others))) if others else document
    else:
        after = replace(document, path[:-1], _change_parent(find(document, path[:-1]), path[-1], name, dice))
    return Mutation(name, path, document, after)


def _change_parent(parent: Any, step: Any, name: str, dice: random.Random) -> Any:
    if isinstance(parent, list):
        return list(_change_list(parent, step, name, dice))
    pairs = [pair for key, value in parent.items() for pair in _change_pair(key, value, step, name)]
    return Pairs(tuple(pairs))


def _change_pair(key: str, value: Any, step: Any, name: str) -> list[tuple[str, Any]]:
    changed: dict[str, list[tuple[str, Any]]] = {
        "drop": [],
        "rename": [(f"{key}_new", value)],
        "key twice": [(key, None), (key, value)],
        "key twice, the other first": [(key, value), (key, 7)],
    }
    return changed[name] if key == step else [(key, value)]


def _change_list(parent: list[Any], step: int, name: str, dice: random.Random) -> Iterable[Any]:
    for place, value in enumerate(parent):
        if place != step:
            yield value
        elif name == "twice":
            yield from (value, value)
        elif name == "twice, differently":
            yield from (value, _with_other_number(value, dice))


def _with_other_number(value: Any, dice: random.Random) -> Any:
    numbers = [path for path in walk(value) if type(find(value, path)) is int and INSIDE not in path]
    if not numbers:
        return value
    path = dice.choice(numbers)
    return replace(value, path, find(value, path) + 1)


def _alike(document: Any, path: Path) -> list[Path]:
    if not path or not isinstance(find(document, path), str | int) or isinstance(find(document, path), bool):
        return []
    wanted = shape(path)
    return [other for other in walk(document) if len(other) == len(path) and shape(other) == wanted]
