"""Two tasks that insert the same new key at once: BigQuery lets both, and the loader leaves one row."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.bigquery.duplicate_check import check
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import IncompatibleTable
from airflow_provider_iginsights.sandbox.bigquery.faults import BigQueryFault
from tests.support.bigquery import rows
from tests.support.bigquery.keys import claim_key
from tests.support.bigquery.warehouses import IMPATIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult, TargetTable
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox
    from tests.support.bigquery.warehouses import Warehouse


def target(warehouse: Warehouse) -> TargetTable:
    """Return the account insights of the warehouse."""
    return rows.target(project=warehouse.project, dataset=warehouse.dataset)


def load(
    warehouse: Warehouse,
    given: list[dict[str, object]],
    *,
    task_id: str = "load",
    mode: LoadMode = "merge",
    made_for: LoadMode | None = "merge",
) -> LoadResult:
    """Run one task; ``made_for`` None = without asking whether the table is meant for the mode."""
    with warehouse.loader(rows.identity(task_id=task_id)) as loader:
        loader.ensure([target(warehouse)], load_mode=made_for and mode)
        row_file = loader.row_file(target(warehouse))
        for row in given:
            row_file.write(row)
        return loader.commit([row_file], load_mode=mode)[0]


def at_once(*tasks: Callable[[], LoadResult]) -> list[LoadResult]:
    """Run tasks in threads that begin together; raise what one of them raised."""
    results: list[LoadResult] = []
    failures: list[BaseException] = []
    together = threading.Barrier(len(tasks))

    def run(task: Callable[[], LoadResult]) -> None:
        together.wait()
        try:
            results.append(task())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return results


def stored(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """Return what stands in the target."""
    with warehouse.connect() as client:
        return rows.stored(client, target(warehouse))


@pytest.mark.parametrize("versions", [(1, 2, 3), (1, 1, 1)], ids=["different rows", "equal rows"])
def test_tasks_that_race_leave_one_row_of_each_key(
    sandbox: BigQuerySandbox, faulty: Warehouse, versions: tuple[int, ...]
) -> None:
    """Whoever commits last, no key stands twice, and the latest fetch is what is left."""
    load(faulty, [])
    sandbox.switches.snapshot_seconds = 0.5
    sandbox.switches.dml_queue = (10, 20)
    given = [rows.rows(ACCOUNT_INSIGHTS, range(40), version=version) for version in versions]
    results = at_once(*(_task(faulty, each, number) for number, each in enumerate(given)))
    assert sum(result.deduplicated for result in results) >= 40, "the tasks did not race"
    assert stored(faulty) == rows.truth(ACCOUNT_INSIGHTS, [row for each in given for row in each])


def _task(warehouse: Warehouse, given: list[dict[str, object]], number: int) -> Callable[[], LoadResult]:
    return lambda: load(warehouse, given, task_id=f"task{number}")


def test_overlapping_chunks_race(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """Tasks that share only some keys leave each key once."""
    load(faulty, [])
    sandbox.switches.snapshot_seconds = 0.3
    sandbox.switches.dml_queue = (10, 20)
    given = [rows.rows(ACCOUNT_INSIGHTS, range(start, start + 20), version=start) for start in (0, 5, 10, 15)]
    at_once(*(_task(faulty, each, number) for number, each in enumerate(given)))
    assert stored(faulty) == rows.truth(ACCOUNT_INSIGHTS, [row for each in given for row in each])


def test_a_writer_that_died_before_its_look_is_cleaned_up_by_the_next(
    sandbox: BigQuerySandbox, faulty: Warehouse
) -> None:
    """Duplicates that nobody removed are removed by the next load of their keys, with the user's own column."""
    given = rows.rows(ACCOUNT_INSIGHTS, range(10), version=1)
    load(faulty, given)
    doubled(faulty, "ALTER TABLE {t} ADD COLUMN note STRING", "UPDATE {t} SET note = 'mine' WHERE TRUE")
    doubled(faulty, "INSERT INTO {t} SELECT * FROM {t}")
    later = rows.rows(ACCOUNT_INSIGHTS, range(10), version=2)
    assert load(faulty, later).deduplicated == 10
    assert stored(faulty) == rows.truth(ACCOUNT_INSIGHTS, later)
    assert {row["note"] for row in sandbox.rows("d", target(faulty).table_id)} == {"mine"}


def doubled(warehouse: Warehouse, *statements: str) -> None:
    """Run statements about the target, {t}."""
    with warehouse.connect() as client:
        for sql in statements:
            client.query(sql.format(t=f"`{target(warehouse).path}`")).result()


def test_a_lost_answer_to_a_deduplication_does_no_harm(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """The deduplication is found again under its id."""
    given = rows.rows(ACCOUNT_INSIGHTS, range(10))
    load(faulty, given)
    doubled(faulty, "INSERT INTO {t} SELECT * FROM {t}")
    sandbox.faults.add(BigQueryFault(route=r"POST /bigquery/.*/jobs$", body="CROSS JOIN UNNEST", effect="answerLost"))
    assert load(faulty, given).deduplicated == 10
    assert stored(faulty) == rows.truth(ACCOUNT_INSIGHTS, given)


@pytest.mark.referee
def test_the_check_finds_and_deduplicates(warehouse: Warehouse) -> None:
    """The check counts doubled keys, changes nothing by itself, and on request leaves the newest row of each."""
    given = rows.rows(ACCOUNT_INSIGHTS, range(10), version=1)
    newer = rows.rows(ACCOUNT_INSIGHTS, range(4), version=2)
    load(warehouse, given)
    load(warehouse, newer, mode="append", made_for=None)
    targets = [target(warehouse), rows.target(ACCOUNTS, project=warehouse.project, dataset=warehouse.dataset)]
    with warehouse.connect() as client:
        found = [
            list(check(client, targets=targets, deduplicate=deduplicate, retry_budget=IMPATIENT))
            for deduplicate in (False, True, False)
        ]
    assert [[finding.doubled for finding in each] for each in found] == [[4, None], [4, None], [0, None]]
    assert stored(warehouse) == rows.truth(ACCOUNT_INSIGHTS, [*given, *newer])


def test_a_history_is_not_deduplicated(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that load_mode="append" created keeps every row, and the command says why and what to do.

    Its label says so, even where somebody declares a key later.
    """
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", sandbox.url)
    for version in (1, 2):
        load(faulty, rows.rows(ACCOUNT_INSIGHTS, range(3), version=version), mode="append")
    before = stored(faulty)
    where = ["--project", faulty.project, "--dataset", faulty.dataset, "--skip-missing"]
    assert main(["tables", "--deduplicate", *where]) == 1
    assert stored(faulty) == before
    assert len(before) == 6
    said = capsys.readouterr().out
    assert "3 keys stood there more than once. They were kept: the table claims no primary key" in said
    assert "ADD PRIMARY KEY (account_id, metric, period" in said
    with faulty.connect() as client:
        found = client.get_table(target(faulty).path)
        assert found.labels["iginsights_mode"] == "append"
        claim_key(found, *ACCOUNT_INSIGHTS.key)
        client.update_table(found, ["table_constraints"])
    assert main(["tables", "--deduplicate", *where]) == 1
    assert stored(faulty) == before


@pytest.mark.parametrize(
    ("made", "then"), [("merge", "append"), ("replace", "append"), ("append", "merge"), ("append", "replace")]
)
def test_modes_do_not_mix(faulty: Warehouse, made: LoadMode, then: LoadMode) -> None:
    """One key once, or every fetch: a table is one of the two, and the other is refused by name before any row."""
    given = rows.rows(ACCOUNT_INSIGHTS, range(3), version=1)
    load(faulty, given, mode=made)
    before = stored(faulty)
    with pytest.raises(IncompatibleTable, match=rf'{target(faulty).path} .*load_mode="{then}"'):
        load(faulty, rows.rows(ACCOUNT_INSIGHTS, range(3), version=2), mode=then)
    assert stored(faulty) == before


def test_the_command_speaks_and_ends_with_a_code(
    sandbox: BigQuerySandbox, faulty: Warehouse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 = no key twice (any more), 1 = some, 2 = not checked."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", sandbox.url)
    load(faulty, rows.rows(ACCOUNT_INSIGHTS, range(3)))
    doubled(faulty, "INSERT INTO {t} SELECT * FROM {t}")
    where = ["--project", faulty.project, "--skip-missing", "--dataset", faulty.dataset]
    done = [main(["tables", option, *where]) for option in ("--check", "--deduplicate", "--check")]
    assert done == [1, 0, 0]
    said = capsys.readouterr().out
    assert (
        "p-1.d.instagram_account_insights: 3 keys stood there more than once; the newest row of each was kept." in said
    )
    assert main(["tables", "--check", *where[:-1], "bad-id"]) == 2
    assert "is not a BigQuery dataset id" in capsys.readouterr().err
