"""Versions of the Graph API: in which order they came, and which were served when."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_provider_iginsights.catalog.fields import list_fields
from airflow_provider_iginsights.catalog.tables import ACCOUNTS, MEDIA, MEDIA_CHILDREN, Table
from airflow_provider_iginsights.catalog.versions import VERSIONS, was_served_on
from airflow_provider_iginsights.graph_api import DEFAULT_API_VERSION, parse_version


def test_the_table_is_in_order() -> None:
    """Versions ascend without gaps, each served longer than the one before; only the newest have no end yet."""
    numbers = [parse_version(version)[0] for version in VERSIONS]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    ends = [end for _, end in VERSIONS.values()]
    known = [end for end in ends if end]
    assert known == sorted(known)
    assert ends == [*known, None, None]
    assert DEFAULT_API_VERSION in VERSIONS


@pytest.mark.parametrize(
    ("version", "day", "served"),
    [
        ("v10.0", date(2023, 6, 8), True),
        ("v10.0", date(2023, 6, 9), False),
        ("v26.0", date(2040, 1, 1), True),
        ("v27.0", date(2040, 1, 1), True),
        ("v31.0", date(2040, 1, 1), True),
    ],
)
def test_served_until(version: str, day: date, *, served: bool) -> None:
    """A version counts as served to its last day, and one that the table does not know for ever."""
    assert was_served_on(version, day) is served


@pytest.mark.parametrize(
    ("table", "count"), [(ACCOUNTS, 8), (MEDIA, 17), (MEDIA_CHILDREN, 7)], ids=lambda value: getattr(value, "name", "")
)
def test_fields_fill_columns(table: Table, count: int) -> None:
    """The tables of nodes ask for each field once, in the newest version for all of them."""
    fields = list_fields(table, max(VERSIONS, key=parse_version))
    assert len(fields) == len(set(fields)) == count == sum(1 for column in table.columns if column.field)


@pytest.mark.parametrize(("version", "has"), [("v20.0", False), ("v21.0", True), (DEFAULT_API_VERSION, True)])
def test_young_fields(version: str, *, has: bool) -> None:
    """A field is asked only of versions that know it: an unknown one would refuse the whole request."""
    assert ("alt_text" in list_fields(MEDIA, version)) is has
