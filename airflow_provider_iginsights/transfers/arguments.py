"""Reads the operators' arguments as they arrive after templating: real objects, comma strings or JSON text."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from airflow_provider_iginsights.errors import ConfigurationError

OnAccountError = Literal["fail", "skip"]

_NOT_GIVEN = (None, "", "None", "none", "null")


def is_not_given(value: Any) -> bool:
    """Return whether an argument was left out: None, blank, or what a template renders for nothing."""
    return (value.strip() if isinstance(value, str) else value) in _NOT_GIVEN


def parse_names(value: Any, *, argument: str) -> tuple[str, ...] | None:
    """Return a list, a comma string or a JSON list of names as a tuple; None where nothing was given.

    :raises ConfigurationError: the value is none of these.
    """
    value = _unwrapped(value, argument=argument)
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence) or not all(isinstance(name, str | int) for name in value):
        raise ConfigurationError(f"{argument} must be a list of names or a comma-separated string, not {value!r}.")
    return tuple(name for name in (str(item).strip() for item in value) if name)


def parse_metrics(value: Any) -> tuple[str, ...] | str | None:
    """Return metric names, ``"all"``, or None for the default set."""
    names = parse_names(value, argument="metrics")
    return "all" if names == ("all",) else names


def parse_breakdowns(value: Any) -> dict[str, tuple[str, ...]] | None:
    """Return ``{"views": ("follow_type",)}`` from a mapping or its JSON text; a single string counts as a list of one.

    :raises ConfigurationError: the value is no mapping of metric names to lists of breakdowns.
    """
    value = _unwrapped(value, argument="breakdowns")
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f'breakdowns must map metrics to lists of breakdowns, such as {{"views": ["follow_type"]}}, not {value!r}.'
        )
    return {
        str(metric): (names,) if isinstance(names, str) else tuple(str(name) for name in names or ())
        for metric, names in value.items()
    }


def parse_days(value: Any, *, argument: str, optional: bool = False) -> int | None:
    """Return a number of days (0 or more), from a number or its text; None only where the argument may be left open.

    :raises ConfigurationError: the value is no such number.
    """
    if optional and is_not_given(value):
        return None
    try:
        days = int(value)
    except (TypeError, ValueError):
        days = -1
    if days < 0 or isinstance(value, bool):
        raise ConfigurationError(f"{argument} must be a whole number of days, 0 or more, not {value!r}.")
    return days


def parse_choice(value: Any, choices: Sequence[str], *, argument: str) -> str:
    """Return the value if it is one of the choices.

    :raises ConfigurationError: it is not.
    """
    if value not in choices:
        raise ConfigurationError(f"{argument} must be one of {', '.join(choices)}, not {value!r}.")
    return str(value)


def _unwrapped(value: Any, *, argument: str) -> Any:
    """Return None for what renders as nothing, and the object behind the text of a list or mapping."""
    if not isinstance(value, str):
        return value
    if is_not_given(value):
        return None
    text = value.strip()
    if text[0] not in "[{":
        return text
    found = read_object(text)
    if found is None:
        raise ConfigurationError(
            f"{argument} looks like a list or a mapping but cannot be read as one, as JSON or as Python. "
            f"It was {text[:200]!r}."
        )
    return found


def read_object(text: str) -> Any:
    """Return the list or mapping behind JSON text, or behind Python's spelling, which is what a template renders.

    None where it is neither.
    """
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError):
            return read(text)
    return None
