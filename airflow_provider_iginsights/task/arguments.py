"""Reads the operators' arguments as they arrive after templating: real objects, comma strings or JSON text."""

from __future__ import annotations

import ast
import json
import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal, TypeVar, get_args

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.json_values import read_id, read_whole_number
from airflow_provider_iginsights.quoting import quote_value

Choice = TypeVar("Choice", bound=str)
OnAccountError = Literal["fail", "skip", "quarantine"]
ON_ACCOUNT_ERROR: tuple[OnAccountError, ...] = get_args(OnAccountError)

MOST_DAYS = 10_000
"""More days than Meta has had the API for, and few enough for every calendar."""
# Far above the longest name of a metric, a breakdown or a username at Meta.
LONGEST_NAME = 200
LONGEST_TEXT = 1024  # characters of a table id, BigQuery's longest name
_BOOLEANS: Mapping[object, bool] = {
    True: True,
    False: False,
    **dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "off"), False),
}
# A template renders None and JSON's null as these texts, unless the Dag sets render_template_as_native_obj
# (Airflow, "Templates reference").
_NOT_GIVEN = ("", "None", "none", "null")


def is_not_given(value: Any) -> bool:
    """Return whether an argument was left out: None, blank, or what a template renders for nothing."""
    return value is None or (isinstance(value, str) and value.strip() in _NOT_GIVEN)


def parse_names(value: Any, *, argument: str) -> tuple[str, ...] | None:
    """Return a list, a comma string or a JSON list of names as a tuple; None where nothing was given.

    :raises ConfigurationError: the value is none of these.
    """
    value = _unwrapped(value, argument=argument)
    if value is None:
        return None
    items = _list_items(value.split(",") if isinstance(value, str) else value)
    names = None if items is None else [_read_name(item) for item in items]
    if names is None or None in names:
        raise ConfigurationError(
            f"{argument} must be a list of names or a comma-separated string, not {quote_value(value)}."
        )
    return tuple(name for name in names if name)


def parse_metrics(value: Any) -> tuple[str, ...] | None:
    """Return metric names and sets (``"default"``, ``"all"``) as they are written; None for the default set."""
    return parse_names(value, argument="metrics")


def parse_breakdowns(value: Any) -> dict[str, tuple[str, ...]] | None:
    """Return ``{"views": ("follow_type",)}`` from a mapping or its JSON text; a single string counts as a list of one.

    :raises ConfigurationError: the value is no mapping of metric names to lists of breakdowns.
    """
    value = _unwrapped(value, argument="breakdowns")
    if value is None:
        return None
    found = dict(_read_breakdowns(value)) if isinstance(value, Mapping) else {None: None}
    if None in found or None in found.values():
        raise ConfigurationError(
            'breakdowns must map metrics to lists of breakdowns, such as {"views": ["follow_type"]}, '
            f"not {quote_value(value)}."
        )
    return found  # type: ignore[return-value]


def parse_page_ids(value: Any) -> dict[str, str]:
    """Return the id of an account -> the id of its Page, from a mapping or its text; empty where nothing was given.

    :raises ConfigurationError: the value is no mapping of ids to ids.
    """
    value = _unwrapped(value, argument="page_ids")
    if value is None:
        return {}
    pairs = value.items() if isinstance(value, Mapping) else [(None, None)]
    found = {read_id(key): read_id(page_id) for key, page_id in pairs}
    if None in found or None in found.values():
        raise ConfigurationError(
            "page_ids must map ids of accounts to ids of their Pages, as the XCom page_ids of "
            f"InstagramListAccountsOperator does, not {quote_value(value)}."
        )
    return found  # type: ignore[return-value]


def _read_breakdowns(value: Mapping[Any, Any]) -> Iterator[tuple[str | None, tuple[str, ...] | None]]:
    """Yield each metric with its breakdowns; None in the place of what cannot be read."""
    for metric, names in value.items():
        written = _unwrapped(names, argument="breakdowns")
        items = _list_items([written] if isinstance(written, str) else () if written is None else written)
        read = None if items is None else tuple(_read_name(item) for item in items)
        yield _read_name(metric) or None, None if read is None or None in read else read  # type: ignore[misc]


def parse_days(value: Any, *, argument: str, optional: bool = False) -> int | None:
    """Return a number of days (0 to 10,000), from a number or its text; None only where it may be left open.

    :raises ConfigurationError: the value is no such number.
    """
    if optional and is_not_given(value):
        return None
    return parse_count(value, argument=argument, of=" of days", most=MOST_DAYS)


def parse_count(value: Any, *, argument: str, of: str = "", most: int = 10**12) -> int:
    """Return a whole number from 0 to ``most``, from a number (``28.0`` too) or its text.

    :param of: what is counted, for the message, such as ``" of days"``.
    :raises ConfigurationError: the value is no such number.
    """
    number = _read_whole_number(value)
    if number is None or not 0 <= number <= most:
        raise ConfigurationError(
            f"{argument} must be a whole number{of}, 0 or more and at most {most}, not {quote_value(value)}."
        )
    return number


def parse_choice(value: Any, choices: Sequence[Choice], *, argument: str) -> Choice:
    """Return the value if it is one of the choices.

    :raises ConfigurationError: it is not.
    """
    written = value.strip() if isinstance(value, str) else None
    for choice in choices:
        if written == choice:
            return choice
    raise ConfigurationError(f"{argument} must be one of {', '.join(choices)}, not {quote_value(value)}.")


def parse_boolean(value: Any, *, argument: str) -> bool:
    """Return True or False, from either, from 1 and 0, or from the texts that mean them, in any case.

    :raises ConfigurationError: the value is none of these.
    """
    written = value.strip().lower() if isinstance(value, str) else value
    # A list cannot be looked up, and 1.0 would be found as 1.
    found = _BOOLEANS.get(written) if isinstance(written, str | bool | int) else None
    if found is None:
        raise ConfigurationError(f"{argument} must be True or False, not {quote_value(value)}.")
    return found


def parse_text(value: Any, *, argument: str, optional: bool = False) -> str | None:
    """Return a name (of a table, a project, a connection) that is text; None only where it may be left open.

    :raises ConfigurationError: the value is no such text, or looks like a token.
    """
    # Imported late: no module of graph/ is loaded while Airflow parses a Dag.
    from airflow_provider_iginsights.graph.redact import redact

    if optional and is_not_given(value):
        return None
    if not isinstance(value, str) or is_not_given(value) or len(value) > LONGEST_TEXT or redact(value) != value:
        raise ConfigurationError(
            f"{argument} must be a name, as text, not {quote_value(value)}.{explain_number(value)}"
        )
    if not value.isprintable():
        raise ConfigurationError(f"{argument} has characters that cannot be printed: {quote_value(value)}.")
    return value


def explain_number(value: Any) -> str:
    """Return how a name that a native template made a number of stays a text; ``""`` for anything but a number.

    Its digits are not taken for the name: ``2026_01`` and ``20_2601`` become the same number.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return ""
    return (
        " A Dag with render_template_as_native_obj=True makes a number of a text of digits: write it in quotes of its "
        "own, such as \"'{{ ds_nodash }}'\"."
    )


def parse_timedelta(value: Any, *, argument: str, least: timedelta = timedelta(0)) -> timedelta:
    """Return the value if it is a timedelta from ``least`` to 10,000 days.

    :raises ConfigurationError: it is not.
    """
    if not isinstance(value, timedelta) or not least <= value <= timedelta(days=MOST_DAYS):
        raise ConfigurationError(
            f"{argument} must be a timedelta, such as timedelta(hours=6), of at least {least} and at most {MOST_DAYS} "
            f"days, not {quote_value(value)}."
        )
    return value


def read_object(text: str) -> Any:
    """Return the list or mapping behind JSON text, or behind Python's spelling, which is what a template renders.

    None where it is neither.
    """
    for read in (json.loads, ast.literal_eval):
        # A parser may also give up on the depth of what it reads, and literal_eval on a list as a key.
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's parser warns of what it will refuse one day, such as "\d"
            return read(text)
    return None


def _unwrapped(value: Any, *, argument: str) -> Any:
    """Return None for what renders as nothing, and the object behind the text of a list or mapping."""
    if is_not_given(value):
        return None
    if not isinstance(value, str):
        return value
    text = value.strip()
    # Airflow renders a list as Python spells it; people write JSON.
    if text[0] not in "[{":
        return text
    found = read_object(text)
    if found is None:
        raise ConfigurationError(
            f"{argument} looks like a list or a mapping but cannot be read as one, as JSON or as Python. "
            f"It was {quote_value(text)}."
        )
    return found


def _list_items(value: Any) -> list[Any] | None:
    """Return the elements of a list, of a set (sorted), or of Airflow's lazy sequence of a mapped task's results."""
    if isinstance(value, str | bytes | bytearray | memoryview):
        return None
    if isinstance(value, Set):
        return sorted(value, key=quote_value)
    return list(value) if isinstance(value, Sequence) else None


def _read_name(value: Any) -> str | None:
    """Return a name without blanks around it; None where it is none. A whole number stands for its digits."""
    if isinstance(value, str):
        name = value.strip()
        return name if len(name) <= LONGEST_NAME and (name.isprintable() or not name) else None
    number = _read_whole_number(value) if not isinstance(value, float) else None
    return None if number is None else str(number)


def _read_whole_number(value: Any) -> int | None:
    """Return a whole number of at most 64 bits, from any type of whole numbers, ``28.0`` or a text of digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str | float):
        return read_whole_number(value.strip() if isinstance(value, str) else value)
    with suppress(TypeError):
        return read_whole_number(operator.index(value))
    return None
