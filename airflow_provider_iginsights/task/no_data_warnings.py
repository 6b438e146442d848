"""Warns of a metric without a number where the account had one in the days before."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.lookup import Lookup, Pick, Where
from airflow_provider_iginsights.errors import LoadError

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.extract.left_out import LeftOutLog
    from airflow_provider_iginsights.extract.no_data import NoDataMetrics

log: logging.Logger = logging.getLogger(__name__)

# The longest period over which Meta sums a metric, days_28.
LATELY = timedelta(days=28)


def warn_of_missing_metrics(
    no_data_metrics: NoDataMetrics, *, lookup: Lookup, target: TargetTable, left_out_log: LeftOutLog
) -> None:
    """Note the metrics that our own table has of the account in the 28 days before.

    One query; none where no metric lacks a number.

    Where BigQuery refuses the query, the log says so and the run goes on.
    """
    # META-09: no number may mean that there was nothing to count, so only a metric with a history is a warning.
    if not no_data_metrics.metrics:
        return
    try:
        for account_id, metric, day in _find_answered(no_data_metrics, lookup, target):
            whom, what = f"account {account_id}", f"{metric}, which Meta answered lately"
            why = f"Meta was asked for it and sent no number. The table has it, the last of {day}. Look at the account."
            left_out_log.note(whom, what, "NoData", why)
    except LoadError as error:
        log.info("Whether metrics without a number had one lately is not known: %s", error)


def _find_answered(
    no_data_metrics: NoDataMetrics, lookup: Lookup, target: TargetTable
) -> Iterator[tuple[str, str, date]]:
    """Yield account id, metric and the last day, where a metric without a number had one before."""
    end, accounts = no_data_metrics.last_day, sorted(no_data_metrics.metrics)
    metrics = sorted({metric for missing in no_data_metrics.metrics.values() for metric in missing})
    names = {f"metric_{place}": metric for place, metric in enumerate(metrics)}
    groups: list[dict[str, Any]] = lookup.find_groups(
        target,
        by=("account_id",),
        picks={name: Pick("MAX", "metric_date", (("metric", metric),)) for name, metric in names.items()},
        where=Where(start=end - LATELY, end=end, among={"account_id": accounts, "metric": metrics}),
    )
    for group in groups:
        missing = no_data_metrics.metrics.get(group["account_id"], set())
        for name, metric in names.items():
            if metric in missing and group[name] is not None:
                yield group["account_id"], metric, group[name]
