"""Every shape in which Meta answers a metric, turned into the same tidy numbers.

The shapes (Meta's insights references of v10.0 and today): a dated series; a ``total_value``; a ``total_value`` with
breakdowns, with or without the total; demographics whose dimensions include the timeframe; objects of hour or of
audience group -> number; a lifetime ``values[0]`` of a media, with or without a breakdown beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from airflow_provider_iginsights.pacific import as_utc, pacific_date

Row = dict[str, Any]
TableRow = tuple[str, Row]


class Number(NamedTuple):
    """One number of an answer. ``end_time`` is Meta's text or None; the rest is ``''`` where there is none."""

    value: Any
    breakdown: str
    breakdown_value: str
    timeframe: str
    end_time: str | None


def read_numbers(entry: Mapping[str, Any], *, map_dimension: str = "") -> list[Number]:
    """Return every number of one element of an answer's ``data``. No answer is no number: never a 0.

    :param map_dimension: what the keys are where a value is an object, such as ``hour``.
    """
    total = entry.get("total_value")
    points: Sequence[Mapping[str, Any]] = entry.get("values") or ()
    if total is None and len(points) == 1 and isinstance(value := points[0].get("value"), int):
        return [Number(value, "", "", "", points[0].get("end_time"))]  # nearly every answer about a media
    numbers: list[Number] = []
    if total is None or "value" not in total:
        for point in points:
            numbers += _read_point(point, map_dimension)
    if total is not None:
        if total.get("value") is not None:
            numbers.append(Number(total["value"], "", "", "", None))
        for breakdown in total.get("breakdowns") or ():
            numbers += _read_breakdown(breakdown)
    return numbers


def _read_point(point: Mapping[str, Any], map_dimension: str) -> Iterable[Number]:
    value, end_time = point.get("value"), point.get("end_time")
    if isinstance(value, dict):
        return [
            Number(number, map_dimension, str(key), "", end_time) for key, number in value.items() if number is not None
        ]
    return () if value is None else (Number(value, "", "", "", end_time),)


def _read_breakdown(breakdown: Mapping[str, Any]) -> Iterator[Number]:
    keys = list(breakdown.get("dimension_keys") or ())
    at = keys.index("timeframe") if "timeframe" in keys else None
    names = "|".join(key for key in keys if key != "timeframe")
    for result in breakdown.get("results") or ():
        values = [str(value) for value in result.get("dimension_values") or ()]
        timeframe = values.pop(at) if at is not None and at < len(values) else ""
        if result.get("value") is not None:
            yield Number(result["value"], names, "|".join(values), timeframe, None)


@lru_cache(maxsize=4096)
def read_end_time(end_time: str) -> tuple[str, date]:
    """Return Meta's ``2026-11-20T08:00:00+0000`` as ``2026-11-20T08:00:00Z`` and its Pacific date."""
    instant = as_utc(datetime.fromisoformat(end_time))
    return format_instant(instant), pacific_date(instant)


def format_instant(instant: datetime) -> str:
    """Return an aware instant as ``2026-11-20T08:00:00Z``, the one form of timestamps in our rows."""
    return as_utc(instant).isoformat().replace("+00:00", "Z")
