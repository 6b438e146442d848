"""The views of accounts: audience, weeks, months and changes equal what plain Python makes of plain rows."""

from __future__ import annotations

import random
from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.daily_columns import name_summed_columns
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS, MEDIA, MEDIA_INSIGHTS
from tests.support.bigquery.view_rows import Row, count_bytes, divide, plain, read_view, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.catalog.views import ViewName
    from tests.support.bigquery.warehouses import Warehouse

DAY = timedelta(days=1)
SINCE, UNTIL = date(2026, 8, 12), date(2026, 10, 7)
UNIQUE = {"account_weekly": ("week", "reach_week"), "account_monthly": ("days_28", "reach_days_28")}
FLOWS = ("views", "likes", "follows_and_unfollows_follower", "follows_and_unfollows_non_follower")


class Rows:
    """Rows of raw history: each is fetched later than the one before."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self.of: dict[Table, list[Row]] = {}
        self.fetches = 0

    def add(self, table: Table, **columns: Any) -> None:
        """Add a row; a number, now and then, after another one of the same key."""
        doubled = "value" in columns and self.dice.random() < 0.1
        for each in [columns | {"value": self.number()}] * doubled + [columns]:
            self.fetches += 1
            fetched_at = f"2027-01-01T{self.fetches // 3600:02d}:{self.fetches // 60 % 60:02d}:{self.fetches % 60:02d}Z"
            self.of.setdefault(table, []).append(each | {"fetched_at": fetched_at})

    def add_insight(self, account_id: str, metric: str, day: date, **columns: Any) -> None:
        """Add a number of an account."""
        made: Row = {"period": "day", "timeframe": "", "breakdown": "", "breakdown_value": "", "value": self.number()}
        self.add(ACCOUNT_INSIGHTS, account_id=account_id, metric=metric, metric_date=str(day), **(made | columns))

    def number(self) -> Decimal:
        """Return a number, which may be 0."""
        return Decimal(self.dice.choice((0, self.dice.randrange(1, 500))))


def newest(given: Iterable[Row], *by: str) -> dict[tuple[Any, ...], Row]:
    """Return the newest row of each key."""
    return {tuple(row[name] for name in by): row for row in sorted(given, key=lambda row: row["fetched_at"])}


def today_of(warehouse: Warehouse) -> date:
    """Return the warehouse's own Pacific date."""
    with warehouse.connect() as client:
        [[today]] = client.query("SELECT CURRENT_DATE('America/Los_Angeles')").result()
        assert isinstance(today, date)
        return today


def begin(day: date, name: ViewName) -> date:
    """Return the first day of the week or month of a day."""
    return day - day.weekday() * DAY if name == "account_weekly" else day.replace(day=1)


def days_of(start: date, name: ViewName) -> list[date]:
    """Return the days of the week or month that begins on a day."""
    count = 7 if name == "account_weekly" else monthrange(start.year, start.month)[1]
    return [start + number * DAY for number in range(count)]


def draw_days() -> dict[Table, list[Row]]:
    """Return daily numbers with gaps, Meta's own uniques on every day, breakdowns, and profiles now and then."""
    made = Rows("days")
    for offset in range(-45, 110):
        day = SINCE + offset * DAY
        for period in ("week", "days_28"):
            made.add_insight("4", "reach", day, period=period)
        for account_id in "12":
            if made.dice.random() < 0.3 or (account_id == "2" and offset > 30):
                continue
            for metric in made.dice.sample(("views", "likes", "reach", "accounts_engaged"), 2):
                made.add_insight(account_id, metric, day)
                made.add_insight(account_id, metric, day, breakdown="media_product_type", breakdown_value="REELS")
            for side in ("FOLLOWER", "NON_FOLLOWER"):
                made.add_insight(
                    account_id, "follows_and_unfollows", day, breakdown="follow_type", breakdown_value=side
                )
            for period in ("week", "days_28"):
                made.add_insight(account_id, "reach", day, period=period)
        if made.dice.random() < 0.2:
            count = made.dice.choice((None, 0, 900, 1000))
            made.add(ACCOUNTS, account_id=made.dice.choice("13"), snapshot_date=str(day), followers_count=count)
    return made.of


def expect_periods(given: dict[Table, list[Row]], name: ViewName) -> list[Row]:
    """Return the truth of a table function."""
    insights = newest(
        given[ACCOUNT_INSIGHTS], "account_id", "metric", "period", "breakdown", "breakdown_value", "metric_date"
    )
    profiles = newest(given[ACCOUNTS], "account_id", "snapshot_date").values()
    counts = {(row["account_id"], date.fromisoformat(row["snapshot_date"])): row["followers_count"] for row in profiles}
    starts = sorted({begin(SINCE + number * DAY, name) for number in range((UNTIL - SINCE).days + 1)})
    shown = []
    for account in "1234":
        values = {key[1:]: row["value"] for key, row in insights.items() if key[0] == account}
        for start in starts:
            days = days_of(start, name)
            shown.append(_expect_period(account, start, days, values, counts, name))
    return [row for row in shown if row["days"] or row["followers_read_on"] or row[UNIQUE[name][1]] is not None]


def _expect_period(
    account: str, start: date, days: list[date], values: dict[Any, Decimal], counts: dict[Any, Any], name: ViewName
) -> Row:
    def add_up(metric: str, part: str = "") -> Decimal | None:
        kind = "follow_type" if part else ""
        found = [values[key] for day in days if (key := (metric, "day", kind, part, str(day))) in values]
        return sum(found, Decimal(0)) if found else None

    def last_count(of: list[date]) -> tuple[int, date] | None:
        found = [(counts[account, day], day) for day in of if counts.get((account, day)) is not None]
        return found[-1] if found else None

    present = {key[4] for key in values if key[1] == "day" and (key[2] == "" or key[0] == "follows_and_unfollows")}
    word = "week" if name == "account_weekly" else "month"
    there = sum(str(day) in present for day in days)
    made: Row = {"account_id": account, f"{word}_start": start, "days": there, "days_missing": len(days) - there}
    made |= {"views": add_up("views"), "likes": add_up("likes")}
    gained, lost = add_up("follows_and_unfollows", "FOLLOWER"), add_up("follows_and_unfollows", "NON_FOLLOWER")
    made["net_follows"] = None if gained is None or lost is None else gained - lost
    period, column = UNIQUE[name]
    made[column] = values.get(("reach", period, "", "", str(days[-1])))
    now, before = last_count(days), last_count(days_of(begin(start - DAY, name), name))
    made |= {"followers_count": now and now[0], "followers_read_on": now and now[1]}
    return made | {"followers_change": now[0] - before[0] if now and before else None}


@pytest.mark.referee
def test_weeks_and_months_equal_the_truth(warehouse: Warehouse) -> None:
    """Sums where they are allowed, Meta's own reach, days that are missing, followers at the end; whole periods.

    From a day to the one before it there is none, although both are in one week; the calendar's ends are no error.
    """
    given = draw_days()
    write_rows(warehouse, given)
    for name in ("account_weekly", "account_monthly"):
        word = name.removeprefix("account_").removesuffix("ly")
        start = f"{word}_start"
        shown = {(row["account_id"], row[start]): row for row in read_view(warehouse, name, SINCE, UNTIL)}
        expected = expect_periods(given, name)
        assert len(shown) == len(expected) > 4
        for each in expected:
            row = shown[each["account_id"], each[start]]
            assert {key: row[key] for key in each} == {key: plain(value) for key, value in each.items()}
            assert not {"reach", "accounts_engaged"} & row.keys()
        assert sum(each["followers_change"] is not None for each in expected) > 1
        assert sum(each[UNIQUE[name][1]] is not None for each in expected) > 1
        assert read_view(warehouse, name, UNTIL, UNTIL - DAY) == []
        stored = {(row["account_id"], row["metric_date"]) for row in given[ACCOUNT_INSIGHTS] if row["period"] == "day"}
        assert sum(row["days"] for row in read_view(warehouse, name, date.min, date.max)) == len(stored)


def test_people_are_not_added() -> None:
    """What may be added over days is said of each metric; counts of people, stocks and unknown ones are not."""
    never = {"reach", "accounts_engaged", "content_views", "quotes", "online_followers", "follower_demographics"}
    adds = {each.name for each in ACCOUNT_METRICS if each.sums_over_days}
    assert not never & (adds | {*name_summed_columns()})
    assert {*FLOWS, "total_interactions", "follower_count", "website_clicks"} <= {*name_summed_columns()}


@pytest.mark.referee
def test_the_audience_equals_the_truth(warehouse: Warehouse) -> None:
    """The newest snapshot of each breakdown, its shares, and the snapshot nearest to 28 days before."""
    today, made = today_of(warehouse), Rows("audience")
    for account_id, ages in (("1", (0, 1, 26, 27, 30)), ("2", (3, 28, 35)), ("3", (5, 40)), ("4", (120,))):
        for metric, breakdown in (("follower_demographics", "age"), ("engaged_audience_demographics", "age|gender")):
            for age in ages:
                for value in made.dice.sample(("13-17", "18-24", "25-34|F", "U"), 3):
                    day = today - age * DAY
                    part = {"breakdown": breakdown, "breakdown_value": value, "timeframe": "THIS_MONTH"}
                    made.add_insight(account_id, metric, day, period="lifetime", **part)
                    made.add_insight(account_id, "views", day, breakdown="follow_type", breakdown_value=value)
    write_rows(warehouse, made.of)
    rows = newest(made.of[ACCOUNT_INSIGHTS], "account_id", "metric", "breakdown_value", "metric_date")
    expected = []
    for account_id, first, before in (("1", 0, 27), ("2", 3, 28), ("3", 5, None)):
        for metric in ("follower_demographics", "engaged_audience_demographics"):
            now = _values(rows, account_id, metric, today - first * DAY)
            then = _values(rows, account_id, metric, today - before * DAY) if before else {}
            for value, number in now.items():
                share, old = divide(number, sum(now.values())), divide(then.get(value), sum(then.values()))
                expected.append((account_id, metric, value, plain(number), share, plain(then.get(value)), old))
    names = ("account_id", "metric", "breakdown_value", "value", "share", "previous_value", "previous_share")
    shown = [tuple(row[name] for name in names) for row in read_view(warehouse, "audience")]
    assert sorted(shown, key=str) == sorted(expected, key=str)


def _values(rows: dict[tuple[Any, ...], Row], account_id: str, metric: str, day: date) -> dict[str, Decimal]:
    return {key[2]: row["value"] for key, row in rows.items() if (*key[:2], key[3]) == (account_id, metric, str(day))}


@pytest.mark.referee
def test_changes_equal_the_truth(warehouse: Warehouse) -> None:
    """Of each account's last day, the numbers that differ from those before, new ones, and the profile's counts."""
    today, made = today_of(warehouse), Rows("changes")
    for account_id, ages in (("1", range(0, 20, 2)), ("2", (9, 13)), ("3", (30, 31))):
        for age in ages:
            day = str(today - age * DAY)
            ids = {"account_id": account_id, "snapshot_date": day}
            counts = {"followers_count": made.dice.choice((7, 8)), "follows_count": 5, "media_count": None}
            made.add(ACCOUNTS, **ids, **counts)
            for post in made.dice.sample("abcdef", 4):
                of_post = {"media_id": post, "breakdown": "", "breakdown_value": "", "metric": "reach"}
                made.add(MEDIA_INSIGHTS, **ids, **of_post, value=Decimal(made.dice.randrange(3)))
                part = {"breakdown": "x", "breakdown_value": "y"}
                made.add(MEDIA_INSIGHTS, **ids, **(of_post | part), value=made.number())
    made.add(MEDIA, account_id="1", media_id="a", published_date=str(today), permalink="https://a.example")
    write_rows(warehouse, made.of)
    numbers = newest(made.of[MEDIA_INSIGHTS], "account_id", "media_id", "breakdown", "snapshot_date")
    readings = {(*key[:2], "reach", key[3]): row["value"] for key, row in numbers.items() if key[2] == ""}
    for row in newest(made.of[ACCOUNTS], "account_id", "snapshot_date").values():
        for name in ("followers_count", "follows_count"):
            readings[row["account_id"], None, name, row["snapshot_date"]] = Decimal(row[name])
    recent = {key: value for key, value in readings.items() if date.fromisoformat(key[3]) >= today - 14 * DAY}
    expected = []
    for (account_id, post, metric, day), value in recent.items():
        days = [key[3] for key in recent if key[:3] == (account_id, post, metric) and key[3] < day]
        before = recent[account_id, post, metric, max(days)] if days else None
        last = max(key[3] for key in recent if key[0] == account_id and (key[1] is None) == (post is None))
        if day == last and value != before:
            link = "https://a.example" if (account_id, post) == ("1", "a") else None
            change = None if before is None else plain(value - before)
            expected.append((account_id, post, metric, plain(value), plain(before), change, link))
    names = ("account_id", "media_id", "metric", "value", "previous_value", "change", "permalink")
    shown = [tuple(row[name] for name in names) for row in read_view(warehouse, "changes")]
    assert sorted(shown, key=str) == sorted(expected, key=str)
    assert {row[0] for row in shown} == {"1", "2"}


def test_views_of_some_days_read_no_years(faulty: Warehouse) -> None:
    """What their queries process stays the same, however many earlier days the tables hold."""
    today = today_of(faulty)
    recent = (today - 9 * DAY, today)
    days: dict[ViewName, tuple[date, ...]] = {"audience": (), "changes": (), "account_weekly": recent}
    days |= {"account_monthly": recent, "post_ages": recent}

    def write(day: date) -> dict[str, int]:
        made = Rows(str(day))
        made.add_insight("1", "views", day)
        made.add_insight("1", "follower_demographics", day, breakdown="age", breakdown_value="U", period="lifetime")
        of_post = {"metric": "reach", "breakdown": "", "breakdown_value": "", "published_at": f"{day}T20:00:00Z"}
        ids = {"account_id": "1", "snapshot_date": str(day)}
        made.add(MEDIA_INSIGHTS, **ids, **of_post, media_id="a", value=Decimal(1))
        made.add(ACCOUNTS, **ids, followers_count=1)
        write_rows(faulty, made.of | {MEDIA: []})
        return {name: count_bytes(faulty, name, *given) for name, given in days.items()}

    before = write(today - 2 * DAY)
    assert min(before.values()) > 0
    assert write(today - 800 * DAY) == before
