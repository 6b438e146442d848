"""Many tasks stage, one writes: the targets are those of one task that did both, whatever dies or is repeated."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.bigquery import combine
from airflow_provider_iginsights.bigquery.staged_rows import StagedPart, StagedRows
from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, MEDIA, Table
from airflow_provider_iginsights.errors import LoadError
from tests.support.bigquery import killed_loads as chaos
from tests.support.bigquery import rows
from tests.support.bigquery.warehouses import Warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_iginsights.bigquery.target import LoadMode, LoadResult, TargetTable
    from airflow_provider_iginsights.sandbox.bigquery.sandbox import BigQuerySandbox

CHUNKS = 3


def target(warehouse: Warehouse, table: Table = ACCOUNT_INSIGHTS) -> TargetTable:
    """Return the target in the warehouse's dataset."""
    return rows.target(table, project=warehouse.project, dataset=warehouse.dataset, location=warehouse.location)


def stage(
    warehouse: Warehouse,
    given: Sequence[dict[str, object]],
    *,
    task_id: str = "read",
    try_number: int = 1,
    table: Table = ACCOUNT_INSIGHTS,
    kept: Sequence[StagedPart] = (),
) -> tuple[StagedPart, ...]:
    """Stage rows as one task that reads; what it returns has been JSON in between."""
    with warehouse.loader(rows.identity(task_id=task_id, try_number=try_number)) as loader:
        loader.ensure([target(warehouse, table)])
        row_file = loader.row_file(target(warehouse, table))
        for row in given:
            row_file.write(row)
        return tuple(StagedPart.unpack(part.pack()) for part in loader.stage([row_file], kept=kept))


def stage_chunks(
    warehouse: Warehouse, given: Sequence[dict[str, object]], table: Table = ACCOUNT_INSIGHTS
) -> list[StagedPart]:
    """Stage rows as several tasks that read a part each."""
    return [
        part
        for number in range(CHUNKS)
        for part in stage(warehouse, given[number::CHUNKS], task_id=f"read_{number}", table=table)
    ]


def write(
    warehouse: Warehouse,
    parts: Sequence[StagedPart],
    *,
    try_number: int = 1,
    table: Table = ACCOUNT_INSIGHTS,
    load_mode: LoadMode = "merge",
) -> list[LoadResult]:
    """Write as the task that writes does: what is there, and refuse to go on without what was never written."""
    with warehouse.loader(rows.identity(task_id="write", try_number=try_number)) as loader:
        there = loader.find_staged(parts)
        here = [part for part in parts if part.path in there]
        gone = {part.key for part in parts if part.path not in there}
        assert gone <= loader.find_written(target(warehouse, table)), "rows are lost"
        accounts = sorted({str(row["account_id"]) for row in rows.rows(table, range(400))})
        staged = [StagedRows(target=target(warehouse, table), parts=here, account_ids=accounts)] if here else []
        results = loader.write_staged(staged, load_mode=load_mode)
        loader.finish_staged(target(warehouse, table), here)
    return list(results)


def read(warehouse: Warehouse, table: Table = ACCOUNT_INSIGHTS) -> list[tuple[object, ...]]:
    """Return what stands in the target."""
    with warehouse.connect() as client:
        return rows.stored(client, target(warehouse, table))


def leftovers(warehouse: Warehouse) -> list[str]:
    """Return the staging tables that are left."""
    with warehouse.connect() as client:
        return rows.staging_left(client, target(warehouse))


@pytest.mark.parametrize("table", [ACCOUNT_INSIGHTS, MEDIA], ids=lambda table: table.name)
@pytest.mark.referee
def test_many_staged_parts_are_written_as_one(warehouse: Warehouse, table: Table) -> None:
    """Three tasks stage two versions; after each writing the target is the truth, and no staging table is left."""
    first, second = (rows.rows(table, range(60), version=1), rows.rows(table, range(30, 90), version=2))
    (result,) = write(warehouse, stage_chunks(warehouse, first, table), table=table)
    assert (result.rows, result.affected) == (60, 60)
    (result,) = write(warehouse, stage_chunks(warehouse, second, table), table=table, try_number=2)
    assert (result.rows, result.affected) == (60, 60)
    assert read(warehouse, table) == rows.truth(table, [*first, *second])
    assert leftovers(warehouse) == []


def test_one_statement_whatever_the_number_of_tasks(sandbox: BigQuerySandbox, faulty: Warehouse) -> None:
    """The jobs of the writing are those of one task that writes itself; a copy job stands in the load job's place."""
    given = rows.rows(ACCOUNT_INSIGHTS, range(60))
    parts = stage_chunks(faulty, given)
    before = len(sandbox.jobs)
    write(faulty, parts)
    jobs = [(job.type, (job.statement or "").split("\n")[0].split(" ")[0]) for job in sandbox.jobs[before:]]
    assert jobs == [("COPY", ""), ("QUERY", "MERGE"), ("QUERY", "SELECT"), ("QUERY", "SELECT")]
    (copy,) = (job for job in sandbox.jobs[before:] if job.type == "COPY")
    merge = sandbox.jobs[before + 1].statement or ""
    assert str(copy.target).rpartition(".")[2] in merge
    assert "`account_id` IN (" in merge


def test_more_parts_than_one_copy_job_takes(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are copied by several jobs, each row once."""
    monkeypatch.setattr(combine, "MAX_SOURCES", 2)
    given = rows.rows(ACCOUNT_INSIGHTS, range(60))
    write(warehouse, stage_chunks(warehouse, given))
    assert read(warehouse) == rows.truth(ACCOUNT_INSIGHTS, given)


def test_another_try_takes_the_place_of_the_one_before(warehouse: Warehouse) -> None:
    """What a task staged in an earlier try is dropped by the next one, unless it goes on with it."""
    old = stage(warehouse, rows.rows(ACCOUNT_INSIGHTS, range(10)))
    new = stage(warehouse, rows.rows(ACCOUNT_INSIGHTS, range(10, 20)), try_number=2)
    more = stage(warehouse, rows.rows(ACCOUNT_INSIGHTS, range(20, 30)), try_number=2, kept=new)
    with warehouse.loader(rows.identity(task_id="write")) as loader:
        assert loader.find_staged([*old, *new, *more]) == {part.path for part in (*new, *more)}
    write(warehouse, [*new, *more])
    assert read(warehouse) == rows.truth(ACCOUNT_INSIGHTS, rows.rows(ACCOUNT_INSIGHTS, range(10, 30)))
    assert leftovers(warehouse) == []


def test_a_cleared_chunk_is_written_beside_what_was_written_before(warehouse: Warehouse) -> None:
    """One task reads again: its rows are merged; those of the others were dropped once written, and are not missed."""
    given = rows.rows(ACCOUNT_INSIGHTS, range(60), version=1)
    parts = stage_chunks(warehouse, given)
    write(warehouse, parts)
    newer = rows.rows(ACCOUNT_INSIGHTS, range(0, 60, CHUNKS), version=2)
    again = stage(warehouse, newer, task_id="read_0", try_number=2)
    (result,) = write(warehouse, [*again, *parts[1:]], try_number=2)
    assert (result.rows, result.affected) == (20, 20)
    assert read(warehouse) == rows.truth(ACCOUNT_INSIGHTS, [*given, *newer])
    with pytest.raises(AssertionError, match="rows are lost"):
        write(warehouse, [StagedPart.unpack(parts[0].pack() | {"path": f"{parts[0].path}x"})], try_number=3)


def test_a_part_that_goes_while_it_is_copied(warehouse: Warehouse) -> None:
    """It fails the task before anything is written: the parts are written all or not at all."""
    parts = stage_chunks(warehouse, rows.rows(ACCOUNT_INSIGHTS, range(60)))
    with warehouse.connect() as client:
        client.delete_table(parts[1].path)
    with warehouse.loader(rows.identity(task_id="write")) as loader, pytest.raises(LoadError, match="Not found"):
        loader.write_staged([StagedRows(target=target(warehouse), parts=parts, account_ids=[])])
    assert read(warehouse) == []


def test_days_survive_the_journey() -> None:
    """The days of a part are packed as intervals; whatever they are, the same come back."""
    dice = random.Random(3)
    every = [f"2026-{month:02d}-{day:02d}" for month in (1, 2, 12) for day in range(1, 29)]
    for size in (1, 2, 3, 20, len(every)):
        days = tuple(sorted(dice.sample(every, size)))
        part = StagedPart(table="media", target="p.d.t", path="p.d.t__stg_x", rows=1, days=days, payload="ff")
        assert StagedPart.unpack(part.pack()) == part
    assert part.pack()["days"] == ["2026-01-01/2026-01-28", "2026-02-01/2026-02-28", "2026-12-01/2026-12-28"]


POINTS: dict[str, chaos.Kill] = {
    "looking": chaos.Kill(when="before", method="GET", path="/tables"),
    "staging created": chaos.Kill(when="after", method="POST", path="/tables"),
    "while the copy is sent": chaos.Kill(when="during", method="POST", path="/jobs", body="copy", seconds=0.004),
    "copy submitted": chaos.Kill(when="after", method="POST", path="/jobs", body="sourceTables"),
    "while the MERGE is sent": chaos.Kill(when="during", method="POST", path="/jobs", body="MERGE", seconds=0.004),
    "MERGE submitted": chaos.Kill(when="after", method="POST", path="/jobs", body="MERGE"),
    "merged": chaos.Kill(when="before", method="POST", path="/jobs", body="doubled"),
    "before it is noted": chaos.Kill(when="before", method="POST", path="/jobs", body="written_parts"),
    "noted": chaos.Kill(when="after", method="POST", path="/jobs", body="written_parts"),
    "one part dropped": chaos.Kill(when="after", method="DELETE", path="__stg_", number=3),
    "all dropped": chaos.Kill(when="after", method="DELETE", path="__stg_", number=CHUNKS + 1),
}


def write_and_die(url: str, dataset: str, packed: list[dict[str, object]], kill: chaos.Kill) -> None:
    """Write what was staged, and die on the way."""
    warehouse = chaos.warehouse_at(url, dataset=dataset)
    with warehouse.loader(rows.identity(task_id="write")) as loader:
        chaos.kill_at(loader, kill)
        parts = [StagedPart.unpack(each) for each in packed]
        staged = StagedRows(target=target(warehouse), parts=parts, account_ids=[])
        assert loader.find_staged(parts)
        loader.write_staged([staged])
        loader.finish_staged(target(warehouse), parts)


@pytest.mark.parametrize("point", POINTS)
def test_killed_while_it_writes(shared_sandbox: BigQuerySandbox, point: str) -> None:
    """Whatever the point, the next try ends with exactly the truth and no staging table."""
    dataset = f"f_{random.SystemRandom().getrandbits(48):x}"
    warehouse = chaos.warehouse_at(shared_sandbox.url, dataset=dataset)
    first, second = (rows.rows(ACCOUNT_INSIGHTS, range(60), version=version) for version in (1, 2))
    write(warehouse, stage_chunks(warehouse, first))
    parts = stage_chunks(warehouse, second[:40] + rows.rows(ACCOUNT_INSIGHTS, range(60, 80), version=2))
    packed = [part.pack() for part in parts]
    process = chaos.SPAWN.Process(target=write_and_die, args=(shared_sandbox.url, dataset, packed, POINTS[point]))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "was not killed"
    write(warehouse, parts, try_number=2)
    expected = [*first, *second[:40], *rows.rows(ACCOUNT_INSIGHTS, range(60, 80), version=2)]
    assert read(warehouse) == rows.truth(ACCOUNT_INSIGHTS, expected)
    assert leftovers(warehouse) == []


def stage_and_die(url: str, dataset: str, kill: chaos.Kill) -> None:
    """Stage rows, and die on the way."""
    warehouse = chaos.warehouse_at(url, dataset=dataset)
    with warehouse.loader(rows.identity(task_id="read")) as loader:
        chaos.kill_at(loader, kill)
        row_file = loader.row_file(target(warehouse))
        for row in rows.rows(ACCOUNT_INSIGHTS, range(20)):
            row_file.write(row)
        loader.stage([row_file])
        os.kill(os.getpid(), signal.SIGKILL)  # before it could hand its parts on


@pytest.mark.parametrize("point", ["staging created", "while loading", "load submitted", "staged"])
def test_killed_while_it_stages(shared_sandbox: BigQuerySandbox, point: str) -> None:
    """What a killed try staged is written by nobody; the next try drops it and stages its own."""
    dataset = f"f_{random.SystemRandom().getrandbits(48):x}"
    warehouse = chaos.prepared(shared_sandbox.url, dataset=dataset)
    never = chaos.Kill(when="before", method="NEVER")
    args = (shared_sandbox.url, dataset, chaos.POINTS.get(point, never))
    process = chaos.SPAWN.Process(target=stage_and_die, args=args)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(leftovers(warehouse)) == 1
    newer = rows.rows(ACCOUNT_INSIGHTS, range(20), version=1)
    parts = stage(warehouse, newer, try_number=2)
    assert leftovers(warehouse) == [part.path.rpartition(".")[2] for part in parts]
    write(warehouse, parts)
    assert read(warehouse) == rows.truth(ACCOUNT_INSIGHTS, newer)
    assert leftovers(warehouse) == []
