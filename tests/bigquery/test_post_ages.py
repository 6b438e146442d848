"""Posts at given ages: the reading that is nearest, within its tolerance, and compared at the same age."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_iginsights.catalog.tables import MEDIA_INSIGHTS
from tests.support.bigquery.view_rows import Row, divide, plain, read_view, write_rows

if TYPE_CHECKING:
    from tests.support.bigquery.warehouses import Warehouse

PACIFIC = ZoneInfo("America/Los_Angeles")
SINCE, UNTIL = date(2026, 9, 1), date(2026, 9, 8)
TOLERANCES = {1: timedelta(hours=12), 2: timedelta(hours=12), 7: timedelta(days=1), 28: timedelta(days=2)}
METRICS = ("reach", "views", "total_interactions")


def drawn(seed: str) -> list[Row]:
    """Return readings of posts of two accounts, of days within and around those asked for."""
    dice, rows = random.Random(seed), list[Row]()
    for number in range(30):
        published = datetime(2026, 9, 1, 7, tzinfo=UTC) + timedelta(hours=dice.randrange(-40, 230))
        kind, post = dice.choice(("FEED", "REELS")), f"post{number // 2}"
        for days in dice.sample(range(36), dice.choice((3, 20, 36))):
            at = published + timedelta(days=days, seconds=dice.randrange(86400))
            for metric in dice.sample((*METRICS, "plays"), 3):
                for again in range(dice.choice((1, 1, 2))):
                    fetched_at = at + timedelta(seconds=again)
                    row: Row = {"account_id": "ab"[number % 2], "media_id": post, "media_product_type": kind}
                    row |= {
                        "metric": metric,
                        "breakdown": "",
                        "breakdown_value": "",
                        "published_at": published.isoformat(),
                    }
                    row |= {"snapshot_date": str(at.astimezone(PACIFIC).date()), "fetched_at": fetched_at.isoformat()}
                    rows.append(row | {"value": Decimal(dice.choice((0, dice.randrange(1, 900))))})
    return rows


def expect_ages(given: list[Row]) -> list[Row]:
    """Return the truth, over plain rows."""
    ordered = sorted(given, key=lambda row: row["fetched_at"])
    newest = {(row["account_id"], row["media_id"], row["snapshot_date"], row["metric"]): row for row in ordered}
    readings: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for (account, post, day, _), row in newest.items():
        readings.setdefault((account, post), {}).setdefault(day, []).append(row)
    shown: list[Row] = []
    for (account, post), days in readings.items():
        [first, *_] = [row for rows in days.values() for row in rows]
        published = datetime.fromisoformat(first["published_at"])
        if not SINCE <= published.astimezone(PACIFIC).date() <= UNTIL:
            continue
        ages = {
            day: max(datetime.fromisoformat(row["fetched_at"]) for row in rows) - published
            for day, rows in days.items()
        }
        for age, tolerance in TOLERANCES.items():
            off, day = min((abs(ages[day] - timedelta(days=age)), day) for day in ages)
            if off > tolerance:
                continue
            read = Decimal(int(ages[day].total_seconds())) / 86400
            made: Row = {"account_id": account, "media_id": post, "media_product_type": first["media_product_type"]}
            made |= {"age_days": age, "read_age_days": round(read, 3), "snapshot_date": date.fromisoformat(day)}
            made |= dict.fromkeys((*METRICS, "plays")) | {row["metric"]: row["value"] for row in days[day]}
            shown.append(made | {"engagement_rate_by_reach": divide(made["total_interactions"], made["reach"])})
    return [row | _compare(row, shown) for row in shown]


def _compare(row: Row, shown: list[Row]) -> Row:
    alike = [
        each
        for each in shown
        if all(each[name] == row[name] for name in ("account_id", "media_product_type", "age_days"))
    ]
    compared: Row = {"posts_in_median": len(alike)}
    for name in METRICS:
        values = [each[name] for each in alike if each[name] is not None]
        compared[f"{name}_by_median"] = divide(row[name], median(values) if values else None)
    return compared


@pytest.mark.referee
def test_ages_equal_the_truth(warehouse: Warehouse) -> None:
    """Of each post and age the nearest reading, if it is near enough; and it reads the days of these posts alone."""
    given = drawn("ages")
    assert write_rows(warehouse, {MEDIA_INSIGHTS: given})["instagram_post_ages"] == "created"
    shown = {
        (row["account_id"], row["media_id"], row["age_days"]): row
        for row in read_view(warehouse, "post_ages", SINCE, UNTIL)
    }
    expected = expect_ages(given)
    assert len(expected) == len(shown) > 20
    for each in expected:
        row = shown[each["account_id"], each["media_id"], each["age_days"]]
        assert {name: row[name] for name in each} == {name: plain(value) for name, value in each.items()}
    assert {each["age_days"] for each in expected} == {*TOLERANCES}
