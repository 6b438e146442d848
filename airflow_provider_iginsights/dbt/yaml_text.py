"""YAML as a person would write it. Only what a dbt project needs: mappings, lists, texts, numbers and booleans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

YamlValue = str | int | bool | Sequence["YamlValue"] | Mapping[str, "YamlValue"]

# A plain text is one that no reader of YAML 1.1 or 1.2 takes for anything else; all others are quoted as in JSON.
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*(?: [\w.-]+)*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def write_yaml(value: Mapping[str, YamlValue]) -> str:
    """Return the mapping as YAML in block style."""
    return "\n".join(_write(value)) + "\n"


def _write(value: YamlValue) -> Iterator[str]:
    """Yield the lines of a mapping or a list that is not empty."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _attach(f"{_scalar(key)}:", inner)
    elif isinstance(value, Sequence):
        for inner in value:
            first, *rest = _write(inner) if _is_block(inner) else (_scalar(inner),)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _attach(head: str, inner: YamlValue) -> Iterator[str]:
    if not _is_block(inner):
        yield f"{head} {_scalar(inner)}"
        return
    yield head
    yield from (f"  {line}" for line in _write(inner))


def _is_block(value: YamlValue) -> bool:
    """Say whether the value takes lines of its own; short lists of texts do not."""
    if isinstance(value, Mapping):
        return bool(value)
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return any(not isinstance(each, str) for each in value)


def _scalar(value: YamlValue) -> str:
    if isinstance(value, str):
        is_plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if is_plain else _quote(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_scalar, value))}]"
    return json.dumps(value)


def _quote(text: str) -> str:
    # YAML reads all escapes of JSON; what JSON writes as it is, and YAML refuses, is written as a number.
    return "".join(
        each if each.isprintable() else f"\\U{ord(each):08x}" for each in json.dumps(text, ensure_ascii=False)
    )
