"""Fan-in: mapped transfers stage, one task writes; the tables are those of one task that did both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.errors import ConfigurationError, StagedRowsMissing
from airflow_provider_iginsights.extract.left_out import MAX_GROUPS
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from tests.support.sandboxes import (
    DATASET,
    END,
    NOW,
    START,
    TRANSFERS,
    RecordingTaskInstance,
    Sandboxes,
    facts,
    open_sandboxes,
)

LEAST_OF_A_QUERY = 10 * 2**20
KINDS = ("account", "media", "story")
TO = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}
RUN_ID = "scheduled__2026-11-21"


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Open sandboxes with four accounts."""
    with open_sandboxes(
        World.build(now=NOW, accounts=4, media_per_account=6, stories_per_account=2), pricing=True
    ) as opened:
        yield opened


def chunks_of(sandboxes: Sandboxes, size: int = 2) -> list[list[str]]:
    """Return the accounts in chunks."""
    ids = list(sandboxes.world.accounts)
    return [ids[at : at + size] for at in range(0, len(ids), size)]


def stage(kind: str, chunk: list[str], place: int, *, try_number: int = 1, run_id: str = RUN_ID, **given: Any) -> Any:
    """Run one mapped task; return what it leaves in XCom under ``staged``, as JSON, and what it returned or raised."""
    operator = TRANSFERS[kind](
        task_id=kind, account_ids=chunk, load="stage", **TO | {"runs_table_id": None, "left_out_table_id": None} | given
    )
    instance = RecordingTaskInstance(task_id=kind, run_id=run_id, map_index=place, try_number=try_number)
    try:
        operator.execute({"ti": instance, "data_interval_start": START, "data_interval_end": END})
    except Exception as error:
        instance.pushed["error"] = error
    return json.loads(json.dumps({key: value for key, value in instance.pushed.items() if key == "staged"})).get(
        "staged"
    )


def write(
    staged: list[Any], account_ids: Any, *, try_number: int = 1, run_id: str = RUN_ID, **given: Any
) -> dict[str, Any]:
    """Run the task that writes."""
    operator = InstagramWriteStagedToBigQueryOperator(
        task_id="write", staged=staged, account_ids=account_ids, **TO | given
    )
    return operator.execute({"ti": RecordingTaskInstance(task_id="write", run_id=run_id, try_number=try_number)})


def tables(sandboxes: Sandboxes) -> dict[str, Any]:
    """Return all tables by key, without how their rows came to be."""
    return {table_id: facts(table_id, found) for table_id, found in sandboxes.everything().items()}


def expected(kind: str, **given: Any) -> dict[str, Any]:
    """Return the tables of one task, in a world of its own."""
    with open_sandboxes(World.build(now=NOW, accounts=4, media_per_account=6, stories_per_account=2)) as other:
        # Who is named has no Page; so it is in chunks, too.
        other.run(kind, **{"account_ids": list(other.world.accounts)} | given)
        return tables(other)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_are_those_of_one_task(sandboxes: Sandboxes, kind: str) -> None:
    """Nothing is in a target before the task that writes; then everything is, and no staging table is left."""
    chunks = chunks_of(sandboxes)
    staged = [stage(kind, chunk, place) for place, chunk in enumerate(chunks)]
    assert not any(tables(sandboxes).values())
    summary = write(staged, chunks)
    assert tables(sandboxes) == expected(kind)
    assert sandboxes.staging() == []
    assert summary["accounts_done"] == list(sandboxes.world.accounts)
    assert summary["rows"] == summary["rows_changed"] == sum(len(found) for found in tables(sandboxes).values())
    assert summary["chunks_missing"] == {}


@pytest.mark.parametrize("kind", KINDS)
def test_it_asks_bigquery_as_often_as_one_task(sandboxes: Sandboxes, kind: str) -> None:
    """Its statements are those of one task, but for a look of each task; four tasks that write bill thrice that."""

    def billing(jobs: Any) -> list[str]:
        said = [job.statement or "" for job in jobs if job.type == "QUERY"]
        return sorted(sql.split(" ")[0] for sql in said if "FROM" in sql or "MERGE" in sql)

    chunks = chunks_of(sandboxes, size=1)
    summary = write([stage(kind, chunk, place) for place, chunk in enumerate(chunks)], chunks)
    found = billing(sandboxes.bigquery.jobs)
    costs = [counts["bytes_billed"] for kinds in summary["bigquery_bytes"].values() for counts in kinds.values()]
    assert sum(costs) == sum(job.bytes_billed for job in sandboxes.bigquery.jobs)
    with open_sandboxes(
        World.build(now=NOW, accounts=4, media_per_account=6, stories_per_account=2), pricing=True
    ) as other:
        other.run(kind)
        # Each task of media looks for the posts that its accounts list no more.
        looks = len(chunks) - 1 if kind == "media" else 0
        assert found == sorted([*billing(other.bigquery.jobs), *["SELECT"] * looks])
        one_task = sum(job.bytes_billed for job in other.bigquery.jobs)
        most = 1.1 * one_task + looks * LEAST_OF_A_QUERY
        assert 0 < sum(job.bytes_billed for job in sandboxes.bigquery.jobs) <= most
        for chunk in chunks:
            other.run(kind, account_ids=chunk, dataset_id="mapped")
        assert sum(job.bytes_billed for job in other.bigquery.jobs) - one_task > 3 * one_task


def test_one_statement_names_the_accounts(sandboxes: Sandboxes) -> None:
    """The MERGE names the accounts of all chunks as constants; what a staging task returns says nothing of tables."""
    assert "staged" not in sandboxes.run("account", load="stage", dataset_id="other")
    chunks = chunks_of(sandboxes)
    write([stage("account", chunk, place) for place, chunk in enumerate(chunks)], chunks)
    merges = [job.statement or "" for job in sandboxes.bigquery.jobs if (job.statement or "").startswith("MERGE")]
    assert len(merges) == 2
    for account_id in sandboxes.world.accounts:
        assert all(f"'{account_id}'" in sql for sql in merges)


def test_a_missing_chunk_is_named(sandboxes: Sandboxes) -> None:
    """A mapped task that handed over nothing fails the task that writes, after the rest was written; or is reported."""
    chunks = chunks_of(sandboxes)
    first = stage("account", chunks[0], 0)
    with pytest.raises(StagedRowsMissing, match=f"chunk 1 \\({chunks[1][0]}, {chunks[1][1]}\\)"):
        write([first], chunks)
    assert {key[0] for key in tables(sandboxes)["instagram_account_insights"]} == set(chunks[0])
    second = stage("account", chunks[1], 1, try_number=2)
    summary = write([first, second], chunks, try_number=2)
    assert tables(sandboxes) == expected("account")
    assert summary["chunks_missing"] == {}
    assert sandboxes.staging() == []


def test_a_missing_chunk_can_be_skipped(sandboxes: Sandboxes) -> None:
    """With on_account_error="skip" it is reported only; where nothing at all was staged, the task still fails.

    A chunk is left out for no week: quarantine is for those who meet the accounts.
    """
    chunks = chunks_of(sandboxes)
    summary = write([stage("media", chunks[1], 1)], chunks, on_account_error="skip")
    assert list(summary["chunks_missing"]) == ["0"]
    for account_ids in (chunks, None):
        with pytest.raises(StagedRowsMissing):
            write([], account_ids, on_account_error="skip")
    assert write([], [])["rows"] == 0
    with pytest.raises(ConfigurationError, match="on_account_error must be one of fail, skip"):
        write([], chunks, on_account_error="quarantine")


def test_a_failed_account_costs_itself(sandboxes: Sandboxes) -> None:
    """The mapped task fails and hands over the rest; the task that writes writes it, then fails naming the account."""
    chunks = chunks_of(sandboxes)
    bad = chunks[0][0]
    sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(10, message="(#10) no permission"), path=bad, times=None))
    staged = [stage("account", chunk, place) for place, chunk in enumerate(chunks)]
    assert [bad in each["accounts_failed"] for each in staged] == [True, False]
    with pytest.raises(StagedRowsMissing, match=f"account {bad}"):
        write(staged, chunks)
    found = {key[0] for key in tables(sandboxes)["instagram_accounts"]}
    assert found == set(sandboxes.world.accounts) - {bad}


@pytest.mark.parametrize("kind", KINDS)
def test_a_cleared_chunk_is_written_again(sandboxes: Sandboxes, kind: str) -> None:
    """One mapped task and the task that writes are cleared: the other chunks' rows are written already, and stay."""
    chunks = chunks_of(sandboxes)
    staged = [stage(kind, chunk, place) for place, chunk in enumerate(chunks)]
    write(staged, chunks)
    before = tables(sandboxes)
    again = stage(kind, chunks[1], 1, try_number=2)
    summary = write([staged[0], again], chunks, try_number=2)
    assert summary["rows"] > 0
    assert summary["accounts_done"] == list(sandboxes.world.accounts)
    assert tables(sandboxes) == before
    assert write([staged[0], again], chunks, try_number=3)["rows"] == 0
    assert sandboxes.staging() == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_earlier_try_left_is_dropped(sandboxes: Sandboxes, kind: str) -> None:
    """A try that wrote everything and could drop nothing of its own is run again: that finds no rows, and drops it."""
    chunks = chunks_of(sandboxes)
    staged = [stage(kind, chunk, place) for place, chunk in enumerate(chunks)]
    chunk_tables = set(sandboxes.staging())
    own = f"DELETE .*__stg_(?!{'|'.join(table_id.partition('__stg_')[2] for table_id in chunk_tables)})"
    sandboxes.bigquery.faults.add(BigQueryFault(route=own, effect="accessDenied", times=None))
    write(staged, chunks)
    assert sandboxes.staging()
    assert chunk_tables.isdisjoint(sandboxes.staging())
    sandboxes.bigquery.faults.clear()
    assert write(staged, chunks, try_number=2)["rows"] == 0
    assert sandboxes.staging() == []
    assert tables(sandboxes) == expected(kind)


def test_rows_that_waited_too_long_are_missed(sandboxes: Sandboxes) -> None:
    """Staged rows expire after a week: their chunk is named, and nothing of it is written."""
    chunks = chunks_of(sandboxes)
    first = stage("account", chunks[0], 0)
    sandboxes.travel(timedelta(days=7, minutes=1))
    second = stage("account", chunks[1], 1)
    with pytest.raises(StagedRowsMissing, match=r"chunk 0 .* is gone: such rows are kept for a week"):
        write([first, second], chunks)
    assert {key[0] for key in tables(sandboxes)["instagram_account_insights"]} == set(chunks[1])


def test_two_runs_at_once(sandboxes: Sandboxes) -> None:
    """Two runs stage the same accounts; each writes its own rows, and each key stands once."""
    chunks = chunks_of(sandboxes)
    runs = {
        run_id: [stage("account", chunk, place, run_id=run_id) for place, chunk in enumerate(chunks)]
        for run_id in ("scheduled__a", "scheduled__b")
    }
    for run_id, staged in runs.items():
        write(staged, chunks, run_id=run_id)
    assert tables(sandboxes) == expected("account")
    assert sandboxes.staging() == []


def test_what_cannot_be_written_together_is_refused(sandboxes: Sandboxes) -> None:
    """Other transfers, other datasets, XComs of something else, and captures that are written one by one."""
    chunks = chunks_of(sandboxes)
    account, media = stage("account", chunks[0], 0), stage("media", chunks[1], 1, load_mode="replace")
    for staged, says in (
        ([account, media], "different transfers or load modes"),
        ([account, account], "several tasks"),
        ([{"rows": 1}], 'load="stage"'),
        ("x", 'load="stage"'),
    ):
        with pytest.raises(ConfigurationError, match=says):
            write(staged, None)
    with pytest.raises(ConfigurationError, match="staged for"):
        write([account], None, dataset_id="other")
    with pytest.raises(ConfigurationError, match="load must be one of write, stage"):
        sandboxes.run("account", load="later")
    operator = TRANSFERS["story"](task_id="s", load="stage", capture="before_expiry", **TO)
    with pytest.raises(ConfigurationError, match="before_expiry"):
        operator.check_arguments()


def test_very_many_unread_groups_fit_into_one_statement(sandboxes: Sandboxes) -> None:
    """Each chunk hands on as many as it may; of all together, the statement names no more than one task's would."""
    chunks = chunks_of(sandboxes, size=1)
    staged = [stage("account", chunk, place, load_mode="replace") for place, chunk in enumerate(chunks)]
    for [account_id], summary in zip(chunks, staged, strict=True):
        summary["staged"]["protected"] = [
            {"account_id": [account_id], "metric": ["reach"], "breakdown": [f"{'long' * 20}-{number}"]}
            for number in range(MAX_GROUPS)
        ]
    written = write(staged, chunks)
    texts = [job.statement or "" for job in sandboxes.bigquery.jobs]
    assert 0 < max(map(len, texts)) < 100_000
    assert written["rows"] == written["rows_changed"] > 0


def test_replace_spares_and_quarantine_goes_along(sandboxes: Sandboxes) -> None:
    """Whatever the load mode, the status of quarantined accounts is merged by the task that writes."""
    chunks = chunks_of(sandboxes)
    bad = chunks[0][0]
    sandboxes.graph.faults.add(
        GraphFault(effect=ErrorEffect(100, 33, message="Unsupported get request"), path=bad, times=None)
    )
    options = {"load_mode": "replace", "on_account_error": "quarantine"}
    staged = [stage("account", chunk, place, **options) for place, chunk in enumerate(chunks)]
    with pytest.raises(StagedRowsMissing, match=bad):
        write(staged, chunks)
    found = tables(sandboxes)
    assert [key[0] for key in found["instagram_account_status"]] == [bad]
    assert {key[0] for key in found["instagram_account_insights"]} == set(sandboxes.world.accounts) - {bad}


def test_stories_hour_after_hour(sandboxes: Sandboxes) -> None:
    """Polls of all chunks are compared once with the earlier ones: gaps and final marks are those of one task."""
    chunks = chunks_of(sandboxes)
    seen: list[Any] = []
    for hours in (0, 1, 30):
        sandboxes.travel(timedelta(hours=hours))
        run_id = f"scheduled__{hours}"
        staged = [stage("story", chunk, place, run_id=run_id) for place, chunk in enumerate(chunks)]
        summary = write(staged, chunks, run_id=run_id)
        seen.append((summary["gaps"], summary["first_polls"]))
    found = tables(sandboxes)
    with open_sandboxes(World.build(now=NOW, accounts=4, media_per_account=6, stories_per_account=2)) as other:
        for hours, (gaps, first_polls) in zip((0, 1, 30), seen, strict=True):
            other.travel(timedelta(hours=hours))
            summary = other.run("story", interval=(START, END + timedelta(hours=hours)))
            assert (gaps.keys(), first_polls) == (summary["gaps"].keys(), summary["first_polls"])
        one_task = tables(other)
    assert found["instagram_story_insights"].keys() == one_task["instagram_story_insights"].keys()
    story_rows = [each["instagram_story_insights"].items() for each in (found, one_task)]
    marks = [[key for key, row in each if row["is_final"]] for each in story_rows]
    assert marks[0] == marks[1] != []
    assert found["instagram_story_polls"].keys() == one_task["instagram_story_polls"].keys()
    assert seen[2][0]
