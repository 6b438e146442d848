"""The worked examples of docs/time.md: a schedule, one run, exactly what it writes, and the other reading of a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_iginsights.sandbox.graph import Media, World
from tests.support import truth
from tests.support.pages import read_pages
from tests.support.sandboxes import DAY, Row, Sandboxes, open_sandboxes

pytestmark = pytest.mark.usefixtures("without_waits")

INSIGHTS = "instagram_account_insights"
DELAY = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One run, as the printed table shows it; all days are Pacific."""

    zone: str
    start: str
    end: str
    closed: str
    lookback: str
    published_from: str
    snapshot_date: str

    @property
    def interval(self) -> tuple[datetime, datetime]:
        """The data interval."""
        return datetime.fromisoformat(self.start), datetime.fromisoformat(self.end)

    @property
    def days(self) -> list[date]:
        """The days written: the closed one and those read again."""
        first, last = self.lookback.split(" to ")
        count = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        return [*(date.fromisoformat(first) + DAY * step for step in range(count)), date.fromisoformat(self.closed)]

    def line(self) -> str:
        """Return the printed row."""
        cells = (
            f"`{self.zone}`",
            f"{self.start} to {self.end}",
            f"**{self.closed}**",
            self.lookback,
            self.published_from,
            self.snapshot_date,
        )
        return f"| {' | '.join(cells)} |"


EXAMPLES = (
    Example(
        zone="UTC",
        start="2026-11-20T00:00Z",
        end="2026-11-21T00:00Z",
        closed="2026-11-19",
        lookback="2026-11-16 to 2026-11-18",
        published_from="2026-10-23T00:00Z",
        snapshot_date="2026-11-20",
    ),
    Example(
        zone="Asia/Tokyo",
        start="2026-11-19T15:00Z",
        end="2026-11-20T15:00Z",
        closed="2026-11-19",
        lookback="2026-11-16 to 2026-11-18",
        published_from="2026-10-22T15:00Z",
        snapshot_date="2026-11-20",
    ),
    Example(
        zone="America/Los_Angeles",
        start="2026-11-20T08:00Z",
        end="2026-11-21T08:00Z",
        closed="2026-11-20",
        lookback="2026-11-17 to 2026-11-19",
        published_from="2026-10-23T08:00Z",
        snapshot_date="2026-11-21",
    ),
)


def run_of(example: Example) -> DagRunInfo:
    """Return the example's run as Airflow's own timetable makes it."""
    timetable = CronDataIntervalTimetable("0 0 * * *", timezone=example.zone)
    earliest = _pendulum(example.interval[0])
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    run = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run is not None
    return run


def _pendulum(instant: datetime) -> Any:
    from pendulum import instance

    return instance(instant)


def days_of(sandboxes: Sandboxes, table_id: str, column: str = "metric_date") -> set[date]:
    """Return the days that a table holds."""
    return {row[column] for row in sandboxes.rows(table_id)}


def put_post(sandboxes: Sandboxes, number: int, at: datetime) -> str:
    """Publish a post at this instant and return its id."""
    post_id = f"1789999999999990{number}"
    sandboxes.world.put(
        Media(
            id=post_id,
            account_id=sandboxes.account.id,
            media_type="IMAGE",
            media_product_type="FEED",
            timestamp=at,
            permalink=f"https://www.instagram.com/p/{number}/",
            shortcode=str(number),
        )
    )
    return post_id


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.zone for example in EXAMPLES])
def test_a_run_writes_what_the_example_says(example: Example) -> None:
    """From Airflow's own timetable to BigQuery: the days of each table, and the posts that were read again."""
    run = run_of(example)
    start, end = example.interval
    assert (run.data_interval.start, run.data_interval.end, run.run_after) == (start, end, end)
    world = World.build(now=end + DELAY, accounts=1, media_per_account=0, stories_per_account=1)
    with open_sandboxes(world) as sandboxes:
        edge = datetime.fromisoformat(example.published_from)
        second = timedelta(seconds=1)
        instants = (edge - second, edge, end - second, end)
        posts = [put_post(sandboxes, number, at) for number, at in enumerate(instants)]
        summaries = [sandboxes.run(kind, interval=(start, end)) for kind in ("account", "media", "story")]
        assert {summary["window"]["rule"] for summary in summaries} == {"data_interval"}
        dated = [row for row in sandboxes.rows(INSIGHTS) if row["window_start"]]
        assert sorted({row["metric_date"] for row in dated}) == example.days
        snapshot = date.fromisoformat(example.snapshot_date)
        audience = [row for row in sandboxes.rows(INSIGHTS) if row["timeframe"]]
        assert {row["metric_date"] for row in audience} == {snapshot}
        for table_id in ("instagram_accounts", "instagram_media_insights", "instagram_story_insights"):
            assert days_of(sandboxes, table_id, "snapshot_date") == {snapshot}, table_id
        assert {row["media_id"] for row in sandboxes.rows("instagram_media_insights")} == set(posts[1:3])


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.zone for example in EXAMPLES])
def test_the_docs_show_the_example(example: Example) -> None:
    """The printed table holds the very row that was run."""
    assert example.line() in read_pages().splitlines()


SHIFTED = """
SELECT metric, value,
  IF(end_time IS NULL, metric_date, DATE_SUB(metric_date, INTERVAL 1 DAY)) AS metric_date
FROM `instagram.instagram_account_insights`
WHERE window_start IS NOT NULL
"""
RAW = """
SELECT metric, value, DATE_SUB(DATE(end_time, 'America/Los_Angeles'), INTERVAL 1 DAY) AS metric_date
FROM `instagram.instagram_account_insights`
WHERE end_time IS NOT NULL
"""


@pytest.mark.parametrize("query", [SHIFTED, RAW], ids=["shifted", "from the raw end_time"])
def test_the_other_reading_of_a_day(small_sandboxes: Sandboxes, query: str) -> None:
    """The printed SQL moves points of a series to the day that end_time closes, and leaves totals where they are."""
    sandboxes = small_sandboxes
    arguments = {"metrics": "reach,likes", "breakdowns": {"reach": [], "likes": []}, "lookback_days": 1}
    sandboxes.run("account", **arguments)
    offer = truth.offers.AccountOffer(series=(("reach", "day"),), totals={"likes": ("",)})
    days = [date(2026, 11, 19), date(2026, 11, 20)]
    rows = list(
        truth.account_rows(sandboxes.world, sandboxes.account, days, now=sandboxes.now, offer=offer, current=False)
    )
    wanted = {_key(row, row["metric_date"] - DAY if row["end_time"] else row["metric_date"]) for row in rows}
    if query == RAW:
        wanted = {_key(row, row["end_time"].astimezone(UTC).date() - DAY) for row in rows if row["end_time"]}
    client = sandboxes.bigquery.client()
    found = {_key(dict(row), row["metric_date"]) for row in client.query(query).result()}
    client.close()
    assert found == wanted
    assert _flat(query) in _flat(read_pages())


def _key(row: Row, day: date) -> tuple[str, Any, date]:
    return row["metric"], row["value"], day


def _flat(text: str) -> str:
    return " ".join(text.split())
