"""JSON as Meta sends it, also where an object has a name twice: the client reads that, and JSON cannot hold it twice.

The content of a recorded answer is one of these:

* ``{"json": …}``;
* ``{"pairs": …}``: JSON with a repeated name, in which each object is ``{"object": [[name, value], …]}``;
* ``{"text": …}``: no JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class RepeatedNames(list[tuple[str, Any]]):
    """An object in which a name comes more than once: its pairs, in their order."""


def read_json(content: bytes | str) -> Any:
    """Return JSON that can be written as it was; an object with a repeated name is :class:`RepeatedNames`.

    :raises ValueError: it is none, or has a number that is none.
    :raises RecursionError: it is nested too deep.
    """
    if isinstance(content, str):
        content = content.removeprefix("\ufeff")  # the mark of a body that stands as text in an item of a batch
    return json.loads(content, object_pairs_hook=_read_object, parse_constant=_refuse, parse_float=_read_float)


def pack_json(value: Any) -> dict[str, Any]:
    """Return the content of an answer that is JSON."""
    return {"pairs": _pack(value)} if _has_repeated_names(value) else {"json": value}


def format_content(content: Mapping[str, Any]) -> str:
    """Return the body of an answer, to be written with ``surrogateescape``."""
    if "text" in content:
        return str(content["text"])
    if "pairs" in content:
        return _format_pairs(content["pairs"])
    return json.dumps(content["json"]) if "json" in content else ""


def _has_repeated_names(value: Any) -> bool:
    if isinstance(value, RepeatedNames):
        return True
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_has_repeated_names, inside))


def _pack(value: Any) -> Any:
    if isinstance(value, dict | RepeatedNames):
        pairs = value.items() if isinstance(value, dict) else value
        return {"object": [[name, _pack(each)] for name, each in pairs]}
    return [_pack(each) for each in value] if isinstance(value, list) else value


def _format_pairs(packed: Any) -> str:
    if isinstance(packed, dict):
        pairs = (f"{json.dumps(name)}: {_format_pairs(each)}" for name, each in packed["object"])
        return f"{{{', '.join(pairs)}}}"
    return f"[{', '.join(map(_format_pairs, packed))}]" if isinstance(packed, list) else json.dumps(packed)


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | RepeatedNames:
    found = dict(pairs)
    return found if len(found) == len(pairs) else RepeatedNames(pairs)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if repr(number) in ("inf", "-inf"):
        raise ValueError("The number is too large for a float.")
    return number
