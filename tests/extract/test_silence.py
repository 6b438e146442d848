"""What Meta was asked and did not answer is told by metric, as soon as Meta has had its 48 hours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_iginsights.catalog.plan import InsightsQuery, plan_account
from airflow_provider_iginsights.extract.findings import Findings
from airflow_provider_iginsights.extract.silence import Hearing, Silences

OLD, CLOSED = date(2026, 11, 16), date(2026, 11, 18)
SETTLED = datetime(2026, 11, 21, 8, tzinfo=UTC)  # 48 hours after the Pacific day CLOSED was over
SECOND = timedelta(seconds=1)


def query_of(name: str) -> InsightsQuery:
    """Return the question for one metric without a breakdown."""
    plan = plan_account([name], {name: []}, version="v25.0", login="facebook")
    return (*plan.series, *plan.totals)[0]


def open_hearing() -> Hearing:
    """Return the hearing of one account."""
    return Hearing(account_id="1", findings=Findings(), silences=Silences())


def told(hearing: Hearing, now: datetime, followers: int | None = None) -> list[tuple[str, str, str]]:
    """Return what is left out."""
    hearing.tell(now=now, followers=followers)
    return [(str(each["what"]), str(each["kind"]), str(each["why"])) for each in hearing.findings.summarize()]


@pytest.mark.parametrize(("now", "kinds"), [(SETTLED - SECOND, []), (SETTLED, ["NoData"])])
def test_a_day_is_given_two_days(now: datetime, kinds: list[str]) -> None:
    """A day that was over less than 48 hours ago may still come."""
    hearing = open_hearing()
    hearing.ask(query_of("likes"), (CLOSED,))
    assert [kind for _, kind, _ in told(hearing, now)] == kinds
    assert bool(hearing.silences.metrics) is bool(kinds)


def test_some_days_are_missing() -> None:
    """The days are counted; a metric of which anything came has not fallen silent."""
    hearing, query = open_hearing(), query_of("likes")
    for day in (OLD, CLOSED):
        hearing.ask(query, (day,))
    hearing.hear(query, query.metrics[0], (OLD,))
    why = "Meta was asked for it and sent no number for 1 of the 2 days."
    assert told(hearing, SETTLED) == [("likes", "NoData", why)]
    assert hearing.silences.metrics == {}


def test_another_question_brings_the_total() -> None:
    """A breakdown that is empty says nothing where the total of its metric was asked for elsewhere."""
    hearing, query = open_hearing(), query_of("likes")
    hearing.ask(replace(query, breakdown="media_product_type", totals=frozenset()), (OLD,))
    assert told(hearing, SETTLED) == []


@pytest.mark.parametrize(("followers", "kind"), [(99, "TooFewFollowers"), (100, "NoData"), (None, "NoData")])
def test_followers(followers: int | None, kind: str) -> None:
    """Under 100 followers Meta has no follower_count, which is not the same as being silent."""
    hearing = open_hearing()
    hearing.ask(query_of("follower_count"), (OLD,))
    assert [(what, found) for what, found, _ in told(hearing, SETTLED, followers)] == [("follower_count", kind)]


def test_silences_remember_the_latest_day() -> None:
    """The look into our own table ends where the questions ended, with today for what has no day."""
    silences = Silences()
    silences.add("1", "likes", (OLD, CLOSED))
    silences.add("2", "views", (OLD,))
    assert silences.last_day == CLOSED
    assert silences.metrics == {"1": {"likes"}, "2": {"views"}}
