"""``GET /{ig-user-id}/insights`` as today's API answers it: checks in Meta's order, then series or totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph import numbers, rules
from airflow_provider_iginsights.sandbox.graph.call import GraphCall
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.objects import Account
from airflow_provider_iginsights.sandbox.graph.params import names
from airflow_provider_iginsights.sandbox.graph.titles import entry
from airflow_provider_iginsights.sandbox.graph.windows import InsightsWindow, format_time, read_window

__all__ = ["Asked", "account_value", "answer_user_insights", "check_enum", "paging"]

_ROLLING_DAYS = {"day": 1, "week": 7, "days_28": 28}
Parts = dict[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of one request, checked for their names."""

    metrics: tuple[str, ...]
    period: str
    is_total: bool
    breakdown: tuple[str, ...]
    timeframe: str | None


def answer_user_insights(call: GraphCall, account: Account, params: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer's body, or raise the error of the first rule that the request breaks."""
    asked = _read(call, params)
    call.apply_faults("object", object_id=account.id, metrics=asked.metrics)
    for check in (_check_types, _check_periods, _check_breakdowns, _check_timeframe):
        check(call, asked)
    window = read_window(params, call.now)
    is_dated = any(not call.world.user_metrics[metric].timeframes for metric in asked.metrics)
    if is_dated:
        recent = tuple(metric for metric in asked.metrics if call.world.user_metrics[metric].only_last_30_days)
        window.check(call.now, recent)
    body: dict[str, Any] = {"data": list(_entries(call, account, asked, window))}
    return {**body, "paging": paging(call, account, params, window)} if is_dated else body


def check_enum(name: str, values: tuple[str, ...], accepted: tuple[str, ...]) -> None:
    """Raise Meta's enum error for the first value that is not accepted, with its position."""
    # META-16: one name at a time, so a caller learns of two wrong ones by two refusals.
    for place, value in enumerate(values):
        if value not in accepted:
            raise fail("not_in_enum", name=f"{name}[{place}]", values=", ".join(accepted))


def paging(call: GraphCall, account: Account, params: Mapping[str, str], window: InsightsWindow) -> dict[str, str]:
    """Return the addresses of the neighbouring windows."""
    kept = {key: value for key, value in params.items() if key not in ("since", "until", "access_token")}

    def address(there: InsightsWindow) -> str:
        return call.address(f"/{account.id}/insights", {"since": str(there.since), "until": str(there.until), **kept})

    # META-13: neighbouring windows rather than pages, for ever.
    return {"previous": address(window.previous), "next": address(window.next)}


def account_value(call: GraphCall, account: Account, metric: str, day: date) -> int:
    """Return what is known now of an account metric on one Pacific day, an override first."""
    override = call.world.overrides.get((account.id, metric))
    if override is not None:
        return sum(override.values()) if isinstance(override, Mapping) else int(override)
    return numbers.seen_of_day(numbers.account_day(call.world.seed, account.id, metric, day), day, call.now)


def _read(call: GraphCall, params: Mapping[str, str]) -> Asked:
    metrics = names(params, "metric")
    if not metrics:
        raise fail("required", name="metric")
    check_enum("metric", metrics, tuple(call.world.user_metrics))
    if not params.get("period"):
        raise fail("required", name="period")
    for name, accepted in (("period", rules.PERIODS), ("metric_type", rules.METRIC_TYPES)):
        if params.get(name, accepted[0]) not in accepted:
            raise fail("not_in_enum", name=name, values=", ".join(accepted))
    breakdown = names(params, "breakdown")
    check_enum("breakdown", breakdown, rules.USER_BREAKDOWNS)
    timeframe = params.get("timeframe", "").lower() or None
    if timeframe and timeframe not in rules.TIMEFRAMES:
        raise fail("not_in_enum", name="timeframe", values=", ".join(rules.TIMEFRAMES))
    return Asked(metrics, params["period"], params.get("metric_type") == "total_value", breakdown, timeframe)


def _check_types(call: GraphCall, asked: Asked) -> None:
    table = call.world.user_metrics
    if asked.is_total:
        wrong = [metric for metric in asked.metrics if table[metric].series and not table[metric].total]
        if wrong:
            raise fail("not_that_type", metrics=",".join(wrong), type="total_value")
        return
    # META-03: most metrics have no series.
    wrong = [metric for metric in asked.metrics if table[metric].total and not table[metric].series]
    # On graph.instagram.com such metrics are silently left out of the answer.
    if wrong and call.login == "facebook":
        raise fail("needs_total_value", metrics=",".join(wrong))


def _check_periods(call: GraphCall, asked: Asked) -> None:
    for metric in asked.metrics:
        rule = call.world.user_metrics[metric]
        periods = rule.total if asked.is_total else rule.series or (rule.total if call.login == "instagram" else ())
        if periods and asked.period not in periods:
            raise fail("not_that_period", period=asked.period, metric=metric)


def _check_breakdowns(call: GraphCall, asked: Asked) -> None:
    for metric in asked.metrics if asked.is_total else ():
        wrong = [name for name in asked.breakdown if name not in call.world.user_metrics[metric].breakdowns]
        if wrong:
            raise fail("not_that_breakdown", breakdown=",".join(wrong), metric=metric)


def _check_timeframe(call: GraphCall, asked: Asked) -> None:
    for metric in asked.metrics:
        rule = call.world.user_metrics[metric]
        if rule.needs_timeframe and asked.timeframe is None:
            raise fail("required", name="timeframe")
        if rule.timeframes and asked.timeframe and asked.timeframe not in rule.timeframes:
            raise fail("not_that_timeframe", timeframe=asked.timeframe, metric=metric)


def _entries(call: GraphCall, account: Account, asked: Asked, window: InsightsWindow) -> Iterator[dict[str, object]]:
    days = window.days(call.now)
    for metric in asked.metrics:
        rule = call.world.user_metrics[metric]
        if rule.timeframes:
            yield _demographics(call, account, asked, metric)
        elif account.followers_count < rule.min_followers or not days:
            continue
        elif asked.is_total and rule.total:
            yield from _total(call, account, asked, metric, days)
        elif not asked.is_total and rule.series:
            yield from _series(call, account, asked.period, metric, days)


def _series(
    call: GraphCall, account: Account, period: str, metric: str, days: list[date]
) -> Iterator[dict[str, object]]:
    points = [
        {"value": value, "end_time": format_time(numbers.midnight(day))}
        for day in days
        if (value := _point(call, account, period, metric, day)) is not None
    ]
    if points:
        yield entry(account.id, metric, period, values=points)


def _point(call: GraphCall, account: Account, period: str, metric: str, day: date) -> int | dict[str, int] | None:
    if metric == "online_followers":
        is_open = call.now < numbers.midnight(day + timedelta(days=1))
        # The hours of a day are there when the day is over; before, the point is an empty object.
        return {} if is_open else numbers.online_hours(call.world.seed, account.id, day)
    back = range(_ROLLING_DAYS[period])
    value = numbers.reach_of_days([account_value(call, account, metric, day - timedelta(days=n)) for n in back])
    return None if value == 0 and numbers.is_left_out(call.world.seed, account.id, metric, day) else value


def _total(
    call: GraphCall, account: Account, asked: Asked, metric: str, days: list[date]
) -> Iterator[dict[str, object]]:
    # Two opposite movements have no sum: without its breakdown this metric answers nothing but its name.
    has_no_total = metric == "follows_and_unfollows"
    if has_no_total and not asked.breakdown:
        yield entry(account.id, metric, asked.period)
        return
    value = _over_days(call, metric, [account_value(call, account, metric, day) for day in days])
    if value == 0 and not has_no_total and numbers.is_left_out(call.world.seed, account.id, metric, days[0]):
        return
    total: dict[str, object] = {} if has_no_total else {"value": value}
    if asked.breakdown:
        total["breakdowns"] = [_breakdown(asked.breakdown, _parts(call, account, asked.breakdown, metric, days))]
    yield entry(account.id, metric, asked.period, total_value=total)


def _over_days(call: GraphCall, metric: str, values: list[int]) -> int:
    return numbers.reach_of_days(values) if call.world.user_metrics[metric].is_unique else sum(values)


def _parts(call: GraphCall, account: Account, dimensions: tuple[str, ...], metric: str, days: list[date]) -> Parts:
    by_day = [_parts_of_day(call, account, dimensions, metric, day) for day in days]
    return {key: _over_days(call, metric, [parts.get(key, 0) for parts in by_day]) for key in by_day[0]}


def _parts_of_day(call: GraphCall, account: Account, dimensions: tuple[str, ...], metric: str, day: date) -> Parts:
    override = call.world.overrides.get((account.id, metric))
    if isinstance(override, Mapping):
        return {(key,): value for key, value in override.items()}
    if metric == "follows_and_unfollows":
        gained, lost = (account_value(call, account, name, day) for name in ("follower_count", "unfollows"))
        return {("FOLLOWER",): gained, ("NON_FOLLOWER",): lost}
    value = account_value(call, account, metric, day)
    return numbers.split(call.world.seed, value, dimensions, account.id, metric, day)


def _demographics(call: GraphCall, account: Account, asked: Asked, metric: str) -> dict[str, object]:
    # META-15
    if account.followers_count < call.world.user_metrics[metric].min_followers:
        raise fail("not_enough_users")
    if not asked.breakdown:
        return entry(account.id, metric, asked.period)
    people = account.followers_count if metric == "follower_demographics" else account.followers_count // 3
    parts = numbers.demographics(call.world.seed, account.id, metric, asked.breakdown, people)
    total = {"breakdowns": [_breakdown(asked.breakdown, parts, asked.timeframe)]}
    return entry(account.id, metric, asked.period, total_value=total)


def _breakdown(dimensions: tuple[str, ...], parts: Parts, timeframe: str | None = None) -> dict[str, object]:
    # The timeframe comes back as a dimension, its value in upper case ("Instagram User Insights", sample).
    keys = ["timeframe", *dimensions] if timeframe else list(dimensions)
    first = [timeframe.upper()] if timeframe else []
    results = [{"dimension_values": [*first, *key], "value": value} for key, value in parts.items() if value]
    return {"dimension_keys": keys, "results": results}
