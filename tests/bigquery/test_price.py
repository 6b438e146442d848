"""What a load costs: new rows only what is read, corrections only the days that have some. Worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS
from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse

# account_id "aNN", metric "reach", period "day", three empty texts, metric_date.
KEY = 5 + 7 + 5 + 2 + 2 + 2 + 8
VALUE, FETCHED_AT = 16, 8
ROW = KEY + VALUE + FETCHED_AT  # the other columns are NULL
DAYS = [(date(2026, 10, 1) + timedelta(days=number)).isoformat() for number in range(28)]
Costs = dict[str, list[int]]


def load(
    sandbox: BigQuerySandbox, warehouse: Warehouse, given: list[dict[str, object]], *, try_number: int = 1
) -> Costs:
    """Run one try and return the bytes that its query jobs processed, by what they do and in their order."""
    destination = rows.target(project=warehouse.project, dataset=warehouse.dataset)
    before = len(sandbox.jobs)
    with warehouse.loader(rows.identity(try_number=try_number)) as loader:
        loader.ensure([destination])
        row_file = loader.row_file(destination)
        for row in given:
            row_file.write(row)
        loader.commit([row_file])
    costs: Costs = {}
    for job in sandbox.jobs[before:]:
        costs.setdefault(job.id.split("-")[1], []).append(job.bytes_processed)
    return costs


def make(days: list[str], accounts: range, *, value: int = 1, fetched_at: int = 1) -> list[dict[str, object]]:
    """Return one number for each account and day."""
    return [
        rows.reach(f"a{account:02}", day, value, fetched_at=rows.hour(fetched_at))
        for day in days
        for account in accounts
    ]


def test_new_rows_cost_what_is_read(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """The keys of the day, twice (insert, look), and the staged rows: the day as a whole is never billed."""
    first = load(sandbox, faulty, make(DAYS[:1], range(0, 20, 2)))
    assert first == {"load": [0], "merge": [10 * ROW], "verify": [20 * KEY]}
    second = load(sandbox, faulty, make(DAYS[:1], range(1, 20, 2)), try_number=2)
    # The one block of the day is read whole: it is smaller than a block can be.
    assert second == {"load": [0], "merge": [10 * KEY + 10 * ROW], "verify": [20 * KEY + 10 * KEY]}


def test_what_did_not_change_costs_no_partition(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """A look-back over 28 equal days is one insert that finds all keys, one look for changes, one for doubles."""
    load(sandbox, faulty, make(DAYS, range(10)))
    again = load(sandbox, faulty, make(DAYS, range(10), fetched_at=2), try_number=2)
    every = 28 * 10
    assert again == {"load": [0], "merge": [every * (KEY + ROW)], "verify": [every * 2 * ROW, every * 2 * KEY]}


@pytest.mark.parametrize("changed", [1, 3])
def test_corrections_cost_the_days_that_have_some(sandbox: BigQuerySandbox, faulty: Warehouse, changed: int) -> None:
    """One value that differs on a day bills this day as a whole, and no other."""
    load(sandbox, faulty, make(DAYS, range(10)))
    days = DAYS[::9][:changed]
    given = make(DAYS, range(1, 10), fetched_at=2) + make(DAYS, range(1), fetched_at=2)
    given = [row | {"value": 7} if row["account_id"] == "a00" and row["metric_date"] in days else row for row in given]
    costs = load(sandbox, faulty, given, try_number=2)
    read, whole = changed * 10 * ROW, changed * 10 * ROW
    assert costs["correct"] == [read + whole + 28 * 10 * ROW]


def test_accounts_are_named_so_that_blocks_are_left_out(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """One account's insert reads one block of the day, not the day."""
    load(sandbox, faulty, make(DAYS[:1], range(20)))
    sandbox.switches.block_bytes = 2 * ROW
    one = load(sandbox, faulty, make(DAYS[:1], range(1), value=2, fetched_at=2), try_number=2)
    assert one["merge"] == [2 * KEY + ROW]
    assert one["verify"][-1] == 2 * KEY + KEY
    assert ACCOUNT_INSIGHTS.cluster_by[0] == "account_id"
