"""What the charts of a report share, as Vega-Lite: colours of the style sheet, days, and what a day without number is.

Colours are variables of the style sheet, so that light, dark and print need no other chart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from airflow_provider_iginsights.report.figures import Swatch

Spec = dict[str, Any]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
SERIES = ("--blue", "--orange", "--teal", "--purple", "--pink")
PROVISIONAL = Swatch("--provisional", "provisional: Meta may still revise it")
NO_NUMBER = Swatch("--gap", "no number")
CONFIG: Mapping[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--grid)",
        "domainColor": "var(--axis)",
        "tickColor": "var(--axis)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelPadding": 6,
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False},
    "text": {"color": "var(--ink)", "fontSize": 12},
}


_TOLD: Mapping[str, Spec] = {
    "day": {"type": "temporal", "timeUnit": "utcyearmonthdate"},
    "share": {"type": "quantitative", "format": ".1%"},
    "text": {"type": "nominal"},
    "kind": {"type": "nominal"},
    "state": {"type": "nominal"},
}
"""How a field is told; every other one is a number."""


def color(name: str) -> str:
    """Return a colour of the style sheet as a value of a chart."""
    return f"var({name})"


def draw(*layers: Mapping[str, Any], description: str, height: int = 200) -> Spec:
    """Return a chart as wide as its place.

    :param description: is read aloud in place of the chart.
    """
    return {
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "background": "transparent",
        "config": CONFIG,
        "layer": list(layers),
    }


def layer(
    values: Iterable[Mapping[str, Any]],
    mark: Mapping[str, Any],
    **encoding: Mapping[str, Any] | Sequence[Mapping[str, Any]],
) -> Spec:
    """Return a layer with data of its own."""
    return {"data": {"values": list(values)}, "mark": dict(mark), "encoding": encoding}


def day_axis(*, is_point: bool = False) -> Spec:
    """Return the encoding of a day: its whole width, or for points the middle of it."""
    axis = {"format": "%-d %b", "labelOverlap": True, "tickCount": count_ticks(90), "title": None}
    middle = {"bandPosition": 0.5} if is_point else {}
    return {"field": "day", "type": "temporal", "timeUnit": "utcyearmonthdate", "title": "Day", "axis": axis, **middle}


def number_axis(field: str, title: str, *, zero: bool = True, **more: Any) -> Spec:
    """Return the encoding of a count. ``title``: what a mark calls it; the axis has none."""
    axis = {"format": ",d", "tickMinStep": 1, "tickCount": 5, "title": None}
    scale = {"zero": zero, "nice": True}
    return {"field": field, "type": "quantitative", "title": title, "axis": axis, "scale": scale, **more}


def count_ticks(width: int) -> Spec:
    """Return how many ticks an axis has room for, at so many pixels for each."""
    return {"expr": f"max(2, floor(width / {width}))"}


def shade_days(days: Iterable[date], *, swatch: Swatch) -> Spec:
    """Return a layer that shades days from top to bottom."""
    rows = [{"day": day.isoformat(), "state": swatch.text} for day in days]
    mark = {"type": "rect", "color": color(swatch.color)}
    return layer(rows, mark, x=day_axis(), tooltip=describe(("day", "Day"), ("state", "State")))


def describe(*fields: tuple[str, str]) -> list[Spec]:
    """Return what a mark says of itself: (field, title) pairs."""
    number: Spec = {"type": "quantitative", "format": ",.2~f"}
    return [{"field": name, "title": title, **_TOLD.get(name, number)} for name, title in fields]
