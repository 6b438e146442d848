"""Rows with gaps, and what is missing in them by a plain reading, for the tests of freshness."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.freshness import AccountFreshness, make_freshness_view, read_freshness
from airflow_provider_iginsights.bigquery.loader import BigQueryLoader
from airflow_provider_iginsights.catalog.freshness import CHECKED_TABLES, LATE, RARE
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.catalog.tables import Table

DAY = timedelta(days=1)
TABLES: dict[str, Table] = {table.name: table for table in ALL_TABLES if table.name in CHECKED_TABLES}
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


def expect(name: str, held: dict[Seen, date], days: int, today: date) -> list[AccountFreshness]:
    """Return what is missing, by a plain reading of the rows: when a row's post was published by what the row is."""
    held = {seen: published for seen, published in held.items() if seen[3] >= today - 2 * days * DAY}
    has_posts = name == "media_insights"
    longest = max(((seen[3] - published).days for seen, published in held.items()), default=0)
    newest = max(seen[3] for seen in held)
    found = []
    for account_id in sorted({seen[0] for seen in held}):
        mine = {seen: published for seen, published in held.items() if seen[0] == account_id}
        there = {seen[3] for seen in mine}
        until = max(mine.values()) + longest * DAY if has_posts else today
        closed = [today - step * DAY for step in range(days, 0, -1)]
        wanted = [day for day in closed if min(there) <= day <= until and (day < today - DAY or newest >= day)]
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


def draw(name: str, dice: random.Random, today: date) -> dict[Seen, date]:
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
                    day = today - ago * DAY
                    held[f"account-{number}", metric, kind, day] = day - dice.randrange(28) * DAY
    return held


def fill(client: Client, dataset: str, held: dict[str, dict[Seen, date]]) -> list[Any]:
    """Write rows into a new dataset, and return the targets."""
    targets = [rows.target(TABLES[name], project=client.project, dataset=dataset) for name in held]
    with BigQueryLoader(client, identity=rows.identity(), create_dataset=True) as loader:
        loader.ensure(targets)
        files = [loader.row_file(target) for target in targets]
        for file in files:
            for seen, published in held[file.target.table.name].items():
                file.write(make_row(file.target.table.name, seen, published))
        loader.commit(files)
    return targets


def check_drawn(client: Client, dataset: str, *, seed: int, today: date) -> None:
    """Compare what the query finds in drawn rows with a plain reading of them, over 28 days and over 7."""
    dice = random.Random(seed)
    held = {name: draw(name, dice, today) for name in CHECKED_TABLES}
    targets = fill(client, dataset, held)
    for days in (28, 7):
        expected = [each for name in held for each in expect(name, held[name], days, today)]
        found = read_freshness(client, targets=targets, days=days)
        assert found == sorted(expected, key=lambda each: (each.account_id, each.table_id))
    assert any(each.missing for each in found)
    made = make_freshness_view(client, targets=targets)
    [[shown]] = client.query(f"SELECT SUM(missing_days) FROM `{made.path}`").result()
    assert shown == sum(len(each.missing) for name in held for each in expect(name, held[name], 28, today))
