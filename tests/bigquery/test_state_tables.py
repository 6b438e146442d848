"""A table that says how things are now: what the newer answer lacks is deleted in ``merge``, too."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_iginsights.bigquery.target import LoadMode
from airflow_provider_iginsights.catalog.tables import MEDIA_CHILDREN
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse

DAY, LATER = "2026-11-02", "2026-11-03"


def album(media_id: str, *children: str, hour: int, day: str = DAY) -> list[dict[str, Any]]:
    """Return the rows of an album's children in this order, as fetched at an hour."""
    return [
        rows.row(MEDIA_CHILDREN, 1, fetched_at=rows.hour(hour))
        | {"account_id": "1", "media_id": media_id, "child_id": child, "position": place, "published_date": day}
        for place, child in enumerate(children, start=1)
    ]


def load(warehouse: Warehouse, *given: dict[str, Any], mode: LoadMode = "merge", protected: Any = ()) -> None:
    """Load rows in one try."""
    target = rows.target(MEDIA_CHILDREN, project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.loader(rows.identity(run_id=f"{len(given)} {given[0]['fetched_at']} {protected}")) as loader:
        loader.ensure([target])
        row_file = loader.row_file(target)
        for row in given:
            row_file.write(row)
        loader.commit([row_file], load_mode=mode, protected=protected)


def stored(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return the children of each album in their order."""
    target = rows.target(MEDIA_CHILDREN, project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.connect() as client:
        found = client.query(f"SELECT media_id, child_id FROM `{target.path}` ORDER BY media_id, position").result()
        albums: dict[str, list[str]] = {}
        for row in found:
            albums.setdefault(row["media_id"], []).append(row["child_id"])
    return albums


@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_an_album_is_as_it_was_read_last(warehouse: Warehouse, mode: LoadMode) -> None:
    """Children that are gone go, others change their place or come; an album that was not read stays as it is."""
    load(warehouse, *album("A", "1", "2", "3", hour=1), *album("B", "4", "5", hour=1), *album("C", "6", hour=1))
    load(warehouse, *album("A", "3", "1", "7", hour=2), *album("C", "8", hour=2), mode=mode)
    assert stored(warehouse) == {"A": ["3", "1", "7"], "B": ["4", "5"], "C": ["8"]}
    load(warehouse, *album("A", "1", "2", "3", hour=1), mode=mode)  # an older fetch that is written late
    assert "7" in stored(warehouse)["A"]
    load(warehouse, *album("C", "9", hour=3, day=LATER), mode=mode)
    assert stored(warehouse)["B"] == ["4", "5"]


def test_what_could_not_be_read_to_the_end_deletes_nothing(warehouse: Warehouse) -> None:
    """The group is protected in merge as in replace."""
    load(warehouse, *album("A", "1", "2", hour=1))
    group = {"account_id": ("1",), "media_id": ("A",), "metric": ("children",)}
    load(warehouse, *album("A", "1", hour=2), protected=[group])
    assert stored(warehouse) == {"A": ["1", "2"]}
