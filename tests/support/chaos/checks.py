"""What must hold after a play, computed from the world alone: nothing lost, doubled, unnamed or left behind."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.sandbox.bigquery import BigQueryError
from airflow_provider_iginsights.sandbox.graph import World
from tests.support import truth
from tests.support.chaos.outcomes import Violation
from tests.support.chaos.tasks import LOOKBACK
from tests.support.left_out import is_told
from tests.support.mutation.invariants import find_frame
from tests.support.sandboxes import DAY, END, KEYS, RUN_KEYS, Row, Sandboxes, describe, pacific_days

Tables = dict[str, list[Row]]
Key = tuple[Any, ...]

# What an earlier poll saw, and which snapshot of a story is the last, depends on every try, and has tests of its own.
OF_OTHER_TRIES = frozenset({"previous_poll_at", "seen_late", "finals_missed", "is_final"})
UNEXPECTED = re.compile(r"unexpected (\w+(Error|Exception|Iteration))")
LONGEST_TRY = timedelta(minutes=5)
"""By so much an instant in a row may differ from the beginning of its try: a run's clock runs on by real seconds."""
RUNS_REFUSED = "What became of the accounts is not written"
"""How the note begins by which a run says that BigQuery refused the table of runs until the end."""


def read_tables(sandboxes: Sandboxes, dataset: str) -> Tables:
    """Return what our tables of a dataset hold."""
    return {name: sandboxes.bigquery.rows(dataset, name) for name in list_tables(sandboxes, dataset) if name in KEYS}


def list_tables(sandboxes: Sandboxes, dataset: str) -> list[str]:
    """Return the tables of a dataset, none where there is no such dataset."""
    with suppress(BigQueryError):
        return sandboxes.bigquery.tables(dataset)
    return []


def find_truth(
    world: World, kind: str, account_id: str, now: datetime, *, earlier_days: int = 0
) -> dict[str, dict[Key, Row]]:
    """Return the rows that a task writes of an account when it reads at this instant, by table and key."""
    account, last = world.accounts[account_id], END.date() - DAY
    posts = [post for post in world.media_of(account_id, now) if END - 29 * DAY <= post.timestamp < END]
    stories = world.stories_of(account_id, now)
    found: Mapping[str, Any] = {}
    if kind == "account":
        days = pacific_days(last - (LOOKBACK + earlier_days) * DAY, last)
        found = {
            "instagram_account_insights": truth.account_rows(world, account, days, now=now),
            # A list of accounts that was given tells no Page.
            "instagram_accounts": [truth.profile_rows(account, now=now, page_id=None)],
        }
    elif kind == "media":
        found = {
            "instagram_media": truth.listed_rows(world, posts, now=now),
            "instagram_media_children": truth.child_rows(world, posts),
            "instagram_media_insights": truth.post_rows(world, posts, now=now),
        }
    elif kind == "story":
        found = {
            "instagram_media": truth.listed_rows(world, stories, now=now),
            "instagram_story_insights": truth.story_rows(world, stories, now=now),
            "instagram_story_polls": [truth.poll_row(world, account, now=now)],
        }
    return {table: {key_of(table, row): describe(row) for row in rows} for table, rows in found.items()}


def key_of(table: str, row: Row) -> Key:
    """Return a row's key."""
    return tuple(row[name] for name in KEYS[table])


class Truth:
    """The truth of one kind of task at each instant at which a try began.

    ``begin`` marks a run: its tries need not read an account again that an earlier one of them has read whole.
    ``instants`` and ``run_ids`` are those of all tries.
    """

    def __init__(self, world: World, kind: str, *, earlier_days: int = 0) -> None:
        self.instants: list[datetime] = []
        self.run_ids: set[str] = set()
        self.first = 0
        self.account_ids: Sequence[str] = tuple(world.accounts)
        self.at = cache(
            lambda account_id, now: find_truth(world, kind, account_id, now, earlier_days=earlier_days),
        )

    def begin(self, run_id: str) -> None:
        """Begin a run."""
        self.first = len(self.instants)
        self.run_ids.add(run_id)

    def at_row(self, row: Row) -> dict[str, dict[Key, Row]]:
        """Return the truth when the try began that read a row."""
        return self.at(row["account_id"], self._find_nearest(row["fetched_at"]))

    def find_wrong_origin(self, row: Row) -> list[str]:
        """Return the columns of a row that say of its origin what is not so: which run, by what, and when."""
        right = {
            "run_id": row["run_id"] in self.run_ids,
            "api_version": row.get("api_version") in (None, "v25.0"),
            "connection_id": row.get("connection_id") in (None, "instagram_default"),
            "fetched_at": self._is_of_a_try(row["fetched_at"]),
            "last_seen_at": row.get("last_seen_at") is None or self._is_of_a_try(row["last_seen_at"]),
        }
        return [name for name, holds in right.items() if not holds]

    def _is_of_a_try(self, instant: datetime) -> bool:
        return abs(instant - self._find_nearest(instant)) <= LONGEST_TRY

    def _find_nearest(self, instant: datetime) -> datetime:
        return min(self.instants, key=lambda each: abs(instant - each))

    def find_lost(self, account_id: str, found: Mapping[str, set[Key]], summary: Mapping[str, Any]) -> list[str]:
        """Return the rows of an account that are neither stored nor named, of the try that misses least."""
        lost = []
        for instant in self.instants[self.first :]:
            truth_then = self.at(account_id, instant)
            lost.append(
                [
                    f"{table} {key}"
                    for table, rows in truth_then.items()
                    for key, row in rows.items()
                    if key not in found.get(table, ()) and not is_told(summary, account_id, row)
                ]
            )
        return min(lost, key=len)


def check_rows(tables: Tables, known: Truth) -> Iterator[Violation]:
    """Find what is wrong after any try: keys that stand twice, rows of no answer, values and origins that differ."""
    for table, rows in tables.items():
        counted = Counter(key_of(table, row) for row in rows)
        if doubled := [key for key, count in counted.items() if count > 1]:
            yield Violation(f"doubled: {table}", f"{len(doubled)} keys, such as {doubled[0]}")
        for row in rows:
            if origin := known.find_wrong_origin(row):
                yield Violation(f"another origin: {table}.{origin[0]}", f"{key_of(table, row)}: {row[origin[0]]!r}")
                break
            right = known.at_row(row).get(table, {}).get(key_of(table, row))
            if right is None:
                yield Violation(f"invented: {table}", str(key_of(table, row)))
                break
            if wrong := _find_difference(describe(row), right):
                name = wrong[0]
                yield Violation(f"another value: {table}.{name}", f"{key_of(table, row)}: {row[name]!r}, {right!r}")
                break


def check_whole(tables: Tables, known: Truth, summary: Mapping[str, Any]) -> Iterator[Violation]:
    """Find rows that a run that ended well neither wrote nor named."""
    found = {table: {key_of(table, row) for row in rows} for table, rows in tables.items()}
    for account_id in known.account_ids:
        if lost := known.find_lost(account_id, found, summary):
            names = ", ".join(sorted({each.partition(" ")[0] for each in lost}))
            yield Violation(f"lost: {names}", f"{len(lost)} rows, such as {lost[0]}")


def check_left(sandboxes: Sandboxes, dataset: str) -> Iterator[Violation]:
    """Find tables that are none of ours: staging that nobody will drop."""
    left = [name for name in list_tables(sandboxes, dataset) if name not in KEYS | RUN_KEYS]
    if left:
        yield Violation(f"staging left: {left[0].partition('__stg_')[0]}", str(left))


def check_process() -> Iterator[Violation]:
    """Find threads of a try that is over, and files of rows that it holds open."""
    threads = [each.name for each in threading.enumerate() if each.name.startswith("iginsights") and each.is_alive()]
    if threads:
        yield Violation(f"thread left: {threads[0]}", str(threads))
    files = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            files.append(str(link.readlink()))
    if kept := [each for each in files if "/iginsights-" in each]:
        yield Violation("file left", str(kept))


def check_error(error: BaseException | None, *, passes: tuple[type[BaseException], ...]) -> Iterator[Violation]:
    """Find an error that is neither ours nor Airflow's, and one that was caught bare and only quoted."""
    if error is None:
        return
    if not isinstance(error, (InsightsError, *passes)):
        yield Violation(f"unnamed: {type(error).__name__} at {find_frame(error)}", repr(error)[:300])
    elif quoted := UNEXPECTED.search(str(error)):
        yield Violation(f"unnamed, quoted: {quoted[1]}", str(error)[:300])


def check_runs(
    sandboxes: Sandboxes, dataset: str, known: Truth, *, run_id: str, notes: Collection[str] = ()
) -> Iterator[Violation]:
    """Find accounts of which the table of runs has not exactly one row of a run that says ``done``.

    :param notes: what the tries of the run noted. Where one says that the table was refused, rows may be missing.
    """
    rows: list[Row] = []
    with suppress(BigQueryError):
        rows = sandboxes.bigquery.rows(dataset, "instagram_runs")
    told = Counter((row["account_id"], row["status"]) for row in rows if row["run_id"] == run_id)
    wanted = Counter((account_id, "done") for account_id in known.account_ids)
    is_refused = any(note.startswith(RUNS_REFUSED) for note in notes)
    if told != wanted and not (is_refused and told < wanted):
        yield Violation("runs are told otherwise", f"{sorted(told.elements())}, {list(notes)}")


def _find_difference(found: Row, right: Row) -> list[str]:
    return [name for name in right if name not in OF_OTHER_TRIES and found.get(name) != right[name]]
