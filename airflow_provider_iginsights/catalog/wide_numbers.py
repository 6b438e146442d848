"""Puts the metrics of posts and stories into columns: which there are, what each is, and the query that does it.

A metric has one column whatever the product type. What has a breakdown is not in it: the parts are never added to their
total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS
from airflow_provider_iginsights.catalog.tables import MEDIA
from airflow_provider_iginsights.catalog.view_definition import ViewColumn, list_columns

POST = ("account_id", "media_id")
FROM_NUMBERS = ("media_product_type", "published_at")
"""Columns of a post that its numbers' rows say, too."""
_HIDDEN = ("fetched_at", "run_id", "published_date", *POST, *FROM_NUMBERS)
OF_MEDIA = tuple(name for name in MEDIA.column_names if name not in _HIDDEN)
"""Columns of a post or story that only its own row says."""


def name_metrics(*product_types: str) -> tuple[str, ...]:
    """Return the metrics of these media that transfers ask or asked without their name, the living first.

    A metric keeps its column when Meta retires it.
    """
    asked = (metric for metric in MEDIA_METRICS if metric.selection in ("default", "all"))
    shown = [metric for metric in asked if {*product_types} & {*metric.product_types}]
    return tuple(dict.fromkeys(metric.name for metric in sorted(shown, key=lambda metric: bool(metric.retired))))


def list_numbers(*product_types: str) -> Iterator[ViewColumn]:
    """Yield the columns of the metrics of these media."""
    for name in name_metrics(*product_types):
        ways = [each for each in MEDIA_METRICS if each.name == name and {*product_types} & {*each.product_types}]
        kinds = dict.fromkeys(kind for way in ways for kind in way.product_types if kind in product_types)
        unit = "" if ways[0].unit == "count" else f", in {ways[0].unit}"
        ended = f"; Meta ended it with {ways[0].retired}" if all(way.retired for way in ways) else ""
        yield ViewColumn(name, "NUMERIC", f"Newest {name} ({', '.join(kinds)}){unit}{ended}.")


def gather_numbers(rows: str, *, of: Iterable[str], names: Iterable[str], others: Iterable[str]) -> str:
    """Return the query for a row per value of the columns ``of``, with a column per metric.

    :param rows: what stands after FROM to read one row per number.
    :param others: further columns, each an aggregate.
    """
    numbers = [f"MAX(IF(`metric` = '{name}' AND `breakdown` = '', `value`, NULL)) AS `{name}`" for name in names]
    listed = ",\n  ".join((*others, *numbers))
    return f"SELECT {list_columns(of)},\n  {listed}\nFROM {rows}\nGROUP BY {list_columns(of)}"


def take_largest(*names: str) -> tuple[str, ...]:
    """Return these columns as aggregates: of several values, the largest."""
    return tuple(f"MAX(`{name}`) AS `{name}`" for name in names)
