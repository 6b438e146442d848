"""What Meta was asked and did not answer is named by metric, as soon as Meta has had its 48 hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_iginsights.catalog.plan import InsightsQuery, plan_account
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.no_data import AnsweredMetrics, NoDataMetrics

OLD, CLOSED = date(2026, 11, 16), date(2026, 11, 18)
SETTLED = datetime(2026, 11, 21, 8, tzinfo=UTC)  # 48 hours after the Pacific day CLOSED was over
SECOND = timedelta(seconds=1)


def query_of(name: str) -> InsightsQuery:
    """Return the question for one metric without a breakdown."""
    plan = plan_account([name], {name: []}, version="v25.0", login="facebook")
    return (*plan.series, *plan.totals)[0]


def open_account() -> AnsweredMetrics:
    """Return what is known of the answers for one account."""
    return AnsweredMetrics(account_id="1", left_out_log=LeftOutLog(), no_data=NoDataMetrics())


def list_left_out(answered: AnsweredMetrics, now: datetime, followers: int | None = None) -> list[tuple[str, str, str]]:
    """Return what is left out."""
    answered.note_missing(now=now, followers=followers)
    return [(str(each["what"]), str(each["kind"]), str(each["why"])) for each in answered.left_out_log.summarize()]


@pytest.mark.parametrize(("now", "kinds"), [(SETTLED - SECOND, []), (SETTLED, ["NoData"])])
def test_a_day_is_given_two_days(now: datetime, kinds: list[str]) -> None:
    """A day that was over less than 48 hours ago may still come."""
    answered = open_account()
    answered.record_request(query_of("likes"), (CLOSED,))
    assert [kind for _, kind, _ in list_left_out(answered, now)] == kinds
    assert bool(answered.no_data.metrics) is bool(kinds)


def test_some_days_are_missing() -> None:
    """The days are counted; a metric of which anything came is not NoData."""
    answered, query = open_account(), query_of("likes")
    for day in (OLD, CLOSED):
        answered.record_request(query, (day,))
    answered.record_answer(query, query.metrics[0], (OLD,))
    why = "Meta was asked for it and sent no number for 1 of the 2 days."
    assert list_left_out(answered, SETTLED) == [("likes", "NoData", why)]
    assert answered.no_data.metrics == {}


def test_another_question_brings_the_total() -> None:
    """A breakdown that is empty says nothing where the total of its metric was asked for elsewhere."""
    answered, query = open_account(), query_of("likes")
    answered.record_request(replace(query, breakdown="media_product_type", totals=frozenset()), (OLD,))
    assert list_left_out(answered, SETTLED) == []


def test_a_breakdown_is_no_total() -> None:
    """A total that did not come is named, although the same metric came by a breakdown from another question."""
    answered, query = open_account(), query_of("likes")
    parts = replace(query, breakdown="media_product_type", totals=frozenset())
    for each in (query, parts):
        answered.record_request(each, (OLD,))
    answered.record_answer(parts, parts.metrics[0], (OLD,))
    why = "Meta was asked for it and sent no number for 1 of the 1 days."
    assert list_left_out(answered, SETTLED) == [("likes", "NoData", why)]


@pytest.mark.parametrize(("followers", "kind"), [(99, "TooFewFollowers"), (100, "NoData"), (None, "NoData")])
def test_followers(followers: int | None, kind: str) -> None:
    """Under 100 followers Meta has no follower_count, which is another reason than NoData."""
    answered = open_account()
    answered.record_request(query_of("follower_count"), (OLD,))
    assert [(what, found) for what, found, _ in list_left_out(answered, SETTLED, followers)] == [
        ("follower_count", kind)
    ]


def test_the_latest_day_is_remembered() -> None:
    """The look into our own table ends where the questions ended, with today for what has no day."""
    no_data = NoDataMetrics()
    no_data.add("1", "likes", (OLD, CLOSED))
    no_data.add("2", "views", (OLD,))
    assert no_data.last_day == CLOSED
    assert no_data.metrics == {"1": {"likes"}, "2": {"views"}}
