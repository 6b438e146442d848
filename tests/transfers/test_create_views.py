"""``create_views=True``: the views of a run's tables stand after it, and read what it wrote."""

from __future__ import annotations

from tests.support.sandboxes import DATASET, Sandboxes


def test_a_run_leaves_views_that_read_its_rows(sandboxes: Sandboxes) -> None:
    """The wide view holds the likes of the tidy table, one row per account and day; a rerun is harmless."""
    sandboxes.run("account", create_views=True)
    sandboxes.run("account", create_views=True)
    tidy = {
        (row["account_id"], row["metric_date"]): row["value"]
        for row in sandboxes.rows("instagram_account_insights")
        if row["metric"] == "likes" and row["breakdown"] == ""
    }
    client = sandboxes.bigquery.client()
    path = f"{sandboxes.bigquery.project}.{DATASET}.instagram_account_daily"
    wide = [
        ((row.account_id, row.metric_date), row.likes)
        for row in client.query(f"SELECT account_id, metric_date, likes FROM `{path}`").result()
    ]
    client.close()
    assert len(wide) == len({key for key, _ in wide})
    assert {key: likes for key, likes in wide if likes is not None} == tidy
    assert len(tidy) == 8


def test_views_are_left_alone_by_default(sandboxes: Sandboxes) -> None:
    """Without the argument, no view is made."""
    sandboxes.run("account")
    assert "instagram_account_daily" not in sandboxes.bigquery.tables(DATASET)
