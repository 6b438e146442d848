"""What the events of a task's assets say of the run: a Dag that is scheduled on the table needs no look at XCom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.assets import PACIFIC_DAY, PARTITION_KEY, table_asset
from airflow_provider_iginsights.task.summary_size import shorten_summary

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context

KEYS = (
    "window",
    "rows",
    "rows_changed",
    "tables",
    "account_counts",
    "accounts_done",
    "accounts_failed",
    "accounts_skipped",
    "gaps",
    "stories",
    "accounts",
)
"""What an event says, as the summary does; of these, what the task's summary has."""
MOST_BYTES = 16 * 1024


def describe_run(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``extra`` of an event, JSON-able."""
    said = {name: summary[name] for name in KEYS if name in summary}
    window = summary.get("window") or {}
    if "account_counts" in summary:
        said = {"days": window.get("days", []), "gaps": {}, "captures": summary.get("captures", 1)} | said
    return shorten_summary(said, most=MOST_BYTES)


def fill_asset_events(context: Context, outlets: Sequence[Any], summary: Mapping[str, Any]) -> None:
    """Describe the run in the event of each asset that the task updates.

    An alias gets an event for each table that rows were sent to; before Airflow 3.1, lists and objects are JSON text
    there.
    """
    from airflow_provider_iginsights._compat import Asset, AssetAlias, fit_alias_extra

    # Only Airflow's task runner puts them into the context.
    events: Any = context.get("outlet_events")
    if events is None:
        return
    extra = describe_run(summary)
    for outlet in outlets:
        if isinstance(outlet, Asset):
            event = events[outlet]
            event.extra = {**event.extra, **extra}
            if keys := _list_partition_keys(context, outlet, extra):
                event.add_partitions(keys)
        elif isinstance(outlet, AssetAlias):
            for asset in _list_tables(summary):
                events[outlet].add(asset, extra=fit_alias_extra(extra))


def _list_tables(summary: Mapping[str, Any]) -> Iterator[Any]:
    for path in (path for path, rows in summary["tables"].items() if rows):
        project, dataset, table = path.rsplit(".", 2)
        yield table_asset(project, dataset, table)


def _list_partition_keys(context: Context, asset: Any, extra: Mapping[str, Any]) -> list[str]:
    """Return the Pacific days of an asset that wants them; none where the run has a key of its own, or no event may."""
    has_key = getattr(context.get("dag_run"), "partition_key", None)
    wants = (asset.extra or {}).get(PARTITION_KEY) == PACIFIC_DAY
    if has_key or not wants or not hasattr(context["outlet_events"][asset], "add_partitions"):
        return []
    return list(extra.get("days", ()))
