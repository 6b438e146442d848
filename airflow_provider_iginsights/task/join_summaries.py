"""The summary of a task that writes what mapped tasks staged: theirs added up, at a bounded length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.task.summary import ACCOUNT_STATES, MORE, NAMED
from airflow_provider_iginsights.task.summary_size import limit_left_out

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import LoadResult

ENTRIES = 200  # of a list; the rest is counted
WHOM = 20
ACCOUNTS = tuple(f"accounts_{state}" for state in ACCOUNT_STATES if state != "done")


def join_summaries(summaries: Sequence[Mapping[str, Any]], results: Sequence[LoadResult]) -> dict[str, Any]:
    """Return what the tasks read, and what one task wrote of it."""
    jobs = [job for result in results for job in (result.load_job_id, result.merge_job_id) if job]
    return {
        "window": next((each["window"] for each in summaries), None),
        "tables": {result.target.path: result.rows for result in results},
        "rows": sum(result.rows for result in results),
        "rows_changed": sum(result.affected for result in results),
        "account_counts": _add_counts(each["account_counts"] for each in summaries),
        "accounts_done": [account_id for each in summaries for account_id in each["accounts_done"]][:NAMED],
        **{name: _join_named(each.get(name, {}) for each in summaries) for name in ACCOUNTS},
        "left_out": join_left_out(entry for each in summaries for entry in each["left_out"]),
        "notes": list(dict.fromkeys(note for each in summaries for note in each["notes"]))[:ENTRIES],
        "graph_calls": sum(each["graph_calls"] for each in summaries),
        "http_requests": sum(each["http_requests"] for each in summaries),
        "bigquery_bytes": {},
        "bigquery_jobs": jobs,
    }


def join_left_out(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what was left out, each thing and reason once: how often, and up to twenty of whom."""
    joined: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry in entries:
        key = entry["what"], entry["kind"], entry["why"]
        known = joined.setdefault(key, {**entry, "count": 0, "whom": []})
        known["count"] += entry["count"]
        known["whom"] = list(dict.fromkeys([*known["whom"], *entry["whom"]]))[:WHOM]
    return limit_left_out(list(joined.values()), most=ENTRIES)


def _add_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = dict.fromkeys(ACCOUNT_STATES, 0)
    for each in counts:
        total = {state: count + each.get(state, 0) for state, count in total.items()}
    return total


def _join_named(groups: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return accounts with their reasons, a hundred named; some are only counted in the summaries already."""
    joined: dict[str, Any] = {}
    counted = 0
    for group in groups:
        joined |= {name: said for name, said in group.items() if name != MORE}
        counted += int(group.get(MORE, 0))
    named = dict(list(joined.items())[:NAMED])
    counted += len(joined) - len(named)
    return named | ({MORE: str(counted)} if counted else {})
