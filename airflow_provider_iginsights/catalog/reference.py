"""Reference tables of docs/reference and the rows' types, written from the catalog so that they cannot drift.

``make reference`` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
from airflow_provider_iginsights.catalog.columns import ColumnType
from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS
from airflow_provider_iginsights.catalog.metrics import Metric
from airflow_provider_iginsights.catalog.tables import TABLES, Table
from airflow_provider_iginsights.catalog.views import VIEWS, View
from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION, parse_version


def describe_tables() -> Iterator[str]:
    """Yield the Markdown lines of the tables."""
    for table in TABLES:
        yield f"## `{table.default_id}`"
        yield ""
        yield table.description
        yield f"Partitioned by `{table.partition_by}`, clustered by {_code(table.cluster_by)}, key {_code(table.key)}."
        yield ""
        yield from make_table(("column", "type", "meaning"), _columns(table))
        yield ""


def describe_live_metrics() -> Iterator[str]:
    """Yield the Markdown lines of the metrics that the default API version answers."""
    live = [metric for metric in _metrics() if metric.lives_in(DEFAULT_API_VERSION)]
    yield from make_table(
        ("metric", "of", "asked as", "breakdowns", "asked", "remarks"),
        (
            (
                f"`{metric.name}`",
                "account" if metric.level == "account" else ", ".join(metric.product_types),
                _kind(metric),
                _code(metric.breakdowns),
                {"default": "by default", "all": 'with `"all"`', "named": "by name"}[metric.selection],
                _remarks(metric),
            )
            for metric in live
        ),
    )


def describe_retired_metrics() -> Iterator[str]:
    """Yield the Markdown lines of the metrics that Meta no longer answers, with what to ask instead."""
    live = {(metric.level, metric.name) for metric in _metrics() if metric.lives_in(DEFAULT_API_VERSION)}
    ended = sorted(
        (metric for metric in _metrics() if metric.retired), key=lambda metric: parse_version(metric.retired or "")
    )
    gone = {(metric.level, metric.name): metric for metric in ended if (metric.level, metric.name) not in live}
    yield from make_table(
        ("retired metric", "of", "ended with", "continued by", "since", "not comparable because"),
        (
            (f"`{metric.name}`", metric.level, metric.retired or "", *_describe_continuation(metric))
            for metric in gone.values()
        ),
    )


def describe_view(view: View) -> Iterator[str]:
    """Yield the Markdown lines of a view: what it shows, an example query, its columns."""
    name = view.view_id(view.table.default_id)
    given = f"({', '.join(view.parameters)})" if view.parameters else ""
    yield from (f"### {name}", "", f"`{name}{given}`: {view.description}", "", "```sql")
    yield from view.example.format(view=f"`my-project.instagram.{name}`").splitlines()
    yield from ("```", "")
    yield from make_table(
        ("column", "type", "meaning"), ((f"`{each.name}`", each.type, each.description) for each in view.columns)
    )


def describe_protectable() -> Iterator[str]:
    """Yield the Markdown lines of the columns that can be excluded or hashed, table by table."""
    yield from make_table(
        ("table", "columns"),
        (
            (f"`{table.name}`", ", ".join(f"`{name}`" for name in table.protectable))
            for table in TABLES
            if table.protectable
        ),
    )


SECTIONS: dict[str, Callable[[], Iterator[str]]] = {
    "tables": describe_tables,
    "protectable-columns": describe_protectable,
    "live-metrics": describe_live_metrics,
    "retired-metrics": describe_retired_metrics,
    **{f"view-{view.name}": partial(describe_view, view) for view in VIEWS},
}


ROWS_HEAD = """\
\"\"\"The rows of each table, as types. Written from ``catalog/tables.py`` by ``make reference``.

A DATE is a :class:`datetime.date`, a TIMESTAMP a text in ISO 8601 in UTC (``2026-11-21T20:00:10Z``). A column that is
not REQUIRED is absent or None where Meta did not say, or where nobody knows.
\"\"\"

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NotRequired, TypedDict
"""
PYTHON_TYPES: dict[ColumnType, str] = {
    "STRING": "str",
    "INT64": "int",
    "NUMERIC": "int | float | Decimal",
    "BOOL": "bool",
    "DATE": "date",
    "TIMESTAMP": "str",
}


def describe_row_types() -> Iterator[str]:
    """Yield the lines of the module ``catalog/rows.py``."""
    yield from ROWS_HEAD.splitlines()
    for table in TABLES:
        yield from ("", "", f"class {name_row_type(table)}(TypedDict):", f'    """{table.description}"""', "")
        for column in table.columns:
            kind = PYTHON_TYPES[column.type]
            yield f"    {column.name}: {kind if column.required else f'NotRequired[{kind} | None]'}"


def name_row_type(table: Table) -> str:
    """Return the name of the type of a table's rows, such as ``MediaInsightsRow``."""
    return f"{table.name.title().replace('_', '')}Row"


def rewrite(text: str, sections: Mapping[str, Callable[[], Iterator[str]]] = SECTIONS) -> str:
    """Return the text with everything between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` written anew."""
    for name, describe in sections.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, _, rest = text.partition(begin)
        if rest:
            body = "\n".join(describe()).strip()
            text = f"{before}{begin}{body}\n{end}{rest.partition(end)[2]}"
    return text


def make_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the Markdown lines of a table; a ``|`` in a cell is escaped."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _metrics() -> Iterator[Metric]:
    return (metric for metric in (*ACCOUNT_METRICS, *MEDIA_METRICS) if metric.selection != "never")


def _columns(table: Table) -> Iterator[tuple[str, ...]]:
    for column in table.columns:
        yield f"`{column.name}`", f"{column.type}{' REQUIRED' if column.required else ''}", column.description


def _kind(metric: Metric) -> str:
    if metric.level == "media":
        return "lifetime total"
    if metric.metric_type == "time_series":
        return f"series ({', '.join(metric.periods)})"
    return "total per day" if metric.history_days else f"snapshot ({', '.join(metric.timeframes)})"


def _remarks(metric: Metric) -> str:
    remarks = (
        metric.unit if metric.unit != "count" else "",
        f"{metric.history_days} days of history" if metric.history_days and metric.history_days < 100 else "",
        f"from {metric.min_followers} followers on" if metric.min_followers else "",
        "Facebook Login only" if metric.logins == ("facebook",) else "",
        "always with its breakdown" if metric.needs_breakdown else "",
        f"continues {_code(continued)}, not comparable" if (continued := _list_continued(metric)) else "",
        "" if metric.documented else "undocumented: Meta accepts the name and does not say what it counts",
    )
    return "; ".join(remark for remark in remarks if remark)


def _describe_continuation(metric: Metric) -> tuple[str, str, str]:
    after = metric.continued_by
    return (after.by, after.since, after.because) if after else ("nothing", "", "")


def _list_continued(metric: Metric) -> list[str]:
    """Return the retired metrics that a living one continues."""
    retired = (each for each in _metrics() if each.level == metric.level and each.continued_by)
    names = (each.name for each in retired if each.continued_by and each.continued_by.by.split()[0] == metric.name)
    return list(dict.fromkeys(names))


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
