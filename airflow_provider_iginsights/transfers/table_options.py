"""Reads the argument ``table_options``: what the tables are to be beside their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.task.arguments import is_not_given, parse_count, read_object

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TableOptions

MOST_DAYS = 36_500
_DEFAULT = "default"
_LABEL_VALUE = re.compile(r"[\w-]{0,63}")
_LABEL_KEY = re.compile(r"(?!\d|_|-)[\w-]{1,63}")
_KMS_KEY = re.compile(r"projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+")
_DAYS = ("expiration_days", "partition_expiration_days")
OPTIONS = ("labels", "kms_key_name", *_DAYS)


def parse_table_options(value: Any) -> dict[str, TableOptions]:
    """Return every table's options: those of ``default``, and over them those of the table; labels are joined.

    :param value: a mapping of table names and ``default``, or its text as JSON or Python.
    :raises ConfigurationError: a name or a value cannot be.
    """
    from airflow_provider_iginsights.bigquery.target import TableOptions
    from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES

    names = tuple(table.name for table in ALL_TABLES)
    given = _read_mapping(value, "table_options")
    _refuse_unknown(given, (_DEFAULT, *names), "table_options")
    found = {name: dict(_read_options(options, f"table_options[{name!r}]")) for name, options in given.items()}
    made: dict[str, TableOptions] = {}
    for name in names:
        default, own = found.get(_DEFAULT, {}), found.get(name, {})
        # Labels say independent things, so a table's add to the default ones; of any other option the table's own
        # counts.
        labels = default.get("labels", {}) | own.get("labels", {})
        made[name] = TableOptions(**default | own | {"labels": tuple(sorted(labels.items()))})
    return made


def _read_options(value: Any, argument: str) -> Iterator[tuple[str, Any]]:
    """Yield each option that is given, with its checked value."""
    given = _read_mapping(value, argument)
    _refuse_unknown(given, OPTIONS, argument)
    for option, setting in given.items():
        where = f"{argument}[{option!r}]"
        if is_not_given(setting):
            continue
        if option in _DAYS:
            yield option, _read_days(setting, where)
        elif option == "labels":
            yield option, dict(_read_labels(setting, where))
        elif isinstance(setting, str) and _KMS_KEY.fullmatch(setting):
            yield option, setting
        else:
            raise ConfigurationError(
                f"{where} must be a key of Cloud KMS in the form projects/…/locations/…/keyRings/…/cryptoKeys/…, "
                f"not {quote_value(setting)}."
            )


def _read_days(value: Any, argument: str) -> int:
    days = parse_count(value, argument=argument, of=" of days", most=MOST_DAYS)
    if not days:
        raise ConfigurationError(f"{argument} must be 1 or more. To say nothing about it, leave it out.")
    return days


def _read_labels(value: Any, argument: str) -> Iterator[tuple[str, str]]:
    """Yield labels as BigQuery takes them (cloud.google.com/bigquery/docs/labels-intro#requirements)."""
    for key, text in _read_mapping(value, argument).items():
        if not (_is_label(key, _LABEL_KEY) and _is_label(text, _LABEL_VALUE)):
            raise ConfigurationError(
                f"{argument} has a label that BigQuery does not take: {quote_value(key)}: {quote_value(text)}. Key and "
                "value are text of at most 63 lower-case letters, digits, _ and -; a key begins with a letter."
            )
        yield key, text


def _is_label(value: Any, form: re.Pattern[str]) -> bool:
    # The pattern lets letters of all scripts through, many of which have an upper case, which BigQuery refuses.
    return isinstance(value, str) and form.fullmatch(value) is not None and value == value.lower()


def _read_mapping(value: Any, argument: str) -> Mapping[Any, Any]:
    if is_not_given(value):
        return {}
    found = read_object(value) if isinstance(value, str) else value
    if not isinstance(found, Mapping):
        raise ConfigurationError(f"{argument} must be a mapping, not {quote_value(value)}.")
    return found


def _refuse_unknown(given: Iterable[Any], allowed: tuple[str, ...], argument: str) -> None:
    for name in given:
        if name not in allowed:
            raise ConfigurationError(f"{argument} does not know {quote_value(name)}. It may have {', '.join(allowed)}.")
