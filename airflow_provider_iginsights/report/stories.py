"""The stories of a period with their last numbers, and how many of their views went on to the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.pacific import pacific_date
from airflow_provider_iginsights.report.chart import SERIES, Spec, color, count_ticks, describe, draw, layer
from airflow_provider_iginsights.report.figures import (
    Figure,
    FigureTable,
    Number,
    Section,
    TableColumn,
    divide,
    to_number,
    write_moment,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.rows import ReportRows

MOST_ROWS = 100
TOTALS = {"views": "Views", "reach": "Reach", "replies": "Replies"}
ACTIONS = {"tap_forward": "Taps forward", "tap_back": "Taps back", "tap_exit": "Exits"}
OLD_NAMES = {"taps_forward": "tap_forward", "taps_back": "tap_back", "exits": "tap_exit"}
"""What the webhook and old versions call them: of both, the later one counts, as in the view."""

Reading = tuple[datetime, Number]
"""A number, and the hour of the poll that read it; the webhook's is after all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story. ``numbers``: its last ones, by metric or action; what has no number is no key.

    ``exits``: those that were read with the views, where there are such.
    """

    media_id: str
    published: datetime
    numbers: Mapping[str, Number]
    exits: Number | None
    is_final: bool

    @property
    def completion(self) -> float | None:
        """The share of views that did not leave: (views - exits) / views; None where either is unknown.

        Numbers of different moments can say that more left than came: then nobody knows.
        """
        views, exits = self.numbers.get("views"), self.exits
        return None if views is None or exits is None or exits > views else divide(views - exits, views)


def list_stories(rows: ReportRows) -> list[Story]:
    """Return the stories that were published in the period, newest first."""
    readings: dict[str, dict[str, Reading]] = defaultdict(dict)
    known: dict[str, tuple[datetime, list[bool]]] = {}
    for row in rows.stories:
        _, final = known.setdefault(row["media_id"], (row["published_at"], []))
        final.append(bool(row["is_final"]))
        name = row["breakdown_value"].lower() if row["metric"] == "navigation" and row["breakdown"] else row["metric"]
        # Of other breakdowns only the total is told.
        if (row["metric"] == "navigation" or not row["breakdown"]) and (value := to_number(row["value"])) is not None:
            readings[row["media_id"]][name] = row["snapshot_at"], value
    zone = rows.period.zone
    stories = (
        Story(
            media_id=media_id,
            published=published.astimezone(zone),
            numbers=_read_numbers(readings[media_id]),
            exits=_find_exits(readings[media_id]),
            is_final=all(final),
        )
        for media_id, (published, final) in known.items()
        if rows.period.has(pacific_date(published))
    )
    return sorted(stories, key=lambda story: (story.published, story.media_id), reverse=True)


def _read_numbers(readings: Mapping[str, Reading]) -> dict[str, Number]:
    """Return the last number of each metric and action."""
    numbers = {name: number for name, (_, number) in readings.items()}
    for old, name in OLD_NAMES.items():
        if old in readings and (name not in readings or readings[old][0] > readings[name][0]):
            numbers[name] = readings[old][1]
    return numbers


def _find_exits(readings: Mapping[str, Reading]) -> Number | None:
    """Return the exits that were read with the views, else those of the navigation, else what there is."""
    views_at = readings["views"][0] if "views" in readings else None
    either = [readings[name] for name in ("tap_exit", "exits") if name in readings]
    together = [number for moment, number in either if moment == views_at]
    return next(iter((*together, *(number for _, number in either))), None)


def make_stories(rows: ReportRows) -> Section:
    """Return the section of stories."""
    stories = list_stories(rows)
    count = f"{len(stories)} were" if len(stories) != 1 else "1 was"
    figure = Figure(
        key="stories",
        title="Completion of each story, share of views that did not exit",
        spec=_draw(stories) if any(story.completion is not None for story in stories) else None,
        table=FigureTable(
            (
                TableColumn("Published", "text"),
                *(TableColumn(title) for title in (*TOTALS.values(), *ACTIONS.values())),
                TableColumn("Completion", "share"),
                TableColumn("Numbers", "text"),
            ),
            [_write_row(story) for story in stories[:MOST_ROWS]],
            left_out=max(0, len(stories) - MOST_ROWS),
        ),
        note="Completion: (views − exits) / views of one story; the axis does not begin at 0. Meta tells nothing of "
        "stories that few people saw.",
        empty="No story of the period has both views and exits." if stories else "No story was seen in the period.",
    )
    return Section(
        key="stories",
        title="Stories",
        intro=f"{count} seen in the period. A story lives for 24 hours, so its numbers are those of the last reading.",
        figures=(figure,),
    )


def _write_row(story: Story) -> tuple[Any, ...]:
    numbers = (story.numbers.get(name) for name in (*TOTALS, *ACTIONS))
    return write_moment(story.published), *numbers, story.completion, "final" if story.is_final else "before its end"


def _draw(stories: Sequence[Story]) -> Spec:
    values = [
        {
            "moment": story.published.replace(tzinfo=None).isoformat(timespec="seconds") + "Z",
            "share": round(story.completion, 4),
            "views": story.numbers.get("views"),
        }
        for story in stories
        if story.completion is not None
    ]
    moment = {
        "field": "moment",
        "type": "temporal",
        "title": "Published",
        "scale": {"type": "utc", "padding": 12, "nice": False},
        "axis": {
            "format": "%-d %b",
            "labelOverlap": True,
            "tickMinStep": 86_400_000,
            "tickCount": count_ticks(90),
            "title": None,
        },
    }
    share = {
        "field": "share",
        "type": "quantitative",
        "title": "Completion",
        "axis": {"format": ".0%", "tickCount": 5, "title": None},
        "scale": {"zero": False, "domainMax": 1, "nice": True},
    }
    told = {"field": "moment", "type": "temporal", "title": "Published", "timeUnit": "utcyearmonthdatehoursminutes"}
    point = {"type": "point", "filled": True, "size": 60, "opacity": 0.85, "color": color(SERIES[3])}
    shown = [told, *describe(("share", "Completion"), ("views", "Views"))]
    return draw(
        layer(values, point, x=moment, y=share, tooltip=shown),
        description="Completion of each story by time of publication",
        height=180,
    )
