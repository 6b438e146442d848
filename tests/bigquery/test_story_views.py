"""The view of stories: each number, action and rate equals the one that plain Python makes of plain rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_iginsights.catalog.tables import MEDIA, STORY_INSIGHTS
from tests.support.bigquery.view_rows import Row, divide, plain, read_view, write_rows

if TYPE_CHECKING:
    from airflow_provider_iginsights.catalog.tables import Table
    from tests.support.bigquery.warehouses import Warehouse

PACIFIC = ZoneInfo("America/Los_Angeles")
FIRST = datetime(2026, 11, 3, tzinfo=UTC)
METRICS = ("reach", "views", "replies", "navigation", "follows")
ACTIONS = {
    "exits": "tap_exit",
    "taps_forward": "tap_forward",
    "taps_back": "tap_back",
    "swipes_forward": "swipe_forward",
}
OLD = ("exits", "taps_forward", "taps_back")


def drawn(seed: str) -> dict[Table, list[Row]]:
    """Return raw history of stories of two accounts, polled and told by the webhook; one post is no story."""
    dice, given = random.Random(seed), {STORY_INSIGHTS: list[Row](), MEDIA: list[Row]()}
    published = {story: FIRST + timedelta(hours=dice.randrange(60)) for story in "abcdefghijklmnop"}

    def add(table: Table, account_id: str, story: str, **columns: Any) -> None:
        fetched = FIRST + timedelta(days=9, seconds=len(given[STORY_INSIGHTS]) + len(given[MEDIA]))
        ids = {"account_id": account_id, "media_id": story, "published_at": published[story].isoformat()}
        given[table].append(ids | {"fetched_at": fetched.isoformat()} | columns)

    for account_id, story in [(dice.choice("12"), dice.choice("abcdefgh")) for _ in range(20)] + [("1", "p")]:
        kind = "FEED" if story == "p" else "STORY"
        day = str(published[story].astimezone(PACIFIC).date())
        text = f"caption {len(given[MEDIA])}"
        add(MEDIA, account_id, story, media_product_type=kind, published_date=day, caption=text)
    for _ in range(500):
        story = dice.choice("cdefghijklmno")
        hour = dice.randrange(24)
        at = published[story].replace(minute=0) + timedelta(hours=hour)
        metric, action = dice.choice(
            [(name, "") for name in METRICS] + [("navigation", name) for name in ACTIONS.values()]
        )
        source: Row = {"source": "poll", "snapshot_at": at.isoformat(), "is_final": hour == 23 or None}
        if story < "j" and dice.random() < 0.3:
            metric, action = dice.choice(("reach", "views", "replies", *OLD)), ""
            source = {
                "source": "webhook",
                "snapshot_at": "9999-12-31T00:00:00Z",
                "is_final": True,
                "published_at": None,
            }
        number = {"metric": metric, "value": dice.choice((Decimal(0), Decimal(dice.randrange(1, 200))))}
        part = {"breakdown": "story_navigation_action_type" if action else "", "breakdown_value": action}
        day = {"snapshot_date": str(at.date())}
        add(STORY_INSIGHTS, dice.choice("12"), story, **source, **number, **part, **day)
    return given


def expect_stories(given: dict[Table, list[Row]]) -> list[Row]:
    """Return the truth of the view."""
    media = {(row["account_id"], row["media_id"]): row for row in given[MEDIA]}
    ranked = sorted(
        given[STORY_INSIGHTS],
        key=lambda row: (row["source"] == "webhook", bool(row["is_final"]), row["snapshot_at"], row["fetched_at"]),
    )
    last = {(row["account_id"], row["media_id"], row["metric"], row["breakdown_value"]): row for row in ranked}
    stories = {key[:2] for key in last} | {key for key, row in media.items() if row["media_product_type"] == "STORY"}
    return [_expect_story(key, last, media.get(key, {})) for key in sorted(stories)]


def _expect_story(key: tuple[str, str], last: dict[tuple[str, ...], Row], row: Row) -> Row:
    own = {name[2:]: each for name, each in last.items() if name[:2] == key}
    numbers = {name: each["value"] for name, each in own.items()}
    sources = sorted({each["source"] for each in own.values()})
    polled = [datetime.fromisoformat(each["snapshot_at"]) for each in own.values() if each["source"] == "poll"]
    story: Row = {"account_id": key[0], "media_id": key[1], "caption": row.get("caption")}
    told = [row, *own.values()] if row else [*own.values()]
    moments = [datetime.fromisoformat(each["published_at"]) for each in told if each["published_at"]]
    story |= {"published_date": moments[0].astimezone(PACIFIC).date() if moments else None}
    story |= {"source": " and ".join(sources) or None, "polled_at": max(polled, default=None)}
    story |= {"is_final": all(each["is_final"] for each in own.values()) if own else None}
    story |= {name: numbers.get((name, "")) for name in METRICS}
    read_at = {name: each["snapshot_at"] for name, each in own.items()}
    beside: Row = {}
    for name, action in ACTIONS.items():
        both = [
            pair for pair in (("navigation", action), (name, "")) if pair in numbers and pair[0] in ("navigation", *OLD)
        ]
        last_of = max(both, key=lambda pair: read_at[pair], default=("", ""))  # of two of one hour, the first
        together = [pair for pair in both if read_at[pair] == read_at.get(("views", ""))]
        story[name], beside[name] = numbers.get(last_of), numbers.get((together or both or [("", "")])[0])
    views, left, forward = story["views"], beside["exits"], beside["taps_forward"]
    skipped = None if left is None or forward is None else left + forward
    for name, gone in (("completion_rate_by_views", left), ("full_view_rate_by_views", skipped)):
        rest = None if gone is None or views is None or gone > views else views - gone
        story[name] = divide(rest, views)
    for name, number in (("exit", left), ("tap_forward", forward), ("tap_back", beside["taps_back"])):
        story[f"{name}_rate_by_views"] = divide(number, views)
    return story | {"reply_rate_by_reach": divide(story["replies"], story["reach"])}


@pytest.mark.referee
def test_stories_equal_the_truth(warehouse: Warehouse) -> None:
    """Over raw history: polls, finals, the webhook's old names, stories without numbers or without a row, no posts."""
    given = drawn("stories")
    assert write_rows(warehouse, given)["instagram_stories"] == "created"
    shown = {(row["account_id"], row["media_id"]): row for row in read_view(warehouse, "stories")}
    expected = expect_stories(given)
    assert len(expected) == len(shown) > 20
    for story in expected:
        row = shown[story["account_id"], story["media_id"]]
        assert {name: row[name] for name in story} == {name: plain(value) for name, value in story.items()}
    assert {story["source"] for story in expected} == {None, "poll", "poll and webhook"}
    assert sum(story["completion_rate_by_views"] is not None for story in expected) > 3
