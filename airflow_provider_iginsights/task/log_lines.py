"""What a task's log says to a person: what it is going to read, how far it is, and what came of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.pacific import format_instant
from airflow_provider_iginsights.task.summary import MORE

if TYPE_CHECKING:
    from airflow_provider_iginsights.window import Window

PROGRESS_SECONDS = 30.0
NAMED = 3
"""So many accounts of a kind are named in the log; the summary in XCom names more."""

_ACCOUNTS = {
    "done": "done",
    "failed": "failed",
    "skipped": "skipped",
    "throttled": "waiting for Meta's rate limit",
    "not_whole": "not whole",
    "quarantined": "in quarantine",
}
"""Key of ``account_counts`` -> what is so with these accounts."""


def describe_days(window: Window, *, lookback_days: int) -> str:
    """Return which Pacific days a run writes for the first time, and which ones it reads again."""
    new = window.days()
    again = [day for day in window.days(lookback_days) if day not in new]
    if not new:
        return "Writes no day"
    return f"Writes {_join_days(new)} (Pacific)" + (f", reads {_join_days(again)} again" if again else "")


def describe_posts(window: Window, *, refresh_days: int | None) -> str:
    """Return which posts a run reads, by the time of their publication in UTC."""
    since, until = window.published_between(refresh_days)
    return f"Reads posts published {f'from {format_instant(since)} ' if since else ''}until {format_instant(until)}"


def describe_summary(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a transfer's summary in a few lines, however many accounts it read."""
    kinds = [
        _describe_accounts(count, words, named=summary[f"accounts_{state}"])
        for state, words in _ACCOUNTS.items()
        if (count := summary["account_counts"][state])
    ]
    yield f"Accounts: {'; '.join(kinds) or 'none'}."
    yield _describe_rows(summary)
    if summary["left_out"]:
        counts = Counter[str]()
        for each in summary["left_out"]:
            counts[each["kind"]] += each["count"]
        yield f"Left out: {', '.join(f'{count:,} {kind}' for kind, count in counts.most_common())}."
    yield (
        f"Asked Meta {summary['graph_calls']:,} times in {summary['http_requests']:,} requests, and BigQuery in "
        f"{_describe_costs(summary)}."
    )


def describe_webhook_summary(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the summary of the webhook transfer in a few lines, however many messages came."""
    from airflow_provider_iginsights.stories.webhook_rows import REASONS

    yield f"Numbers of {summary['stories']:,} stories of {summary['accounts']:,} accounts."
    yield _describe_rows(summary)
    if left_out := summary["left_out"]:
        words: dict[Any, str] = {**REASONS, "row_refused": "rows that the table cannot hold"}
        yield f"Left out: {'; '.join(f'{count:,} {words[reason]}' for reason, count in left_out.items())}."
    yield f"Asked BigQuery in {_describe_costs(summary)}."


@contextmanager
def logging_progress(
    log: Callable[[str], object], describe: Callable[[], tuple[int, int, int]], *, of: int, every: float | None = None
) -> Iterator[None]:
    """Log a line every 30 seconds of the block: accounts, rows and the time that is left.

    :param describe: returns how many accounts are read, how many rows they gave, how many values were left out. It is
        called from another thread.
    :param of: how many accounts are to be read.
    :param every: seconds between two lines.
    """
    ended, started = threading.Event(), time.monotonic()

    def write_lines() -> None:
        while not ended.wait(PROGRESS_SECONDS if every is None else every):
            read, rows, left_out = describe()
            log(describe_progress(read, rows, left_out, of=of, seconds=time.monotonic() - started))

    thread = threading.Thread(target=write_lines, name="iginsights-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def describe_progress(read: int, rows: int, left_out: int, *, of: int, seconds: float) -> str:
    """Return how far the reading is after these seconds; the time that is left assumes that all accounts are alike."""
    line = f"{read:,} of {of:,} accounts, {rows:,} rows, {left_out:,} left out"
    if not 0 < read < of:
        return f"{line}."
    left = seconds / read * (of - read)
    return f"{line}; about {f'{left / 60:.0f} min' if left >= 90 else f'{left:.0f} s'} left."


def _describe_rows(summary: Mapping[str, Any]) -> str:
    tables = [f"{path.rpartition('.')[2]} {rows:,}" for path, rows in summary["tables"].items()]
    return f"Rows: {summary['rows']:,}, of which {summary['rows_changed']:,} changed a table ({', '.join(tables)})."


def _describe_costs(summary: Mapping[str, Any]) -> str:
    costs = [kind for kinds in summary["bigquery_bytes"].values() for kind in kinds.values()]
    jobs, billed = (sum(each[name] for each in costs) for name in ("jobs", "bytes_billed"))
    return f"{jobs:,} statements, which billed {billed / 1e6:,.0f} MB"


def _join_days(days: Sequence[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _describe_accounts(count: int, words: str, *, named: Mapping[str, Any] | Sequence[str]) -> str:
    """Return how many accounts that is so with, and the first ones with the reason; those that are done need none."""
    if not isinstance(named, Mapping):
        return f"{count:,} {words}"
    reasons = [(account_id, why) for account_id, why in named.items() if account_id != MORE]
    shown = [f"{account_id}: {_shorten(_describe_reason(why))}" for account_id, why in reasons[:NAMED]]
    more = f"; and {count - len(shown):,} more" if count > len(shown) else ""
    return f"{count:,} {words} ({'; '.join(shown)}{more})"


def _describe_reason(why: str | Mapping[str, str]) -> str:
    """Return why an account is named; of one in quarantine, several things are said."""
    return why if isinstance(why, str) else ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in why.items())


def _shorten(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:160]} …"
