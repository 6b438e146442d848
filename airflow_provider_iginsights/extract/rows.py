"""Reads all forms in which Meta answers a metric and returns the same kind of numbers for each.

The forms (Meta's insights references of v10.0 and today): a dated series; a ``total_value``; a ``total_value`` with
breakdowns, with or without the total; demographics whose dimensions include the timeframe; objects of hour or of
audience group -> number; a lifetime ``values[0]`` of a media, with or without a breakdown beside it.

A value that cannot be read is noted with the reason and costs no other number. A missing number is never a 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from airflow_provider_iginsights.json_values import (
    read_instant,
    read_list,
    read_number,
    read_object,
    read_text,
)
from airflow_provider_iginsights.pacific import format_instant, pacific_date, pacific_midnight

Row = dict[str, Any]
TableRow = tuple[str, Row]
Fault = Literal["Unreadable", "Undated", "Contradictory", "Incomplete"]
"""Why a value is left out: it cannot be read, has no date, or has the same key as another value."""

NoteFault = Callable[[str, Fault, str], None]
"""Called with what is left out (a metric, a field), the fault, and the reason as a sentence, never with Meta's text."""

NoteNoData = Callable[[str, str], None]
"""Called with the metric that is missing and the reason as a sentence."""

MAX_EXACT = 2**53
"""Whole numbers up to here need no further check: every column and every JSON parser holds them exactly."""

_TIMEFRAME = re.compile(r"[a-z]+_[a-z0-9_]+", re.ASCII | re.IGNORECASE)
"""``THIS_MONTH``, ``LAST_90_DAYS`` and others that Meta may add; no country, age, gender or city matches."""

_NAMES = {str: "a text", bool: "true or false", dict: "an object", list: "a list", type(None): "null"}


class Number(NamedTuple):
    """One number of an answer. ``end_time`` is what Meta sent, or None; the rest is ``''`` where there is none."""

    value: Any
    breakdown: str
    breakdown_value: str
    timeframe: str
    end_time: Any


def describe(value: Any) -> str:
    """Return the kind of a JSON value in words; never the value, which may contain anything."""
    return _NAMES.get(type(value), "a number")


def read_entries(data: Any, *, names: Collection[str], note: NoteFault) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the elements of an answer's ``data`` with the names of their metrics, for metrics in ``names`` only.

    Where Meta sent other metrics, or one twice, requested metrics that are missing are noted: another name may stand in
    their place.
    """
    answered: list[str] = []
    for entry in _read_elements(data, "data", lambda why: note("insights", "Unreadable", why)):
        name = entry.get("name")
        if not isinstance(name, str):
            note("insights", "Unreadable", f"the name of a metric is {describe(name)}.")
            continue
        answered.append(name)
        if name in names:
            yield name, entry
    if len(answered) > len(set(answered).intersection(names)):
        for name in sorted(set(names).difference(answered)):
            why = "Meta answered with a metric that was not requested, or with one twice, and without this one."
            note(name, "Unreadable", why)


def read_numbers(
    entry: Mapping[str, Any],
    *,
    map_dimension: str = "",
    requested: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Number]:
    """Return every number of one element of an answer's ``data``; one that stands in both forms comes twice.

    :param map_dimension: the dimension of the keys where a value is an object, such as ``hour``.
    :param requested: dimensions of the requested breakdown, joined by commas; others are left out; None = any.
    :param note: called with a sentence about each value that cannot be read.
    """
    total, points = entry.get("total_value"), _read_elements(entry.get("values"), "values", note)
    if total is None and len(points) == 1 and not map_dimension and _is_plain(value := points[0].get("value")):
        return [Number(value, "", "", "", points[0].get("end_time"))]  # The common case for media.
    numbers: list[Number] = []
    if total is None and entry.get("values") is None:
        note("it has neither values nor a total_value.")
    total = _read_container(total, "total_value", note)
    for point in points:
        numbers += _read_point(point, map_dimension, note)
    if total is not None:
        if total.keys().isdisjoint(("value", "breakdowns")) and not points:
            note("total_value has neither a value nor breakdowns.")
        numbers += _read_value(total.get("value"), Number(None, "", "", "", None), note)
        for breakdown in _read_elements(total.get("breakdowns"), "breakdowns", note):
            numbers += _read_breakdown(breakdown, requested, note)
    return numbers


def find_missing_half(
    entry: Mapping[str, Any], numbers: Collection[Number], *, requested: str, wants_total: bool
) -> tuple[str, str] | None:
    """Return the part of a metric that is missing, the breakdown or the total, by its name, and the reason.

    An empty breakdown is an answer, and so is a missing breakdown of a total of 0.

    :param requested: the requested breakdown; ``''``: only the total was requested.
    :param wants_total: whether the total was requested, too.
    """
    totals = [number.value for number in numbers if not number.breakdown]
    if not requested or not numbers:
        return None
    if len(totals) < len(numbers):
        why = "Meta was asked for its total as well, and sent the breakdown only."
        return (entry["name"], why) if wants_total and not totals else None
    # META-09: without data, Meta leaves the breakdown out or sends it empty.
    breakdowns = (read_object(entry.get("total_value")) or {}).get("breakdowns")
    why = "Meta was asked for it and sent the total only."
    return None if breakdowns is not None or not any(totals) else (f"{entry['name']} by {requested}", why)


def keep_distinct(rows: Iterable[tuple[object, Row]], note: NoteFault) -> list[Row]:
    """Return one row per key; none for a key with two different numbers, since either may be wrong."""
    kept: dict[object, Row | None] = {}
    for key, row in rows:
        first = kept.setdefault(key, row)
        if first is not None and first["value"] != row["value"]:
            note(row["metric"], "Contradictory", "Meta sent two different numbers for the same thing; neither is kept.")
            kept[key] = None
    return [row for row in kept.values() if row is not None]


def _is_plain(value: Any) -> bool:
    return type(value) is int and -MAX_EXACT <= value <= MAX_EXACT


def _read_container(value: Any, name: str, note: Callable[[str], None]) -> Mapping[str, Any] | None:
    if value is not None and read_object(value) is None:
        note(f"{name} is {describe(value)} instead of an object.")
    return read_object(value)


def _read_elements(value: Any, name: str, note: Callable[[str], None]) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list; note other elements, or that the value is no list."""
    if value is None:
        return ()
    elements = read_list(value)
    if elements is None:
        note(f"{name} is {describe(value)} instead of a list.")
        return ()
    for each in elements:
        if read_object(each) is None:
            note(f"an element of {name} is {describe(each)} instead of an object.")
    return [each for each in elements if read_object(each) is not None]


def _read_value(value: Any, number: Number, note: Callable[[str], None]) -> Iterator[Number]:
    """Yield the number with this value, if it has one."""
    if value is None:
        return
    read = read_number(value)
    if read is None:
        note(f"a value is {describe(value)} that its column cannot store.")
    else:
        yield number._replace(value=read)


def _read_point(point: Mapping[str, Any], map_dimension: str, note: Callable[[str], None]) -> Iterator[Number]:
    value, end_time = point.get("value"), point.get("end_time")
    if "value" not in point:
        note("an element of values has no value.")
    if isinstance(value, dict) and (map_dimension or not value):
        for key, inner in value.items():
            if inner is None:
                note("a value inside an object is null.")
            if not key:  # The column breakdown_value has '' where there is no breakdown.
                note("a value inside an object has an empty key.")
            else:
                yield from _read_value(inner, Number(None, map_dimension, read_text(key) or "", "", end_time), note)
    elif map_dimension and value is not None:
        note(f"a value is {describe(value)} instead of an object.")
    else:
        yield from _read_value(value, Number(None, "", "", "", end_time), note)


def _read_breakdown(
    breakdown: Mapping[str, Any], requested: str | None, note: Callable[[str], None]
) -> Iterator[Number]:
    if "results" in breakdown and breakdown["results"] is None:
        note("results is null instead of a list.")
    results = _read_elements(breakdown.get("results"), "results", note)
    # META-09: an empty breakdown has its dimensions and no results. Without dimensions it is an error.
    if requested == "" or (not results and read_list(breakdown.get("dimension_keys"))):
        return
    keys = _read_names(breakdown.get("dimension_keys"))
    names = [key for key in keys if key != "timeframe"]
    if not names or len(set(keys)) < len(keys) or (requested is not None and set(names) != set(requested.split(","))):
        note("dimension_keys are not the dimensions that were requested.")
        return
    joined, timeframe, place = "|".join(names), "", keys.index("timeframe") if len(names) < len(keys) else None
    for result in results:
        values = _read_names(result.get("dimension_values"))
        if len(values) != len(keys):
            note("dimension_values are not one text for each of the dimension_keys.")
            continue
        if place is not None:
            timeframe = values.pop(place)
        if timeframe and not _TIMEFRAME.fullmatch(timeframe):
            note("the timeframe of a result has an unknown form.")
            continue
        value = result.get("value")
        if _is_plain(value):  # The common case.
            yield Number(value, joined, join_values(values), timeframe, None)
            continue
        if value is None:
            note("a result of a breakdown has no value.")
        yield from _read_value(value, Number(None, joined, join_values(values), timeframe, None), note)


def _read_names(value: Any) -> list[str]:
    """Return the texts of a list; an empty list where one of its elements is no text."""
    names = [each if type(each) is str and each.isascii() else read_text(each) for each in read_list(value) or ()]
    return [] if None in names else [name for name in names if name is not None]


def join_values(values: Sequence[str]) -> str:
    r"""Return the values of several dimensions as one text: ``|`` between them, ``\|`` and ``\\`` inside them.

    A single value is not changed.
    """
    if len(values) == 1:
        return values[0]
    return "|".join(value.replace("\\", "\\\\").replace("|", "\\|") for value in values)


def name_group(breakdown: str, **columns: Iterable[str | date]) -> dict[str, tuple[str, ...]]:
    """Return values of columns that all rows of one answer have, as far as the request determines them.

    :param breakdown: the requested one. Several dimensions are left out, since their order is that of the answer.
    """
    known = {name: tuple(map(str, values)) for name, values in columns.items()}
    return known | ({} if "," in breakdown else {"breakdown": ("", breakdown)[: 1 + bool(breakdown)]})


def read_end_time(value: Any) -> tuple[str, date] | None:
    """Return Meta's ``2026-11-20T08:00:00+0000`` as ``2026-11-20T08:00:00Z`` and its Pacific date, or None."""
    return _read_end_time(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _read_end_time(text: str) -> tuple[str, date] | None:
    instant = read_instant(text)
    # META-01, META-02: end_time is the Pacific midnight at which the day of the number begins.
    return None if instant is None else (format_instant(instant), pacific_date(instant))


@lru_cache(maxsize=4096)
def is_pacific_midnight(end_time: str) -> bool:
    """Return whether an ``end_time`` is a readable Pacific midnight."""
    dated = _read_end_time(end_time)
    return dated is not None and dated[0] == format_instant(pacific_midnight(dated[1]))
