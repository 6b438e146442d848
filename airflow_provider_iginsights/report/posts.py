"""The best posts and reels of a period: their numbers, and how one of these grew with age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.pacific import DAY
from airflow_provider_iginsights.report.chart import (
    SERIES,
    Spec,
    color,
    count_ticks,
    describe,
    draw,
    layer,
    number_axis,
)
from airflow_provider_iginsights.report.daily import PRODUCT_COLORS
from airflow_provider_iginsights.report.figures import (
    Figure,
    FigureTable,
    Link,
    Number,
    Section,
    Swatch,
    TableColumn,
    divide,
    isolate,
    shorten,
    to_number,
    write_moment,
    write_number,
)
from airflow_provider_iginsights.report.queries import POST_METRICS

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.rows import ReportRows

BEST = 10
CURVES = 5
MOST_ROWS = 100
RANKED_BY = ("views", "reach", "total_interactions", "likes")
"""Posts are ranked by the first of these of which any has a number."""
TITLES = {
    "views": "Views",
    "reach": "Reach",
    "total_interactions": "Interactions",
    "likes": "Likes",
    "comments": "Comments",
    "saved": "Saves",
    "shares": "Shares",
}
TYPES = {"FEED": ("Post", PRODUCT_COLORS["Posts"]), "REELS": ("Reel", PRODUCT_COLORS["Reels"])}
OTHER_TYPE = SERIES[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post or reel. ``numbers``: newest ones by metric; a metric without a number is no key.

    ``engagement_rate``: interactions / reach; None also where these were not read on the same day.
    """

    media_id: str
    kind: str
    color: str
    caption: str
    permalink: str | None
    published: datetime
    numbers: Mapping[str, Number]
    engagement_rate: float | None


def make_posts(rows: ReportRows) -> Section:
    """Return the section of posts and reels."""
    posts = list_posts(rows)
    metric = next((name for name in RANKED_BY if any(name in post.numbers for post in posts)), None)
    ranked = rank(posts, metric)
    count = f"{len(posts)} were" if len(posts) != 1 else "1 was"
    return Section(
        key="posts",
        title="Posts and reels",
        intro=f"{count} published in the period. Lifetime numbers as they were read last, at the latest on the day "
        "after the period. Pictures are not shown: their addresses expire, and this page asks no server for anything.",
        figures=(_make_best(ranked, metric), _make_curves(rows, ranked, metric)),
    )


def list_posts(rows: ReportRows) -> list[Post]:
    """Return the posts and reels of the period."""
    read: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows.post_numbers:
        if to_number(row["value"]) is not None:
            read[row["media_id"]][row["metric"]] = row
    return [_read_post(row, read[row["media_id"]], rows) for row in rows.posts if row["published_at"] is not None]


def rank(posts: Sequence[Post], metric: str | None) -> list[Post]:
    """Return the posts by a number of theirs, largest first; those without it last, newest first."""
    newest = sorted(posts, key=lambda post: (post.published, post.media_id), reverse=True)
    return sorted(newest, key=lambda post: -post.numbers.get(metric or "", -1))


def _read_post(row: Mapping[str, Any], read: Mapping[str, Mapping[str, Any]], rows: ReportRows) -> Post:
    numbers = {name: value for name, each in read.items() if (value := to_number(each["value"])) is not None}
    days = {read[name]["snapshot_date"] for name in ("total_interactions", "reach") if name in read}
    rate = divide(numbers.get("total_interactions"), numbers.get("reach"))
    name = row["media_product_type"] or "Unknown"
    kind, colored = TYPES.get(name, (shorten(name.capitalize(), 40), OTHER_TYPE))
    return Post(
        media_id=row["media_id"],
        kind=kind,
        color=colored,
        caption=row["caption"] or "",
        permalink=row["permalink"],
        published=row["published_at"].astimezone(rows.period.zone),
        numbers=numbers,
        # A number that Meta no longer answers stays the newest, and is of another age than the others.
        engagement_rate=rate if len(days) == 1 else None,
    )


def _make_best(ranked: Sequence[Post], metric: str | None) -> Figure:
    best = [post for post in ranked if metric in post.numbers][:BEST]
    title = TITLES.get(metric or "", "Numbers")
    kinds = {post.kind: post.color for post in best}
    return Figure(
        key="best",
        title=f"Best by {title.lower()}",
        spec=_draw_best(best, metric, kinds) if metric and best else None,
        table=FigureTable(
            (
                TableColumn("Post", "text"),
                TableColumn("Type", "text"),
                TableColumn("Published", "text"),
                *(TableColumn(TITLES[name]) for name in POST_METRICS),
                TableColumn("Engagement rate by reach", "share"),
            ),
            [_write_row(post) for post in ranked[:MOST_ROWS]],
            left_out=max(0, len(ranked) - MOST_ROWS),
        ),
        legend=tuple(Swatch(each, kind) for kind, each in kinds.items()),
        note="Engagement rate by reach: interactions divided by reach of the same post, if both were read on one day.",
        empty="No post or reel of the period has a number." if ranked else "Nothing was published in the period.",
    )


def _write_row(post: Post) -> tuple[Any, ...]:
    named = Link(shorten(post.caption, 90) or "(no caption)", post.permalink)
    numbers = (post.numbers.get(name) for name in POST_METRICS)
    return named, post.kind, write_moment(post.published), *numbers, post.engagement_rate


def _draw_best(best: Sequence[Post], metric: str, kinds: Mapping[str, str]) -> Spec:
    values = [
        {
            "place": place,
            "text": isolate(f"{place}. {shorten(post.caption, 80) or '(no caption)'}"),
            "told": write_number(post.numbers[metric]),
            "kind": post.kind,
            "number": post.numbers[metric],
        }
        for place, post in enumerate(best, start=1)
    ]
    y = {
        "field": "place",
        "type": "ordinal",
        "title": "Place",
        "axis": None,
        "scale": {"paddingInner": 0.72, "paddingOuter": 0.5},
    }
    x = {**number_axis("number", TITLES[metric]), "axis": None}
    scale = {"domain": list(kinds), "range": [color(each) for each in kinds.values()]}
    filled = {"field": "kind", "type": "nominal", "title": "Type", "scale": scale, "legend": None}
    shown = describe(("text", "Post"), ("kind", "Type"), ("number", TITLES[metric]))
    left = {"type": "text", "align": "left", "baseline": "bottom", "dy": -6, "aria": False}
    right = {**left, "align": "right", "fontWeight": 600}
    return draw(
        layer(values, {"type": "bar", "cornerRadiusEnd": 2}, x=x, y=y, color=filled, tooltip=shown),
        layer(values, {**left, "limit": {"expr": "width - 72"}}, x={"value": 0}, y=y, text={"field": "text"}),
        layer(values, right, x={"value": "width"}, y=y, text={"field": "told"}),
        description=f"The {len(best)} posts and reels with the most {TITLES[metric].lower()}",
        height=36 * len(best) + 8,
    )


def _make_curves(rows: ReportRows, ranked: Sequence[Post], metric: str | None) -> Figure:
    best = [post for post in ranked if metric in post.numbers][:CURVES]
    places = {post.media_id: place for place, post in enumerate(best, start=1)}
    found = rows.read_ages(metric, list(places)) if metric and places and rows.read_ages else ()
    readings = sorted(
        (places[row["media_id"]], _count_days(row), number)
        for row in found
        if row["published_at"] is not None and (number := to_number(row["value"])) is not None
    )
    title = TITLES.get(metric or "", "Numbers")
    return Figure(
        key="ages",
        title=f"{title} by age of the post, for the first {len(best)}" if best else f"{title} by age of the post",
        spec=_draw_curves(readings, best, title) if readings else None,
        table=FigureTable(
            (TableColumn("Place", "text"), TableColumn("Post", "text"), TableColumn("Age in days"), TableColumn(title)),
            [
                (f"{place}", shorten(best[place - 1].caption, 60) or "(no caption)", round(age, 2), number)
                for place, age, number in readings
            ],
        ),
        legend=tuple(
            Swatch(each, isolate(f"{place}. {shorten(post.caption, 32) or '(no caption)'}"))
            for place, (post, each) in enumerate(zip(best, SERIES, strict=False), start=1)
        ),
        note="The age is that at the reading. A line joins readings; what lies between is not known.",
        empty="No reading of these posts lies in the period.",
    )


def _count_days(row: Mapping[str, Any]) -> float:
    age: timedelta = row["fetched_at"] - row["published_at"]
    return age / DAY


def _draw_curves(readings: Sequence[tuple[int, float, Number]], best: Sequence[Post], title: str) -> Spec:
    values = [{"kind": f"{place}.", "age": round(age, 2), "number": number} for place, age, number in readings]
    last = {value["kind"]: value for value in values}
    names = [f"{place}." for place in range(1, len(best) + 1)]
    scale = {"domain": names, "range": [color(each) for each in SERIES[: len(names)]]}
    x = {
        "field": "age",
        "type": "quantitative",
        "title": "Age in days",
        "axis": {"tickMinStep": 1, "tickCount": count_ticks(80)},
        "scale": {"zero": True, "nice": False, "padding": 14},
    }
    y = number_axis("number", title)
    series = {"field": "kind", "type": "nominal", "title": "Post", "scale": scale, "legend": None}
    shown = describe(("kind", "Post"), ("age", "Age in days"), ("number", title))
    name = {"type": "text", "align": "left", "dx": 6, "fontWeight": 600, "aria": False}
    return draw(
        layer(values, {"type": "line", "strokeWidth": 2, "aria": False}, x=x, y=y, color=series),
        layer(
            values, {"type": "point", "filled": True, "size": 30, "opacity": 1}, x=x, y=y, color=series, tooltip=shown
        ),
        layer(last.values(), name, x=x, y=y, color=series, text={"field": "kind"}),
        description=f"{title} of the best posts by their age in days",
        height=240,
    )
