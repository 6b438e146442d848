"""What is missing in the tables is found on an emulator that was written by others, too, which lives today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bigquery.freshness_rows import check_drawn

if TYPE_CHECKING:
    from tests.support.bigquery.warehouses import Warehouse


@pytest.mark.referee
def test_what_is_missing_on_every_warehouse(warehouse: Warehouse) -> None:
    """The same on an emulator that was written by others, which lives today."""
    with warehouse.connect() as client:
        [[today]] = client.query("SELECT CURRENT_DATE('America/Los_Angeles')").result()
        check_drawn(client, warehouse.dataset, seed=2, today=today)
