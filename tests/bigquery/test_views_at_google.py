"""The analysts' views over the same rows, in the local BigQuery and in Google's own implementation of GoogleSQL."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.bigquery.freshness import make_freshness_view
from airflow_provider_iginsights.bigquery.view_state import view_path
from airflow_provider_iginsights.catalog.freshness import FRESHNESS_ID
from airflow_provider_iginsights.catalog.tables import TABLES, Column, Table
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.bigquery import rows
from tests.support.bigquery.google_answers import Content, evaluate
from tests.support.bigquery.warehouses import Warehouse, connect_to_emulator

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    Row = dict[str, Any]

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
TODAY = NOW.date()
SINCE, UNTIL = TODAY - timedelta(days=40), TODAY
CURRENT_DATE = "CURRENT_DATE('America/Los_Angeles')"
PATHS = {view.name: view_path(view, rows.target(view.table)) for view in VIEWS} | {"freshness": f"p-1.d.{FRESHNESS_ID}"}
_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
PARTS = {
    "": ("",),
    "follow_type": ("FOLLOWER", "NON_FOLLOWER"),
    "country": ("US", "DE"),
    "age|gender": ("18-24|F", "25-34|M"),
}


def draw_rows(table: Table, dice: random.Random) -> list[Row]:
    """Return rows with few distinct keys over the last sixty days, texts that sort oddly, and gaps everywhere."""
    made: dict[tuple[Any, ...], Row] = {}
    for number in range(900):
        row = rows.row(table, number) | {column.name: _draw(column, dice) for column in table.columns}
        breakdown = dice.choice(list(PARTS))
        drawn = {
            "account_id": dice.choice("12"),
            "media_id": dice.choice("789"),
            "metric": dice.choice(
                ("reach", "views", "likes", "saved", "follows_and_unfollows", "follower_demographics")
            ),
            "period": dice.choice(("day", "day", "week", "days_28", "lifetime")),
            "timeframe": "",
            "breakdown": breakdown,
            "breakdown_value": dice.choice(PARTS[breakdown]),
            "media_product_type": dice.choice(("FEED", "REELS", None)),
            "source": dice.choice(("poll", "poll", "webhook")),
            "value": Decimal(dice.randrange(0, 4000)) / 4,
            "fetched_at": rows.hour(number),
        }
        row |= {name: value for name, value in drawn.items() if name in row}
        made[tuple(row[name] for name in table.key)] = row
    return list(made.values())


def _draw(column: Column, dice: random.Random) -> object:
    day = TODAY - timedelta(days=dice.randrange(60))
    if not column.required and dice.random() < 0.2:
        return None
    return {
        "STRING": dice.choice(("a", "B", "é", "🌅", "")),
        "DATE": day.isoformat(),
        "TIMESTAMP": f"{day}T{dice.randrange(24):02d}:30:00Z",
        "INT64": dice.randrange(50),
        "NUMERIC": Decimal(dice.randrange(400)) / 8,
        "BOOL": dice.random() < 0.5,
        "FLOAT64": dice.random(),
        "JSON": '{"a": 1}',
    }[column.type]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Run a BigQuery of one day with all tables and views."""
    with BigQuerySandbox(project="p-1", clock=Clock(NOW)) as sandbox:
        warehouse = Warehouse(
            name="sandbox", project="p-1", dataset="d", location="US",
            connect=lambda: connect_to_emulator("p-1", sandbox.url),
        )  # fmt: skip
        targets = [rows.target(table) for table in TABLES]
        with warehouse.loader(rows.identity()) as loader:
            loader.ensure(targets)
            files = [loader.row_file(target) for target in targets]
            for file, table in zip(files, TABLES, strict=True):
                for row in draw_rows(table, random.Random(table.name)):
                    file.write(row)
            loader.commit(files, load_mode="append")
            loader.create_views(targets)
        with warehouse.connect() as client:
            make_freshness_view(client, targets=targets)
            yield client


@pytest.fixture(scope="module")
def known(client: Client) -> dict[str, Content]:
    """Return all tables as they are stored, and of each view what Google shows of these tables and other views."""
    known = {}
    for target in map(rows.target, TABLES):
        columns = {
            field.name: _STANDARD.get(field.field_type, field.field_type)
            for field in client.get_table(target.path).schema
        }
        known[target.path] = Content(columns=columns, rows=read(client, f"SELECT * FROM `{target.path}`"))
    waiting = dict(queries(client))
    while waiting:
        path = next(path for path, query in waiting.items() if reads(query) <= known.keys())
        query = waiting.pop(path)
        answer = evaluate(query, {each: known[each] for each in reads(query)})
        known[path] = Content(columns=dict(answer.columns), rows=answer.rows)
    return known


def queries(client: Client) -> Iterator[tuple[str, str]]:
    """Return path and query of each view, on the day of the client's BigQuery, with the days of table functions."""
    days = {"iginsights_since": SINCE, "iginsights_until": UNTIL}
    for name, path in PATHS.items():
        query = client.get_routine(path).body if is_function(name) else client.get_table(path).view_query
        for argument, day in days.items():
            query = re.sub(rf"\b{argument}\b", f"DATE '{day}'", query)
        yield path, query.replace(CURRENT_DATE, f"DATE '{TODAY}'")


def reads(query: str) -> set[str]:
    """Return the paths of the tables and views that a query reads."""
    return set(re.findall(r"`(p-1\.d\.\w+)`", query))


def read(client: Client, sql: str) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    return [tuple(row.values()) for row in client.query_and_wait(sql)]


def is_function(name: str) -> bool:
    """Tell whether a view is a table function of two days."""
    return any(view.name == name and view.parameters for view in VIEWS)


def comparable(found: list[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    """Count equal rows; of a float, nine digits have to be equal."""
    return Counter(tuple(f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row) for row in found)


@pytest.mark.parametrize("name", PATHS)
def test_a_view_shows_what_google_shows(client: Client, known: dict[str, Content], name: str) -> None:
    """Of the same rows, Google's implementation makes the same columns and rows out of the text of each view."""
    path = PATHS[name]
    source = f"`{path}`(DATE '{SINCE}', DATE '{UNTIL}')" if is_function(name) else f"`{path}`"
    columns = ", ".join(f"`{column}`" for column in known[path].columns)
    assert known[path].rows
    assert comparable(read(client, f"SELECT {columns} FROM {source}")) == comparable(known[path].rows)
