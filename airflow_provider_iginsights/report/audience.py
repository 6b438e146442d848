"""Who follows the account, as far as Meta tells: age, gender, countries, cities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.report.chart import SERIES, color, describe, draw, layer
from airflow_provider_iginsights.report.figures import (
    Figure,
    FigureTable,
    Number,
    Section,
    TableColumn,
    divide,
    isolate,
    shorten,
    to_number,
)
from airflow_provider_iginsights.report.queries import DIMENSIONS

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.rows import ReportRows

MOST_BARS = 10
TITLES: Mapping[str, str] = {"age": "Age", "gender": "Gender", "country": "Countries", "city": "Cities"}
GENDERS: Mapping[str, str] = {"F": "Women", "M": "Men", "U": "Not known"}
"""What Meta's letters mean ("Instagram User Insights": follower_demographics)."""


def make_audience(rows: ReportRows) -> Section:
    """Return the section of the audience."""
    return Section(
        key="audience",
        title="Audience",
        intro="Share of the followers whose property Meta tells: it names at most 45 countries and cities, and nothing "
        "below 100 followers.",
        figures=tuple(_make_figure(rows, dimension) for dimension in DIMENSIONS),
    )


def _make_figure(rows: ReportRows, dimension: str) -> Figure:
    found = [row for row in rows.audience if row["breakdown"] == dimension]
    counts = [(row["breakdown_value"], number) for row in found if (number := to_number(row["value"])) is not None]
    # Ages have an order of their own; of all others the largest group stands first.
    counts.sort(key=(lambda each: each[0]) if dimension == "age" else (lambda each: (-each[1], each[0])))
    total = sum(number for _, number in counts)
    shares = [(_name(dimension, value), number, divide(number, total)) for value, number in counts]
    dates = sorted({str(row["metric_date"]) for row in found})
    return Figure(
        key=f"audience-{dimension}",
        title=f"{TITLES[dimension]}, share of followers",
        spec=_draw(shares[:MOST_BARS], dimension) if total else None,
        table=FigureTable(
            (TableColumn(TITLES[dimension], "text"), TableColumn("Followers"), TableColumn("Share", "share")), shares
        ),
        note=f"Read on {dates[-1]}. The full width is 100 %." if dates else "",
        empty="Meta told nothing of it in the period.",
        width=340,
    )


def _name(dimension: str, value: str) -> str:
    return (GENDERS.get(value) if dimension == "gender" else None) or shorten(value, 60)


def _draw(shares: Sequence[tuple[str, Number, float | None]], dimension: str) -> dict[str, Any]:
    values = [
        {"place": place + 1, "text": isolate(name), "share": round(share or 0, 4), "followers": number}
        for place, (name, number, share) in enumerate(shares)
    ]
    y = {
        "field": "place",
        "type": "ordinal",
        "title": "Place",
        "axis": None,
        "scale": {"paddingInner": 0.66, "paddingOuter": 0.6},
    }
    x = {
        "field": "share",
        "type": "quantitative",
        "title": "Share",
        "axis": None,
        "scale": {"domain": [0, 1]},
    }
    left = {"type": "text", "align": "left", "baseline": "bottom", "dy": -5, "aria": False}
    right = {**left, "align": "right", "fontWeight": 600}
    shown = describe(("text", TITLES[dimension]), ("share", "Share"), ("followers", "Followers"))
    told = {"field": "share", "type": "quantitative", "format": ".1%"}
    bar = {"type": "bar", "color": color(SERIES[2]), "cornerRadiusEnd": 2}
    return draw(
        layer(values, bar, x=x, y=y, tooltip=shown),
        layer(values, {**left, "limit": {"expr": "width - 64"}}, x={"value": 0}, y=y, text={"field": "text"}),
        layer(values, right, x={"value": "width"}, y=y, text=told),
        description=f"Followers by {dimension}, in percent",
        height=30 * len(values) + 8,
    )
