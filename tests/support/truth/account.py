"""The rows of ``instagram_account_insights`` and ``instagram_accounts`` for one account, as seen at one instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_iginsights.sandbox.graph import Account, World, numbers
from tests.support.truth.offers import DEFAULT_ACCOUNT, AccountOffer

Row = dict[str, Any]

DAY = timedelta(days=1)
HISTORY_DAYS = {"follower_count": 30, "online_followers": 30}
ROLLING_DAYS = {"day": 1, "week": 7, "days_28": 28}
UNIQUES = ("reach", "accounts_engaged")


def account_rows(
    world: World,
    account: Account,
    days: Iterable[date],
    *,
    now: datetime,
    offer: AccountOffer = DEFAULT_ACCOUNT,
    current: bool = True,
) -> Iterator[Row]:
    """Yield the rows of these closed Pacific days and, where ``current``, of the audience at ``now``."""
    today = now.astimezone(numbers.PACIFIC).date()
    for day in days:
        for metric, period in offer.series:
            if day >= today - HISTORY_DAYS.get(metric, 729) * DAY:
                yield from _series(world, account, metric, period, day, now)
        for metric, breakdowns in offer.totals.items():
            yield from _totals(world, account, metric, breakdowns, day, now)
    for metric, breakdowns in offer.audiences.items() if current else ():
        people = account.followers_count if metric == "follower_demographics" else account.followers_count // 3
        for breakdown in breakdowns:
            dimensions = tuple(breakdown.split(","))
            parts = numbers.demographics(world.seed, account.id, metric, dimensions, people)
            for values, count in parts.items():
                undated = _row(account, metric, "lifetime", today, count, dimensions, values, offer.timeframe)
                yield undated | {"end_time": None, "window_start": None, "window_end": None}


def legacy_account_rows(
    world: World, account: Account, days: Iterable[date], *, now: datetime, offer: AccountOffer
) -> Iterator[Row]:
    """Yield the rows of the API of 2021: every metric a series, zeros included, the audience at today's midnight."""
    for day in days:
        for metric, period in offer.series:
            if metric == "online_followers":
                yield from _series(world, account, metric, period, day, now)
            else:
                yield _row(account, metric, period, day, _seen(world, account, metric, day, now)) | _ends(day)
    today = now.astimezone(numbers.PACIFIC).date()
    for metric, (dimensions,) in offer.audiences.items():
        keys = tuple(dimensions.split(","))
        parts = numbers.demographics(world.seed, account.id, metric, keys, account.followers_count)
        for values, count in parts.items():
            row = _row(account, metric, "lifetime", today, count, ("_".join(keys),), (".".join(values),))
            yield row | _ends(today)


def profile_rows(account: Account, *, now: datetime, page_id: str | None = None) -> Row:
    """Return the row of the account's profile. ``page_id``: the Page through which the account was found."""
    names = ("username", "name", "biography", "website", "followers_count", "follows_count", "media_count")
    profile = {name: getattr(account, name) for name in names}
    return profile | {
        "account_id": account.id,
        "snapshot_date": now.astimezone(numbers.PACIFIC).date(),
        "profile_picture_url": f"https://scontent.cdninstagram.example/profile/{account.id}.jpg",
        "page_id": page_id,
    }


def _series(world: World, account: Account, metric: str, period: str, day: date, now: datetime) -> Iterator[Row]:
    if metric == "online_followers":
        for hour, count in numbers.online_hours(world.seed, account.id, day).items():
            yield _row(account, metric, period, day, count, ("hour",), (hour,)) | _ends(day)
        return
    back = [_seen(world, account, metric, day - DAY * step, now) for step in range(ROLLING_DAYS[period])]
    value = numbers.reach_of_days(back)
    if value or not numbers.is_left_out(world.seed, account.id, metric, day):
        yield _row(account, metric, period, day, value) | _ends(day)


def _totals(
    world: World, account: Account, metric: str, breakdowns: Iterable[str], day: date, now: datetime
) -> Iterator[Row]:
    undated = {"end_time": None}
    if metric == "follows_and_unfollows":
        for name, value in (("follower_count", "FOLLOWER"), ("unfollows", "NON_FOLLOWER")):
            if count := _seen(world, account, name, day, now):
                yield _row(account, metric, "day", day, count, ("follow_type",), (value,)) | undated
        return
    total = _seen(world, account, metric, day, now)
    if not total and numbers.is_left_out(world.seed, account.id, metric, day):
        return
    for breakdown in breakdowns:
        if not breakdown:
            yield _row(account, metric, "day", day, total) | undated
            continue
        dimensions = tuple(breakdown.split(","))
        for values, count in numbers.split(world.seed, total, dimensions, account.id, metric, day).items():
            if count:
                yield _row(account, metric, "day", day, count, dimensions, values) | undated


def _seen(world: World, account: Account, metric: str, day: date, now: datetime) -> int:
    return numbers.seen_of_day(numbers.account_day(world.seed, account.id, metric, day), day, now)


def _row(
    account: Account,
    metric: str,
    period: str,
    day: date,
    value: float,
    dimensions: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    timeframe: str = "",
) -> Row:
    start, end = numbers.midnight(day), numbers.midnight(day + DAY)
    return {
        "account_id": account.id,
        "metric": metric,
        "period": period,
        "timeframe": timeframe,
        "breakdown": "|".join(dimensions),
        "breakdown_value": "|".join(values),
        "metric_date": day,
        "value": Decimal(str(value)),
        "window_start": start,
        "window_end": end - timedelta(seconds=1),
    }


def _ends(day: date) -> Row:
    return {"end_time": numbers.midnight(day).astimezone(UTC)}
