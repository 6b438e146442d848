"""What the three transfers of one run must leave in all tables, computed from the world alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph import Account, Media
from tests.support import truth
from tests.support.sandboxes import DAY, END, KEYS, START, Row, Sandboxes, facts, pacific_days

YESTERDAY = date(2026, 11, 20)
LOOKBACK = 3
DAYS = pacific_days(YESTERDAY - LOOKBACK * DAY, YESTERDAY)
REFRESH = timedelta(days=28)
WRITTEN = [table_id for table_id in KEYS if table_id != "instagram_account_status"]  # that one only by "quarantine"


def posts(sandboxes: Sandboxes, account: Account, *, since: Any = START - REFRESH, until: Any = END) -> list[Media]:
    """Return the account's posts that were published in [since, until)."""
    return [post for post in sandboxes.world.media_of(account.id, sandboxes.now) if since <= post.timestamp < until]


def expected(sandboxes: Sandboxes, accounts: Iterable[Account], **offers: Any) -> dict[str, list[Row]]:
    """Return the truth of all tables for one run of the three transfers."""
    world, now = sandboxes.world, sandboxes.now
    tables: dict[str, list[Row]] = {table_id: [] for table_id in WRITTEN}
    for account in accounts:
        chosen, stories = posts(sandboxes, account), world.stories_of(account.id, now)
        offer = offers.get("account", truth.DEFAULT_ACCOUNT)
        tables["instagram_account_insights"] += truth.account_rows(world, account, DAYS, now=now, offer=offer)
        page_id = offers.get("page_id", account.page_id)
        tables["instagram_accounts"].append(truth.profile_rows(account, now=now, page_id=page_id))
        tables["instagram_media"] += truth.listed_rows(world, [*chosen, *stories], now=now)
        tables["instagram_media_children"] += truth.child_rows(world, chosen)
        offer = offers.get("posts", truth.DEFAULT_POSTS)
        tables["instagram_media_insights"] += truth.post_rows(world, chosen, now=now, offer=offer)
        offer = offers.get("stories", truth.DEFAULT_STORIES)
        tables["instagram_story_insights"] += truth.story_rows(world, stories, now=now, offer=offer)
        tables["instagram_story_polls"].append(truth.poll_row(world, account, now=now))
    return tables


def run_all(sandboxes: Sandboxes, **arguments: Any) -> list[dict[str, Any]]:
    """Run the three transfers of one data interval."""
    return [sandboxes.run(kind, **arguments) for kind in ("account", "media", "story")]


def assert_holds(sandboxes: Sandboxes, tables: dict[str, list[Row]]) -> None:
    """Compare every value of every column that says something of the world; and that the truth is not empty."""
    for table_id, rows in tables.items():
        assert rows, f"the truth of {table_id} is empty: the test would show nothing"
        assert facts(table_id, sandboxes.rows(table_id)) == facts(table_id, rows), table_id
