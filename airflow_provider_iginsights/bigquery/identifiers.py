"""What things are called in BigQuery: checked and quoted paths, texts, labels.

A name is either checked or built here, so no other module puts a user's text into SQL or into a resource path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from airflow_provider_iginsights.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


Part = Literal["project", "dataset", "table"]

# "Requirements for labels": keys and values have at most 63 characters; a key begins with a letter.
_LABEL_LENGTH = 63

GRAMMAR: dict[Part, tuple[re.Pattern[str], str]] = {
    "project": (
        re.compile(r"(?:[a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{0,62}"),
        "A project id holds lower-case letters, digits and hyphens.",
    ),
    "dataset": (re.compile(r"[A-Za-z0-9_]{1,1024}"), "A dataset id holds letters, digits and underscores, no project."),
    "table": (
        re.compile(r"[\w -]{1,900}"),
        "A table id holds letters, digits, underscores, hyphens and spaces, without project, dataset or partition.",
    ),
}


def checked(text: str, *, part: Part) -> str:
    """Return ``text`` if it is a valid id of a project, dataset or table; raise ConfigurationError if not."""
    pattern, rule = GRAMMAR[part]
    if isinstance(text, str) and pattern.fullmatch(text):
        return text
    raise ConfigurationError(f"{text!r} is not a BigQuery {part} id. {rule}")


def quoted(name: str) -> str:
    """Return a checked path or a column name in back-quotes."""
    return f"`{name}`"


def literal(text: str) -> str:
    """Return ``text`` as a GoogleSQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def label_text(text: str) -> str:
    """Return ``text`` in BigQuery's label grammar: at most 63 lower-case letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^\w-]", "_", text.lower())[:_LABEL_LENGTH]


def label_key(text: str) -> str:
    """Return ``text`` as a label key, which moreover begins with a letter."""
    key = label_text(text)
    return key if key[:1].isalpha() else label_text(f"l_{key}")


def sanitised_labels(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return labels that BigQuery accepts; later pairs win."""
    return {label_key(key): label_text(value) for key, value in dict(pairs).items()}
