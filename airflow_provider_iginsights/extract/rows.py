"""Every shape in which Meta answers a metric, turned into the same tidy numbers.

The shapes (Meta's insights references of v10.0 and today): a dated series; a ``total_value``; a ``total_value`` with
breakdowns, with or without the total; demographics whose dimensions include the timeframe; objects of hour or of
audience group -> number; a lifetime ``values[0]`` of a media, with or without a breakdown beside it.

What has no plain reading costs that number alone, and is told with its reason. No answer is no number: never a 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from airflow_provider_iginsights.json_values import (
    read_instant,
    read_list,
    read_number,
    read_object,
    read_text,
)
from airflow_provider_iginsights.pacific import as_utc, pacific_date, pacific_midnight

Row = dict[str, Any]
TableRow = tuple[str, Row]
Fault = Literal["Unreadable", "Undated", "Contradictory"]
"""Why something is left out: it has no plain reading, no date of its own, or another number under the same key."""

Tell = Callable[[str, Fault, str], None]
"""Takes what is left out (a metric, a field), the fault, and the reason as a sentence. It never gets Meta's text."""

Miss = Callable[[str, str], None]
"""Takes what was asked and did not come, and the reason as a sentence."""

PLAIN = 2**53
"""Whole numbers up to here are read without a further look: they fit every column and every JSON reader."""

_TIMEFRAME = re.compile(r"[a-z]+_[a-z0-9_]+", re.ASCII | re.IGNORECASE)
"""``THIS_MONTH``, ``LAST_90_DAYS`` and what Meta may add; no country, age, gender or city reads so."""

_NAMES = {str: "a text", bool: "true or false", dict: "an object", list: "a list", type(None): "null"}


class Number(NamedTuple):
    """One number of an answer. ``end_time`` is what Meta sent, or None; the rest is ``''`` where there is none."""

    value: Any
    breakdown: str
    breakdown_value: str
    timeframe: str
    end_time: Any


def describe(value: Any) -> str:
    """Return what kind of JSON value this is, in words; never the value, which may be anything."""
    return _NAMES.get(type(value), "a number")


def read_entries(data: Any, *, names: Collection[str], tell: Tell) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the elements of an answer's ``data`` with their metrics' names, those of ``names`` only.

    Meta may answer more than was asked; what stands under another name is another's number. Where metrics that were
    asked are missing beside it, they are told: that is no silence, however young the day.
    """
    came: set[str] = set()
    for entry in _read_elements(data, "data", lambda why: tell("insights", "Unreadable", why)):
        name = entry.get("name")
        if not isinstance(name, str):
            tell("insights", "Unreadable", f"the name of a metric is {describe(name)}.")
            continue
        came.add(name)
        if name in names:
            yield name, entry
    if not came.issubset(names):
        for name in names:
            if name not in came:
                tell(name, "Unreadable", "Meta answered with a metric that was not asked for, and without this one.")


def read_numbers(
    entry: Mapping[str, Any],
    *,
    map_dimension: str = "",
    asked: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Number]:
    """Return every number of one element of an answer's ``data``.

    :param map_dimension: what the keys are where a value is an object, such as ``hour``.
    :param asked: the dimensions of the breakdown that was asked for, joined by commas: others are left out; None = any.
    :param tell: takes a sentence about each thing that has no plain reading.
    """
    total, points = entry.get("total_value"), _read_elements(entry.get("values"), "values", tell)
    if total is None and len(points) == 1 and not map_dimension and _is_plain(value := points[0].get("value")):
        return [Number(value, "", "", "", points[0].get("end_time"))]  # nearly every answer about a media
    numbers: list[Number] = []
    if entry.keys().isdisjoint(("values", "total_value")):
        tell("it has neither values nor a total_value.")
    total = _read_container(total, "total_value", tell)
    if total is None or "value" not in total:
        for point in points:
            numbers += _read_point(point, map_dimension, tell)
    if total is not None:
        if total.keys().isdisjoint(("value", "breakdowns")) and not points:
            tell("total_value has neither a value nor breakdowns.")
        numbers += _read_value(total.get("value"), Number(None, "", "", "", None), tell)
        for breakdown in _read_elements(total.get("breakdowns"), "breakdowns", tell):
            numbers += _read_breakdown(breakdown, asked, tell)
    return numbers


def find_missing_half(
    entry: Mapping[str, Any], numbers: Collection[Number], *, asked: str, wants_total: bool
) -> tuple[str, str] | None:
    """Return which half of a metric is missed, by its name, and why: the breakdown beside the total, or the total.

    A breakdown that is there and empty is an answer, and a total of 0 has nothing to break down.

    :param asked: the breakdown that was asked for; ``''``: the total is all that was asked.
    :param wants_total: whether the total is to come from this answer.
    """
    totals = [number.value for number in numbers if not number.breakdown]
    if not asked or not numbers:
        return None
    if len(totals) < len(numbers):
        why = "Meta was asked for its total as well, and sent the breakdown only."
        return (entry["name"], why) if wants_total and not totals else None
    breakdowns = (read_object(entry.get("total_value")) or {}).get("breakdowns")
    why = "Meta was asked for it and sent the total only."
    return None if breakdowns is not None or not any(totals) else (f"{entry['name']} by {asked}", why)


def keep_distinct(rows: Iterable[tuple[object, Row]], tell: Tell) -> list[Row]:
    """Return one row per key. Where a key comes again with another number, nobody can say which: none is returned."""
    kept: dict[object, Row | None] = {}
    for key, row in rows:
        first = kept.setdefault(key, row)
        if first is not None and first["value"] != row["value"]:
            tell(row["metric"], "Contradictory", "Meta sent two different numbers for the same thing; neither is kept.")
            kept[key] = None
    return [row for row in kept.values() if row is not None]


def _is_plain(value: Any) -> bool:
    return type(value) is int and -PLAIN <= value <= PLAIN


def _read_container(value: Any, name: str, tell: Callable[[str], None]) -> Mapping[str, Any] | None:
    if value is not None and read_object(value) is None:
        tell(f"{name} is {describe(value)} where an object belongs.")
    return read_object(value)


def _read_elements(value: Any, name: str, tell: Callable[[str], None]) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list; tell what else it holds, or that it is none."""
    if value is None:
        return ()
    elements = read_list(value)
    if elements is None:
        tell(f"{name} is {describe(value)} where a list belongs.")
        return ()
    for each in elements:
        if read_object(each) is None:
            tell(f"an element of {name} is {describe(each)} where an object belongs.")
    return [each for each in elements if read_object(each) is not None]


def _read_value(value: Any, number: Number, tell: Callable[[str], None]) -> Iterator[Number]:
    """Yield the number with this value, if it has one."""
    if value is None:
        return
    read = read_number(value)
    if read is None:
        tell(f"a value is {describe(value)} that its column cannot store.")
    else:
        yield number._replace(value=read)


def _read_point(point: Mapping[str, Any], map_dimension: str, tell: Callable[[str], None]) -> Iterator[Number]:
    value, end_time = point.get("value"), point.get("end_time")
    if "value" not in point:
        tell("an element of values has no value.")
    if isinstance(value, dict) and (map_dimension or not value):
        for key, inner in value.items():
            yield from _read_value(inner, Number(None, map_dimension, read_text(key) or "", "", end_time), tell)
    elif map_dimension and value is not None:
        tell(f"a value is {describe(value)} where an object belongs.")
    else:
        yield from _read_value(value, Number(None, "", "", "", end_time), tell)


def _read_breakdown(breakdown: Mapping[str, Any], asked: str | None, tell: Callable[[str], None]) -> Iterator[Number]:
    results = _read_elements(breakdown.get("results"), "results", tell)
    # A breakdown of nobody comes without results; one without its dimensions is another thing.
    if asked == "" or (not results and read_list(breakdown.get("dimension_keys"))):
        return
    keys = _read_names(breakdown.get("dimension_keys"))
    names = [key for key in keys if key != "timeframe"]
    if not names or len(set(keys)) < len(keys) or (asked is not None and set(names) != set(asked.split(","))):
        tell("dimension_keys are not the dimensions that were asked for.")
        return
    for result in results:
        values = _read_names(result.get("dimension_values"))
        if len(values) != len(keys):
            tell("dimension_values are not one text for each of the dimension_keys.")
            continue
        found = dict(zip(keys, values, strict=True))
        timeframe = found.pop("timeframe", "")
        if timeframe and not _TIMEFRAME.fullmatch(timeframe):
            tell("the timeframe of a result is none.")
            continue
        number = Number(None, "|".join(names), join_values([found[name] for name in names]), timeframe, None)
        if result.get("value") is None:
            tell("a result of a breakdown has no value.")
        yield from _read_value(result.get("value"), number, tell)


def _read_names(value: Any) -> list[str]:
    """Return the texts of a list; none where one of its elements is no text."""
    names = [read_text(each) for each in read_list(value) or ()]
    return [] if None in names else [name for name in names if name is not None]


def join_values(values: Sequence[str]) -> str:
    r"""Return the values of several dimensions as one text: ``|`` between them, ``\|`` and ``\\`` inside them.

    A single value stays as Meta sent it: there is nothing to mistake it for.
    """
    if len(values) == 1:
        return values[0]
    return "|".join(value.replace("\\", "\\\\").replace("|", "\\|") for value in values)


def name_group(breakdown: str, **columns: Iterable[str | date]) -> dict[str, tuple[str, ...]]:
    """Return what rows of one answer hold in their columns, as far as the question tells it.

    :param breakdown: as it was asked for. One dimension stands in the rows, too; several are joined in the order of the
        answer, which may be any.
    """
    known = {name: tuple(map(str, values)) for name, values in columns.items()}
    return known | ({} if "," in breakdown else {"breakdown": ("", breakdown)[: 1 + bool(breakdown)]})


def read_end_time(value: Any) -> tuple[str, date] | None:
    """Return Meta's ``2026-11-20T08:00:00+0000`` as ``2026-11-20T08:00:00Z`` and its Pacific date, or None."""
    return _read_end_time(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _read_end_time(text: str) -> tuple[str, date] | None:
    instant = read_instant(text)
    # META-02: despite its name an end_time is the midnight with which the day of its number begins.
    return None if instant is None else (format_instant(instant), pacific_date(instant))


@lru_cache(maxsize=4096)
def is_pacific_midnight(end_time: str) -> bool:
    """Return whether an ``end_time`` that can be read is the midnight between two Pacific days."""
    dated = _read_end_time(end_time)
    return dated is not None and dated[0] == format_instant(pacific_midnight(dated[1]))


def format_instant(instant: datetime) -> str:
    """Return an aware instant as ``2026-11-20T08:00:00Z``, the one form of timestamps in our rows."""
    return as_utc(instant).isoformat().replace("+00:00", "Z")
