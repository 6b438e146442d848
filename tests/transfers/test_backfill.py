"""Old days: one run over a long stretch and one for each of its days leave the same table; nothing is back-dated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import World, numbers
from tests.support import truth
from tests.support.sandboxes import DAY, END, NOW, START, Row, Sandboxes, facts, open_sandboxes, pacific_days

pytestmark = pytest.mark.usefixtures("without_waits")

YESTERDAY = date(2026, 11, 20)
INSIGHTS = "instagram_account_insights"
FEW = {"metrics": "reach,follower_count,views,accounts_engaged", "breakdowns": {"reach": [], "views": ["follow_type"]}}
FEW_OFFER = truth.offers.AccountOffer(
    series=(("reach", "day"), ("follower_count", "day")),
    totals={"views": ("", "follow_type"), "accounts_engaged": ("",)},
)
STRETCHES = {
    "the spring change of 2026": (date(2026, 3, 1), date(2026, 3, 14)),
    "the autumn change of 2026": (date(2026, 10, 20), date(2026, 11, 4)),
}


def interval(day: date) -> tuple[datetime, datetime]:
    """Return the data interval of the recommended schedule for one Pacific day."""
    return tuple(numbers.midnight(each).astimezone(UTC) for each in (day, day + DAY))  # type: ignore[return-value]


def expected(sandboxes: Sandboxes, days: Iterable[date], **more: Any) -> dict[tuple[Any, ...], Row]:
    """Return the truth of the account's insights on these days, by key."""
    return facts(INSIGHTS, truth.account_rows(sandboxes.world, sandboxes.account, days, now=sandboxes.now, **more))


def asked_windows(sandboxes: Sandboxes) -> list[tuple[int, int]]:
    """Return (since, until), in Unix seconds, of every insights question that the Graph API got."""
    from urllib.parse import parse_qs, urlsplit

    items = [item for received in sandboxes.graph.log for item in received.items if "/insights" in item]
    queries = [parse_qs(urlsplit(item).query) for item in items]
    return [(int(query["since"][0]), int(query["until"][0])) for query in queries if "since" in query]


@pytest.mark.parametrize(("first", "last"), STRETCHES.values(), ids=STRETCHES)
def test_one_run_and_daily_runs_leave_the_same_table(small_sandboxes: Sandboxes, first: date, last: date) -> None:
    """Value by value, over two weeks with a change of clocks: one run with since and until, and a run for each day."""
    sandboxes, days = small_sandboxes, pacific_days(first, last)
    sandboxes.run("account", since=str(first), until=str(last + DAY), table_id="at_once", **FEW)
    for day in days:
        sandboxes.run("account", interval=interval(day), table_id="by_day", **FEW)
    at_once, by_day = (facts(INSIGHTS, sandboxes.bigquery.rows("instagram", name)) for name in ("at_once", "by_day"))
    assert at_once == by_day == expected(sandboxes, pacific_days(first - 3 * DAY, last), offer=FEW_OFFER, current=False)
    assert {row["metric_date"] for row in by_day.values()} == set(pacific_days(first - 3 * DAY, last))


def test_two_years_in_one_run(small_sandboxes: Sandboxes) -> None:
    """The 729 days that Meta keeps arrive whole, no request exceeds 30 days, the day before them is not asked for."""
    sandboxes = small_sandboxes
    today = YESTERDAY + DAY
    oldest = today - 729 * DAY
    metrics = {"metrics": "reach,saves", "breakdowns": {"reach": [], "saves": []}}
    summary = sandboxes.run("account", since=str(oldest - DAY), until=str(today), lookback_days=0, **metrics)
    offer = truth.offers.AccountOffer(series=(("reach", "day"),), totals={"saves": ("",)})
    assert facts(INSIGHTS, sandboxes.rows(INSIGHTS)) == expected(
        sandboxes, pacific_days(oldest, YESTERDAY), offer=offer, current=False
    )
    windows = asked_windows(sandboxes)
    assert max(until - since for since, until in windows) <= 30 * 86_400
    assert min(since for since, _ in windows) == numbers.midnight(oldest).timestamp()
    assert {finding["kind"] for finding in summary["left_out"]} == {"BeyondHistory"}
    assert [finding["what"] for finding in summary["left_out"]] == [f"all metrics on {oldest - DAY}"]


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the Graph API count its history one day shorter than Meta says."""
    windows = "airflow_provider_iginsights.sandbox.graph.windows"
    monkeypatch.setattr(f"{windows}.HISTORY_DAYS", 728)
    monkeypatch.setattr(f"{windows}.RECENT_DAYS", 29)


@pytest.mark.usefixtures("short_memory")
def test_the_oldest_day_may_be_gone_already(small_sandboxes: Sandboxes) -> None:
    """If Meta refuses the oldest day already, only that day is left out, by name, as too old."""
    sandboxes = small_sandboxes
    oldest = YESTERDAY - 728 * DAY
    metrics = {"metrics": "reach,views,saves", "breakdowns": {"reach": [], "saves": []}, "lookback_days": 0}
    summary = sandboxes.run("account", since=str(oldest), until=str(oldest + 35 * DAY), **metrics)
    offer = truth.offers.AccountOffer(
        series=(("reach", "day"),), totals={"views": ("", "media_product_type", "follow_type"), "saves": ("",)}
    )
    days = pacific_days(oldest + DAY, oldest + 34 * DAY)
    assert facts(INSIGHTS, sandboxes.rows(INSIGHTS)) == expected(sandboxes, days, offer=offer, current=False)
    assert {finding["kind"] for finding in summary["left_out"]} == {"BeyondHistory"}
    assert {str(finding["what"]).split(" of ")[1] for finding in summary["left_out"]} == {f"{oldest} to {oldest}"}
    named = {whom for finding in summary["left_out"] for whom in finding["whom"]}
    assert named == {f"account {sandboxes.account.id} on {oldest}"}


@pytest.mark.usefixtures("short_memory")
def test_a_refused_oldest_day_of_one_metric_costs_no_other(small_sandboxes: Sandboxes) -> None:
    """follower_count 30 days ago, refused: its other days, and what was asked beside it, arrive whole."""
    sandboxes = small_sandboxes
    oldest = YESTERDAY - 29 * DAY
    metrics = {"metrics": "follower_count,reach", "breakdowns": {"reach": []}, "lookback_days": 0}
    summary = sandboxes.run("account", since=str(oldest), until=str(YESTERDAY + DAY), **metrics)
    offer = truth.offers.AccountOffer(series=(("reach", "day"), ("follower_count", "day")))
    wanted = expected(sandboxes, pacific_days(oldest, YESTERDAY), offer=offer, current=False)
    lost = {key for key, row in wanted.items() if (row["metric"], row["metric_date"]) == ("follower_count", oldest)}
    assert len(lost) == 1
    assert facts(INSIGHTS, sandboxes.rows(INSIGHTS)) == {key: row for key, row in wanted.items() if key not in lost}
    (finding,) = summary["left_out"]
    assert (finding["what"], finding["whom"]) == ("follower_count", [f"account {sandboxes.account.id} on {oldest}"])


def test_follower_count_gives_the_thirty_days_that_exist(small_sandboxes: Sandboxes) -> None:
    """Asked 60 days back, follower_count brings 30 days; the summary says that the other 30 were not requested."""
    sandboxes = small_sandboxes
    today = YESTERDAY + DAY
    summary = sandboxes.run(
        "account", since=str(today - 60 * DAY), until=str(today), lookback_days=0, metrics="follower_count"
    )
    rows = sandboxes.rows(INSIGHTS)
    assert [row["metric_date"] for row in rows] == pacific_days(today - 30 * DAY, YESTERDAY)
    (finding,) = summary["left_out"]
    span = f"{today - 60 * DAY} to {today - 31 * DAY}"
    assert (finding["what"], finding["kind"]) == (f"follower_count from {span}", "BeyondHistory")
    assert "for 30 days; these 30 days were not requested" in str(finding["why"])


@pytest.mark.parametrize(
    ("kind", "table_id"),
    [("media", "instagram_media_insights"), ("story", "instagram_story_insights"), ("account", "instagram_accounts")],
)
def test_snapshots_are_dated_by_when_they_were_read(small_sandboxes: Sandboxes, kind: str, table_id: str) -> None:
    """A run repeated two days later writes under the new date, or not at all, and leaves the old snapshot untouched."""
    sandboxes = small_sandboxes
    sandboxes.run(kind)
    before = sandboxes.rows(table_id)
    assert {row["snapshot_date"] for row in before} == {YESTERDAY + DAY}
    sandboxes.travel(2 * DAY)
    sandboxes.run(kind)
    after = sandboxes.rows(table_id)
    assert [row for row in after if row["snapshot_date"] == YESTERDAY + DAY] == before
    new = {row["snapshot_date"] for row in after if row not in before}
    assert new == (set() if kind == "account" else {YESTERDAY + 3 * DAY})
    assert all(row["fetched_at"] >= NOW + 2 * DAY for row in after if row["snapshot_date"] == YESTERDAY + 3 * DAY)


def test_audiences_are_not_dated_back(small_sandboxes: Sandboxes) -> None:
    """A run of days long gone asks for no audience; a current one dates it by the day of the reading."""
    sandboxes = small_sandboxes
    audience = {"metrics": "follower_demographics,likes", "breakdowns": {"follower_demographics": ["country"]}}
    sandboxes.run("account", interval=(START - 40 * DAY, END - 40 * DAY), **audience)
    assert {row["metric"] for row in sandboxes.rows(INSIGHTS)} == {"likes"}
    sandboxes.run("account", **audience)
    dated = {row["metric_date"] for row in sandboxes.rows(INSIGHTS) if row["metric"] == "follower_demographics"}
    assert dated == {YESTERDAY + DAY}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
def test_days_of_23_and_25_hours_are_whole(day: date, hours: int) -> None:
    """Series and totals of a day with a change of clocks carry its date; both equal the truth of the whole day."""
    close = numbers.midnight(day + DAY)
    now = close + timedelta(hours=3)
    with open_sandboxes(World.build(now=now, accounts=1, media_per_account=1, stories_per_account=0)) as sandboxes:
        sandboxes.run(
            "account", interval=(close - timedelta(hours=hours), close), lookback_days=1, profile_table_id=None
        )
        stored = [
            row for row in sandboxes.rows(INSIGHTS) if row["period"] in ("day", "lifetime") and not row["timeframe"]
        ]
        days = [day - DAY, day]
        assert facts(INSIGHTS, stored) == expected(sandboxes, days, current=False)
        mine = [row for row in stored if row["metric_date"] == day]
        series = [row for row in mine if row["end_time"]]
        assert {row["metric"] for row in series} >= {"reach", "follower_count"}
        assert {row["end_time"] for row in series} == {close - timedelta(hours=hours)}
        assert {row["window_end"] - row["window_start"] for row in mine} == {timedelta(hours=hours, seconds=-1)}
        reach = {row["breakdown"]: row["value"] for row in mine if row["metric"] == "reach" and not row["breakdown"]}
        parts = sum(row["value"] for row in mine if (row["metric"], row["breakdown"]) == ("reach", "follow_type"))
        assert reach[""] == parts
        windows = [
            (since, until) for since, until in asked_windows(sandboxes) if since == close.timestamp() - hours * 3600
        ]
        assert windows
        assert {until - since + 1 for since, until in windows} == {hours * 3600}
