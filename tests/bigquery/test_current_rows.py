"""The views of the latest numbers read few days, and show what they would show if they read all."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.bigquery import QueryJobConfig

from airflow_provider_iginsights.bigquery.current_statements import current_statement
from airflow_provider_iginsights.bigquery.duplicate_check import check
from airflow_provider_iginsights.bigquery.erasure import Erasure
from airflow_provider_iginsights.bigquery.view_state import view_query
from airflow_provider_iginsights.catalog.tables import MEDIA_INSIGHTS, STORY_INSIGHTS, Table
from airflow_provider_iginsights.catalog.views import VIEWS, View
from benchmarks import price
from tests.support.bigquery import killed_loads as chaos
from tests.support.bigquery import rows
from tests.support.bigquery.analyzer import build_analyzer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.fan_in import FanInLoader
    from airflow_provider_iginsights.bigquery.target import LoadMode, TargetTable
    from airflow_provider_iginsights.bigquery.views import Done
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse

    Row = dict[str, object]

LATEST = {view.table.name: view for view in VIEWS if view.current}
DAY = timedelta(days=1)
FIRST = date(2028, 3, 6)  # not yet: what a task stages expires a day after it
# What the views asked before they had current tables: the truth, over all days.
WHOLE = (
    "SELECT {columns} FROM `{path}` WHERE TRUE QUALIFY ROW_NUMBER() OVER (\n"
    "PARTITION BY account_id, media_id, metric, breakdown, breakdown_value ORDER BY {order}) = 1"
)
ORDER = {
    "media_insights": "snapshot_date DESC, fetched_at DESC",
    "story_insights": "source = 'webhook' DESC, IFNULL(is_final, FALSE) DESC, snapshot_at DESC, fetched_at DESC",
}


@dataclass(slots=True)
class History:
    """A table and its view of the latest numbers, as they fare from day to day."""

    warehouse: Warehouse
    table: Table = MEDIA_INSIGHTS
    load_mode: LoadMode = "merge"
    today: date = FIRST
    loads: int = field(default=0)

    @property
    def target(self) -> TargetTable:
        """The table."""
        return rows.target(self.table, project=self.warehouse.project, dataset=self.warehouse.dataset)

    @property
    def path(self) -> str:
        """The view."""
        return f"{self.target.path}_latest"

    @contextmanager
    def task(self, **options: object) -> Iterator[FanInLoader]:
        """Open the loader of a task that runs at noon."""
        with self.warehouse.loader(rows.identity(run_id=f"run-{self.loads}"), **options) as loader:
            loader.clock.set_by_bigquery(datetime(self.today.year, self.today.month, self.today.day, 20, tzinfo=UTC))
            yield loader

    def load(self, given: Iterable[Row], *, load_mode: LoadMode | None = None) -> None:
        """Write rows as a task of today does; they may have been fetched on earlier days."""
        self.loads += 1
        mode = load_mode or self.load_mode
        with self.task() as loader:
            loader.ensure([self.target], load_mode=mode)
            row_file = loader.row_file(self.target)
            for row in given:
                row_file.write(row)
            loader.commit([row_file], load_mode=mode)

    def make_views(self) -> Done:
        """Make the views as a task of today does, and return what was done about the one of the latest numbers."""
        with self.task() as loader:
            return {result.path: result.done for result in loader.create_views([self.target])}[self.path]

    def row(self, media_id: str, day: date, value: float = 0, **others: object) -> Row:
        """Return a row that was fetched on this day, later than all rows that were asked for before."""
        self.loads += 1
        fetched_at = f"{day}T{self.loads // 3600:02d}:{self.loads // 60 % 60:02d}:{self.loads % 60:02d}Z"
        made: Row = {"account_id": "1", "media_id": media_id, "metric": "reach", "breakdown": ""}
        made |= {"breakdown_value": "", "snapshot_date": day.isoformat(), "value": Decimal(value)}
        made |= {"media_product_type": "FEED", "published_at": f"{FIRST}T00:00:00Z", "fetched_at": fetched_at}
        return {name: value for name, value in (made | others).items() if name in self.table.column_names}

    def differences(self) -> list[str]:
        """Return the rows that the view and the whole table's latest numbers do not share."""
        columns = ", ".join(f"`{name}`" for name in self.table.column_names)
        truth = WHOLE.format(columns=columns, path=self.target.path, order=ORDER[self.table.name])
        with self.warehouse.connect() as client:
            shown, expected = self._read(client, f"SELECT {columns} FROM `{self.path}`"), self._read(client, truth)
        return sorted({*shown} ^ {*expected}) or ["a row twice"] * (len(shown) - len(expected))

    def _read(self, client: Client, sql: str) -> list[str]:
        return [" ".join(map(rows.comparable, row.values())) for row in client.query(sql).result()]

    def query(self, sql: str) -> None:
        """Run a statement about {table}, {view} or {current} as somebody does by hand."""
        with self.warehouse.connect() as client:
            client.query(sql.format(table=self.target.path, view=self.path, current=self.current)).result()

    @property
    def current(self) -> str:
        """The current table."""
        return f"{self.target.path}_current"

    def current_keys(self) -> list[tuple[str, str]]:
        """Return post and day of the rows of the current table."""
        with self.warehouse.connect() as client:
            found = client.query(f"SELECT media_id, snapshot_date FROM `{self.current}`").result()
            return sorted((row.media_id, str(row.snapshot_date)) for row in found)


def started(warehouse: Warehouse, *, days: int = 12, table: Table = MEDIA_INSIGHTS) -> History:
    """Return a table of two posts, one of which is listed for the first five days only, with a filled current table."""
    history = History(warehouse, table)
    history.load(
        history.row(post, FIRST + n * DAY, n) for n in range(days) for post in ("old", "new") if post == "new" or n < 5
    )
    history.today = FIRST + (days - 1) * DAY
    assert history.make_views() == "created"
    history.today += 2 * DAY
    assert history.make_views() == "updated"
    return history


# A post and a story a day for three years, up to the last days, as the transfers write them: the texts are as long, and
# what is asked in a request of its own is read later.
YEARS = f"UNNEST(GENERATE_DATE_ARRAY(DATE '{FIRST + 3 * DAY - 3 * 365 * DAY}', DATE '{FIRST + 2 * DAY}')) day"
SHARED = """'17841400000000001' AS account_id, CONCAT('178000000100', CAST(UNIX_DATE(day) AS STRING)) AS media_id,
  N.metric, N.breakdown, N.breakdown_value, TIMESTAMP(day) AS published_at, CAST(again AS NUMERIC) AS value,
  'v25.0' AS api_version, 'scheduled__2028-03-06T00:00:00+00:00' AS run_id"""
READINGS = {
    "media_insights": """
  DATE_ADD(day, INTERVAL again DAY) AS snapshot_date, 'FEED' AS media_product_type,
  TIMESTAMP_ADD(TIMESTAMP(DATE_ADD(day, INTERVAL again DAY)), INTERVAL N.later SECOND) AS fetched_at""",
    "story_insights": """
  day AS snapshot_date, TIMESTAMP_ADD(TIMESTAMP(day), INTERVAL again HOUR) AS snapshot_at, 'poll' AS source,
  TIMESTAMP(DATE_ADD(day, INTERVAL 1 DAY)) AS expires_at, again = 23 AS is_final,
  TIMESTAMP_ADD(TIMESTAMP_ADD(TIMESTAMP(day), INTERVAL again HOUR), INTERVAL N.later SECOND) AS fetched_at""",
}
NUMBERS = {
    "media_insights": {
        ("", ""): "comments likes reach reposts saved shares total_interactions views",
        ("", "", "later"): "follows profile_visits",
    },
    "story_insights": {
        ("", ""): "follows link_clicks profile_visits reach replies reposts shares total_interactions views",
        ("navigation", "story_navigation_action_type"): "tap_back tap_exit tap_forward swipe_forward",
        ("profile_activity", "action_type"): "bio_link_clicked email text",
    },
}


def write_three_years(history: History, *, read: int, last: date) -> int:
    """Let the table have a post or story for each day of three years, read so many times, until a day.

    Returns how many numbers each has.
    """
    numbers = []
    for later, ((metric, breakdown, *_), names) in enumerate(NUMBERS[history.table.name].items()):
        made = [(metric, breakdown, name) if metric else (name, "", "") for name in names.split()]
        numbers += [(*each, later) for each in ([(metric, "", "")] if metric else []) + made]
    listed = ", ".join(["STRUCT('' AS metric, '' AS breakdown, '' AS breakdown_value, 0 AS later)", *map(str, numbers)])
    source = (
        f"SELECT {SHARED},{READINGS[history.table.name]}\nFROM {YEARS}\n"
        f"CROSS JOIN UNNEST(GENERATE_ARRAY(0, {read - 1})) again CROSS JOIN UNNEST([{listed}]) N\n"
        "WHERE N.metric <> ''"
    )
    columns = ", ".join(f"`{name}`" for name in history.table.column_names)
    history.query(
        f"INSERT INTO `{{table}}` ({columns}) SELECT {columns} FROM ({source}) WHERE snapshot_date <= DATE '{last}'"
    )
    return len(numbers)


@pytest.mark.parametrize(("table", "read"), [(MEDIA_INSIGHTS, 28), (STORY_INSIGHTS, 24)], ids=["28 days", "24 hours"])
def test_three_years(sandbox: BigQuerySandbox, faulty: Warehouse, table: Table, read: int) -> None:
    """The same rows, old posts and stories included, at 1 % of the bytes, the last three days from the table itself.

    Each post is read in its first 28 days, each story in its 24 hours.
    """
    sandbox.switches.pricing = False
    history = History(faulty, table, load_mode="append")
    history.load([])
    numbers = write_three_years(history, read=read, last=FIRST + 2 * DAY)
    history.make_views()
    history.today += 2 * DAY
    assert history.make_views() == "updated"
    assert f"> DATE '{FIRST - DAY}'" in definition(history)
    columns = ", ".join(f"`{name}`" for name in table.column_names)
    whole = WHOLE.format(columns=columns, path=history.target.path, order=ORDER[table.name])
    view = f"SELECT {columns} FROM `{history.path}`"
    counted = [f"SELECT COUNT(*) FROM ({query})" for query in (view, whole)]
    counted += [
        f"SELECT COUNT(*) FROM ({one} EXCEPT DISTINCT {other})" for one, other in ((view, whole), (whole, view))
    ]
    with faulty.connect() as client:
        found = [next(iter(client.query(sql).result()))[0] for sql in counted]
        assert found == [3 * 365 * numbers, 3 * 365 * numbers, 0, 0]
        sandbox.switches.pricing = True
        now, then = (client.query(sql, QueryJobConfig(dry_run=True)).total_bytes_processed for sql in (view, whole))
    assert 0 < now <= 0.01 * then, now / then


@pytest.mark.parametrize(
    ("table", "load_mode"),
    [(MEDIA_INSIGHTS, "merge"), (MEDIA_INSIGHTS, "replace"), (MEDIA_INSIGHTS, "append"), (STORY_INSIGHTS, "merge")],
    ids=lambda given: given if isinstance(given, str) else given.name,
)
def test_whatever_happens_the_view_is_right(
    sandbox: BigQuerySandbox, faulty: Warehouse, table: Table, load_mode: LoadMode
) -> None:
    """Days with and without runs, rows that come late, values that go, views and current tables that are dropped."""
    sandbox.switches.pricing = False
    dice = random.Random(f"{table.name} {load_mode}")
    history, seen = History(faulty, table, load_mode), set()
    history.load(drawn(history, dice, FIRST))
    for _ in range(14):
        history.today += dice.choice((0, 1, 1, 2, 4)) * DAY
        late = dice.choice((0, 0, 0, 1, 2, 5)) * DAY
        history.load(drawn(history, dice, max(FIRST, history.today - late)))
        if dice.random() < 0.1:
            history.query(dice.choice(("DROP VIEW IF EXISTS `{view}`", "DROP TABLE IF EXISTS `{current}`")))
        if not {"media_insights_current", "story_insights_current"} & set(sandbox.tables("d")) or dice.random() < 0.7:
            seen.add(history.make_views())
        if not is_broken(history, sandbox):
            assert history.differences() == []
    assert seen == {"created", "unchanged", "updated"}


def is_broken(history: History, sandbox: BigQuerySandbox) -> bool:
    """Tell whether a hand has just dropped what the view needs; the next day's run makes it anew."""
    return f"{history.table.default_id}_latest" not in sandbox.tables("d") or (
        f"{history.table.default_id}_current" not in sandbox.tables("d") and "_current" in definition(history)
    )


def definition(history: History) -> str:
    """Return the query of the view."""
    with history.warehouse.connect() as client:
        return str(client.get_table(history.path).view_query)


def drawn(history: History, dice: random.Random, day: date) -> list[Row]:
    """Return some numbers of some posts or stories as they were read on a day."""
    values = dice.sample(("A", "B", "tap_exit"), dice.randint(1, 3))
    metric, breakdown = dice.choice((("reach", "kind"), ("navigation", "story_navigation_action_type")))
    return [
        history.row(
            post,
            day,
            dice.randrange(9) + dice.choice((0, 0, 0, 0.5)),
            metric=metric,
            breakdown=breakdown if value else "",
            breakdown_value=value,
            snapshot_at=f"{day}T{dice.randrange(24):02d}:00:00Z",
            source=dice.choice(("poll", "poll", "webhook")),
            is_final=dice.choice((True, False, None)),
        )
        for post in dice.sample("123456", 3)
        for value in ("", *values)
    ]


@pytest.mark.referee
def test_the_current_table_follows(warehouse: Warehouse) -> None:
    """A view begins with all days; from the third day on it reads a table of the newest rows, and the last days."""
    history = started(warehouse)
    assert history.differences() == []
    until = (history.today - 3 * DAY).isoformat()
    assert history.current_keys() == [("new", until), ("old", (FIRST + 4 * DAY).isoformat())]
    assert f"> DATE '{until}'" in definition(history)
    assert history.make_views() == "unchanged"
    history.load([history.row("new", history.today, 99)])
    assert history.differences() == []
    history.today += DAY
    assert history.make_views() == "updated"
    assert history.differences() == []


@pytest.mark.referee
def test_a_number_stays_what_it_is(warehouse: Warehouse) -> None:
    """With or without a column of its own, of this run or of an earlier one, and whoever wrote it twice."""
    history = History(warehouse)
    day = history.today
    numbers: list[tuple[str, Decimal]] = [
        ("reach", Decimal(2**63 - 1)),
        ("views", Decimal(2**63)),
        ("likes", Decimal("0.5")),
        ("reels_skip_rate", Decimal("12.345678901")),
        ("shares", Decimal("99999999999999999999999999999.999999999")),
        ("comments", Decimal(-3)),
        ("saved", Decimal(0)),
        ("unheard_of", Decimal(7)),
        ("__fetched_at", Decimal(8)),
    ]
    parts = [
        ("bio_link_clicked", "action_type"),
        ("BIO_LINK_CLICKED", "action_type"),
        ("call", ""),
        ("", "action_type"),
    ]
    told: Row = {"run_id": "it's", "api_version": "v25.0", "media_product_type": "REELS"}
    earlier = [
        history.row("new", day - DAY, number, metric=name, **told)
        for number, name in enumerate(("reach", "total_interactions"))
    ]
    history.load(earlier)
    history.load(
        [
            *(history.row("new", day, metric=name, **told) | {"value": value} for name, value in numbers),
            *(
                history.row("new", day, at, metric="profile_activity", breakdown=kind, breakdown_value=value)
                for at, (value, kind) in enumerate(parts)
            ),
        ]
    )
    history.make_views()
    history.today += 3 * DAY
    assert history.make_views() == "updated"
    assert "_current" in definition(history)
    assert history.differences() == []
    # Those with columns share the row of their run and day; five numbers and three parts fit none.
    own = ["likes", "shares", "unheard_of", "views", "__fetched_at"]
    assert len(history.current_keys()) == len({"told", "the day before", "parts"}) + len(own) + len(parts[1:])
    history.query("INSERT INTO `{current}` SELECT * FROM `{current}`")
    assert history.differences() == []
    history.today += DAY
    assert history.make_views() == "updated"
    assert history.differences() == []
    assert len(history.current_keys()) == 3 + len(own) + len(parts[1:])


def test_a_current_table_of_another_form(warehouse: Warehouse) -> None:
    """It is named and left as it is, and the view reads its table whole; once it is dropped, it is made anew."""
    history = History(warehouse)
    history.load([history.row("new", FIRST, 1)])
    columns = ", ".join(f"{column.name} {column.type} NOT NULL" for column in MEDIA_INSIGHTS.columns[:6])
    history.query(f"CREATE TABLE `{{current}}` ({columns}, value NUMERIC NOT NULL) PARTITION BY snapshot_date")
    history.make_views()
    history.today += 3 * DAY
    with history.task() as loader:
        assert {result.done for result in loader.create_views([history.target])} == {"unchanged", "impossible"}
        [note] = [note for note in loader.notes if "_latest" in note]
    assert f"The table {history.current} does not fit: column metric is REQUIRED" in note
    assert f"drop {history.current}" in note
    assert "_current" not in definition(history)
    history.query("DROP TABLE `{current}`")
    assert history.make_views() == "updated"
    assert history.differences() == []


@pytest.mark.referee
def test_an_older_row_counts_again(warehouse: Warehouse) -> None:
    """A value that ``replace`` deletes shows what was there before, on old days, too."""
    history = started(warehouse)
    day, kind = history.today, {"breakdown": "kind"}
    for read in (day - DAY, day):
        history.load([history.row("new", read, 1, breakdown_value=value, **kind) for value in "AB"])
    history.load([history.row("new", day, 2, breakdown_value="A", **kind)], load_mode="replace")
    assert history.differences() == []
    history.load([history.row("new", day, 3, breakdown_value="B", **kind)])
    history.today += 6 * DAY
    assert history.make_views() == "updated"
    # The row of the day before is in the current table no more.
    history.load([history.row("new", day, 4, breakdown_value="A", **kind)], load_mode="replace")
    assert "_current" not in definition(history)
    assert history.differences() == []
    history.today += 2 * DAY
    assert history.make_views() == "updated"
    assert "_current" in definition(history)
    assert history.differences() == []


def test_rows_of_old_days_show_at_once(warehouse: Warehouse) -> None:
    """What was staged for days, or was corrected on an old day, shows as soon as it is written, and so it stays."""
    history = started(warehouse)
    assert "_current" in definition(history)
    old = history.today - 8 * DAY
    history.load([history.row("new", old, 50), history.row("late", old, 51)])
    assert f"> DATE '{old - DAY}'" in definition(history)
    assert history.differences() == []
    assert history.make_views() == "unchanged"  # not before the task that announced them can be done
    history.today += DAY
    assert history.make_views() == "unchanged"
    history.today += DAY
    assert history.make_views() == "updated"
    assert f"> DATE '{history.today - 3 * DAY}'" in definition(history)
    assert history.differences() == []


def test_rows_that_come_between_merge_and_view(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late rows that are written while a task fills the current table are not passed over: the view waits for them."""
    history = started(warehouse)
    history.today += DAY
    other = History(warehouse, today=history.today, loads=900)
    with history.task() as loader:
        update = loader.session.client.update_table

        def late(*arguments: Any, **options: Any) -> Any:
            monkeypatch.setattr(loader.session.client, "update_table", update)
            other.load([other.row("new", other.today - 5 * DAY, 70), other.row("late", other.today - 5 * DAY, 71)])
            return update(*arguments, **options)

        monkeypatch.setattr(loader.session.client, "update_table", late)
        done = [result.done for result in loader.create_views([history.target]) if result.path == history.path]
    assert done == ["unchanged"]
    assert history.differences() == []
    history.today += 2 * DAY
    assert history.make_views() == "updated"
    assert history.differences() == []


def make_and_die(url: str, dataset: str, today: date) -> None:
    """Make the views, and die after the MERGE, before the view says so."""
    history = History(chaos.warehouse_at(url, dataset=dataset), today=today)
    with history.task() as loader:
        chaos.kill_at(loader, chaos.Kill(when="before", method="PATCH", path="_latest", body="UNION ALL"))
        loader.create_views([history.target])


@pytest.mark.referee
def test_killed_between_merge_and_view(warehouse: Warehouse) -> None:
    """The view is right after the kill, though the current table is ahead of it; the next run moves it on."""
    history = started(warehouse)
    history.load([history.row("new", history.today, 60), history.row("third", history.today, 61)])
    history.today += 5 * DAY
    with warehouse.connect() as client:
        url = client._connection.API_BASE_URL
    process = chaos.SPAWN.Process(target=make_and_die, args=(url, warehouse.dataset, history.today))
    before = definition(history)
    process.start()
    process.join()
    assert process.exitcode == -9
    assert definition(history) == before
    assert ("third", (history.today - 5 * DAY).isoformat()) in history.current_keys()
    assert history.differences() == []
    # Nothing of the posts that are in the current table already is read again: the same keys need not come.
    history.load([history.row("fourth", history.today, 62)])
    assert history.make_views() == "updated"
    assert history.differences() == []


def test_tasks_that_come_at_once_send_one_job(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """However many mapped tasks make the views together, the current table is filled once a day."""
    history = started(faulty)
    history.today += DAY
    before = len(sandbox.jobs)
    with ThreadPoolExecutor(5) as pool:
        done = [each.result() for each in [pool.submit(history.make_views) for _ in range(5)]]
    assert {*done} <= {"updated", "unchanged"}
    assert "updated" in done
    sent = [job.id for job in sandbox.jobs[before:] if "-current-" in job.id]
    assert len(sent) == 1
    assert history.differences() == []


def test_a_view_from_before(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """An older release's view reads its whole table; the next run fills the current table from all days, once."""
    history = History(faulty)
    history.load(history.row(post, FIRST - n * DAY, n) for n in range(60) for post in ("a", "b"))
    with faulty.connect() as client:
        from google.cloud.bigquery import Table as BigQueryTable

        view = BigQueryTable(history.path)
        view.view_query = view_query(LATEST["media_insights"], history.target)
        view.labels = {"iginsights_view": "media_insights_latest"}
        client.create_table(view)
    history.today = FIRST + DAY
    assert history.make_views() == "updated"
    assert history.differences() == []
    assert [day for _, day in history.current_keys()] == [(FIRST - 2 * DAY).isoformat()] * 2
    [filled] = [job for job in sandbox.jobs if "-current-" in job.id]
    history.today += DAY
    assert history.make_views() == "updated"
    moved = [job for job in sandbox.jobs if "-current-" in job.id][-1]
    assert moved.bytes_processed < filled.bytes_processed / 10


def test_the_daily_merge_costs_what_is_priced(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One day of the table, and the current table's posts of 35 days: what was listed last before them is not read."""
    account_id, media_id, metric, moment = 3, 6, 7, 8
    shared = account_id + media_id + 6 + 3 * moment  # FEED, the day, the publication, the fetch; others are NULL
    row = shared + metric + 2 + 2 + 16  # two empty texts, the value
    monkeypatch.setitem(price.WIDTHS, "media_insights", price.Width(key=0, compared=0, row=row, current=shared + 8))
    history = History(faulty, load_mode="append")
    listed = {"new1": 60, "new2": 60, "left": 40, "gone": 2}
    history.load(history.row(post, FIRST + n * DAY) for n in range(60) for post, days in listed.items() if n < days)
    history.today = FIRST + 59 * DAY
    history.make_views()
    for days in (2, 1):
        history.today += days * DAY
        history.load([history.row("new1", history.today), history.row("new2", history.today)])
        assert history.make_views() == "updated"
    job = [job for job in sandbox.jobs if "-current-" in job.id][-1]
    expected = price.follow("media_insights", read=2, searched=3)
    assert job.bytes_processed == expected.target + expected.staged


@pytest.mark.parametrize(
    ("by_hand", "shows"),
    [
        ("DROP TABLE `{current}`", "later"),
        ("DROP VIEW `{view}`", "later"),
        ("DELETE FROM `{table}` WHERE snapshot_date > DATE '2028-03-16'", "at once"),
    ],
)
def test_what_hands_do(warehouse: Warehouse, by_hand: str, shows: str) -> None:
    """What is dropped is made anew from all days; rows of the last days may be deleted by hand."""
    history = started(warehouse)
    history.query(by_hand)
    if shows == "at once":
        assert history.differences() == []
    history.today += DAY
    assert history.make_views() in ("created", "updated")
    assert history.differences() == []
    history.today += 2 * DAY
    assert history.make_views() == "updated"
    assert history.differences() == []


def test_a_table_that_is_made_anew(warehouse: Warehouse) -> None:
    """The current table of a table that was dropped is emptied of what the new one does not have."""
    history = started(warehouse)
    history.query("DROP TABLE `{table}`")
    history.load([history.row("new", history.today, 1)])
    history.today += 4 * DAY
    assert history.make_views() == "updated"
    assert history.differences() == []
    assert [post for post, _ in history.current_keys()] == ["new"]


def test_rows_expire_with_those_of_the_table(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Retention of the table's days holds for the current table, which otherwise never expires."""
    history = started(faulty)
    with faulty.connect() as client:
        assert client.get_table(history.current).time_partitioning.expiration_ms is None
        table = client.get_table(history.target.path)
        partitioning = table.time_partitioning
        partitioning.expiration_ms = 400 * 86_400_000
        table.time_partitioning = partitioning
        client.update_table(table, ["time_partitioning"])
        history.today += DAY
        assert history.make_views() == "updated"
        current = client.get_table(history.current)
    assert current.time_partitioning.expiration_ms == 400 * 86_400_000
    assert current.expires is None
    assert current.clustering_fields == ["account_id", "media_id"]
    assert current.table_constraints is None or current.table_constraints.primary_key is None


def test_a_limit_of_bytes_leaves_the_view_as_it_is(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """What may not be billed is noted, and the view goes on with more days, and is right."""
    history = started(faulty)
    history.today += DAY
    before = definition(history)
    with history.task(maximum_bytes_billed=1) as loader:
        assert {result.done for result in loader.create_views([history.target])} == {"unchanged", "impossible"}
        [note] = [note for note in loader.notes if "_latest" in note]
    assert note.startswith(f"The view {history.path} is right, and reads more days than it needs to: ")
    assert definition(history) == before
    assert history.differences() == []


def test_what_is_erased_is_gone_from_the_current_table(warehouse: Warehouse) -> None:
    """A post that is to be forgotten is counted in the current table, and deleted there."""
    history = started(warehouse)
    with warehouse.connect() as client:
        erasure = Erasure(client, targets=[history.target], kind="media", object_id="old")
        held = list(erasure.count())
        assert [(each.target.path, each.rows) for each in held] == [(history.target.path, 5), (history.current, 1)]
        assert [each.rows for each in erasure.delete(held)] == [5, 1]
    assert {post for post, _ in history.current_keys()} == {"new"}
    assert history.differences() == []


def test_what_is_deduplicated_by_hand_is_read_anew(warehouse: Warehouse) -> None:
    """Of an old key that stands twice, one row is left, with what only the other had: the view shows that row."""
    history = started(warehouse)
    day = FIRST + 4 * DAY
    history.query(
        "INSERT INTO `{table}` (account_id, media_id, metric, breakdown, breakdown_value, snapshot_date, value,"
        f" fetched_at) VALUES ('1', 'old', 'reach', '', '', DATE '{day}', 7, TIMESTAMP '2028-03-24 00:00:00+00')"
    )
    with warehouse.connect() as client:
        [finding] = check(client, targets=[history.target], deduplicate=True)
    assert finding.deduplicated
    assert history.differences() == []


@pytest.mark.parametrize("view", LATEST.values(), ids=lambda view: view.name)
def test_google_analyzer_accepts_the_statements(view: View) -> None:
    """ZetaSQL resolves and types what fills a current table, wholly or from a day on, and the view of both."""
    target = rows.target(view.table)
    assert view.current
    tables = {target.path: view.table, f"{target.path}_current": view.current.table}
    judge = build_analyzer(
        {path: {column.name: column.type for column in table.columns} for path, table in tables.items()}
    )
    for after in (None, FIRST):
        judge.analyze_statement(current_statement(view, target, after=after, through=FIRST + DAY))
        judge.analyze_statement(view_query(view, target, through=after))
