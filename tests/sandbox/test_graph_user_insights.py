"""Account insights of the local Graph API: shapes, days, sums, rules and Meta's texts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_iginsights.sandbox.graph import numbers
from airflow_provider_iginsights.sandbox.graph.dimensions import DIMENSION_VALUES

DAY = timedelta(days=1)
USER_ENUM = (
    "reach, follower_count, website_clicks, profile_views, online_followers, accounts_engaged, total_interactions, "
    "likes, comments, shares, saves, replies, engaged_audience_demographics, reached_audience_demographics, "
    "follower_demographics, follows_and_unfollows, profile_links_taps, views, threads_likes, threads_replies, reposts, "
    "quotes, threads_followers, threads_follower_demographics, content_views, threads_views, threads_clicks, "
    "threads_reposts"
)


@pytest.fixture
def insights(ask, account_id):
    """Ask for the first account's insights."""
    return lambda **params: ask(f"/v25.0/{account_id}/insights", **params)


TOTAL = {"period": "day", "metric_type": "total_value"}
PEOPLE = {"period": "lifetime", "metric_type": "total_value", "breakdown": "age"}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"period": "day"}, "(#100) The parameter metric is required"),
        ({"metric": "reach"}, "(#100) The parameter period is required"),
        (
            {"metric": "reach,shoes", "period": "day"},
            f"(#100) metric[1] must be one of the following values: {USER_ENUM}",
        ),
        ({"metric": "impressions", "period": "day"}, "(#100) metric[0] must be one of the following values: reach,"),
        (
            {"metric": "reach", "period": "hour"},
            "(#100) period must be one of the following values: day, week, days_28, month, lifetime, total_over_range",
        ),
        ({"metric": "reach", "period": "day", "metric_type": "x"}, "(#100) metric_type must be one of the following"),
        (
            {"metric": "views", **TOTAL, "breakdown": "follower_type"},
            "(#100) breakdown[0] must be one of the following values: country, city, age, gender, follow_type, "
            "media_product_type, contact_button_type",
        ),
        (
            {"metric": "reach,comments,views", "period": "day"},
            "(#100) The following metrics (comments,views) should be specified with parameter metric_type=total_value",
        ),
        (
            {"metric": "follower_count", **TOTAL},
            "(#100) The following metric (follower_count) is incompatible with the metric type (total_value)",
        ),
        (
            {"metric": "online_followers", "period": "week"},
            "(#100) The following periods (week) are incompatible with the metric (online_followers)",
        ),
        (
            {"metric": "views", "period": "days_28", "metric_type": "total_value"},
            "(#100) The following periods (days_28) are incompatible with the metric (views)",
        ),
        (
            {"metric": "likes", **TOTAL, "breakdown": "follow_type"},
            "(#100) Incompatible breakdowns (follow_type) for metric (likes)",
        ),
        (
            {"metric": "reach", "period": "day", "since": "2026-10-01", "until": "2026-10-31T00:00:01"},
            "(#100) There cannot be more than 30 days (2592000 s) between since and until.",
        ),
        (
            {"metric": "reach", "period": "day", "since": "2024-11-21T08:00:00Z", "until": "2024-11-22"},
            "(#100) since param is not valid. Metrics data is available for the last 2 years",
        ),
        (
            {"metric": "reach", "period": "day", "since": "2026-11-23", "until": "2026-11-24"},
            "(#100) since param is not valid. Metrics data is available for the last 2 years",
        ),
        (
            {"metric": "follower_count", "period": "day", "since": "2026-10-20", "until": "2026-10-25"},
            "(#100) (follower_count) metric only supports querying data for the last 30 days excluding the current day",
        ),
        (
            {"metric": "reach", "period": "day", "since": "2026-11-20", "until": "2026-11-19"},
            "(#100) since param must be",
        ),
        ({"metric": "reach", "period": "day", "since": "yesterday"}, "(#100) since param must be a UNIX timestamp"),
        ({"metric": "engaged_audience_demographics", **PEOPLE}, "(#100) The parameter timeframe is required"),
        (
            {"metric": "engaged_audience_demographics", **PEOPLE, "timeframe": "last_90_days"},
            "(#100) Incompatible timeframe (last_90_days) for metric (engaged_audience_demographics)",
        ),
        ({"metric": "follower_demographics", **PEOPLE, "timeframe": "ever"}, "(#100) timeframe must be one of"),
    ],
)
def test_refusals(insights, params, text) -> None:
    """A request that breaks a rule gets the rule's text, code 100 and status 400."""
    answer = insights(**params)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, 100)
    assert error["message"].startswith(text)


@pytest.mark.parametrize(
    ("since", "until", "first", "last", "count"),
    [
        ("2026-11-15T08:00:00Z", "2026-11-16T07:59:59Z", "2026-11-15", "2026-11-15", 1),
        ("2026-11-15T08:00:00Z", "2026-11-16T08:00:00Z", "2026-11-15", "2026-11-16", 2),
        ("2026-10-20T00:00:00Z", "2026-11-19T00:00:00Z", "2026-10-20", "2026-11-18", 30),
        ("2026-10-31", "2026-11-03", "2026-10-31", "2026-11-02", 3),
        ("2026-11-19", "2026-11-25", "2026-11-19", "2026-11-21", 3),
        ("2024-11-22T08:00:00Z", "2024-11-23T07:59:59Z", "2024-11-22", "2024-11-22", 1),
        ("1794729600", "1794815999", "2026-11-15", "2026-11-15", 1),
    ],
)
def test_series_has_the_pacific_midnights_of_the_window(insights, account_id, world, since, until, first, last, count):
    """Every point fits since <= end_time <= until, at Pacific midnights, the running day included."""
    body = insights(metric="reach", period="day", since=since, until=until).json()
    (entry,) = body["data"]
    days = [date.fromisoformat(first) + n * DAY for n in range(count)]
    assert days[-1] == date.fromisoformat(last)
    # 2026-11-01 is the day on which the clocks go back: midnight is 07:00Z up to it and 08:00Z after it.
    hours = {day: 7 if date(2026, 3, 9) <= day <= date(2026, 11, 1) else 8 for day in days}
    assert [value["end_time"] for value in entry["values"]] == [f"{day}T0{hours[day]}:00:00+0000" for day in days]
    assert (entry["name"], entry["period"], entry["id"]) == ("reach", "day", f"{account_id}/insights/reach/day")
    settled = [numbers.account_day(world.seed, account_id, "reach", day) for day in days if day < date(2026, 11, 18)]
    assert [value["value"] for value in entry["values"]][: len(settled)] == settled


def test_a_window_of_one_end_is_a_day(insights) -> None:
    """With since alone it is the day from there, with until alone the day up to it."""
    for given in ({"since": "2026-11-10T20:00:00Z"}, {"until": "2026-11-11T20:00:00Z"}):
        (entry,) = insights(metric="reach", period="day", **given).json()["data"]
        assert [value["end_time"] for value in entry["values"]] == ["2026-11-11T08:00:00+0000"]


def test_default_window_is_the_last_24_hours(insights) -> None:
    """Without since and until there is one midnight in the window: the running day's."""
    (entry,) = insights(metric="reach", period="day").json()["data"]
    assert [value["end_time"] for value in entry["values"]] == ["2026-11-21T08:00:00+0000"]


def _pacific(day: date) -> dict[str, int]:
    since = int(numbers.midnight(day).timestamp())
    return {"since": since, "until": int(numbers.midnight(day + DAY).timestamp()) - 1}


def test_a_days_total_equals_its_series_point(insights) -> None:
    """The total of one Pacific day is the point labelled with that day, for a settled and for the running day."""
    for day in (date(2026, 11, 1), date(2026, 11, 10), date(2026, 11, 21)):
        series = insights(metric="reach", period="day", **_pacific(day)).json()["data"][0]["values"]
        total = insights(metric="reach", **TOTAL, **_pacific(day)).json()["data"][0]["total_value"]
        assert [total["value"]] == [point["value"] for point in series]


def test_totals_add_up_where_meta_adds_and_not_where_people_are_counted(insights, world, account_id) -> None:
    """A week's views are the sum of its days; a week's reach lies between its best day and the sum."""
    window = {"since": "2026-11-01T07:00:00Z", "until": "2026-11-08T07:59:59Z"}
    days = [date(2026, 11, n) for n in range(1, 8)]
    body = insights(metric="views,reach,total_interactions", **TOTAL, **window).json()
    totals = {entry["name"]: entry["total_value"]["value"] for entry in body["data"]}
    by_day = {name: [numbers.account_day(world.seed, account_id, name, day) for day in days] for name in totals}
    assert totals["views"] == sum(by_day["views"])
    assert max(by_day["reach"]) < totals["reach"] < sum(by_day["reach"])
    parts = ("likes", "comments", "saves", "shares")
    asked = insights(metric=",".join(parts), **TOTAL, **window).json()["data"]
    assert totals["total_interactions"] == sum(entry["total_value"]["value"] for entry in asked)


@pytest.mark.parametrize(
    ("metric", "breakdown"),
    [
        ("views", "follow_type"),
        ("likes", "media_product_type"),
        ("reach", "media_product_type"),
        ("views", "follow_type,media_product_type"),
    ],
)
def test_breakdowns_of_a_day_sum_to_its_total_without_zeros(insights, metric, breakdown) -> None:
    """The values by dimension add up to the day's total, and a zero is left out."""
    (entry,) = insights(metric=metric, **TOTAL, breakdown=breakdown, **_pacific(date(2026, 11, 10))).json()["data"]
    (group,) = entry["total_value"]["breakdowns"]
    assert group["dimension_keys"] == breakdown.split(",")
    assert all(result["value"] > 0 for result in group["results"])
    for result in group["results"]:
        for name, value in zip(group["dimension_keys"], result["dimension_values"], strict=True):
            assert value in DIMENSION_VALUES[name]
    assert sum(result["value"] for result in group["results"]) == entry["total_value"]["value"]


def test_follows_and_unfollows_has_no_total(insights) -> None:
    """Bare there is no total_value at all; by follow_type no value, and FOLLOWER is the day's follower_count."""
    window = _pacific(date(2026, 11, 10))
    (bare,) = insights(metric="follows_and_unfollows", **TOTAL, **window).json()["data"]
    assert set(bare) == {"name", "period", "title", "description", "id"}
    (entry,) = insights(metric="follows_and_unfollows", **TOTAL, breakdown="follow_type", **window).json()["data"]
    assert set(entry["total_value"]) == {"breakdowns"}
    values = {
        result["dimension_values"][0]: result["value"] for result in entry["total_value"]["breakdowns"][0]["results"]
    }
    (gained,) = insights(metric="follower_count", period="day", **window).json()["data"][0]["values"]
    assert values["FOLLOWER"] == gained["value"]


def test_breakdown_is_ignored_for_series(insights) -> None:
    """A breakdown on a dated series neither fails nor changes the answer."""
    window = _pacific(date(2026, 11, 10))
    plain = insights(metric="reach", period="day", **window).json()["data"]
    assert insights(metric="reach", period="day", breakdown="follow_type", **window).json()["data"] == plain


def test_rolling_periods_have_one_point_per_day(insights) -> None:
    """Reach over a week is answered per day and is never below the day's."""
    window = {"since": "2026-11-10", "until": "2026-11-13"}
    daily, weekly = (insights(metric="reach", period=p, **window).json()["data"][0]["values"] for p in ("day", "week"))
    assert [point["end_time"] for point in weekly] == [point["end_time"] for point in daily]
    assert all(week["value"] >= day["value"] for week, day in zip(weekly, daily, strict=True))


def test_late_data_grows_for_48_hours(sandbox, insights, world, account_id) -> None:
    """A day's value grows from read to read until 48 hours after the day closed, then stands at the complete value."""
    day, seen = date(2026, 11, 19), []
    for hours in (30, 48, 60, 71, 72, 100):
        sandbox.clock.set(numbers.midnight(day) + timedelta(hours=hours))
        seen.append(insights(metric="reach", period="day", **_pacific(day)).json()["data"][0]["values"][0]["value"])
    complete = numbers.account_day(world.seed, account_id, "reach", day)
    assert seen == sorted(seen)
    assert seen[0] < seen[2] < complete
    assert seen[4:] == [complete, complete]


def test_zero_is_sometimes_no_answer(insights, world, account_id) -> None:
    """Of the days with a true zero some are answered 0 and some not at all; days with a value always are."""
    days = [date(2025, 1, 1) + n * DAY for n in range(400)]
    zeros = [day for day in days if numbers.account_day(world.seed, account_id, "replies", day) == 0]
    left_out = [day for day in zeros if numbers.is_left_out(world.seed, account_id, "replies", day)]
    sent = next(day for day in zeros if day not in left_out)
    assert insights(metric="replies", **TOTAL, **_pacific(left_out[0])).json()["data"] == []
    assert insights(metric="replies", **TOTAL, **_pacific(sent)).json()["data"][0]["total_value"] == {"value": 0}


def test_online_followers_are_hours(insights) -> None:
    """Each day is a map of 24 hours, or an empty one; the running day's is empty."""
    body = insights(metric="online_followers", period="lifetime", since="2026-11-01", until="2026-11-22").json()
    values = body["data"][0]["values"]
    assert {len(point["value"]) for point in values} == {0, 24}
    assert values[-1] == {"value": {}, "end_time": "2026-11-21T08:00:00+0000"}


@pytest.mark.parametrize("metric", ["follower_count", "online_followers", "follows_and_unfollows"])
def test_small_accounts_have_no_follower_metrics(insights, world, account_id, metric) -> None:
    """Below 100 followers these metrics answer with no data, not with an error."""
    world.put(replace(world.accounts[account_id], followers_count=99))
    kinds = {"follower_count": {"period": "day"}, "online_followers": {"period": "lifetime"}}
    body = insights(metric=metric, **kinds.get(metric, TOTAL)).json()
    assert body["data"] == []
    assert set(body["paging"]) == {"previous", "next"}


def test_small_accounts_have_no_demographics(insights, world, account_id) -> None:
    """Below 100 followers demographics are refused with their own subcode."""
    world.put(replace(world.accounts[account_id], followers_count=99))
    answer = insights(metric="follower_demographics", **PEOPLE)
    assert answer.status_code == 400
    assert answer.json()["error"]["error_subcode"] == 2874010
    assert "Not enough users" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("breakdown", "groups"), [("age", 7), ("gender", 3), ("age,gender", 21), ("country", 45), ("city", 45)]
)
def test_demographics_give_at_most_45_groups(insights, breakdown, groups) -> None:
    """Followers by dimension: largest first, 45 at most, no total, no paging."""
    body = insights(metric="follower_demographics", **{**PEOPLE, "breakdown": breakdown}).json()
    (entry,) = body["data"]
    assert "paging" not in body
    assert set(entry["total_value"]) == {"breakdowns"}
    (group,) = entry["total_value"]["breakdowns"]
    assert group["dimension_keys"] == breakdown.split(",")
    values = [result["value"] for result in group["results"]]
    assert groups - 5 <= len(values) <= groups
    assert values == sorted(values, reverse=True)


def test_demographics_without_a_breakdown_have_no_value(insights) -> None:
    """The metric is named, and has no number ("Insights", breakdown)."""
    (entry,) = insights(metric="follower_demographics", **{**PEOPLE, "breakdown": ""}).json()["data"]
    assert entry["name"] == "follower_demographics"
    assert not {"total_value", "values"} & entry.keys()


def test_timeframe_becomes_the_first_dimension(insights) -> None:
    """With a timeframe the keys begin with it, in capitals, and since/until do not matter."""
    body = insights(
        metric="engaged_audience_demographics", **PEOPLE, timeframe="this_month", since="2001-01-01", until="2026-01-01"
    ).json()
    (group,) = body["data"][0]["total_value"]["breakdowns"]
    assert group["dimension_keys"] == ["timeframe", "age"]
    assert {result["dimension_values"][0] for result in group["results"]} == {"THIS_MONTH"}


def test_paging_leads_to_the_neighbouring_windows_and_carries_the_token(sandbox, ask, world, account_id) -> None:
    """The neighbours are windows of the same length, with a full address and the token in it."""
    body = ask(
        f"/v25.0/{account_id}/insights",
        metric="follower_count,reach",
        period="day",
        since="1794729600",
        until="1794815999",
    ).json()
    assert f"access_token={world.system_user_token}" in body["paging"]["next"]
    assert body["paging"]["next"].startswith(f"{sandbox.url}/v25.0/{account_id}/insights?")
    assert "since=1794643200&until=1794729599" in body["paging"]["previous"]
    assert "since=1794816000&until=1794902399" in body["paging"]["next"]
    followed = ask(body["paging"]["previous"].removeprefix(sandbox.url), token=None).json()
    assert followed["data"][0]["values"][0]["end_time"] == "2026-11-14T08:00:00+0000"


def test_other_products_names_are_accepted_without_data(insights) -> None:
    """Threads' names pass the enum, as Meta's do, and answer nothing."""
    assert insights(metric="threads_views,quotes", period="day").json()["data"] == []


def test_insights_expand_on_the_user_node(ask, account_id) -> None:
    """The user's insights can be asked inside its fields, with their parameters as modifiers."""
    fields = "followers_count,insights.metric(views).period(day).metric_type(total_value).breakdown(follow_type)"
    body = ask(f"/v25.0/{account_id}", fields=fields).json()
    assert body["insights"]["data"][0]["total_value"]["breakdowns"][0]["dimension_keys"] == ["follow_type"]


def test_overrides_win(insights, world, account_id) -> None:
    """A test can set an account's number, or its breakdown values."""
    world.overrides[account_id, "views"] = 11
    world.overrides[account_id, "likes"] = {"POST": 3, "AD": 4}
    window = _pacific(date(2026, 11, 10))
    (views,) = insights(metric="views", **TOTAL, **window).json()["data"]
    (likes,) = insights(metric="likes", **TOTAL, breakdown="media_product_type", **window).json()["data"]
    assert views["total_value"] == {"value": 11}
    assert likes["total_value"]["value"] == 7
    assert likes["total_value"]["breakdowns"][0]["results"][1] == {"dimension_values": ["AD"], "value": 4}


def test_midnights_are_the_truth_of_the_time_zone() -> None:
    """A Pacific day begins at 08:00Z in winter and 07:00Z in summer."""
    assert numbers.midnight(date(2026, 1, 5)) == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert numbers.midnight(date(2026, 7, 5)) == datetime(2026, 7, 5, 7, tzinfo=UTC)
