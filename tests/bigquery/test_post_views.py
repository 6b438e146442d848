"""The views of posts: each number, rate and comparison equals the one that plain Python makes of plain rows."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA, MEDIA_INSIGHTS
from tests.support.bigquery.view_rows import Row, divide, path_of, plain, read_view, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_iginsights.catalog.tables import Table
    from tests.support.bigquery.warehouses import Warehouse

PACIFIC = ZoneInfo("America/Los_Angeles")
TODAY = date(2026, 11, 3)
METRICS = ("reach", "views", "total_interactions", "likes", "comments", "saved", "shares", "reels_skip_rate", "plays")
RATES = {
    "engagement_rate_by_reach": ("total_interactions", "reach"),
    "engagement_rate_by_followers": ("total_interactions", "followers_on_posting_day"),
    "engagement_rate_by_views": ("total_interactions", "views"),
    "like_rate_by_reach": ("likes", "reach"),
    "comment_rate_by_reach": ("comments", "reach"),
    "save_rate_by_reach": ("saved", "reach"),
    "share_rate_by_reach": ("shares", "reach"),
    "reach_rate_by_followers": ("reach", "followers_on_posting_day"),
    "views_per_reach": ("views", "reach"),
}


class History:
    """Rows of raw history: every key is fetched several times, and each row later than the one before."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self.fetches = 0
        self.rows: dict[Table, list[Row]] = {MEDIA_INSIGHTS: [], MEDIA: [], ACCOUNTS: []}
        self.published = {
            media_id: datetime(2026, 11, 3, self.dice.randrange(24), tzinfo=UTC)
            - timedelta(days=self.dice.choice((-2, 0, 1, 3, 6, 7, 8, 20, 60, 89, 90, 91, 400)))
            for media_id in "abcdefghijklmnopqrstuvwxyz"
        }
        self.kind = {
            media_id: self.dice.choice(("FEED", "REELS", "REELS", "STORY", None)) for media_id in self.published
        }

    def add(self, table: Table, **columns: Any) -> None:
        """Add a row, fetched later than all before."""
        self.fetches += 1
        fetched_at = datetime(2026, 11, 4, tzinfo=UTC) + timedelta(seconds=self.fetches)
        self.rows[table].append(columns | {"fetched_at": fetched_at.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def add_media(self, account_id: str, media_id: str) -> None:
        """Add a post as its account lists it."""
        at, count = self.published[media_id], self.dice.choice((None, 0, 7))
        of_post = {"caption": f"caption {self.fetches}", "media_product_type": self.kind[media_id], "like_count": count}
        ids = {"account_id": account_id, "media_id": media_id}
        day = at.astimezone(PACIFIC).date().isoformat()
        self.add(MEDIA, **ids, **of_post, published_at=at.isoformat(), published_date=day)

    def add_number(self, account_id: str, media_id: str) -> None:
        """Add a number of a post, which may be a part of another one."""
        at, kind, dice = self.published[media_id], self.kind[media_id], self.dice
        if kind == "STORY":
            return
        breakdown = dice.choice(("", "", "", "", "", "action_type"))
        part = {"breakdown": breakdown, "breakdown_value": "call" if breakdown else ""}
        day = TODAY - timedelta(days=dice.choice((0, 0, 0, 0, 1, 2, 30, 100)))
        value = dice.choice((Decimal(0), Decimal(dice.randrange(1, 4000)) / 4))
        ids = {"account_id": account_id, "media_id": media_id}
        of_number = {"metric": dice.choice((*METRICS, "unheard_of")), "snapshot_date": day.isoformat(), "value": value}
        of_post = {"media_product_type": kind, "published_at": at.isoformat()}
        self.add(MEDIA_INSIGHTS, **ids, **of_number, **of_post, **part)

    def add_profile(self, account_id: str) -> None:
        """Add a profile of the day on which a post was published, or of another."""
        day = self.dice.choice([*self.published.values()]).astimezone(PACIFIC).date()
        followers = self.dice.choice((None, 0, 150, 3000, 700))
        name = f"name{self.fetches}"
        self.add(ACCOUNTS, account_id=account_id, snapshot_date=str(day), username=name, followers_count=followers)


def drawn(seed: str) -> dict[Table, list[Row]]:
    """Return rows of two accounts that share some posts; some posts lack their row, some their numbers."""
    history = History(seed)
    for _ in range(45):
        history.add_media(history.dice.choice("12"), history.dice.choice("abcdefghijklmnopqrstu"))
    for _ in range(700):
        history.add_number(history.dice.choice("112"), history.dice.choice("fghijklmnopqrstuvwxyz"))
    for _ in range(60):
        history.add_profile(history.dice.choice("1"))
    return history.rows


def newest(given: Iterable[Row], *by: str, order: tuple[str, ...] = ("fetched_at",)) -> dict[tuple[Any, ...], Row]:
    """Return the newest row of each key."""
    ordered = sorted(given, key=lambda row: tuple(row[name] for name in order))
    return {tuple(row[name] for name in by): row for row in ordered}


def expect_posts(given: dict[Table, list[Row]]) -> list[Row]:
    """Return the truth of the view of posts, over plain rows."""
    media = newest(given[MEDIA], "account_id", "media_id")
    profiles = newest(given[ACCOUNTS], "account_id", "snapshot_date")
    names = newest(given[ACCOUNTS], "account_id", order=("snapshot_date", "fetched_at"))
    series = ("account_id", "media_id", "metric", "breakdown")
    numbers = newest(given[MEDIA_INSIGHTS], *series, order=("snapshot_date", "fetched_at"))
    posts = []
    for account, post in sorted({key[:2] for key in (*media, *numbers)}):
        own = [row for key, row in numbers.items() if key[:2] == (account, post)]
        row = media.get((account, post), {})
        said = row or own[0]
        if said["media_product_type"] == "STORY":
            continue
        day = datetime.fromisoformat(said["published_at"]).astimezone(PACIFIC).date()
        read = max((date.fromisoformat(each["snapshot_date"]) for each in own), default=None)
        made = {"account_id": account, "media_id": post, "published_date": day, "snapshot_date": read}
        made |= {name: row.get(name) for name in ("caption", "like_count")}
        made |= {"media_product_type": said["media_product_type"]}
        made |= {"age_days": (read - day).days if read and read >= day else None}
        made |= dict.fromkeys(METRICS)
        made |= {each["metric"]: each["value"] for each in own if each["breakdown"] == "" and each["metric"] in METRICS}
        made |= {"account_username": names.get((account,), {}).get("username")}
        made |= {"followers_on_posting_day": profiles.get((account, str(day)), {}).get("followers_count")}
        read_on = {each["metric"]: each["snapshot_date"] for each in own if each["breakdown"] == ""}
        for name, (above, below) in RATES.items():
            is_of_one_day = read_on.get(above) == read_on.get(below, read_on.get(above))
            made[name] = divide(made[above], made[below]) if is_of_one_day else None
        posts.append((made, {name for name, each in read_on.items() if each == str(read)}))
    return [post | compare(post, is_new, posts) for post, is_new in posts]


def compare(post: Row, is_new: set[str], posts: list[tuple[Row, set[str]]]) -> Row:
    """Return how a post compares with those of its account and product type that are old and recent enough."""
    own = [each for each in posts if each[0]["account_id"] == post["account_id"]]
    last = max(each["snapshot_date"] for each, _ in own if each["snapshot_date"])
    alike = [
        (each, names)
        for each, names in own
        if each["media_product_type"] == post["media_product_type"]
        and (each["age_days"] or 0) >= 7
        and (last - each["published_date"]).days < 90
    ]
    compared: Row = {"posts_in_median": len(alike)}
    for name in ("reach", "views", "total_interactions"):
        values = [each[name] for each, names in alike if name in names]
        number = post[name] if (post["age_days"] or 0) >= 7 and name in is_new else None
        compared[f"{name}_by_median"] = divide(number, median(values) if values else None)
    return compared


@pytest.mark.referee
def test_posts_equal_the_truth(warehouse: Warehouse) -> None:
    """Over raw history of two accounts: collaborations, gaps, zeros, hidden likes, missing rows, future dates."""
    given = drawn("posts")
    done = write_rows(warehouse, given)
    assert done["instagram_posts"] == "created"
    shown = {(row["account_id"], row["media_id"]): row for row in read_view(warehouse, "posts")}
    expected = expect_posts(given)
    assert len(expected) == len(shown) > 25
    for post in expected:
        row = shown[post["account_id"], post["media_id"]]
        assert {name: row[name] for name in post} == {name: plain(value) for name, value in post.items()}
    assert sum(post["reach_by_median"] is not None for post in expected) > 3
    assert sum(post["engagement_rate_by_followers"] is not None for post in expected) > 3
    rates = [post["views_per_reach"] for post in expected if post["views"] and post["reach"]]
    assert min(rates.count(None), len(rates) - rates.count(None)) > 1


def test_a_view_waits_for_its_tables(warehouse: Warehouse) -> None:
    """Where a table that it reads is missing, or is older than its columns, it is not made; the next run makes it."""
    given = drawn("posts")
    numbers = {MEDIA_INSIGHTS: given[MEDIA_INSIGHTS]}
    assert write_rows(warehouse, numbers)["instagram_posts"] == "impossible"
    media = path_of(warehouse, "posts").replace("_posts", "_media")
    with warehouse.connect() as client:
        client.query(f"CREATE TABLE `{media}` (account_id STRING)").result()
    write_rows(warehouse, {ACCOUNTS: given[ACCOUNTS]})
    assert write_rows(warehouse, numbers)["instagram_posts"] == "impossible"
    with warehouse.connect() as client:
        client.query(f"DROP TABLE `{media}`").result()
    assert write_rows(warehouse, {MEDIA: given[MEDIA]}) == {}
    assert write_rows(warehouse, {MEDIA_INSIGHTS: []})["instagram_posts"] == "created"
    assert write_rows(warehouse, {MEDIA_INSIGHTS: []})["instagram_posts"] == "unchanged"
    assert read_view(warehouse, "posts")
