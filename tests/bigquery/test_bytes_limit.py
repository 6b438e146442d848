"""``maximum_bytes_billed`` is kept before anything is written; statements' costs are told as BigQuery tells them."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.bigquery.bytes_limit import LEAST_BILLED
from airflow_provider_iginsights.bigquery.costs import Costs, add_costs
from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA, STORY_POLLS, Table
from airflow_provider_iginsights.errors import LoadError
from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse


def load(
    warehouse: Warehouse, *tables: Table, limit: int | None = None, version: int = 0, mode: LoadMode = "merge"
) -> tuple[tuple[LoadResult, ...], Costs]:
    """Run one try over 40 rows of each table and return what was done and what it cost."""
    with warehouse.loader(rows.identity(try_number=version + 1), maximum_bytes_billed=limit) as loader:
        targets = [rows.target(table, project=warehouse.project, dataset=warehouse.dataset) for table in tables]
        loader.ensure(targets, load_mode=mode)
        row_files = [loader.row_file(target) for target in targets]
        for row_file in row_files:
            for row in rows.rows(row_file.target.table, range(40), version=version):
                row_file.write(row)
        return loader.commit(row_files, load_mode=mode), loader.session.costs.take()


@pytest.mark.parametrize("mode", ["merge", "replace", "append"])
def test_nothing_is_written_beyond_the_limit(sandbox: BigQuerySandbox, faulty: Warehouse, mode: LoadMode) -> None:
    """The second table would cost too much: the first is not written either, and no staging table is left."""
    small, large = load(faulty, STORY_POLLS, ACCOUNT_INSIGHTS, mode=mode)[0]
    before = {table.default_id: sandbox.rows("d", table.default_id) for table in (STORY_POLLS, ACCOUNT_INSIGHTS)}
    asked = len(sandbox.jobs)
    limit = LEAST_BILLED + {"merge": 20_000, "replace": 30_000, "append": 7_000}[mode]
    with pytest.raises(LoadError, match=r"Nothing was written: .*account_insights can bill \d+ bytes, and maximum_byt"):
        load(faulty, STORY_POLLS, ACCOUNT_INSIGHTS, limit=limit, version=1, mode=mode)
    assert {job.id.split("-")[1] for job in sandbox.jobs[asked:]} <= {"load", "verify"}
    assert before == {name: sandbox.rows("d", name) for name in before}
    assert set(sandbox.tables("d")) == set(before)
    assert (small.rows, large.rows) == (40, 40)


@pytest.mark.parametrize("table", [ACCOUNT_INSIGHTS, MEDIA], ids=lambda table: table.name)
def test_a_wide_limit_changes_nothing(sandbox: BigQuerySandbox, faulty: Warehouse, table: Table) -> None:
    """The rows are written, and each statement carried the limit."""
    for version in (0, 1):
        ((result,), _) = load(faulty, table, limit=LEAST_BILLED + 10**9, version=version)
        assert result.affected == 40
    with faulty.connect() as client:
        limits = {job.maximum_bytes_billed for job in client.list_jobs() if job.job_type == "query"}
    assert limits == {LEAST_BILLED + 10**9}


def test_bigquery_refuses_what_was_not_foreseen(faulty: Warehouse) -> None:
    """A lookup, too, fails in words that say what to change."""
    load(faulty, ACCOUNT_INSIGHTS)
    target = rows.target(project=faulty.project, dataset=faulty.dataset)
    sql = f"SELECT account_id FROM `{target.path}`"
    refusal = pytest.raises(LoadError, match=r"limit for bytes billed: 1\. .*Raise maximum_bytes_billed")
    with faulty.loader(rows.identity(), maximum_bytes_billed=1) as loader, refusal:
        loader.session.read(target, sql=sql, doing="look")


def test_the_costs_are_bigquerys(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """By table and kind of statement, what the jobs say; taking them begins anew."""
    load(faulty, ACCOUNT_INSIGHTS)
    asked = len(sandbox.jobs)
    _, costs = load(faulty, ACCOUNT_INSIGHTS, version=1)
    jobs = sandbox.jobs[asked:]
    path = f"{faulty.project}.{faulty.dataset}.{ACCOUNT_INSIGHTS.default_id}"
    assert set(costs) == {path}
    assert set(costs[path]) == {"merge", "verify", "correct"}
    for kind, told in costs[path].items():
        mine = [job for job in jobs if f"-{kind}-" in job.id]
        assert told == {
            "jobs": len(mine),
            "bytes_processed": sum(job.bytes_processed for job in mine),
            "bytes_billed": sum(job.bytes_billed for job in mine),
        }
        assert told["bytes_billed"] > 0


def test_costs_add_up() -> None:
    """Of several tries of a task, kind by kind."""
    one = {"p.d.t": {"merge": {"jobs": 1, "bytes_processed": 2, "bytes_billed": 3}}}
    two = {"p.d.t": {"verify": {"jobs": 1, "bytes_processed": 5, "bytes_billed": 7}}, "p.d.u": one["p.d.t"]}
    assert add_costs({}, one, one, two) == {
        "p.d.t": {
            "merge": {"jobs": 2, "bytes_processed": 4, "bytes_billed": 6},
            "verify": {"jobs": 1, "bytes_processed": 5, "bytes_billed": 7},
        },
        "p.d.u": {"merge": {"jobs": 1, "bytes_processed": 2, "bytes_billed": 3}},
    }
