"""What became of each account stands in one row per task run, however the tries of the task ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights._compat import TaskDeferred
from airflow_provider_iginsights.catalog.run_tables import RUNS
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import AccountUnavailable, ConfigurationError, LoadError, StagedRowsMissing
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.transfers.run_log import LONGEST_MESSAGE
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from tests.support.airflow_versions import offers
from tests.support.sandboxes import (
    DATASET,
    END,
    NOW,
    START,
    TRANSFERS,
    RecordingTaskInstance,
    Row,
    Sandboxes,
    open_sandboxes,
)
from tests.support.transfers.dag_runs import BUSY, dag_of, open_sandboxes_of_dags
from tests.support.transfers.dag_runs import run as run_dag

TO = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}
WRITTEN = {
    "account": ("instagram_account_insights", "instagram_accounts"),
    "media": ("instagram_media_insights", "instagram_media", "instagram_media_children"),
    "story": ("instagram_story_insights", "instagram_media"),
}
GONE = ErrorEffect(100, subcode=33, message="Unsupported get request.")
ODD_RUN = "manual__2026-11-21T08:00:00+00:00 'a' \"b\" \\ `c` é🌅\n-- ; DROP"


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts with few posts and a story."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=5, stories_per_account=1)) as opened:
        yield opened


def run(kind: str, context: dict[str, Any] | None = None, try_number: int = 1, **given: Any) -> dict[str, Any]:
    """Run a try of a transfer with its table of runs, and return what it returns."""
    progress = given.pop("progress", None)
    instance = given.pop("instance", None) or RecordingTaskInstance(task_id=kind, try_number=try_number)
    operator = TRANSFERS[kind](task_id=kind, **TO | given)
    known = {"ti": instance, "data_interval_start": START, "data_interval_end": END} | (context or {})
    found: dict[str, Any] = operator.resume(known, progress=progress) if progress else operator.execute(known)
    return found


def runs(sandboxes: Sandboxes) -> dict[str, Row]:
    """Return the rows of the table of runs by account, each of which has one."""
    rows = sandboxes.rows(RUNS.default_id)
    assert len({row["account_id"] for row in rows}) == len(rows)
    return {row["account_id"]: row for row in rows}


def statuses(sandboxes: Sandboxes) -> list[tuple[str, str | None, int]]:
    """Return how the accounts ended, in the order of their ids, why, and after how many tries."""
    return [(row["status"], row["reason"], row["tries"]) for row in runs(sandboxes).values()]


@pytest.mark.parametrize("kind", WRITTEN)
def test_one_row_an_account(sandboxes: Sandboxes, kind: str) -> None:
    """It counts the rows in the tables and the calls that Meta counted, and the summary's rows and bytes are those."""
    summary = run(kind)
    rows = Counter(row["account_id"] for table_id in WRITTEN[kind] for row in sandboxes.rows(table_id))
    polls = len(sandboxes.rows("instagram_story_polls"))
    found = runs(sandboxes)
    assert {account_id: row["rows_read"] for account_id, row in found.items()} == rows
    assert sum(row["graph_calls"] for row in found.values()) <= sum(each.calls for each in sandboxes.graph.log)
    assert min(row["graph_calls"] for row in found.values()) > 0
    assert list(found) == list(sandboxes.world.accounts)
    for row in found.values():
        assert row["task_rows_changed"] == summary["rows_changed"] == sum(rows.values()) + polls
        assert (row["status"], row["reason"], row["message"], row["tries"]) == ("done", None, None, 1)
        assert (row["dag_id"], row["task_id"], row["map_index"]) == ("brand", kind, -1)
        assert (row["since"], row["until"], row["run_date"]) == (START, END, END.date())
        assert str(row["first_day"]) == str(row["last_day"]) == summary["window"]["days"][0]
        assert NOW <= row["started_at"] <= row["finished_at"] == row["fetched_at"] <= sandboxes.now
        assert 0 < row["seconds"] < 60
    assert not {path for path in summary["tables"] if "runs" in path}
    assert any(path.endswith(RUNS.default_id) for path in summary["bigquery_bytes"])
    assert sandboxes.staging() == []


def test_what_was_left_out_is_counted(sandboxes: Sandboxes) -> None:
    """Of the account that it was left out of; what Meta has no number for is counted apart."""
    first, second = sandboxes.world.accounts
    post = next(iter(sandboxes.world.media_of(second, sandboxes.now)))
    old = ErrorEffect(100, subcode=2108006, message="Media Posted Before Business Account Conversion")
    sandboxes.graph.faults.add(GraphFault(effect=old, path=post.id, times=None))
    summary = run("media", refresh_days=None)
    found = runs(sandboxes)
    named = [entry for entry in summary["left_out"] if entry["kind"] != "NoData"]
    assert sum(int(entry["count"]) for entry in named) == found[second]["left_out"] > 0
    assert found[first]["left_out"] == 0
    empty = sum(int(entry["count"]) for entry in summary["left_out"] if entry["kind"] == "NoData")
    assert sum(row["no_data"] for row in found.values()) == empty


@pytest.mark.parametrize(
    ("mode", "status"), [("fail", "failed"), ("skip", "skipped"), ("quarantine", "failed")], ids=lambda each: each
)
def test_an_account_that_fails(sandboxes: Sandboxes, mode: str, status: str) -> None:
    """Its error stands beside it, the other account is done; the next try finds both rows and adds to its own."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=GONE, path=second, times=None))
    if mode == "skip":
        run("media", on_account_error=mode)
    else:
        with pytest.raises(AccountUnavailable):
            run("media", on_account_error=mode)
    assert statuses(sandboxes) == [("done", None, 1), (status, "AccountUnavailable", 1)]
    assert second in runs(sandboxes)[second]["message"]
    calls = runs(sandboxes)[second]["graph_calls"]
    sandboxes.graph.faults.clear()
    run("media", on_account_error=mode, try_number=2)
    assert statuses(sandboxes) == [("done", None, 2), ("done", None, 2)]
    assert runs(sandboxes)[second]["message"] is None
    assert runs(sandboxes)[second]["graph_calls"] > calls


def test_a_quarantined_account_has_a_row(sandboxes: Sandboxes) -> None:
    """On the third day it is left out, and each run says so."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=GONE, path=second, times=None))
    for day in range(2):
        with pytest.raises(AccountUnavailable):
            run("media", on_account_error="quarantine", instance=RecordingTaskInstance(run_id=f"{day}"))
        sandboxes.travel(timedelta(days=1))
    run("media", on_account_error="quarantine", instance=RecordingTaskInstance(run_id="2"))
    found = {(row["run_id"], row["account_id"] == second): row["status"] for row in sandboxes.rows(RUNS.default_id)}
    assert [found[str(day), True] for day in range(3)] == ["failed", "failed", "quarantined"]
    assert {found[str(day), False] for day in range(3)} == {"done"}


def test_an_account_that_waits(sandboxes: Sandboxes) -> None:
    """While the task waits for Meta, the row says so; once it went on, it has calls and seconds of both parts."""
    second = list(sandboxes.world.accounts)[1]
    sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=second, times=1))
    with pytest.raises(TaskDeferred) as waiting:
        run("media", deferrable=True)
    assert statuses(sandboxes) == [("done", None, 1), ("throttled", "Throttled", 1)]
    waited = runs(sandboxes)[second]
    sandboxes.travel(timedelta(hours=2))
    run("media", progress=waiting.value.kwargs["progress"])
    assert statuses(sandboxes) == [("done", None, 1), ("done", None, 2)]
    row = runs(sandboxes)[second]
    assert row["graph_calls"] > waited["graph_calls"] > 0
    assert row["seconds"] > waited["seconds"] > 0
    assert row["started_at"] == waited["started_at"]
    assert row["finished_at"] > waited["finished_at"]


def test_rows_that_bigquery_refuses(sandboxes: Sandboxes) -> None:
    """Where the data cannot be written, each account's row says that nothing was loaded; the retry says done."""
    into = "instagram_media_insights"
    refused = BigQueryFault("POST /bigquery/.*/jobs$", "accessDenied", body=into, times=None, skip=1)  # the dry run
    sandboxes.bigquery.faults.add(refused)
    with pytest.raises(LoadError):
        run("media")
    assert [(row["status"], row["rows_read"] > 0) for row in runs(sandboxes).values()] == [("not_loaded", True)] * 2
    assert {row["task_rows_changed"] for row in runs(sandboxes).values()} == {None}
    sandboxes.bigquery.faults.clear()
    run("media", try_number=2)
    assert statuses(sandboxes) == [("done", None, 2)] * 2
    held = sum(len(sandboxes.rows(table_id)) for table_id in WRITTEN["media"])
    assert {row["task_rows_changed"] for row in runs(sandboxes).values()} == {held}


def test_a_table_of_runs_that_cannot_be_written(sandboxes: Sandboxes) -> None:
    """The data is written and the task succeeds; a note says what became of the rows about it."""
    sandboxes.run("account", metrics=["reach"], breakdowns={}, lookback_days=0)
    client = sandboxes.bigquery.client()
    client.query(f"CREATE VIEW {DATASET}.{RUNS.default_id} AS SELECT 1 AS one").result()
    client.close()
    summary = run("media")
    assert summary["account_counts"]["done"] == 2
    assert len(sandboxes.rows("instagram_media")) == 2
    [note] = [note for note in summary["notes"] if RUNS.default_id in note]
    assert "is a view" in note
    assert sandboxes.staging() == []


@pytest.mark.parametrize("given", [None, "None", ""])
def test_it_can_be_switched_off(sandboxes: Sandboxes, given: str | None) -> None:
    """Then there is no such table, and no statement about it."""
    run("media", runs_table_id=given)
    assert RUNS.default_id not in sandboxes.bigquery.tables(DATASET)
    assert not [job for job in sandboxes.bigquery.jobs if RUNS.default_id in str(job.statement)]


def test_any_run_id_and_any_message(sandboxes: Sandboxes) -> None:
    """A run id is any text; a message is bounded, and holds neither a token nor what could forge a line."""
    second = list(sandboxes.world.accounts)[1]
    said = f"(#10) \u202e no {sandboxes.token} allowed\n" + "é" * 2 * LONGEST_MESSAGE
    sandboxes.graph.faults.add(GraphFault(effect=ErrorEffect(10, message=said), path=second, times=None))
    for _ in range(2):
        run("media", on_account_error="skip", instance=RecordingTaskInstance(run_id=ODD_RUN, map_index=7, try_number=2))
    run("media", on_account_error="skip", instance=RecordingTaskInstance(run_id=ODD_RUN, map_index=8))
    found = sandboxes.rows(RUNS.default_id)
    assert [(row["map_index"], row["run_id"]) for row in found] == [(7, ODD_RUN), (8, ODD_RUN)] * 2
    assert [row["tries"] for row in found] == [2, 1, 2, 1]
    messages = [row["message"] for row in found if row["message"]]
    assert len(messages) == 2
    for message in messages:
        assert len(message) <= LONGEST_MESSAGE
        assert sandboxes.token not in message
        assert message.isprintable()


def test_staged_rows_are_written_with_the_data(sandboxes: Sandboxes) -> None:
    """Mapped tasks hand their rows over; the task that writes them says whether the data is there, also in a retry."""
    chunks = [[account_id] for account_id in sandboxes.world.accounts]
    staged = []
    for place, chunk in enumerate(chunks):
        instance = RecordingTaskInstance(task_id="media", map_index=place)
        run("media", account_ids=chunk, load="stage", instance=instance)
        staged.append(instance.pushed["staged"])
    assert sandboxes.rows(RUNS.default_id) == []

    def write(try_number: int, staged: list[Any]) -> None:
        operator = InstagramWriteStagedToBigQueryOperator(task_id="write", staged=staged, account_ids=chunks, **TO)
        operator.execute({"ti": RecordingTaskInstance(task_id="write", try_number=try_number)})

    into = BigQueryFault("POST /bigquery/.*/jobs$", "accessDenied", body="MERGE .*_media_insights", times=None)
    sandboxes.bigquery.faults.add(into)
    with pytest.raises(LoadError):
        write(1, staged)
    assert [(row["status"], row["map_index"]) for row in runs(sandboxes).values()] == [
        ("not_loaded", 0),
        ("not_loaded", 1),
    ]
    sandboxes.bigquery.faults.clear()
    with pytest.raises(StagedRowsMissing):
        write(2, staged[:1])
    assert [row["status"] for row in runs(sandboxes).values()] == ["done", "not_loaded"]
    write(3, staged)
    assert statuses(sandboxes) == [("done", None, 1)] * 2
    assert {row["task_rows_changed"] for row in runs(sandboxes).values()} == {None}
    rows = Counter(row["account_id"] for table_id in WRITTEN["media"] for row in sandboxes.rows(table_id))
    assert {account_id: row["rows_read"] for account_id, row in runs(sandboxes).items()} == rows
    assert sandboxes.staging() == []


def test_an_id_that_cannot_be_is_refused() -> None:
    """As other table ids: before anything is asked."""
    with pytest.raises(ConfigurationError, match="runs_table_id"):
        TRANSFERS["media"](task_id="media", runs_table_id=7, **TO).check_arguments()


@pytest.mark.usefixtures("without_waits", "airflow_db")
def test_in_a_dag(tmp_path: Path) -> None:
    """Airflow's own runner: a wait and a retry later, each account has one row of the Dag's run, dated by the run."""
    with open_sandboxes_of_dags() as sandboxes:
        first, second, _ = sandboxes.world.accounts
        sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=first, times=1))
        sandboxes.graph.faults.add(GraphFault(effect=GONE, path=second, times=1))
        body = (
            'Account(task_id="account", metrics=["likes"], lookback_days=0, retries=2, retry_delay=timedelta(0), **TO)'
        )
        with dag_of(tmp_path, "logged", body) as dag:
            (instance,) = run_dag(dag).values()
        assert instance.state == "success"
        found = runs(sandboxes)
        assert [row["status"] for row in found.values()] == ["done", "done", "done"]
        assert {(row["dag_id"], row["run_id"], row["map_index"]) for row in found.values()} == {
            ("logged", instance.run_id, -1)
        }
        # Where Airflow keeps no state of a task, what was loaded before a reschedule is read again.
        assert [row["tries"] for row in found.values()] == [2, 2, 1 if offers("3.3") else 2]


def test_an_account_is_forgotten(sandboxes: Sandboxes) -> None:
    """What erases an account erases its rows here, too, and nobody else's."""
    run("media")
    first, second = sandboxes.world.accounts
    words = ["forget", "--account", first, "--dataset", DATASET, "--project", sandboxes.bigquery.project]
    assert main([*words, "--skip-missing", "--yes"]) == 0
    assert list(runs(sandboxes)) == [second]


def test_what_it_costs() -> None:
    """One task bills 40 MiB for it: two statements over two tables of which BigQuery bills 10 MiB each at least."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=1), pricing=True) as sandboxes:
        costs = run("media")["bigquery_bytes"]
        [own] = [kinds for path, kinds in costs.items() if path.endswith(RUNS.default_id)]
        assert sum(counts["bytes_billed"] for counts in own.values()) == 40 * 2**20
        billed = sum(counts["bytes_billed"] for kinds in costs.values() for counts in kinds.values()) - 40 * 2**20
        assert {row["task_bytes_billed"] for row in runs(sandboxes).values()} == {billed}
