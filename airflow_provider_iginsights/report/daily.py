"""The account day by day: what is told first, followers, reach, and views by product type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import median
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.pacific import DAY
from airflow_provider_iginsights.report.chart import (
    NO_NUMBER,
    PROVISIONAL,
    SERIES,
    Spec,
    color,
    day_axis,
    describe,
    draw,
    layer,
    number_axis,
    shade_days,
)
from airflow_provider_iginsights.report.figures import (
    Figure,
    FigureTable,
    Number,
    Section,
    Swatch,
    TableColumn,
    add_up,
    shorten,
    to_number,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.rows import ReportRows

Series = Mapping[date, Number]
COLUMNS = {
    "reach": "Reach",
    "views": "Views",
    "accounts_engaged": "Accounts engaged",
    "total_interactions": "Interactions",
    "profile_views": "Profile views",
    "website_clicks": "Website clicks",
}
PRODUCTS = {"POST": "Posts", "FEED": "Posts", "CAROUSEL_CONTAINER": "Carousels", "REEL": "Reels", "REELS": "Reels"}
PRODUCTS |= {"STORY": "Stories", "AD": "Ads", "DEFAULT_DO_NOT_USE": "Other"}
"""What Meta calls product types, in words; others are told as Meta sends them."""
PRODUCT_COLORS = dict(zip(("Reels", "Posts", "Stories", "Carousels", "Ads"), SERIES, strict=True))


class AccountDays:
    """The account's numbers by day. A day without a number is no key."""

    def __init__(self, rows: ReportRows) -> None:
        self.rows = rows
        self.metrics: dict[str, dict[date, Number]] = defaultdict(dict)
        self.products: dict[str, dict[date, Number]] = defaultdict(dict)
        for row in rows.daily:
            value = to_number(row["value"])
            if value is not None and not row["breakdown"]:
                self.metrics[row["metric"]][row["metric_date"]] = value
            elif value is not None:
                name = PRODUCTS.get(row["breakdown_value"]) or shorten(row["breakdown_value"], 40) or "Other"
                found = self.products[name]
                found[row["metric_date"]] = found.get(row["metric_date"], 0) + value
        counted = sorted((row["snapshot_date"], row["followers_count"]) for row in rows.profiles)
        self.followers: dict[date, Number] = {day: count for day, count in counted if count is not None}

    @property
    def read_last(self) -> Any:
        """When the account's numbers were read last; None if never."""
        return max((row["read_last"] for row in self.rows.coverage.get("account numbers", ())), default=None)

    @property
    def provisional(self) -> tuple[date, ...]:
        """The days that Meta could still revise."""
        return self.rows.period.find_provisional(self.read_last)

    def list_headlines(self) -> list[tuple[str, Number | None, str]]:
        """Return (title, number, remark) of what is told first."""
        counts = list(self.followers.values())
        change = f"{counts[-1] - counts[0]:+,} in the period" if len(counts) > 1 else "one reading"
        reach = sorted(self.metrics["reach"].values())
        return [
            ("Followers", counts[-1] if counts else None, change if counts else "no reading"),
            ("Reach, median day", round(median(reach)) if reach else None, _tell_days(reach)),
            *(
                (title, add_up(self.metrics[name].values()), f"sum of {_tell_days(self.metrics[name])}")
                for name, title in (("views", "Views"), ("total_interactions", "Interactions"))
            ),
        ]


def make_daily(days: AccountDays) -> Section:
    """Return the section of followers and reach."""
    return Section(
        key="daily",
        title="Followers and reach",
        intro="A day is Meta's day, which begins at midnight in Los Angeles. Reach counts people, so it is not summed.",
        figures=(_make_followers(days), _make_reach(days)),
    )


def make_products(days: AccountDays) -> Section:
    """Return the section of views by product type."""
    period = days.rows.period
    names = sorted(days.products, key=lambda name: (-(add_up(days.products[name].values()) or 0), name))
    # More series than colours: the smallest are told together.
    alone = names if len(names) <= len(SERIES) else names[: len(SERIES) - 1]
    stacked: dict[str, Series] = {name: days.products[name] for name in alone}
    if len(alone) < len(names):
        stacked["Other types"] = _merge(days, names[len(alone) :])
    colors = _choose_colors(stacked)
    values = [
        {"day": day.isoformat(), "kind": name, "views": series[day]}
        for name, series in stacked.items()
        for day in period.days
        if day in series
    ]
    missing = [day for day in period.days if not any(day in series for series in stacked.values())]
    scale = {"domain": list(colors), "range": [color(each) for each in colors.values()]}
    bars = layer(
        values,
        {"type": "bar"},
        x=day_axis(),
        y=number_axis("views", "Views", stack="zero"),
        color={"field": "kind", "type": "nominal", "title": "Type", "scale": scale, "legend": None},
        tooltip=describe(("day", "Day"), ("kind", "Type"), ("views", "Views")),
    )
    figure = Figure(
        key="products",
        title="Views per day by product type",
        spec=_draw_days(days, bars, missing=missing, description="Views per day, stacked by product type")
        if values
        else None,
        table=FigureTable(
            (TableColumn("Day", "days"), *(TableColumn(name) for name in names)),
            [(day, *(days.products[name].get(day) for name in names)) for day in period.days],
        ),
        legend=(*(Swatch(each, name) for name, each in colors.items()), *_explain(days, missing)),
        note="Views count repeated plays. Organic and paid ones are in them.",
        empty="No views by product type were loaded for these days.",
    )
    return Section(key="views", title="Views by product type", figures=(figure,))


def _choose_colors(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each of at most five product types: a known one has the same in every report."""
    wanted = list(names)
    known = {name: PRODUCT_COLORS[name] for name in wanted if name in PRODUCT_COLORS}
    free = iter([each for each in SERIES if each not in known.values()])
    return {name: known.get(name) or next(free) for name in wanted}


def _merge(days: AccountDays, names: Iterable[str]) -> Series:
    merged: dict[date, Number] = {}
    for name in names:
        for day, value in days.products[name].items():
            merged[day] = merged.get(day, 0) + value
    return merged


def _make_followers(days: AccountDays) -> Figure:
    # A profile is read after the day that it ends: the last one on the day after the period.
    shown = (*days.rows.period.days, days.rows.period.last + DAY)
    shown = shown if shown[-1] in days.followers else shown[:-1]
    values = [{"day": day.isoformat(), "followers": days.followers.get(day)} for day in shown]
    missing = [day for day in shown if day not in days.followers]
    return Figure(
        key="followers",
        title="Followers, count at the time of reading",
        spec=_draw_days(
            days,
            *_draw_line(values, "followers", "Followers", zero=False),
            missing=missing,
            is_provisional=False,
            description="Followers per day",
        )
        if days.followers
        else None,
        table=FigureTable(
            (TableColumn("Day", "days"), TableColumn("Followers")), [(day, days.followers.get(day)) for day in shown]
        ),
        legend=_explain(days, missing, is_provisional=False),
        note="The axis does not begin at 0.",
        empty="No profile was read on these days.",
    )


def _make_reach(days: AccountDays) -> Figure:
    reach, period = days.metrics["reach"], days.rows.period
    values = [{"day": day.isoformat(), "reach": reach.get(day)} for day in period.days]
    missing = [day for day in period.days if day not in reach]
    return Figure(
        key="reach",
        title="Reach per day, accounts",
        spec=_draw_days(
            days, *_draw_line(values, "reach", "Reach"), missing=missing, description="Accounts reached per day"
        )
        if reach
        else None,
        table=FigureTable(
            (TableColumn("Day", "days"), *map(TableColumn, COLUMNS.values())),
            [(day, *(days.metrics[name].get(day) for name in COLUMNS)) for day in period.days],
        ),
        legend=_explain(days, missing),
        empty="No reach was loaded for these days.",
    )


def _draw_line(values: Sequence[Mapping[str, Any]], name: str, title: str, *, zero: bool = True) -> list[Spec]:
    y = number_axis(name, title, zero=zero)
    known = [value for value in values if value[name] is not None]
    line = {"type": "line", "color": color(SERIES[0]), "strokeWidth": 2, "aria": False}
    # The points carry the names of the numbers, and show a day between two gaps, of which no line tells.
    point = {"type": "point", "filled": True, "size": 30 if len(known) < 60 else 8, "color": color(SERIES[0])}
    shown = describe(("day", "Day"), (name, title))
    return [
        layer(values, line, x=day_axis(is_point=True), y=y),
        layer(known, {**point, "opacity": 1}, x=day_axis(is_point=True), y=y, tooltip=shown),
    ]


def _draw_days(
    days: AccountDays, *layers: Spec, missing: Iterable[date], description: str, is_provisional: bool = True
) -> Spec:
    shaded = [shade_days(days.provisional, swatch=PROVISIONAL)] if is_provisional else []
    return draw(*shaded, shade_days(missing, swatch=NO_NUMBER), *layers, description=description)


def _explain(days: AccountDays, missing: Sequence[date], *, is_provisional: bool = True) -> tuple[Swatch, ...]:
    shaded = [PROVISIONAL] if is_provisional and days.provisional else []
    return (*shaded, *([NO_NUMBER] if missing else ()))


def _tell_days(known: Sequence[Number] | Series) -> str:
    return "1 day" if len(known) == 1 else f"{len(known)} days"
