"""What is written as YAML is read as what it was, whatever the text looks like."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as some

from airflow_provider_iginsights.dbt.yaml_text import write_yaml

# Texts that readers of YAML take for something else where nobody quotes them.
ODD = [
    "",
    " ",
    "no",
    "Yes",
    "null",
    "~",
    "1",
    "1.5",
    "0x1f",
    "2026-11-21",
    "12:30",
    "- x",
    "a: b",
    "a #b",
    "{{ var('x') }}",
]
ODD += [
    "'",
    '"',
    "\\",
    "a\nb\n",
    "\t",
    "é 🌅",
    "\x7f\x85\u2028",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "|",
    ">",
    "?",
    "key:",
    "=",
]

TEXTS = some.sampled_from(ODD) | some.text(some.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = some.recursive(
    TEXTS | some.integers() | some.booleans(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(some.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_a_reader_gets_back_what_was_written(value: dict[str, Any]) -> None:
    """Mappings, lists in lists, texts of any characters, numbers."""
    assert yaml.safe_load(write_yaml(value)) == value


def test_it_is_written_as_a_person_would() -> None:
    """Blocks, and quotes only where they are needed."""
    value = {"tables": [{"name": "media", "key": ["account_id", "media_id"], "where": "a = 'b'"}], "version": 2}
    assert write_yaml(value) == (
        "tables:\n  - name: media\n    key: [account_id, media_id]\n    where: \"a = 'b'\"\nversion: 2\n"
    )
