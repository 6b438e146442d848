"""Of which days the tables hold numbers, and what else somebody should know about the period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_iginsights.pacific import DAY
from airflow_provider_iginsights.report.chart import Spec, color, day_axis, describe, draw, layer
from airflow_provider_iginsights.report.figures import Figure, FigureTable, Section, Swatch, TableColumn, shorten

if TYPE_CHECKING:
    from airflow_provider_iginsights.report.rows import ReportRows

State = Literal["complete", "in part", "missing"]
COLORS: Mapping[State, str] = {"complete": "--complete", "in part": "--part", "missing": "--missing"}
COUNTS: Mapping[str, str] = {
    "account numbers": "Account numbers",
    "profile": "Profiles",
    "posts and reels": "Posts and reels read",
    "story polls": "Story polls",
}
FIXED = ("account numbers", "profile")
"""What has the same count every day: fewer than on the best day is a part."""
MOST_REASONS, MOST_OBJECTS = 10, 3


def make_coverage(rows: ReportRows) -> Section:
    """Return the section that shows missing days."""
    counts = count_days(rows)
    values = [
        {"day": day.isoformat(), "kind": name, "text": state}
        for name in COUNTS
        for day, state in judge_days(rows, name).items()
    ]
    figure = Figure(
        key="coverage",
        title="Days for which numbers were loaded",
        spec=_draw(values) if any(counts.values()) else None,
        table=FigureTable(
            (TableColumn("Day", "days"), *map(TableColumn, COUNTS.values())),
            [(day, *(counts[name].get(day) for name in COUNTS)) for day in rows.period.days],
        ),
        legend=tuple(Swatch(each, state) for state, each in COLORS.items()),
        note="Account numbers: metrics of the day, in part where other days have more. Profiles, posts and story polls "
        "stand on the day on which they were read.",
        empty="Nothing was loaded for these days.",
    )
    return Section(key="coverage", title="Coverage", figures=(figure,))


def make_notes(rows: ReportRows, provisional: Sequence[date]) -> Section:
    """Return the notes of the period."""
    return Section(key="notes", title="Notes", remarks=tuple(_list_notes(rows, provisional)))


def count_days(rows: ReportRows) -> dict[str, dict[date, int]]:
    """Return what each table holds by day of the period; a day without a row is no key."""
    return {
        name: {row["day"]: row["count"] for row in rows.coverage.get(name, ()) if rows.period.has(row["day"])}
        for name in COUNTS
    }


def judge_days(rows: ReportRows, name: str) -> dict[date, State]:
    """Return what is there of each day."""
    counts = count_days(rows)[name]
    most = max(counts.values(), default=0) if name in FIXED else 1
    return {
        day: "missing" if day not in counts else "complete" if counts[day] >= most else "in part"
        for day in rows.period.days
    }


def _list_notes(rows: ReportRows, provisional: Sequence[date]) -> Iterator[str]:
    for name, title in COUNTS.items():
        missing = [day for day, state in judge_days(rows, name).items() if state == "missing"]
        if len(missing) == len(rows.period.days):
            yield f"{title}: no day of the period was loaded."
        elif missing:
            days = ", ".join(_join_days(missing))
            yield f"{title}: {len(missing)} of {len(rows.period.days)} days are missing: {days}."
    yield from _tell_unavailable(rows)
    yield from _tell_runs(rows)
    yield from _tell_left_out(rows)
    if provisional:
        yield f"Provisional, because Meta revises numbers for 48 hours: {', '.join(_join_days(provisional))}."
    for path in rows.missing:
        yield f"There is no table {path}, so the report shows nothing of it."


def _tell_unavailable(rows: ReportRows) -> Iterator[str]:
    days: dict[tuple[str, str], list[date]] = defaultdict(list)
    for row in rows.unavailable:
        days[row["transfer"], shorten(row["reason"], 200) or "no reason was stored"].append(row["snapshot_date"])
    for (transfer, reason), found in days.items():
        yield f"The account was unavailable to {transfer} on {', '.join(_join_days(found))}: {reason}."


def _tell_runs(rows: ReportRows) -> Iterator[str]:
    ended: dict[tuple[str, str, str], list[date]] = defaultdict(list)
    left_out: dict[str, int] = defaultdict(int)
    for row in rows.runs:
        left_out[row["transfer"] or "a transfer"] += row["left_out"] or 0
        if row["status"] != "done":
            reason = f" ({shorten(row['reason'], 100)})" if row["reason"] else ""
            days = ended[row["transfer"] or "a transfer", row["status"].replace("_", " "), reason]
            days.extend([row["run_date"]] if row["run_date"] not in days else [])
    for (transfer, status, reason), days in ended.items():
        yield f"Runs of {transfer} ended {status}{reason} for the account: {', '.join(_join_days(days))}."
    for transfer, count in left_out.items():
        if count:
            yield f"Runs of {transfer} left out {count:,} values that were refused or could not be read."


def _tell_left_out(rows: ReportRows) -> Iterator[str]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows.left_out:
        found[row["what"], row["reason"]].append(row)
    for (what, reason), examples in list(found.items())[:MOST_REASONS]:
        objects = ", ".join(shorten(row["object"], 80) for row in examples[:MOST_OBJECTS])
        more = f" and {len(examples) - MOST_OBJECTS:,} more" if len(examples) > MOST_OBJECTS else ""
        first, last = min(row["first_day"] for row in examples), max(row["last_day"] for row in examples)
        days = f"on {first}" if first == last else f"between {first} and {last}"
        yield f"Examples of {shorten(what, 80)} left out ({shorten(reason, 80)}) {days}: {objects}{more}."
    if len(found) > MOST_REASONS:
        yield f"{len(found) - MOST_REASONS:,} more reasons and metrics have examples in the table of what was left out."


def _join_days(days: Sequence[date]) -> Iterator[str]:
    """Yield ``2026-11-03`` or ``2026-11-03 to 2026-11-05`` for ascending days."""
    first = last = days[0]
    for day in (*days[1:], date.max):
        if day - last > DAY:
            yield str(first) if first == last else f"{first} to {last}"
            first = day
        last = day


def _draw(values: Sequence[Mapping[str, object]]) -> Spec:
    scale = {"domain": list(COLORS), "range": [color(each) for each in COLORS.values()]}
    row = {
        "field": "kind",
        "type": "nominal",
        "title": "Table",
        "sort": list(COUNTS),
        "scale": {"paddingInner": 0.25},
        "axis": {"domain": False, "ticks": False, "grid": False, "title": None},
    }
    return draw(
        layer(
            values,
            {"type": "rect"},
            x=day_axis(),
            y=row,
            color={"field": "text", "type": "nominal", "title": "State", "scale": scale, "legend": None},
            tooltip=describe(("day", "Day"), ("kind", "Table"), ("text", "State")),
        ),
        description="Which days were loaded, by table",
        height=130,
    )
