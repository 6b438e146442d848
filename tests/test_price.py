"""The prices of docs/price.md: printed by the arithmetic, which is held against what the local BigQuery was sent.

The formulas against the bytes of single loads; widths, counts of rows and the list of statements against the transfers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.catalog.current_tables import SERIES, CurrentTable
from airflow_provider_iginsights.catalog.tables import MEDIA, STORY_INSIGHTS, TABLES, Table
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from benchmarks import price
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse
from tests.support.pages import read_pages
from tests.support.sandboxes import DAY, END, START, Row, Sandboxes, open_sandboxes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "price.md"
NAMES = {table.default_id: table.name for table in TABLES}
CURRENT = {view.table.name: view.current for view in VIEWS if view.current}
NEWEST = ("snapshot_date", "snapshot_at", "fetched_at")
OWNERS_TEXTS = {"accounts", "media", "media_children"}
"""Tables whose width depends on the texts that people write: longer ones are assumed than the sandbox has."""
HOUR = timedelta(hours=1)

Sent = Counter[tuple[str, str]]
"""How many statements of each kind were sent about each table."""


def size(value: object) -> int:
    """Return the logical bytes of a value: STRING 2 and its UTF-8, NUMERIC 16, BOOL 1, all others 8, NULL none."""
    if isinstance(value, str) and not is_moment(value):
        return 2 + len(value.encode())
    return {type(None): 0, bool: 1, Decimal: 16}.get(type(value), 8)


def is_moment(text: str) -> bool:
    """Tell whether a text is the date or instant of a typed column."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def mean(given: Iterable[Mapping[str, object]], columns: Iterable[str]) -> float:
    """Return the mean bytes of these columns."""
    sizes = [sum(size(row.get(name)) for name in columns) for row in given]
    return sum(sizes) / len(sizes)


def measure(table: Table, given: Iterable[Mapping[str, object]]) -> dict[str, float]:
    """Return the mean bytes of rows, worked out from Google's table of type sizes, under the names of a Width."""
    given = list(given)
    moving = (column.name for column in table.columns if column.moves_after_days is not None)
    kept = [column.name for column in table.columns if column.role == "kept"]
    compared = {*table.key, *table.measures, *moving, "fetched_at"}
    day = 0.0 if table.partition_by in table.key else mean(given, [table.partition_by])
    return {
        "key": mean(given, table.key),
        "compared": mean(given, compared),
        "row": mean(given, table.column_names),
        "kept": mean(given, [name for name in kept if name not in compared]),
        "day": day,
    }


def measure_current(current: CurrentTable, given: Iterable[Mapping[str, Any]]) -> float:
    """Return the mean bytes that the current table has of a post or story of these rows, all of whose numbers fit.

    The columns that its numbers share, once for each set of values; the number; a fetch that is not the first one.
    """
    newest = {
        tuple(row[name] for name in SERIES): row
        for row in sorted(given, key=lambda row: [str(row.get(name)) for name in NEWEST])
    }
    kinds = {(each.metric, each.breakdown, each.breakdown_value): each.type for each in current.numbers}
    made: dict[tuple[object, ...], list[tuple[object, int]]] = {}
    for series, row in newest.items():
        number = {"INT64": 8, "NUMERIC": 16}[kinds[series[2:]]]
        made.setdefault(tuple(row[name] for name in current.shared), []).append((row["fetched_at"], number))
    total = 0
    for shared, numbers in made.items():
        first = min(moment for moment, _ in numbers)  # type: ignore[type-var]
        total += sum(map(size, shared)) + 8 + sum(number + 8 * (moment != first) for moment, number in numbers)
    return total / len({series[:2] for series in newest})


def test_the_page_shows_what_is_printed() -> None:
    """Whoever changes the arithmetic prints the table anew."""
    for table in (price.table(), price.latest_table()):
        assert "\n".join(table) in PAGE.read_text("utf-8")
    views = sum(each.bill(1) for each in price.send_views(5_000, hourly=True)) / price.TIB * price.DOLLARS_PER_TIB
    assert f"That is US${views:.2f} a month" in PAGE.read_text("utf-8")


def test_the_views_of_the_latest_numbers_read_one_percent() -> None:
    """Of the bytes of all days, at every number of accounts, three years on."""
    for accounts in price.SIZES:
        for _, every, read in price.read_latest(accounts, days=3 * 365):
            assert read <= 0.01 * every


@pytest.mark.parametrize(("hourly", "most"), [(False, 1), (True, 10)])
def test_five_thousand_accounts_stay_cheap(hourly: bool, most: int) -> None:
    """In one task and with fan-in; without fan-in, mapped tasks cost many times as much."""
    _, dollars = price.price(5_000, hourly=hourly)
    assert dollars <= most
    assert price.price(5_000, hourly=True, tasks=price.count_tasks(5_000))[1] > 4 * price.price(5_000, hourly=True)[1]


def test_the_page_tells_what_quarantine_adds() -> None:
    """One query a task and run, of 10 MiB."""
    sizes = [price.price_quarantine(hourly=True, tasks=price.count_tasks(accounts)) for accounts in (5_000, 100_000)]
    few, many = (f"{size:.2f} TiB" for size in sizes)
    assert f"{few} a month for 5,000 accounts in 10 mapped tasks, and {many} for 100,000 in 200" in PAGE.read_text(
        "utf-8"
    )


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a sandbox of the test's own."""
    with BigQuerySandbox(project="p-1") as running:
        yield running


def load(sandbox: BigQuerySandbox, table: Table, numbers: range, *, version: int) -> list[int]:
    """Load rows of equal width, of one account, and return what the statements processed, in their order."""
    warehouse = Warehouse(name="sandbox", project="p-1", dataset="d", location="US", connect=sandbox.client)
    target = rows.target(table, project=warehouse.project, dataset=warehouse.dataset)
    before = len(sandbox.jobs)
    with warehouse.loader(rows.identity(try_number=version + 1)) as loader:
        loader.ensure([target])
        row_file = loader.row_file(target)
        for row in make(table, numbers, version=version):
            row_file.write(row)
        loader.commit([row_file])
    return [job.bytes_processed for job in sandbox.jobs[before:] if job.type == "QUERY"]


def make(table: Table, numbers: range, *, version: int) -> list[Row]:
    """Return rows of equal width."""
    return [row | {"account_id": "1"} for row in rows.rows(table, numbers, version=version)]


def expect(table: Table, **counts: float | None) -> list[float]:
    """Return what the formulas say that the statements of one load process."""
    one = price.Load(table=table.name, times=1, **counts)  # type: ignore[arg-type]
    return [each.target + each.staged for each in one.statements()]


@pytest.mark.parametrize("table", [STORY_INSIGHTS, MEDIA], ids=lambda table: table.name)
def test_the_formulas_are_what_is_processed(
    sandbox: BigQuerySandbox, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    """Lookups of keys, insert, look for changes, correction, look for doubles: by rows of the days and their widths."""
    measured = {name: round(width) for name, width in measure(table, make(table, range(10, 38), version=1)).items()}
    monkeypatch.setitem(price.WIDTHS, table.name, price.Width(**measured))
    asked = measured["key"] + measured["day"]
    moves = {"kept": 28} if table.moves else {}
    load(sandbox, table, range(10, 38), version=1)
    new = load(sandbox, table, range(38, 66), version=2)
    expected = expect(table, stored=28, staged=28, **moves)
    assert new == expected
    again = load(sandbox, table, range(10, 66), version=3)
    expected = expect(table, stored=56, staged=56, corrected=56, **({"kept": 56} if table.moves else {}))
    if table.moves:  # no key was new, so none was sought in other days
        del expected[1]
    assert again[:-1] == expected[:-1]
    assert again[-1] == expected[-1] - 56 * asked  # nothing was new


def test_the_least_is_billed_per_table_and_task() -> None:
    """A statement over little costs 10 MiB for the target and 10 for the staged rows, in each task."""
    one = price.Statement(table="media", kind="merge", times=30, target=100, staged=100)
    assert one.bill(1) == 30 * 20 * price.MIB
    assert one.bill(7) == 7 * one.bill(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What transfers of the sandbox's two accounts wrote and sent, on the second day and in the third poll."""

    rows: dict[str, list[Row]]
    daily: Sent
    hourly: Sent
    lookups: dict[str, set[str]]
    """The columns of a table that the polls' lookups read."""
    days_looked_back: list[int]
    """Days before that of the poll in which its lookup of stories reads."""


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Run account, media and story transfers, then two more polls, then the transfers of the next day."""
    with open_sandboxes() as sandboxes:
        for kind in ("account", "media", "story"):
            sandboxes.run(kind)
        for hour in (1, 2):
            sandboxes.travel(HOUR)
            since = sandboxes.now
            sandboxes.run("story", interval=(END, END + hour * HOUR))
        polls = find_queries(sandboxes, since=since)
        sandboxes.travel(22 * HOUR)
        since = sandboxes.now
        for kind in ("account", "media"):
            sandboxes.run(kind, interval=(START + DAY, END + DAY))
        yield Runs(
            rows={NAMES[table_id]: found for table_id, found in sandboxes.everything().items()},
            daily=Counter((table, kind) for table, kind, _ in find_queries(sandboxes, since=since)),
            hourly=Counter((table, kind) for table, kind, _ in polls),
            lookups={
                table: set(re.findall(r"T\.`(\w+)`", sql))
                for table, _, sql in polls
                if sql.startswith("SELECT T.`account_id`") and "GROUP BY" in sql
            },
            days_looked_back=[
                count_days(sql)
                for table, _, sql in polls
                if sql.startswith("SELECT T.`account_id` AS `account_id`, T.`media_id`")
                and "GROUP BY" in sql
                and table == "story_insights"
            ],
        )


def count_days(sql: str) -> int:
    """Return how many days lie between the first and the last that a query reads."""
    first, last = (date.fromisoformat(day) for day in re.findall(r"DATE '([\d-]+)'", sql)[:2])
    return (last - first).days


def find_queries(sandboxes: Sandboxes, *, since: datetime) -> list[tuple[str, str, str]]:
    """Return catalog name, kind and text of the statements about tables that were sent since."""
    with sandboxes.bigquery.client() as client:
        jobs: list[Any] = [job for job in client.list_jobs() if job.job_type == "query" and job.created >= since]
    named = [(re.search(r"`[\w-]+\.\w+\.(\w+?)(?:__stg_\w+)?`", job.query), job) for job in jobs]
    return [(NAMES[path[1]], job.job_id.split("-")[1], job.query) for path, job in named if path]


@pytest.mark.parametrize("name", price.WIDTHS)
def test_widths_are_those_of_the_transfers(runs: Runs, name: str) -> None:
    """No row is wider than assumed, and none is assumed much wider than it is, but for the texts of people."""
    [table] = [table for table in TABLES if table.name == name]
    assumed = price.WIDTHS[name]
    measured = measure(table, runs.rows[name])
    if columns := runs.lookups.get(name):
        measured["looked_up"] = mean(runs.rows[name], columns)
    if current := CURRENT.get(table.name):
        measured["current"] = measure_current(current, runs.rows[name])
    free = {"compared", "row", "kept"} if name in OWNERS_TEXTS else set()
    for which, width in measured.items():
        assert width <= getattr(assumed, which)
        assert which in free or getattr(assumed, which) <= 1.25 * width


def test_stories_are_looked_up_as_far_back_as_assumed(runs: Runs) -> None:
    """An hour after the last poll, but not in the first hour of a day: in as many days before as the hours assumed."""
    assert runs.days_looked_back == [price.STORIES_LOOKED_BACK.days]


def test_an_account_has_as_many_rows_as_assumed(runs: Runs) -> None:
    """Rows of account insights a day (snapshots included), of a post and of a story, in the mean."""
    of = price.ACCOUNT
    accounts = len({row["account_id"] for row in runs.rows["accounts"]})
    days = len({row["metric_date"] for row in runs.rows["account_insights"]})
    by_post = Counter((row["media_id"], row["snapshot_date"]) for row in runs.rows["media_insights"])
    by_story = Counter((row["media_id"], row["snapshot_at"]) for row in runs.rows["story_insights"])
    counted = {
        of.insight_rows_a_day: len(runs.rows["account_insights"]) / accounts / days,
        of.rows_a_post: by_post.total() / len(by_post),
        of.rows_a_story: by_story.total() / len(by_story),
    }
    for assumed, found in counted.items():
        assert 0.8 * assumed <= found <= assumed


def count(sent: Iterable[price.Statement]) -> Sent:
    """Return the statements of a whole month, by table and kind."""
    return Counter((each.table, each.kind) for each in sent)


def test_the_statements_are_those_of_the_transfers(runs: Runs) -> None:
    """Nothing is sent that has no price; what is priced beside it happens only now and then, and is listed here."""
    daily, hourly = count(price.send_daily(1)), count(price.send_hourly_stories(1))
    a_poll = Counter({each: times // 24 for each, times in hourly.items()})
    assert daily - runs.daily == {("account_insights", "verify"): 1}  # where a metric had no number on any day
    marks_that_move = {("story_insights", "verify"): 2, ("story_insights", "correct"): 1}
    assert a_poll - runs.hourly == marks_that_move
    assert not runs.daily - daily
    assert not runs.hourly - a_poll


@pytest.mark.parametrize(("row", "kind"), [("MERGEs in all", "merge"), ("queries in all", "verify")])
def test_the_docs_count_the_same_statements(row: str, kind: str) -> None:
    """The table of quotas: each transfer once a day or once an hour, in one task or in 20 mapped ones."""
    [line] = re.findall(rf"^\| {row}.*$", read_pages(), re.MULTILINE)
    hourly = sum(each.kind == kind for each in price.send_hourly_stories(1)) // 24
    once = sum(each.kind == kind for each in price.send_daily(1)) + hourly
    stated = [int(cell.replace(",", "")) for cell in line.strip("| ").split(" | ")[1:]]
    assert stated == [once, 24 * once, 20 * once, 480 * once]
