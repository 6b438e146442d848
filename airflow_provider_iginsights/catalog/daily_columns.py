"""The columns of the account's daily numbers: which number each is, and whether those of several days add up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS

# Values of the breakdown that metrics without a total are shown by.
PARTS: dict[str, tuple[str, ...]] = {"follow_type": ("FOLLOWER", "NON_FOLLOWER")}


def name_daily_columns() -> dict[str, tuple[str, str, str]]:
    """Return the columns of ``account_daily``: name -> (metric, breakdown, breakdown value), each metric once."""
    return dict(_name_daily_columns())


def name_summed_columns() -> tuple[str, ...]:
    """Return those whose days can be added: all ways to ask for the metric count what happened, and no people."""
    alone = {metric.name for metric in ACCOUNT_METRICS if not metric.sums_over_days}
    return tuple(name for name, (metric, _, _) in name_daily_columns().items() if metric not in alone)


def select_days(path: str, *, names: Iterable[str], inside: str) -> str:
    """Return the query for a row per account and day, with these columns.

    :param path: of the table of account insights, quoted.
    :param inside: condition of the days that are read.
    """
    found = name_daily_columns()
    rows = {name: found[name] for name in names}
    columns = ",\n".join(
        f"  ANY_VALUE(IF({_is(*row)}, `value`, NULL) HAVING MAX IF({_is(*row)}, `fetched_at`, NULL)) AS `{name}`"
        for name, row in rows.items()
    )
    # Metrics that have no total are shown by the values of their breakdown, one column each.
    divided = sorted({metric for metric, breakdown, _ in rows.values() if breakdown})
    return (
        f"SELECT\n  `account_id`,\n  `metric_date`,\n{columns},\n  MAX(`fetched_at`) AS `fetched_at`\n"
        f"FROM {path}\nWHERE {inside} AND `period` = 'day'\n"
        f"  AND (`breakdown` = '' OR `metric` IN ({', '.join(repr(name) for name in divided)}))\n"
        "GROUP BY `account_id`, `metric_date`"
    )


def _is(metric: str, breakdown: str, value: str) -> str:
    return f"`metric` = '{metric}' AND `breakdown` = '{breakdown}' AND `breakdown_value` = '{value}'"


def _name_daily_columns() -> Iterator[tuple[str, tuple[str, str, str]]]:
    for metric in ACCOUNT_METRICS:
        if "day" not in metric.periods:
            continue
        if not metric.needs_breakdown:
            yield metric.name, (metric.name, "", "")
            continue
        for dimension in metric.default_breakdowns:
            for value in PARTS[dimension]:
                yield f"{metric.name}_{value.lower()}", (metric.name, dimension, value)
