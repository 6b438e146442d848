"""Looking up what a target holds: groups and rows under conditions, one job each, in Google's own grammar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.bigquery.lookup import Lookup, Pick, Where, groups_query, rows_query
from airflow_provider_iginsights.bigquery.session import open_session
from airflow_provider_iginsights.catalog.tables import STORY_INSIGHTS, STORY_POLLS, TABLES, Table
from airflow_provider_iginsights.errors import DatasetUnavailable
from tests.support.bigquery import rows
from tests.support.bigquery.analyzer import analyzer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.bigquery.warehouses import Warehouse

FIRST, LAST = date(2026, 10, 3), date(2026, 10, 20)
NOON = datetime(2026, 10, 10, 12, tzinfo=UTC)
PICKS = {
    "latest": Pick("MAX", "snapshot_at"),
    "final": Pick("MIN", "snapshot_at", (("is_final", True), ("source", "source-4"))),
}
WHERE = Where(
    start=FIRST,
    end=LAST,
    among={
        "media_id": [f"media_id-{number}" for number in range(20)],
        "source": ["it's", *(f"source-{n}" for n in range(8))],
    },
    compare=[("snapshot_at", "<", NOON), ("snapshot_at", ">=", datetime(2026, 10, 4, tzinfo=UTC))],
)


def expected() -> list[dict[str, object]]:
    """Return the rows that WHERE asks for, of sixty."""
    given = rows.rows(STORY_INSIGHTS, range(60))
    return [
        row
        for row in given
        if FIRST.isoformat() <= str(row["snapshot_date"]) <= LAST.isoformat()
        and row["media_id"] in WHERE.among["media_id"]
        and row["source"] in WHERE.among["source"]
        and "2026-10-04T00:00:00Z" <= str(row["snapshot_at"]) < "2026-10-10T12:00:00Z"
    ]


MANY = [f"17841400{number:09}" for number in range(60_000)]


@pytest.mark.referee
@pytest.mark.parametrize("others", [(), MANY], ids=["few values", "more values than a query's text has room for"])
def test_groups_and_rows_are_those_of_the_conditions(warehouse: Warehouse, others: Sequence[str]) -> None:
    """Both questions answer with exactly what a filter over the written rows says; a pick without a row is None."""
    where = replace(WHERE, among={**WHERE.among, "media_id": [*WHERE.among["media_id"], *others]})
    destination = rows.target(STORY_INSIGHTS, project=warehouse.project, dataset=warehouse.dataset)
    with warehouse.loader(rows.identity()) as loader:
        loader.ensure([destination])
        row_file = loader.row_file(destination)
        for row in rows.rows(STORY_INSIGHTS, range(60)):
            row_file.write(row)
        loader.commit([row_file])
    with warehouse.connect() as client:
        lookup = Lookup(open_session(client, identity=rows.identity()))
        found = lookup.find_rows(destination, where=where)
        groups = lookup.find_groups(destination, by=("account_id", "media_id"), picks=PICKS, where=where)
    truth = expected()
    assert len(truth) == 5
    assert sorted(row["media_id"] for row in found) == sorted(str(row["media_id"]) for row in truth)
    assert {name for row in found for name in row} == set(STORY_INSIGHTS.column_names)
    assert {group["media_id"]: group["latest"].strftime("%Y-%m-%dT%H:%M:%SZ") for group in groups} == {
        row["media_id"]: row["snapshot_at"] for row in truth
    }
    assert {group["media_id"] for group in groups if group["final"]} == {"media_id-4"}


def test_a_missing_dataset_is_named(warehouse: Warehouse) -> None:
    """A question to a dataset that does not exist says which one."""
    destination = rows.target(STORY_POLLS, project=warehouse.project, dataset="nowhere")
    with warehouse.connect() as client, pytest.raises(DatasetUnavailable, match="nowhere"):
        Lookup(open_session(client, identity=rows.identity())).find_rows(destination, where=WHERE)


@pytest.mark.parametrize("table", [table for table in TABLES if table.name.startswith("story")], ids=lambda t: t.name)
def test_google_analyzer_accepts_every_lookup(table: Table) -> None:
    """The texts are GoogleSQL, with constant bounds on the partition column."""
    moments = [column.name for column in table.columns if column.type == "TIMESTAMP"]
    where = Where(
        start=FIRST,
        end=LAST,
        among={"account_id": ["1", "it's", "back\\slash\n"]},
        compare=[(name, ">", NOON) for name in moments],
    )
    picks = {f"p{at}": Pick("MAX", name, (("run_id", "it's"),)) for at, name in enumerate(moments)}
    destination = rows.target(table)
    for sql in (
        groups_query(destination, by=("account_id",), picks=picks, where=where),
        rows_query(destination, where=where),
    ):
        analyzer(table).analyze_statement(sql)
        assert f"`{table.partition_by}` BETWEEN DATE '2026-10-03' AND DATE '2026-10-20'" in sql
