"""A field of Meta's node becomes a column by one line of the table; nothing else has to know of it."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from dataclasses import replace

import pytest

from airflow_provider_iginsights.catalog import tables
from airflow_provider_iginsights.catalog.tables import Column, Table
from airflow_provider_iginsights.transfers import instagram_to_bigquery
from tests.support.sandboxes import Sandboxes

PACKAGE = "airflow_provider_iginsights"
ROOMS = ("extract", "bigquery", "transfers")


def widen(monkeypatch: pytest.MonkeyPatch, name: str, column: Column) -> None:
    """Let a table have one more column, as if its line stood in the catalog: under its name, wherever it is used."""
    for room in ROOMS:  # what a run imports late would keep the wider table for good
        path = importlib.import_module(f"{PACKAGE}.{room}").__path__
        for found in pkgutil.iter_modules(path, f"{PACKAGE}.{room}."):
            importlib.import_module(found.name)
    table: Table = getattr(tables, name)
    wider = replace(table, columns=(*table.columns, column))
    users = [module for key, module in sys.modules.items() if key.startswith(PACKAGE)]
    for module in users:
        if vars(module).get(name) is table:
            monkeypatch.setattr(module, name, wider)
    for operator in vars(instagram_to_bigquery).values():
        arguments = getattr(operator, "table_arguments", {})
        if table in arguments:
            renewed = {wider if each is table else each: argument for each, argument in arguments.items()}
            monkeypatch.setattr(operator, "table_arguments", renewed)


NEW = [
    ("media", "MEDIA", Column("generated", "BOOL", "Whether a machine made it.", role="kept", field="is_ai_generated")),
    ("media", "MEDIA", Column("owner", "STRING", "Another column of a field.", role="kept", field="owner.id")),
    ("account", "ACCOUNTS", Column("former_id", "STRING", "Id.", role="kept", field="legacy_instagram_user_id")),
]


@pytest.mark.parametrize(("kind", "name", "column"), NEW, ids=lambda value: getattr(value, "field", None))
def test_one_line_is_a_column(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, column: Column
) -> None:
    """The field is asked for, checked and stored in BigQuery, with no other change."""
    widen(monkeypatch, name, column)
    sandboxes.run(kind)
    stored = [row[column.name] for row in sandboxes.rows(getattr(tables, name).default_id)]
    assert stored
    assert {type(value) for value in stored} == {bool if column.type == "BOOL" else str}


def test_a_young_field_is_not_asked_of_an_old_version(sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that does not know the field would refuse the whole request: it is left out, the column is empty."""
    widen(
        monkeypatch,
        "MEDIA",
        Column("young", "STRING", "Text.", role="kept", field="is_ai_generated", field_since="v99.0"),
    )
    sandboxes.run("media")
    rows = sandboxes.rows(tables.MEDIA.default_id)
    assert rows
    assert {row["young"] for row in rows} == {None}
