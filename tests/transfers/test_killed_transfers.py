"""A transfer that dies at any moment and is run again leaves every table as if it had never died."""

from __future__ import annotations

from pathlib import Path

from tests.support.sandboxes import DATASET, KEYS, RUN_KEYS, open_sandboxes
from tests.support.transfers.killed_transfers import compare, kill_and_repeat, read, tables


def test_killed_and_repeated_transfers_leave_the_truth(tmp_path: Path) -> None:
    """A few random kills of whole transfers, one of each kind at least (the script beside this file does hundreds).

    No try finds on its worker's disk what an earlier one left there, and one that ends leaves nothing.
    """
    with open_sandboxes() as sandboxes:
        killed = list(kill_and_repeat(sandboxes, disks=tmp_path, kills=3, seed=11))
        whole = read(sandboxes, f"{DATASET}_whole_account")
    assert [one for one in killed if one.wrong] == []
    assert {one.kind for one in killed} == {"account", "media", "story"}
    assert whole["instagram_account_insights"]


def test_the_comparison_sees_what_a_kill_could_do() -> None:
    """A lost row, another value, a staging table that is left and a failed second try are all told."""
    with open_sandboxes() as sandboxes:
        sandboxes.run("account", runs_table_id="instagram_runs")
        truth = read(sandboxes, DATASET)
        assert list(compare(sandboxes, DATASET, truth, 0)) == []
        client = sandboxes.bigquery.client()
        path = f"{sandboxes.bigquery.project}.{DATASET}.instagram_account_insights"
        client.query(f"DELETE FROM `{path}` WHERE metric = 'views'").result()
        client.query(f"UPDATE `{path}` SET value = -1 WHERE metric = 'likes'").result()
        client.query(
            f"CREATE TABLE `{sandboxes.bigquery.project}.{DATASET}.instagram_accounts__stg_left` (x INT64)"
        ).result()
        client.close()
        told = list(compare(sandboxes, DATASET, truth, 1))
        assert [name for name in tables(sandboxes, DATASET) if name not in KEYS | RUN_KEYS] == [
            "instagram_accounts__stg_left"
        ]
    assert [text.split()[0] for text in told] == [
        "the",
        "instagram_account_insights",
        "instagram_account_insights",
        "staging",
    ]
