"""The one small dict that a transfer leaves in XCom: what was read, what was written, what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.task.failures import describe_open
from airflow_provider_iginsights.task.rate_limit_wait import find_throttled

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_iginsights.errors import InsightsError
    from airflow_provider_iginsights.task.loaded import Loaded
    from airflow_provider_iginsights.task.source import Source

NAMED = 100  # accounts of a kind that are named; account_counts counts all
MORE = "and more"
"""Among named accounts: how many more there are."""
ACCOUNT_STATES = ("done", "skipped", "failed", "throttled", "quarantined", "not_whole")
"""What an account is when a try ends; ``account_counts`` has each."""
COUNTS = ("rows", "rows_changed", "graph_calls", "http_requests")
LISTS = ("left_out", "notes", "bigquery_jobs")
REMARKS = ("gaps", "first_polls", "accounts_quarantined", "staged")


def summarize(source: Source, loaded: Loaded, *, skips: bool, days: Mapping[str, Sequence[date]]) -> dict[str, Any]:
    """Return what one run did, as JSON-able values; never rows, never a secret.

    Accounts are ``done``, or under a reason: ``throttled`` (the task waits for them), ``not_whole`` (trouble at Meta
    left questions open, which the next try asks), ``quarantined`` (left out, asked again once a week), ``failed``, or
    ``skipped`` (they failed, and ``on_account_error="skip"`` lets that pass).

    :param days: the Pacific days of the rows, under the names that they have in ``window``.
    """
    window, results, loads = source.window, loaded.results, loaded.loads
    throttled = find_throttled(results.failed)
    failed = {account_id: error for account_id, error in results.failed.items() if account_id not in throttled}
    skips = skips and bool(results.done)
    return {
        "window": {"since": window.since.isoformat(), "until": window.until.isoformat(), "rule": window.rule}
        | {name: [day.isoformat() for day in each] for name, each in days.items()},
        "tables": {result.target.path: result.rows for result in loads},
        "rows": sum(result.rows for result in loads),
        "rows_changed": sum(result.affected for result in loads),
        "account_counts": {
            "done": len(results.done),
            "skipped": len(failed) if skips else 0,
            "failed": 0 if skips else len(failed),
            "throttled": len(throttled),
            "quarantined": len(loaded.quarantined),
            "not_whole": len(results.unanswered),
        },
        "accounts_done": list(results.done[:NAMED]),
        "accounts_skipped": _name(failed if skips else {}),
        "accounts_failed": _name({} if skips else failed),
        "accounts_throttled": _name(throttled),
        "accounts_quarantined": {name: each.describe() for name, each in list(loaded.quarantined.items())[:NAMED]},
        "accounts_not_whole": _name({name: describe_open(name, each) for name, each in results.unanswered.items()}),
        "left_out": source.left_out_log.summarize(),
        "notes": [*source.notes, *source.client.notes, *source.left_out_log.list_remarks()],
        "graph_calls": source.client.call_counts.calls,
        "http_requests": source.client.call_counts.http,
        "bigquery_bytes": loaded.costs,
        "bigquery_jobs": [job for result in loads for job in (result.load_job_id, result.merge_job_id) if job],
        **loaded.remarks,
    }


def continue_summary(before: Mapping[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of a task that was tried or waited before: what adds up does, the last word wins elsewhere."""
    if not before:
        return after
    from airflow_provider_iginsights.bigquery.costs import add_costs
    from airflow_provider_iginsights.stories.summary import continue_gaps

    costs = add_costs(before.get("bigquery_bytes", {}), after["bigquery_bytes"])
    counts = {name: before[name] + after[name] for name in COUNTS}
    lists = {name: before[name] + [item for item in after[name] if item not in before[name]] for name in LISTS}
    paths = dict.fromkeys([*before["tables"], *after["tables"]])
    tables = {path: before["tables"].get(path, 0) + after["tables"].get(path, 0) for path in paths}
    quarantined = {**before.get("accounts_quarantined", {}), **after["accounts_quarantined"]}
    said = {**counts, **lists, "bigquery_bytes": costs, **continue_gaps(before, after)}
    # Who was left out in an earlier try may not be among those of this one.
    earlier = len(quarantined) - len(after["accounts_quarantined"])
    of = after["account_counts"] | {"quarantined": after["account_counts"]["quarantined"] + earlier}
    return {**after, **said, "tables": tables, "accounts_quarantined": quarantined, "account_counts": of}


def keep_summary(summary: Mapping[str, Any], *, links: Mapping[str, str]) -> dict[str, Any]:
    """Return the part of a summary that :func:`continue_summary` needs later; the accounts are known otherwise.

    :param links: addresses to which the task instance is linked by now.
    """
    names = (*COUNTS, *LISTS, *REMARKS, "tables", "bigquery_bytes")
    return {name: summary[name] for name in names if name in summary} | {"links": dict(links)}


def _name(failed: Mapping[str, InsightsError]) -> dict[str, str]:
    named = {account_id: str(error) for account_id, error in list(failed.items())[:NAMED]}
    return named | ({MORE: str(len(failed) - NAMED)} if len(failed) > NAMED else {})
