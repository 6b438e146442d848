"""An account's month for the tests of reports, row by row: every number is a pure function of its day or post.

Two days are missing, one has fewer metrics, captions try to break out of the page, and a number is asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import time_machine

from airflow_provider_iginsights.bigquery.fan_in import FanInLoader
from airflow_provider_iginsights.bigquery.session import JobOptions
from airflow_provider_iginsights.bigquery.target import TargetTable
from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    ACCOUNTS,
    MEDIA,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
    Table,
)
from airflow_provider_iginsights.pacific import pacific_date, pacific_midnight
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.bigquery import rows

ACCOUNT, OTHER, USERNAME = "17841405822304914", "17841405822304999", "nordlicht.coffee"
DATASET = "instagram"
NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
LAST = date(2026, 11, 20)
DAY = timedelta(days=1)
MISSING = (date(2026, 11, 5), date(2026, 11, 6))
IN_PART = date(2026, 11, 12)
HOSTILE = (
    "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>",
    "\u202eright to left\u202c & \"quoted\" 'text' \u2066open",
    "☕️🌲 " + "Long caption with 2,200 characters. " * 61 + "👩‍👩‍👧‍👦🏳️‍🌈 #end",
    "عرض جديد في مقهانا — 20% خصم",
    "<b>bold</b>\u0000\u0007\n\nline &amp; line",
)
PLAIN = (
    "New roast: Ethiopia Guji, natural",
    "Behind the bar with Mara",
    "Our winter menu is here",
    "How we dial in an espresso",
    "Latte art, step by step",
    "Opening hours over the holidays",
    "Cupping on Saturday, come by",
    "",
    "A letter from the farm",
    "Oat or cow?",
)


@dataclass(frozen=True, slots=True)
class MonthRows:
    """Rows by table; ``days`` of the period."""

    days: tuple[date, ...]
    tables: dict[Table, list[dict[str, Any]]]


def make_month(*, days: int = 28, posts: int = 15, stories: int = 12) -> MonthRows:
    """Return the rows of so many days up to the last one."""
    listed = tuple(LAST - DAY * step for step in reversed(range(days)))
    tables: dict[Table, list[dict[str, Any]]] = {
        ACCOUNT_INSIGHTS: [*_daily(listed), *_online(listed), *_audience()],
        ACCOUNTS: [_profile(day) for day in listed if day not in MISSING],
        MEDIA: [],
        MEDIA_INSIGHTS: [],
        STORY_INSIGHTS: [row for number in range(stories) for row in _story(number, listed)],
        STORY_POLLS: [_poll(day, hour) for day in listed if day not in MISSING for hour in (0, 8, 16)],
    }
    for number in range(posts):
        post = _post(number, posts, listed)
        tables[MEDIA].append(post)
        tables[MEDIA_INSIGHTS] += _readings(number, post)
    other = _number(listed[-1], "reach", 77) | {"account_id": OTHER}
    tables[ACCOUNT_INSIGHTS].append(other)
    tables[ACCOUNTS].append(_profile(listed[-1]) | {"account_id": OTHER, "username": "somebody.else"})
    return MonthRows(listed, tables)


def load(sandbox: BigQuerySandbox, tables: dict[Table, list[dict[str, Any]]], *, dataset: str = DATASET) -> None:
    """Write rows into the tables of a dataset."""
    client = sandbox.client()
    try:
        with FanInLoader(client, identity=rows.identity(), options=JobOptions(), create_dataset=True) as loader:
            targets = [
                TargetTable(table=table, project=sandbox.project, dataset=dataset, table_id=table.default_id)
                for table in tables
            ]
            loader.ensure(targets)
            files = [loader.row_file(target) for target in targets]
            for file, given in zip(files, tables.values(), strict=True):
                for row in given:
                    file.write(row)
            loader.commit(files)
    finally:
        client.close()


@contextmanager
def serve_month(month: MonthRows) -> Iterator[BigQuerySandbox]:
    """Serve a BigQuery that holds the rows, at the instant NOW, with the environment that points Airflow at it."""
    import os
    from unittest.mock import patch

    with time_machine.travel(NOW, tick=True), BigQuerySandbox(clock=Clock(NOW, ticks=True)) as sandbox:
        settings = {"BIGQUERY_EMULATOR_HOST": sandbox.url, "GOOGLE_CLOUD_PROJECT": sandbox.project}
        with patch.dict(os.environ, settings):
            load(sandbox, month.tables)
            yield sandbox


def read_at(day: date) -> str:
    """Return when the numbers of a day were read: an hour after it, and with the last day those of two before."""
    return _instant(pacific_midnight(day + DAY) + timedelta(hours=1))


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(day: date, metric: str, value: float, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"account_id": ACCOUNT, "metric": metric, "period": "day", "timeframe": "", "breakdown": ""}
    made |= {"breakdown_value": "", "metric_date": day.isoformat(), "value": value}
    return made | {"fetched_at": read_at(day), "run_id": "r"} | more


def _wave(day: date, height: int) -> int:
    number = day.toordinal()
    return round(height * (1 + 0.25 * math.sin(number * 0.9) + 0.35 * (day.weekday() >= 5) + 0.05 * (number % 7)))


def _daily(days: Iterable[date]) -> Iterator[dict[str, Any]]:
    for day in days:
        if day in MISSING:
            continue
        yield _number(day, "reach", _wave(day, 2400))
        if day == IN_PART:
            continue
        shares = {"POST": 1100, "REEL": 3900, "STORY": 900, "CAROUSEL_CONTAINER": 600, "AD": 150}
        views = {product: _wave(day, height) for product, height in shares.items()}
        yield _number(day, "views", sum(views.values()))
        for product, value in views.items():
            yield _number(day, "views", value, breakdown="media_product_type", breakdown_value=product)
        for metric, height in (("accounts_engaged", 210), ("total_interactions", 320), ("profile_views", 95)):
            yield _number(day, metric, _wave(day, height))


def _online(days: Iterable[date]) -> Iterator[dict[str, Any]]:
    for day in days:
        for hour in range(24) if day not in MISSING else ():
            value = round(1500 + 1300 * math.sin((hour - 4) / 24 * 2 * math.pi) + 10 * (day.toordinal() % 7))
            of_hour = {"breakdown": "hour", "breakdown_value": str(hour), "period": "lifetime"}
            yield _number(day, "online_followers", value, **of_hour)


def _audience() -> Iterator[dict[str, Any]]:
    parts = {
        "age": {"13-17": 40, "18-24": 2900, "25-34": 5200, "35-44": 2600, "45-54": 900, "55-64": 300, "65+": 110},
        "gender": {"F": 7100, "M": 4600, "U": 350},
        "country": {"DE": 6900, "AT": 1700, "CH": 1200, "DK": 640, "NL": 410, "SE": 300, "US": 280, "GB": 210},
        "city": {"Hamburg, Hamburg": 2900, "Berlin, Berlin": 1500, "Wien, Wien": 900, "Kiel, Schleswig-Holstein": 420},
    }
    for day, factor in ((LAST - DAY * 9, 0.9), (LAST + DAY, 1)):
        for breakdown, values in parts.items():
            for timeframe in ("this_month", "this_week"):
                for name, value in values.items():
                    made = {"breakdown": breakdown, "breakdown_value": name, "timeframe": timeframe}
                    yield _number(day, "follower_demographics", round(value * factor), **made, period="lifetime")


def _profile(day: date) -> dict[str, Any]:
    grown = round(11_980 + (day - date(2026, 10, 24)).days * 9.5 + 30 * math.sin(day.toordinal()))
    made = {"account_id": ACCOUNT, "snapshot_date": day.isoformat(), "username": USERNAME, "name": "Nordlicht Coffee"}
    return made | {"followers_count": grown, "fetched_at": read_at(day - DAY), "run_id": "r"}


def _post(number: int, posts: int, days: tuple[date, ...]) -> dict[str, Any]:
    moment = pacific_midnight(days[0]) + (pacific_midnight(LAST) - pacific_midnight(days[0])) * number / posts
    moment += timedelta(hours=(number * 5) % 11, minutes=7 * number % 60)
    captions = (*PLAIN[:3], *HOSTILE, *PLAIN[3:])
    return {
        "account_id": ACCOUNT,
        "media_id": f"1800000000000{number:04}",
        "published_date": pacific_date(moment).isoformat(),
        "media_product_type": "REELS" if number % 3 == 1 else "FEED",
        "caption": captions[number % len(captions)] or None,
        "permalink": f"https://www.instagram.com/p/C{number:04}/" if number != 2 else "javascript:alert(1)",
        "username": USERNAME,
        "published_at": _instant(moment),
        "fetched_at": read_at(LAST),
        "run_id": "r",
    }


def _readings(number: int, post: dict[str, Any]) -> Iterator[dict[str, Any]]:
    published = datetime.fromisoformat(post["published_at"])
    size = 900 + 137 * ((number * 7) % 15) + (2600 if post["media_product_type"] == "REELS" else 0)
    parts = {"views": 1.0, "reach": 0.7, "total_interactions": 0.06, "likes": 0.045, "comments": 0.004, "shares": 0.006}
    for step in range(1, 29):
        day = pacific_date(published) + DAY * step
        if day > LAST + DAY or day in MISSING:
            continue
        read = pacific_midnight(day) + timedelta(hours=1)
        grown = 1 - math.exp(-((read - published) / DAY) / 2.5)
        for metric, part in parts.items():
            if metric == "views" and number == 6:
                continue  # Meta refuses views for some posts
            if metric == "total_interactions" and number == 4 and step > 3:
                continue  # Meta stops answering
            yield {
                "account_id": ACCOUNT,
                "media_id": post["media_id"],
                "metric": metric,
                "breakdown": "",
                "breakdown_value": "",
                "snapshot_date": day.isoformat(),
                "media_product_type": post["media_product_type"],
                "published_at": post["published_at"],
                "value": round(size * part * grown),
                "fetched_at": _instant(read),
                "run_id": "r",
            }


def _story(number: int, days: tuple[date, ...]) -> Iterator[dict[str, Any]]:
    published = pacific_midnight(days[(number * 2) % len(days)]) + timedelta(hours=9 + number % 5, minutes=number)
    views = 700 + 31 * number
    numbers = [("views", "", "", views), ("reach", "", "", views - 60), ("replies", "", "", number % 4)]
    if number != 3:
        taps = {"tap_forward": views // 2, "tap_back": views // 20, "tap_exit": views // (7 + number % 4)}
        numbers += [("navigation", "story_navigation_action_type", name, value) for name, value in taps.items()]
    for hours, is_final in ((5, False), (23, True)):
        read = published + timedelta(hours=hours)
        for metric, breakdown, name, value in numbers:
            yield {
                "account_id": ACCOUNT,
                "media_id": f"1790000000000{number:04}",
                "metric": metric,
                "breakdown": breakdown,
                "breakdown_value": name,
                "snapshot_at": _instant(read.replace(minute=0)),
                "source": "poll",
                "published_at": _instant(published),
                "expires_at": _instant(published + DAY),
                "snapshot_date": pacific_date(read).isoformat(),
                "value": value if is_final else value // 2,
                "is_final": is_final,
                "fetched_at": _instant(read),
                "run_id": "r",
            }


def _poll(day: date, hour: int) -> dict[str, Any]:
    moment = pacific_midnight(day) + timedelta(hours=hour)
    made = {"account_id": ACCOUNT, "snapshot_at": _instant(moment), "snapshot_date": day.isoformat()}
    return made | {"live_stories": 1, "fetched_at": _instant(moment), "run_id": "r"}
