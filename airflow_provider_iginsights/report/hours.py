"""When the followers are online and when the account posts, by weekday and hour of the report's zone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from typing import TYPE_CHECKING

from airflow_provider_iginsights.pacific import PACIFIC
from airflow_provider_iginsights.report.chart import Spec, color, describe, draw, layer
from airflow_provider_iginsights.report.figures import (
    Figure,
    FigureTable,
    Number,
    Section,
    Swatch,
    TableColumn,
    to_number,
    write_number,
)
from airflow_provider_iginsights.report.posts import list_posts

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.rows import ReportRows

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LEVELS = tuple(f"--heat-{level}" for level in range(1, 6))
Slot = tuple[int, int]
"""A weekday (0 = Monday) and an hour."""


def make_hours(rows: ReportRows) -> Section:
    """Return the section of posting hours."""
    online, posted = average_online(rows), count_posts(rows)
    zone = rows.period.zone.key
    levels = _find_levels(online)
    figure = Figure(
        key="hours",
        title=f"Followers online per hour, and posts, in {zone} time",
        spec=_draw(online, posted, levels) if online or posted else None,
        table=FigureTable(
            (
                TableColumn("Weekday", "text"),
                TableColumn("Hour", "text"),
                TableColumn("Followers online, mean"),
                TableColumn("Posts and reels"),
            ),
            [
                (WEEKDAYS[day], f"{hour:02}:00", _round(online.get((day, hour))), posted.get((day, hour), 0))
                for day in range(7)
                for hour in range(24)
                if (day, hour) in online or (day, hour) in posted
            ],
        ),
        legend=(*_explain(levels), *([Swatch("--dot", "posts published in this hour")] if posted else ())),
        note="Meta counts hours in Los Angeles; here each is told by the hour of the zone in which it began.",
        empty="No hour of online followers was loaded, and nothing was published.",
    )
    return Section(key="hours", title="Posting hours", figures=(figure,))


def average_online(rows: ReportRows) -> dict[Slot, float]:
    """Return the mean number of online followers by weekday and hour of the zone."""
    found: dict[Slot, list[Number]] = defaultdict(list)
    for slot, number in _read_hours(rows):
        found[slot].append(number)
    return {slot: sum(numbers) / len(numbers) for slot, numbers in found.items()}


def count_posts(rows: ReportRows) -> dict[Slot, int]:
    """Return how many posts and reels were published in each weekday and hour of the zone."""
    found: dict[Slot, int] = defaultdict(int)
    for post in list_posts(rows):
        found[post.published.weekday(), post.published.hour] += 1
    return found


def _read_hours(rows: ReportRows) -> Iterator[tuple[Slot, Number]]:
    for row in rows.online:
        text, number = row["breakdown_value"], to_number(row["value"])
        if number is not None and text.isascii() and text.isdigit() and int(text) < 24:
            # The hours are Pacific ones: a fixed offset would be wrong for half of the year.
            began = datetime.combine(row["metric_date"], time(int(text)), PACIFIC).astimezone(rows.period.zone)
            yield (began.weekday(), began.hour), number


def _round(mean: float | None) -> Number | None:
    return None if mean is None else round(mean)


def _find_levels(online: Mapping[Slot, float]) -> list[float]:
    """Return the lower ends of equally wide classes, from the least to the most followers."""
    if not online:
        return []
    least, most = min(online.values()), max(online.values())
    classes = len(LEVELS) if most - least >= len(LEVELS) else 1
    return [least + (most - least) * step / classes for step in range(classes)]


def _explain(levels: list[float]) -> Iterator[Swatch]:
    for level, (colored, least) in enumerate(zip(LEVELS, levels, strict=False)):
        yield Swatch(colored, f"from {write_number(round(least))}{' followers' if not level else ''}")


def _draw(online: Mapping[Slot, float], posted: Mapping[Slot, int], levels: list[float]) -> Spec:
    cells = [
        {
            "weekday": WEEKDAYS[day],
            "hour": hour,
            "kind": sum(mean >= least for least in levels),
            "followers": round(mean),
        }
        for (day, hour), mean in sorted(online.items())
    ]
    dots = [{"weekday": WEEKDAYS[day], "hour": hour, "posts": count} for (day, hour), count in sorted(posted.items())]
    axis = {"labelAngle": 0, "values": list(range(0, 24, 3)), "ticks": False, "domain": False}
    hour = {"field": "hour", "type": "ordinal", "title": "Hour", "scale": {"domain": list(range(24))}, "axis": axis}
    weekday = {
        "field": "weekday",
        "type": "ordinal",
        "title": "Weekday",
        "scale": {"domain": list(WEEKDAYS)},
        "axis": {"title": None, "ticks": False, "domain": False},
    }
    scale = {"domain": list(range(1, len(LEVELS) + 1)), "range": [color(each) for each in LEVELS]}
    named = [{"field": "weekday", "type": "nominal", "title": "Weekday"}, *describe(("hour", "Hour"))]
    dot = {"type": "circle", "opacity": 1, "color": color("--dot"), "stroke": color("--page"), "strokeWidth": 1.5}
    return draw(
        layer(
            cells,
            {"type": "rect"},
            x=hour,
            y=weekday,
            color={"field": "kind", "type": "ordinal", "title": "Class", "scale": scale, "legend": None},
            tooltip=[*named, *describe(("followers", "Followers online"))],
        ),
        layer(
            dots,
            dot,
            x=hour,
            y=weekday,
            size={
                "field": "posts",
                "type": "quantitative",
                "title": "Posts and reels",
                "legend": None,
                "scale": {"type": "linear", "range": [60, 260], "domain": [1, max([2, *posted.values()])]},
            },
            tooltip=[*named, *describe(("posts", "Posts and reels"))],
        ),
        description="Mean of the followers online by weekday and hour; circles are posts",
        height=210,
    )
