"""Rows and truths for the loader's tests: any number of rows for any table, each a pure function of its number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.target import TargetTable, TaskIdentity
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.catalog.tables import Column, Table

FIRST_DAY = date(2026, 10, 1)
DAYS = 28


def identity(
    *, try_number: int = 1, task_id: str = "load", run_id: str = "scheduled__2026-11-20T00:00:00+00:00"
) -> TaskIdentity:
    """Return a task instance of one imaginary deployment."""
    return TaskIdentity(
        deployment="tests", dag_id="brand", task_id=task_id, run_id=run_id, map_index=-1, try_number=try_number
    )


def hour(number: int) -> str:
    """Return the instant of a fetch, ``number`` hours into 20 November 2026."""
    return (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(table: Table, number: int, *, version: int = 0, fetched_at: str | None = None) -> dict[str, object]:
    """Return row ``number``; its key is the same in every version, its measures are not."""
    made = {column.name: _value(table, column, number, version) for column in table.columns}
    return made | {"fetched_at": fetched_at or hour(version)}


def rows(table: Table, numbers: Iterable[int], *, version: int = 0) -> list[dict[str, object]]:
    """Return several rows of one version."""
    return [row(table, number, version=version) for number in numbers]


def reach(account_id: str, day: str, value: object, *, fetched_at: str, **others: object) -> dict[str, object]:
    """Return a row of account insights with the columns that a test is about."""
    made: dict[str, object] = {"account_id": account_id, "metric": "reach", "period": "day", "timeframe": ""}
    made |= {"breakdown": "", "breakdown_value": "", "metric_date": day, "value": value, "fetched_at": fetched_at}
    return made | others


def truth(table: Table, given: Iterable[dict[str, object]]) -> list[tuple[object, ...]]:
    """Return rows as they should stand in the target: by key, the one fetched last, in comparable form."""
    newest: dict[tuple[object, ...], dict[str, object]] = {}
    for each in given:
        key = tuple(comparable(each.get(name)) for name in table.key)
        kept = newest.get(key)
        if kept is None or str(each["fetched_at"]) >= str(kept["fetched_at"]):
            newest[key] = each
    return sorted(tuple(comparable(each.get(name)) for name in table.column_names) for each in newest.values())


def stored(client: Client, destination: TargetTable) -> list[tuple[object, ...]]:
    """Return the rows of a target in comparable form."""
    names = destination.table.column_names
    found = client.query(f"SELECT {', '.join(f'`{name}`' for name in names)} FROM `{destination.path}`").result()
    return sorted(tuple(comparable(each[name]) for name in names) for each in found)


def staging_left(client: Client, destination: TargetTable) -> list[str]:
    """Return the staging tables of a dataset."""
    return [table.table_id for table in client.list_tables(destination.dataset_path) if "__stg_" in table.table_id]


def comparable(value: object) -> str:
    """Return any stored or sent value as text that is equal for equal values."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, str) and len(value) >= len("2026-11-20T10:00:00Z") and value[10] == "T":
        return datetime.fromisoformat(value).astimezone(UTC).isoformat()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        text = f"{Decimal(value):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def target(
    table: Table = ACCOUNT_INSIGHTS,
    *,
    project: str = "p-1",
    dataset: str = "d",
    location: str | None = None,
    table_id: str | None = None,
) -> TargetTable:
    """Return a target of a table, with its default id unless another is given."""
    named = table_id or table.default_id
    return TargetTable(table=table, project=project, dataset=dataset, table_id=named, location=location)


def _value(table: Table, column: Column, number: int, version: int) -> Any:
    key = column.name in table.key
    day = FIRST_DAY + timedelta(days=number % DAYS)
    if column.type == "STRING":
        return (
            f"{column.name}-{number}" if key or column.name == "account_id" else f"{column.name} {number} v{version} 🌅"
        )
    return {
        "INT64": number * 1000 + version,
        "NUMERIC": Decimal(number * 1000 + version) / 8,
        "BOOL": (number + version) % 2 == 0,
        "DATE": day.isoformat(),
        "TIMESTAMP": f"{day.isoformat()}T{number % 24:02d}:00:00Z",
    }[column.type]
