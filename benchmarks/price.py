"""What BigQuery bills a month, from 1 to 100,000 accounts: the arithmetic behind docs/price.md.

Run from the project's folder: ``python -m benchmarks.price``. It prints the table of the page.

The bytes of a statement follow from the columns that it names, the rows of the days that it reads, and for an UPDATE
the whole days. ``tests/test_price.py`` holds the formulas, the widths of rows and the list of the statements against
what the loader and the transfers send to the local BigQuery. How much an account publishes is assumed:
:data:`ACCOUNT` says it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

MIB, TIB = 2**20, 2**40
DOLLARS_PER_TIB = 6.25
FREE_TIB = 1
"""US$ on demand, and what is free each month, as others cite Google's price list; docs/price.md says who."""
LEAST = 10 * MIB
DAYS_A_MONTH = 30
SIZES = (1, 100, 5_000, 100_000)
CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one account has: posts and stories that it publishes, and the rows that the default metrics make of them.

    ``media_kept``: posts and stories of all days that ``instagram_media`` holds. ``children_a_post``: in the mean, as
    most posts are no albums.
    """

    posts_a_day: float = 0.5
    stories_a_day: int = 1
    live_stories: int = 1
    media_kept: int = 1_000
    insight_rows_a_day: int = 150
    rows_a_post: int = 11
    children_a_post: int = 2
    rows_a_story: int = 18


ACCOUNT = Account()
REFRESH_DAYS, LOOKBACK_DAYS, REVISED_DAYS, POLLS_KEPT_DAYS, NO_DATA_DAYS = 28, 3, 2, 36, 28
LAST_DAYS = 3.5
"""So many days, in the mean, a view of the latest numbers reads from the table itself: three, or four before a run."""
SEARCHED_DAYS = 35
"""So many days of a current table are searched for rows of the same keys."""
DAY_BYTES = 8
STORIES_LOOKED_BACK = timedelta(hours=48)
"""Before the last poll: a story of its last 24 hours, and a day more for the day of its first snapshots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """Bytes of a row: its key, what is compared with a new fetch (key included), what a lookup reads, and all of it.

    ``day``: the column that chooses the day, where it is not part of the key. The target is always asked for it.
    ``kept``: what a correction reads besides, since a row that lacks it keeps it.
    ``current``: the row of a current table that holds all newest numbers of one post or story.
    """

    key: int
    compared: int
    row: int
    looked_up: int = 0
    day: int = 0
    kept: int = 0
    current: int = 0


WIDTHS = {
    "account_insights": Width(key=86, compared=124, row=184, looked_up=50),
    "accounts": Width(key=29, compared=320, row=680, kept=300),
    "media": Width(key=40, compared=440, row=1150, day=8, kept=560, looked_up=55),
    "media_children": Width(key=60, compared=160, row=900, day=8, kept=740),
    "media_insights": Width(key=66, compared=108, row=168, current=230),
    "story_insights": Width(key=86, compared=140, row=200, looked_up=80, day=8, current=370),
    "story_polls": Width(key=29, compared=75, row=120, looked_up=90, day=8),
}
"""As the transfers write the sandbox's accounts, rounded up; the owners' texts are assumed to be long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that is sent ``times`` a month: bytes of the target and of the staged rows that it reads.

    ``kind``: as in job ids and in ``bigquery_bytes``.
    """

    table: str
    kind: str
    times: float
    target: float
    staged: float = 0

    def bill(self, tasks: int) -> float:
        """Return the bytes that are billed a month where the accounts are shared among so many tasks.

        Each task reads the target anew: the ids of a chunk lie anywhere among the blocks. The staged rows are its own.
        """
        each = max(self.target, LEAST) + (max(self.staged / tasks, LEAST) if self.staged else 0)
        return self.times * tasks * math.ceil(each / MIB) * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Loads of one table, ``times`` a month.

    ``stored``: rows in the days of the staged rows. ``corrected``: those in the days with corrections, None = no days
    have some. ``kept``: rows of all days, for a table whose keys can change their day; None = they cannot.
    ``is_state``: rows that are gone are sought, too.
    """

    table: str
    times: float
    stored: float
    staged: float
    corrected: float | None = None
    kept: float | None = None
    is_state: bool = False

    def statements(self) -> Iterator[Statement]:
        """Yield what is sent: insert, look for changes, correction, look for doubled keys."""
        width = WIDTHS[self.table]
        asked = width.key + width.day
        if self.kept is not None:
            yield self.send("verify", target=asked * self.stored, staged=width.key * self.staged)
            yield self.send("verify", target=asked * (self.kept - self.stored), staged=width.key * self.staged)
        yield self.send("merge", target=asked * self.stored, staged=width.row * self.staged)
        if self.corrected is not None or self.is_state:
            # Of a state, the rows that an answer no longer has are sought, too, which reads nearly as much again.
            looked = width.compared * (2 if self.is_state else 1)
            yield self.send("verify", target=looked * self.stored, staged=looked * self.staged)
        if self.corrected is not None:
            whole = (width.compared + width.kept + width.row) * self.corrected
            yield self.send("correct", target=whole, staged=width.row * self.staged)
        checked = self.stored if self.kept is None else self.kept
        yield self.send("verify", target=asked * (checked + self.staged), staged=width.key * self.staged)

    def send(self, kind: str, *, target: float, staged: float = 0) -> Statement:
        """Return a statement about the table."""
        return Statement(table=self.table, kind=kind, times=self.times, target=target, staged=staged)


def send_daily(accounts: int, *, of: Account = ACCOUNT) -> Iterator[Statement]:
    """Yield what account and media insights send in a month of daily runs."""
    times, day = DAYS_A_MONTH, accounts * of.insight_rows_a_day
    insights = Load(
        table="account_insights",
        times=times,
        stored=LOOKBACK_DAYS * day,
        staged=(LOOKBACK_DAYS + 1) * day,
        corrected=REVISED_DAYS * day,
    )
    yield from insights.statements()
    # Whether metrics without a number had one lately.
    yield insights.send("verify", target=WIDTHS["account_insights"].looked_up * NO_DATA_DAYS * day)
    yield from Load(table="accounts", times=times, stored=0, staged=accounts).statements()
    posts, kept = accounts * of.posts_a_day * REFRESH_DAYS, accounts * of.media_kept
    yield from Load(table="media_insights", times=times, stored=0, staged=posts * of.rows_a_post).statements()
    yield from Load(table="media", times=times, stored=posts, staged=posts, corrected=posts, kept=kept).statements()
    # Which of the stored posts Meta no longer lists.
    yield Statement(table="media", kind="verify", times=times, target=WIDTHS["media"].looked_up * posts)
    # Of an album that changes, the day is written again; few do.
    children, all_children = posts * of.children_a_post, kept * of.children_a_post
    albums = Load(
        table="media_children", times=times, stored=children, staged=children, kept=all_children, is_state=True
    )
    yield from albums.statements()


def send_hourly_stories(accounts: int, *, of: Account = ACCOUNT) -> Iterator[Statement]:
    """Yield what hourly stories send in a month.

    Assumed to happen in every poll: a story is new, likes of one change, a mark of final numbers moves.
    """
    times, live = DAYS_A_MONTH, accounts * of.live_stories
    poll, two_days = live * of.rows_a_story, 2 * accounts * (of.posts_a_day + of.stories_a_day)
    for hour in range(24):
        today, day = hour * poll, 24 * poll
        insights = Load(table="story_insights", times=times, stored=today, staged=poll, corrected=today)
        yield from insights.statements()
        days_before = math.ceil((STORIES_LOOKED_BACK - timedelta(hours=hour - 1)) / timedelta(days=1))
        yield insights.send("verify", target=WIDTHS["story_insights"].looked_up * (today + days_before * day))
        # The rows whose mark moves are read with all their columns, in the blocks of their accounts.
        yield insights.send("verify", target=WIDTHS["story_insights"].row * today)
        yield from Load(
            table="media",
            times=times,
            stored=two_days,
            staged=live,
            corrected=two_days,
            kept=accounts * of.media_kept,
        ).statements()
        polls = Load(table="story_polls", times=times, stored=hour * accounts, staged=accounts)
        yield from polls.statements()
        seen = accounts * (24 * (POLLS_KEPT_DAYS - 1) + hour)
        yield polls.send("verify", target=WIDTHS["story_polls"].looked_up * seen)


def follow(table: str, *, read: float, searched: float) -> Statement:
    """Return the MERGE that brings a current table up to date each day.

    :param read: rows of the day that the view reads from there from now on.
    :param searched: posts or stories of the current table in the days that are written anew.
    """
    width = WIDTHS[table]
    # Their numbers are read, and with the days that choose them the MERGE is billed what it may rewrite.
    target = (width.current + DAY_BYTES + width.current) * searched
    return Statement(table=table, kind="current", times=DAYS_A_MONTH, target=target, staged=width.row * read)


def send_views(accounts: int, *, hourly: bool, of: Account = ACCOUNT) -> Iterator[Statement]:
    """Yield what the views of the latest numbers send in a month; one task sends it for all."""
    listed = accounts * of.posts_a_day * REFRESH_DAYS
    # A post that is not listed any more stays in the current table, on the day on which it was listed last.
    left = accounts * of.posts_a_day * SEARCHED_DAYS
    yield follow("media_insights", read=listed * of.rows_a_post, searched=listed + left)
    if hourly:
        stories = accounts * of.stories_a_day
        yield follow("story_insights", read=24 * stories * of.rows_a_story, searched=SEARCHED_DAYS * stories)


def price(accounts: int, *, hourly: bool, tasks: int = 1) -> tuple[float, float]:
    """Return the TiB that are billed a month, the views kept up to date, and the US$ beyond the free ones."""
    sent = [*send_daily(accounts), *(send_hourly_stories(accounts) if hourly else ())]
    views = sum(statement.bill(1) for statement in send_views(accounts, hourly=hourly))
    billed = (sum(statement.bill(tasks) for statement in sent) + views) / TIB
    return billed, max(0.0, billed - FREE_TIB) * DOLLARS_PER_TIB


def read_latest(accounts: int, *, days: int, of: Account = ACCOUNT) -> Iterator[tuple[str, float, float]]:
    """Yield table, bytes of all its rows, and bytes that the view of its latest numbers reads, after so many days."""
    for table, new, numbers, again in (
        ("media_insights", accounts * of.posts_a_day, of.rows_a_post, REFRESH_DAYS),
        ("story_insights", accounts * of.stories_a_day, of.rows_a_story, 24),
    ):
        width = WIDTHS[table]
        read_a_day = width.row * numbers * again * new
        yield table, read_a_day * days, width.current * new * days + LAST_DAYS * read_a_day


def price_quarantine(*, hourly: bool, tasks: int) -> float:
    """Return the TiB a month that ``on_account_error="quarantine"`` adds.

    Each task asks once which accounts are left out. The table is small: it holds unavailable accounts alone.
    """
    runs = DAYS_A_MONTH * (2 + 24 * hourly)
    return Statement(table="account_status", kind="verify", times=runs, target=0).bill(tasks) / TIB


def count_tasks(accounts: int) -> int:
    """Return how many mapped tasks the chunks make."""
    return math.ceil(accounts / CHUNK)


def table() -> Iterator[str]:
    """Yield the lines of the table in docs/price.md."""
    yield "| accounts | daily, one task or fan-in | daily, mapped | and hourly stories, one task or fan-in | mapped |"
    yield "|---|---|---|---|---|"
    for accounts in SIZES:
        cells = [
            price(accounts, hourly=hourly, tasks=tasks)
            for hourly in (False, True)
            for tasks in (1, count_tasks(accounts))
        ]
        written = " | ".join(f"US${dollars:,.2f} ({billed:,.2f} TiB)" for billed, dollars in cells)
        yield f"| {accounts:,} | {written} |"


def latest_table() -> Iterator[str]:
    """Yield the lines of the second table in docs/price.md."""
    yield "| table | all rows | the view reads | of all | filled once, for |"
    yield "|---|---|---|---|---|"
    for name, every, read in read_latest(5_000, days=3 * 365):
        share, dollars = read / every, every / TIB * DOLLARS_PER_TIB
        sizes = f"{every / 2**30:,.1f} GiB | {read / 2**30:,.1f} GiB"
        yield f"| `instagram_{name}` | {sizes} | {share:.2%} | US${dollars:,.2f} |"


if __name__ == "__main__":
    print("\n".join(table()))
    print()
    print("\n".join(latest_table()))
