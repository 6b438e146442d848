"""What is missing in the tables is found: days, accounts and metrics, as a plain reading of the rows has them."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from airflow_provider_iginsights.bigquery.freshness import AccountFreshness, read_freshness
from airflow_provider_iginsights.catalog.freshness import CHECKED_TABLES, LATE, RARE, freshness_query
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import RowsMissing
from airflow_provider_iginsights.operators.tables import InstagramTablesCompleteOperator
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.bigquery import rows
from tests.support.bigquery.analyzer import build_analyzer
from tests.support.sandboxes import RecordingTaskInstance

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)
TABLES = {table.name: table for table in ALL_TABLES if table.name in CHECKED_TABLES}
Seen = tuple[str, str, str, date]
"""Account, metric, kind of posts and day of a row."""


def make_row(name: str, seen: Seen, published: date) -> dict[str, Any]:
    """Return a row of a table with what the check looks at, and anything else."""
    account_id, metric, kind, day = seen
    table = TABLES[name]
    made = rows.row(table, 1) | {"account_id": account_id, table.partition_by: day.isoformat()}
    if name == "story_polls":
        made |= {"snapshot_at": f"{day}T20:00:00Z"}
    if name == "account_insights":
        made |= {"metric": metric, "period": "day"}
    if name == "media_insights":
        noon = datetime(published.year, published.month, published.day, 20, tzinfo=UTC)
        made |= {"metric": metric, "media_product_type": kind, "published_at": noon.isoformat(), "media_id": kind}
    return made


def expect(name: str, held: dict[Seen, date], days: int) -> list[AccountFreshness]:
    """Return what is missing, by a plain reading of the rows: when a row's post was published by what the row is."""
    held = {seen: published for seen, published in held.items() if seen[3] >= TODAY - 2 * days * DAY}
    has_posts = name == "media_insights"
    longest = max(((seen[3] - published).days for seen, published in held.items()), default=0)
    newest = max(seen[3] for seen in held)
    found = []
    for account_id in sorted({seen[0] for seen in held}):
        mine = {seen: published for seen, published in held.items() if seen[0] == account_id}
        there = {seen[3] for seen in mine}
        until = max(mine.values()) + longest * DAY if has_posts else TODAY
        closed = [TODAY - step * DAY for step in range(days, 0, -1)]
        wanted = [day for day in closed if min(there) <= day <= until and (day < TODAY - DAY or newest >= day)]
        by_metric: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
        for _, metric, kind, day in mine:
            by_metric[metric, kind].add(day)
        last_of = {kind: max(d for (_, k), ds in by_metric.items() if k == kind for d in ds) for _, kind in by_metric}
        stopped = tuple(
            f"{metric}{f' of {kind}' if kind else ''} after {max(on)}"
            for (metric, kind), on in sorted(by_metric.items())
            if metric and len(on) >= RARE and max(on) < last_of[kind] - LATE * DAY
        )
        missing = tuple(day for day in wanted if day not in there)
        table_id = TABLES[name].default_id
        found.append(
            AccountFreshness(
                account_id=account_id, table_id=table_id, last_day=max(there), missing=missing, stopped=stopped
            )
        )
    return found


def draw(name: str, dice: random.Random) -> dict[Seen, date]:
    """Return rows of four accounts with gaps: new ones, one that ended, one whose metric stopped, one without posts."""
    metrics = ("reach", "views", "rarely") if name.endswith("_insights") else ("",)
    kinds = ("FEED", "REELS") if name == "media_insights" else ("",)
    held: dict[Seen, date] = {}
    for number in range(4):
        first, last = dice.choice((80, 50, 20, 3)), dice.choice((0, 1, 2, 9))
        stops = {(metric, kind): dice.choice((last, last, last + 8)) for metric in metrics for kind in kinds}
        gaps = {dice.randrange(1, 60) for _ in range(dice.choice((0, 2, 12)))}
        for ago in range(last, first):
            if ago in gaps:
                continue
            for metric, kind in stops:
                if ago >= stops[metric, kind] and (metric != "rarely" or ago % 17 == 0):
                    day = TODAY - ago * DAY
                    held[f"account-{number}", metric, kind, day] = day - dice.randrange(28) * DAY
    return held


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a BigQuery at a fixed time."""
    patching = pytest.MonkeyPatch.context()
    with time_machine.travel(NOW, tick=False), BigQuerySandbox(clock=Clock(NOW)) as opened, patching as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", opened.url)
        patch.setenv("GOOGLE_CLOUD_PROJECT", opened.project)
        yield opened


def fill(sandbox: BigQuerySandbox, dataset: str, held: dict[str, dict[Seen, date]]) -> list[Any]:
    """Write rows into a new dataset, and return the targets."""
    from airflow_provider_iginsights.bigquery.loader import BigQueryLoader

    client = sandbox.client()
    targets = [rows.target(TABLES[name], project=sandbox.project, dataset=dataset) for name in held]
    with BigQueryLoader(client, identity=rows.identity(), create_dataset=True) as loader:
        loader.ensure(targets)
        files = [loader.row_file(target) for target in targets]
        for file in files:
            for seen, published in held[file.target.table.name].items():
                file.write(make_row(file.target.table.name, seen, published))
        loader.commit(files)
    client.close()
    return targets


@pytest.mark.parametrize("seed", range(3))
def test_what_is_missing(sandbox: BigQuerySandbox, seed: int) -> None:
    """Of any rows, the query finds what a plain reading finds, over 28 days and over 7."""
    dice = random.Random(seed)
    held = {name: draw(name, dice) for name in CHECKED_TABLES}
    targets = fill(sandbox, f"drawn_{seed}", held)
    client = sandbox.client()
    for days in (28, 7):
        expected = [each for name in held for each in expect(name, held[name], days)]
        found = read_freshness(client, targets=targets, days=days)
        assert found == sorted(expected, key=lambda each: (each.account_id, each.table_id))
    assert any(each.missing for each in found)
    client.close()


def test_the_view_and_the_command(sandbox: BigQuerySandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """``--complete`` says what the view that ``--views`` makes says, and ends with 1 where a day is missing."""
    days = [TODAY - ago * DAY for ago in range(1, 10)]
    whole = {("1", "", "", day): day for day in days}
    holey = {seen: day for seen, day in whole.items() if day != days[3]}
    words = ["tables", "--project", sandbox.project, "--skip-missing", "--dataset"]
    client = sandbox.client()
    for dataset, held, code in (("whole", whole, 0), ("holey", holey, 1)):
        fill(sandbox, dataset, {"accounts": held})
        assert main([*words, dataset, "--views"]) == 0
        assert f"{dataset}.instagram_freshness: created" in capsys.readouterr().out
        assert main([*words, dataset, "--views"]) == 0
        assert f"{dataset}.instagram_freshness: left as it is" in capsys.readouterr().out
        assert main([*words, dataset, "--complete", "--json"]) == code
        [said] = json.loads(capsys.readouterr().out)
        [row] = client.query(f"SELECT * FROM {dataset}.instagram_freshness").result()
        assert (row["missing"] or "").split(", ") == (said["missing"] or [""])
        assert row["missing_days"] == len(said["missing"]) == code
    assert main([*words, "holey", "--complete"]) == 1
    assert capsys.readouterr().out == f"account 1, instagram_accounts: 1 days are missing: {days[3]}.\n"
    assert main([*words, "holey", "--complete", "--days", "3"]) == 0
    client.close()
    fill(sandbox, "empty", {"accounts": {}})
    assert main([*words, "empty", "--complete"]) == 1
    assert "No account" in capsys.readouterr().out

    instance = RecordingTaskInstance()
    options: dict[str, Any] = {"task_id": "check", "gcp_conn_id": None}
    with pytest.raises(RowsMissing, match=f"account 1, instagram_accounts: 1 days are missing: {days[3]}"):
        InstagramTablesCompleteOperator(dataset_id="holey", **options).execute({"ti": instance})
    assert [each["missing"] for each in instance.pushed["missing"]] == [[str(days[3])]]
    [found] = InstagramTablesCompleteOperator(dataset_id="whole", days="9", **options).execute({"ti": instance})
    assert found["missing"] == []
    with pytest.raises(RowsMissing, match="No account has a row"):
        InstagramTablesCompleteOperator(dataset_id="empty", **options).execute({"ti": instance})


def test_bigquery_takes_the_query() -> None:
    """The analyzer accepts it, and each table is read by a range of its partitions alone."""
    sql = freshness_query([(name, table.default_id, f"`p-1.d.{table.default_id}`") for name, table in TABLES.items()])
    tables = {rows.target(table).path: {each.name: each.type for each in table.columns} for table in TABLES.values()}
    build_analyzer(tables).analyze_statement(sql)
    for table in TABLES.values():
        assert f"WHERE `{table.partition_by}` >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 56 DAY)" in sql
