"""Counters and timers of the transfers in Airflow's metrics: StatsD, Datadog or OpenTelemetry, whichever is on.

Each name is prefixed with ``instagram_insights.``, and tagged with ``dag_id`` and ``task_id`` where the backend has
tags. A try counts what it did itself, so a retry or a resumed task adds to what was counted before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context

log: logging.Logger = logging.getLogger(__name__)

PREFIX = "instagram_insights."
COUNTERS: Mapping[str, str] = MappingProxyType(
    {
        "accounts.done": "accounts that were read whole",
        "accounts.failed": "accounts that failed",
        "accounts.skipped": 'accounts that failed, with on_account_error="skip"',
        "accounts.throttled": "accounts for which the task waits for Meta's rate limit",
        "accounts.not_whole": "accounts of which Meta's servers left something open",
        "accounts.quarantined": "accounts that were left out",
        "rows": "rows that were sent to tables",
        "rows_staged": 'rows that were left for another task (load="stage")',
        "rows_changed": "rows that were inserted, changed or deleted",
        "left_out": "values that were left out",
        "graph_calls": "calls to the Graph API",
        "http_requests": "HTTP requests that carried them",
        "bigquery_jobs": "statements that BigQuery ran",
        "bytes_processed": "bytes that they processed",
        "bytes_billed": "bytes that they billed",
    }
)
"""Counter -> what it counts."""
TIMERS: Mapping[str, str] = MappingProxyType(
    {
        "read_duration": "from the first account to the last",
        "write_duration": "loading and writing what was read",
        "throttle_wait": "how long a task decided to wait for Meta's rate limit",
    }
)
"""Timer -> what it times."""


def count_summary(
    context: Context, summary: Mapping[str, Any], *, is_staged: bool = False, done_before: int = 0
) -> None:
    """Count what one try did, by its summary.

    :param is_staged: the rows wait for another task.
    :param done_before: accounts that earlier tries read.
    """
    tags = _read_tags(context)
    for name, count in _list_counts(summary, done_before=done_before):
        staged = {"rows": "rows_staged"} if is_staged else {}
        if count > 0:
            _send("incr", staged.get(name, name), count, tags=tags)


def time_duration(context: Context, name: str, duration: timedelta) -> None:
    """Send a duration, under one of :data:`TIMERS`."""
    _send("timing", name, duration, tags=_read_tags(context))


def _list_counts(summary: Mapping[str, Any], *, done_before: int) -> Iterator[tuple[str, int]]:
    for state, count in summary.get("account_counts", {}).items():
        yield f"accounts.{state}", count - (done_before if state == "done" else 0)
    for name in ("rows", "rows_changed", "graph_calls", "http_requests"):
        yield name, summary.get(name, 0)
    left_out = summary["left_out"]
    yield "left_out", sum(left_out.values() if isinstance(left_out, Mapping) else (each["count"] for each in left_out))
    costs = [kind for kinds in summary["bigquery_bytes"].values() for kind in kinds.values()]
    for name, key in (("bigquery_jobs", "jobs"), *((each, each) for each in ("bytes_processed", "bytes_billed"))):
        yield name, sum(each[key] for each in costs)


def _read_tags(context: Context) -> dict[str, str]:
    instance: Any = context["ti"]
    return {name: getattr(instance, name) for name in ("dag_id", "task_id")}


def _send(method: str, name: str, value: Any, *, tags: Mapping[str, str]) -> None:
    # Numbers about the work are never worth the work itself, whatever a backend raises.
    try:
        from airflow_provider_iginsights._compat import Stats

        send: Callable[..., object] = getattr(Stats, method)
        send(f"{PREFIX}{name}", value, tags=dict(tags))
    except Exception:
        log.debug("The metric %s could not be sent.", name, exc_info=True)
