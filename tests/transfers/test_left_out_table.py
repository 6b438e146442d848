"""Examples of what was left out stand in a table of their own: few, short, without what nobody may see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT, LEFT_OUT_DAYS, RUNS
from airflow_provider_iginsights.catalog.tables import Table
from airflow_provider_iginsights.extract.fragments import MAX_BYTES
from airflow_provider_iginsights.extract.left_out_examples import MAX_IN_ALL, MAX_PER_REASON, LeftOutExamples
from airflow_provider_iginsights.sandbox.graph import Edit, ErrorEffect, GraphFault, World
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
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

TO = {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}
TABLE = LEFT_OUT.default_id
OLD = ErrorEffect(100, subcode=2108006, message="Media Posted Before Business Account Conversion")
SECRET = "a caption that nobody may see"


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two accounts with a few posts, whose reach cannot be read in one of them."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=6)) as opened:
        opened.connect(password=opened.token)
        yield opened


def spoil(sandboxes: Sandboxes) -> str:
    """Let the reach of one account's posts hold a token, and one of them have an unreadable caption; return its id."""
    second = list(sandboxes.world.accounts)[1]
    said = f"{sandboxes.token} {SECRET}" + "é" * 2 * MAX_BYTES
    edit = Edit("values/0/value", lambda _: {"text": said})
    sandboxes.graph.faults.add(GraphFault(effect=edit, path=second, metric="reach", times=None))
    sandboxes.graph.faults.add(GraphFault(effect=Edit("caption", lambda _: [SECRET]), path=second, times=None))
    return second


def rows(sandboxes: Sandboxes) -> list[Row]:
    """Return what the table holds."""
    return sandboxes.rows(TABLE)


def test_the_pieces_of_an_answer(sandboxes: Sandboxes) -> None:
    """Each has its account, run, reason and metric; three of a reason are kept and all are counted; none is long."""
    second = spoil(sandboxes)
    posts = [post for post in sandboxes.world.media_of(second, sandboxes.now) if (NOW - post.timestamp).days < 28]
    summary = sandboxes.run("media", left_out_table_id=TABLE, refresh_days=None)
    found = rows(sandboxes)
    assert {(row["account_id"], row["dag_id"], row["task_id"], row["map_index"]) for row in found} == {
        (second, "brand", "media", -1)
    }
    assert {row["run_id"] for row in found} == {sandboxes.instance.run_id}
    by_reason = {entry["what"]: entry for entry in summary["left_out"] if entry["kind"] != "NoData"}
    assert {row["what"] for row in found} == by_reason.keys() >= {"reach", "caption"}
    for row in found:
        assert row["count"] == by_reason[row["what"]]["count"]
        assert row["object"] in by_reason[row["what"]]["whom"]
        assert len(row["fragment"].encode()) <= MAX_BYTES
        assert sandboxes.token not in row["fragment"]
    kept = [sum(row["what"] == what for row in found) for what in by_reason]
    assert kept == [min(MAX_PER_REASON, int(entry["count"])) for entry in by_reason.values()]
    assert any(row["fragment"].startswith('{"name":"reach"') for row in found)
    assert posts
    client = sandboxes.bigquery.client()
    table = client.get_table(f"{DATASET}.{TABLE}")
    client.close()
    assert table.time_partitioning.expiration_ms == LEFT_OUT_DAYS * 86_400_000
    assert table.time_partitioning.field == "run_date"


def test_what_is_excluded_is_in_no_piece(sandboxes: Sandboxes) -> None:
    """A caption that is kept out of the media is kept out of the pieces; a retry adds no row."""
    spoil(sandboxes)
    options: dict[str, Any] = {
        "left_out_table_id": TABLE,
        "refresh_days": None,
        "exclude_columns": {"media": ["caption"]},
    }
    sandboxes.run("media", **options)
    first = rows(sandboxes)
    assert any(row["what"] == "caption" for row in first)
    sandboxes.run("media", **options)
    keys = [[row[name] for name in LEFT_OUT.key] for row in first]
    assert [[row[name] for name in LEFT_OUT.key] for row in rows(sandboxes)] == keys
    for row in first:
        if row["what"] == "caption":
            assert SECRET not in row["fragment"]


def test_a_refusal_of_meta(sandboxes: Sandboxes) -> None:
    """Its code, subcode and words stand there; where no table is wanted, there is none."""
    post = next(iter(sandboxes.world.media_of(sandboxes.account.id, sandboxes.now)))
    sandboxes.graph.faults.add(GraphFault(effect=OLD, object_id=post.id, times=None))
    sandboxes.run("media", refresh_days=None)
    assert TABLE not in sandboxes.bigquery.tables(DATASET)
    chunks = [[account_id] for account_id in sandboxes.world.accounts]
    staged = []
    for place, chunk in enumerate(chunks):
        instance = RecordingTaskInstance(task_id="media", map_index=place)
        transfer = TRANSFERS["media"](task_id="media", refresh_days=None, account_ids=chunk, load="stage", **TO)
        transfer.execute({"ti": instance, "data_interval_start": START, "data_interval_end": END})
        staged.append(instance.pushed["staged"])
    assert rows(sandboxes) == []
    operator = InstagramWriteStagedToBigQueryOperator(task_id="write", staged=staged, account_ids=chunks, **TO)
    operator.execute({"ti": RecordingTaskInstance(task_id="write")})
    found = rows(sandboxes)
    assert {row["reason"] for row in found} == {"MediaTooOld"}
    for row in found:
        error = json.loads(row["fragment"])["error"]
        assert (error["code"], error["error_subcode"], error["message"]) == (100, 2108006, OLD.message)
    assert sandboxes.staging() == []


def test_children_that_cannot_be_read(sandboxes: Sandboxes) -> None:
    """The piece is what Meta listed of them: one without an id, and one whose address is none."""
    odd = [{"permalink": "without an id"}, {"id": "9", "permalink": {"no": "address"}}]
    edit = Edit("children", lambda _: {"data": odd})
    sandboxes.graph.faults.add(GraphFault(effect=edit, path=sandboxes.account.id, times=None))
    sandboxes.run("media", left_out_table_id=TABLE, refresh_days=None)
    found = {row["what"]: row["fragment"] for row in rows(sandboxes)}
    assert json.loads(found["children"]) == {"data": odd}
    assert json.loads(found["children.permalink"]) == odd[1]


@pytest.mark.parametrize("refused", [RUNS, LEFT_OUT], ids=lambda table: table.name)
def test_a_table_that_cannot_be_written_costs_no_other(sandboxes: Sandboxes, refused: Table) -> None:
    """Where one of the two tables about runs is a view, the other one and the data are written; a note says why."""
    spoil(sandboxes)
    sandboxes.run("account", metrics=["reach"], breakdowns={}, lookback_days=0)
    client = sandboxes.bigquery.client()
    client.query(f"CREATE VIEW {DATASET}.{refused.default_id} AS SELECT 1 AS one").result()
    client.close()
    ids = {"runs_table_id": RUNS.default_id, "left_out_table_id": TABLE}
    summary = sandboxes.run("media", refresh_days=None, **ids)
    [note] = [note for note in summary["notes"] if refused.default_id in note]
    assert "is a view" in note
    [written] = {*ids.values()} - {refused.default_id}
    assert sandboxes.rows(written)
    assert summary["account_counts"]["done"] == 2


def test_it_does_not_grow() -> None:
    """However much is left out, of however many accounts: the examples are bounded, and each reason is counted."""
    cut: list[object] = []
    examples = LeftOutExamples(lambda raw: str(cut.append(raw) or raw))
    for number in range(3 * MAX_IN_ALL):
        for whom in ("a", "b", "c", "d"):
            examples.add(f"{number}", what="reach", kind="Unreadable", whom=whom, why="", raw=[{"name": "reach"}])
    found = list(examples.list_all())
    assert len(found) == len(cut) == MAX_IN_ALL
    assert {count for example, count in found if example.account_id == "0"} == {4}
    assert [example.whom for example, _ in found if example.account_id == "0"] == ["a", "b", "c"]
