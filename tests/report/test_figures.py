"""The figures of a report are those of the tables: each number is worked out a second time from the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    ACCOUNTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
)
from tests.support.report_pages import ReadPage, read_number
from tests.support.report_rows import ACCOUNT, DAY, IN_PART, LAST, MISSING, MonthRows

Row = dict[str, Any]
SUMMER_ENDS_IN_BERLIN = datetime(2026, 10, 25, 1, tzinfo=UTC)
SUMMER_ENDS_IN_LOS_ANGELES = datetime(2026, 11, 1, 9, tzinfo=UTC)


def in_berlin(moment: datetime) -> datetime:
    """Return the wall clock of Berlin, by the dates of that autumn."""
    return moment.replace(tzinfo=None) + timedelta(hours=2 if moment < SUMMER_ENDS_IN_BERLIN else 1)


def from_los_angeles(day: date, hour: int) -> datetime:
    """Return the instant of an hour of a Pacific day, by the dates of that autumn."""
    for offset in (7, 8):
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(hours=offset)
        if (moment < SUMMER_ENDS_IN_LOS_ANGELES) == (offset == 7):
            return moment
    raise AssertionError(day)


def instant(text: str) -> datetime:
    """Return the instant of a row."""
    return datetime.fromisoformat(text)


def select(month: MonthRows, table: Any, **equal: Any) -> list[Row]:
    """Return the account's rows that have these values."""
    wanted = {"account_id": ACCOUNT, **equal}
    return [row for row in month.tables[table] if all(row[name] == value for name, value in wanted.items())]


def totals(month: MonthRows, metric: str) -> dict[str, int]:
    """Return the account's totals by day."""
    rows = select(month, ACCOUNT_INSIGHTS, metric=metric, period="day", breakdown="")
    return {row["metric_date"]: row["value"] for row in rows}


def numbers(cells: list[str]) -> list[float | None]:
    """Return cells as numbers."""
    return [read_number(cell) for cell in cells]


def test_the_days(page: ReadPage, month: MonthRows) -> None:
    """Each day of the period has a row; a day that is missing has no number, and that is not 0."""
    metrics = ("reach", "views", "accounts_engaged", "total_interactions", "profile_views", "website_clicks")
    expected = {name: totals(month, name) for name in metrics}
    rows = page.list_rows("reach")
    assert [row[0] for row in rows] == [day.isoformat() for day in month.days]
    for day, *cells in rows:
        assert numbers(cells) == [expected[name].get(day) for name in metrics], day
        assert (cells == ["–"] * len(metrics)) == (date.fromisoformat(day) in MISSING)


def test_the_followers(page: ReadPage, month: MonthRows) -> None:
    """As each profile told."""
    known = {row["snapshot_date"]: row["followers_count"] for row in select(month, ACCOUNTS)}
    assert {day: read_number(cell) for day, cell in page.list_rows("followers")} == {
        day.isoformat(): known.get(day.isoformat()) for day in month.days
    }


def test_the_views_by_product_type(page: ReadPage, month: MonthRows) -> None:
    """Each type has a column; together they are the total."""
    titles = page.tables["table-products"][0][1:]
    assert titles == ["Reels", "Posts", "Stories", "Carousels", "Ads"]
    rows = select(month, ACCOUNT_INSIGHTS, metric="views", breakdown="media_product_type")
    names = {"Reels": "REEL", "Posts": "POST", "Stories": "STORY", "Carousels": "CAROUSEL_CONTAINER", "Ads": "AD"}
    known = {(row["metric_date"], row["breakdown_value"]): row["value"] for row in rows}
    for day, *cells in page.list_rows("products"):
        assert numbers(cells) == [known.get((day, names[title])) for title in titles]
        assert sum(filter(None, numbers(cells))) == totals(month, "views").get(day, 0)


def newest(month: MonthRows) -> dict[str, dict[str, int]]:
    """Return the newest number of each post by metric."""
    found: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)
    for row in select(month, MEDIA_INSIGHTS):
        told = (row["snapshot_date"], row["value"])
        kept = found[row["media_id"]]
        kept[row["metric"]] = max(told, kept.get(row["metric"], told))
    return {media: {name: value for name, (_, value) in kept.items()} for media, kept in found.items()}


def test_the_posts(page: ReadPage, month: MonthRows) -> None:
    """All are listed, the most views first, with their newest numbers; the rate is of two numbers of one day."""
    known, metrics = newest(month), ("views", "reach", "total_interactions", "likes", "comments", "saved", "shares")
    posts = sorted(select(month, MEDIA), key=lambda row: row["published_at"], reverse=True)
    posts.sort(key=lambda row: -known[row["media_id"]].get("views", -1))
    rows = page.list_rows("best")
    assert len(rows) == len(posts) == 15
    silent = 0
    for post, (_, kind, published, *cells) in zip(posts, rows, strict=True):
        has = known[post["media_id"]]
        assert numbers(cells[:-1]) == [has.get(name) for name in metrics]
        last = [
            max(row["snapshot_date"] for row in select(month, MEDIA_INSIGHTS, media_id=post["media_id"], metric=name))
            for name in ("total_interactions", "reach")
        ]
        rate = pytest.approx(has["total_interactions"] / has["reach"], abs=0.0006) if last[0] == last[1] else None
        assert read_number(cells[-1]) == rate
        silent += rate is None
        assert kind == {"FEED": "Post", "REELS": "Reel"}[post["media_product_type"]]
        assert published == f"{in_berlin(instant(post['published_at'])):%Y-%m-%d %H:%M}"
    assert silent == 1


def test_the_curves(page: ReadPage, month: MonthRows) -> None:
    """Every reading of the five best is told with the age that the post had then."""
    views = {media: has["views"] for media, has in newest(month).items() if "views" in has}
    best = sorted(views, key=lambda media: -views[media])[:5]
    expected = []
    for row in select(month, MEDIA_INSIGHTS, metric="views"):
        if row["media_id"] in best:
            age = (instant(row["fetched_at"]) - instant(row["published_at"])) / DAY
            expected.append((best.index(row["media_id"]) + 1, round(age, 2), row["value"]))
    rows = [(int(place), read_number(age), read_number(value)) for place, _, age, value in page.list_rows("ages")]
    assert rows == [(place, pytest.approx(age, abs=0.006), value) for place, age, value in sorted(expected)]


def test_the_stories(page: ReadPage, month: MonthRows) -> None:
    """Their last numbers; completion is the share of views that did not exit, and unknown where exits are."""
    final: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in select(month, STORY_INSIGHTS, is_final=True):
        final[row["published_at"]][row["breakdown_value"] or row["metric"]] = row["value"]
    rows = page.list_rows("stories")
    assert len(rows) == len(final) == 12
    names = ("views", "reach", "replies", "tap_forward", "tap_back", "tap_exit")
    for published, (told, *cells, completion, state) in zip(sorted(final, reverse=True), rows, strict=True):
        has = final[published]
        assert told == f"{in_berlin(instant(published)):%Y-%m-%d %H:%M}"
        assert numbers(cells) == [has.get(name) for name in names]
        expected = (has["views"] - has["tap_exit"]) / has["views"] if "tap_exit" in has else None
        assert read_number(completion) == (expected and pytest.approx(expected, abs=0.0006))
        assert state == "final"


@pytest.mark.parametrize("dimension", ["age", "gender", "country", "city"])
def test_the_audience(page: ReadPage, month: MonthRows, dimension: str) -> None:
    """The newest reading, each group once although two timeframes tell it."""
    rows = select(month, ACCOUNT_INSIGHTS, breakdown=dimension, timeframe="this_week")
    day = max(row["metric_date"] for row in rows)
    known = [row["value"] for row in rows if row["metric_date"] == day]
    told = page.list_rows(f"audience-{dimension}")
    assert Counter(read_number(count) for _, count, _ in told) == Counter(known)
    for _, count, share in told:
        assert read_number(share) == pytest.approx((read_number(count) or 0) / sum(known), abs=0.0006)


def test_the_hours(page: ReadPage, month: MonthRows) -> None:
    """Pacific hours are told by the clock of Berlin, in summer, in winter and in the week between; and the posts."""
    online: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in select(month, ACCOUNT_INSIGHTS, metric="online_followers"):
        hour = in_berlin(from_los_angeles(date.fromisoformat(row["metric_date"]), int(row["breakdown_value"])))
        online[hour.weekday(), hour.hour].append(row["value"])
    moments = [in_berlin(instant(row["published_at"])) for row in select(month, MEDIA)]
    posts = Counter((moment.weekday(), moment.hour) for moment in moments)
    weekdays = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    rows = page.list_rows("hours")
    assert len(rows) == 7 * 24
    for weekday, hour, mean, count in rows:
        slot = weekdays.index(weekday), int(hour[:2])
        assert read_number(mean) == pytest.approx(sum(online[slot]) / len(online[slot]), abs=0.51)
        assert read_number(count) == posts[slot]


def test_the_coverage(page: ReadPage, month: MonthRows) -> None:
    """What each table holds of a day; nothing is no number."""
    expected = []
    for day in map(date.isoformat, month.days):
        account = select(month, ACCOUNT_INSIGHTS, metric_date=day, period="day")
        expected.append(
            [
                len({(row["metric"], row["breakdown"]) for row in account}) or None,
                len(select(month, ACCOUNTS, snapshot_date=day)) or None,
                len({row["media_id"] for row in select(month, MEDIA_INSIGHTS, snapshot_date=day)}) or None,
                len(select(month, STORY_POLLS, snapshot_date=day)) or None,
            ]
        )
    rows = page.list_rows("coverage")
    assert [numbers(cells) for _, *cells in rows] == expected
    assert expected[month.days.index(IN_PART)][0] == 1


def test_what_is_told_first(page: ReadPage, month: MonthRows) -> None:
    """Followers as last read, reach of a median day, sums of what may be summed."""
    reach = sorted(totals(month, "reach").values())
    assert {title: read_number(number) for title, number in page.read_headlines().items()} == {
        "Followers": max((row["snapshot_date"], row["followers_count"]) for row in select(month, ACCOUNTS))[1],
        "Reach, median day": round(median(reach)),
        "Views": sum(totals(month, "views").values()),
        "Interactions": sum(totals(month, "total_interactions").values()),
        "Posts and reels": 15,
        "Stories": 12,
    }


def test_the_notes(page: ReadPage) -> None:
    """Missing days are named as ranges, and the two days that Meta may still revise."""
    notes = [note for note in page.texts["li"] if ":" in note]
    assert f"Account numbers: 2 of 28 days are missing: {MISSING[0]} to {MISSING[1]}." in notes
    assert f"Provisional, because Meta revises numbers for 48 hours: {LAST - DAY} to {LAST}." in notes
